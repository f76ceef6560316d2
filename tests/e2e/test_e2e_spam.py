"""Real checkers, spamd of SpamAssassin and rspamd, neither with network tests: what they are shown and say."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from harness import rspamd, spamd
from harness.smtp import free_port
from spam.replies import GTUBE

from amavis_pipe import intake
from amavis_pipe.cache import Cache
from amavis_pipe.intake import Mail
from amavis_pipe.model import Envelope, ScannerTrouble
from amavis_pipe.spam import headers
from amavis_pipe.spam.check import Checker, Question, check
from amavis_pipe.spam.score import Score

WANTED = {spamd.COMMAND: "spamd", rspamd.COMMAND: "rspamd"}
TAG, REQUIRED = 4.0, 6.9
ENVELOPE = Envelope(
    b"a@example.org", (b"b@example.org",), b"4bX7", b"127.0.0.1", b"mx.example.org", b"mx.example.org"
)
HEAD = (
    b"From: Anna <a@example.org>\nTo: b@example.org\nDate: %s\nMessage-ID: <20261102100000.4bX7@mx.example.org>\n"
    b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nSubject: Minutes of our meeting\n\n"
)
TEXT = b"Hello,\n\nhere are the minutes of our meeting on Monday, as we agreed.\n\nBest regards, Anna\n"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the checkers' users can enter; root is wanted for that."""
    if os.geteuid() != 0:
        pytest.fail("the end-to-end tests want root: checkers run as different users")
    missing = sorted({package for path, package in WANTED.items() if not path.exists()})
    if missing:
        pytest.fail(f"missing servers: apt-get install --no-install-recommends {' '.join(missing)}")
    made = Path(tempfile.mkdtemp(prefix="ap-spam-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def spamassassin(folder: Path) -> Iterator[spamd.Spamd]:
    """A running spamd."""
    server = spamd.Spamd(folder / "spamd", free_port())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def rspamd_server(folder: Path) -> Iterator[rspamd.Rspamd]:
    """A running rspamd."""
    server = rspamd.Rspamd(folder / "rspamd", free_port(), free_port())
    yield server
    server.stop()


def of(body: bytes, crlf: bool = False) -> Mail:
    """A mail of today with this text."""
    from email.utils import formatdate

    data = HEAD % formatdate().encode() + body
    return intake.of_bytes(data.replace(b"\n", b"\r\n") if crlf else data, b"/var/tmp")


def asked(
    mail: Mail, at: str, via: str = "spamd", user: bytes = b"", envelope: Envelope = ENVELOPE, **more: object
) -> Score:
    """What the checker says."""
    score = check(mail, envelope, Checker(via, (at,), **more), user, monotonic() + 60)
    assert score is not None
    return score


def names(score: Score) -> set[str]:
    return {name for name, _ in score.tests}


@pytest.mark.parametrize("crlf", [False, True], ids=["LF", "CRLF"])
def test_gtube_is_spam_with_all_headers(spamassassin: spamd.Spamd, crlf: bool) -> None:
    score = asked(of(TEXT + GTUBE + b"\n", crlf), spamassassin.at)
    assert "GTUBE" in names(score)
    assert 995 < score.score < 1020
    made = headers.lines(score, TAG, REQUIRED)
    assert made[0] == b"X-Spam-Flag: YES"
    assert made[1] == b"X-Spam-Score: " + headers.shown(score.score).encode()
    assert made[2] == b"X-Spam-Level: " + b"*" * 64
    start = b"X-Spam-Status: Yes, hits=%s tagged_above=4.0 required=6.9" % headers.shown(score.score).encode()
    flat = made[3].replace(b"\n\t", b" ")
    assert flat.startswith(start + b" tests=")
    assert set(flat.partition(b" tests=")[2].decode().split(", ")) == names(score)
    assert all(len(line) <= 78 for line in made[3].split(b"\n"))
    assert len(made) == 4


@pytest.mark.parametrize("crlf", [False, True], ids=["LF", "CRLF"])
def test_ham_is_below_tag_and_has_none(spamassassin: spamd.Spamd, crlf: bool) -> None:
    score = asked(of(TEXT, crlf), spamassassin.at)
    assert score.score < TAG
    assert score.required == 5.0
    assert headers.lines(score, TAG, REQUIRED) == []


def test_a_report_has_the_points_of_each_test(spamassassin: spamd.Spamd) -> None:
    mail = of(TEXT + GTUBE + b"\n")
    score = asked(mail, spamassassin.at, report=True)
    assert dict(score.tests)["GTUBE"] == 1000.0
    assert abs(sum(points or 0 for _, points in score.tests) - score.score) < 1
    assert names(score) == names(asked(mail, spamassassin.at))
    lines = headers.lines(score, TAG, REQUIRED, report=True)[-1].split(b"\n")
    assert b"\t* 1000.0 GTUBE BODY: Generic Test for Unsolicited Bulk Email" in lines
    assert len(lines) == len(score.tests) + 1


def test_the_client_and_the_sender_are_known_to_spamassassin(spamassassin: spamd.Spamd) -> None:
    assert "ALL_TRUSTED" in names(asked(of(TEXT), spamassassin.at))
    outside = Envelope(
        b"bounce@example.net", (b"b@example.org",), b"4bX7", b"8.8.8.8", b"unknown", b"[8.8.8.8]"
    )
    score = asked(of(TEXT), spamassassin.at, envelope=outside)
    assert "ALL_TRUSTED" not in names(score)
    assert {"HEADER_FROM_DIFFERENT_DOMAINS"} & names(score)
    assert not {"NO_RECEIVED", "NO_RELAYS", "UNPARSEABLE_RELAY"} & names(score)


def test_preferences_of_a_user_count_for_that_user_alone(spamassassin: spamd.Spamd) -> None:
    mail = intake.of_bytes(
        b"From: a@example.org\nTo: b@example.org\nSubject: hello there\n\nhello\n", b"/var/tmp"
    )
    default = asked(mail, spamassassin.at)
    strict = asked(mail, spamassassin.at, user=spamassassin.strict)
    assert (default.required, strict.required) == (5.0, 3.0)
    assert strict.score > default.score + 3
    assert asked(mail, spamassassin.at, user=b"other@example.org").score == default.score


def test_of_70_kib_nothing_or_the_head_is_shown(spamassassin: spamd.Spamd) -> None:
    late = of(TEXT + b"0123456789 and so on and on\n" * 2560 + GTUBE + b"\n")
    early = of(TEXT + GTUBE + b"\n" + b"0123456789 and so on and on\n" * 2560)
    assert late.raw.size > 70 << 10
    assert check(early, ENVELOPE, Checker("spamd", (spamassassin.at,)), b"", monotonic() + 60) is None
    assert "GTUBE" not in names(asked(late, spamassassin.at, over_size="head"))
    assert "GTUBE" in names(asked(early, spamassassin.at, over_size="head"))


def test_of_a_large_mail_all_is_shown_where_the_size_allows_it(rspamd_server: rspamd.Rspamd) -> None:
    large = of(TEXT + b"0123456789 and so on and on\n" * 2560)
    sizes = []
    for queue_id, most in ((b"4bXHead", 65_536), (b"4bXWhole", 1 << 20)):
        envelope = Envelope(b"a@example.org", queue_id=queue_id)
        asked(large, rspamd_server.at, "rspamd", envelope=envelope, over_size="head", max_size=most)
        line = next(one for one in rspamd_server.log().splitlines() if f"qid: <{queue_id.decode()}>" in one)
        sizes.append(
            int(line.partition("len: ")[2].partition(",")[0]) - len(b"Return-Path: <a@example.org>\n")
        )
    assert 65_500 < sizes[0] <= 65_536
    assert sizes[1] == large.raw.size


@pytest.mark.parametrize(
    "data",
    [b"\n", b"x", b"\n\n", b" folded first\n\nbody\n", b"\xff\xfe\0\r\r\n\n", b"From a Mon\nFrom: b\n\nc"],
    ids=repr,
)
@pytest.mark.parametrize("via", ["spamd", "rspamd"])
def test_odd_mails_are_shown_whole(via: str, data: bytes, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("spamassassin" if via == "spamd" else "rspamd_server")
    assert -100 < asked(intake.of_bytes(data, b"/var/tmp"), server.at, via).score < 100


def test_a_dead_spamd_is_trouble_and_another_is_asked(spamassassin: spamd.Spamd, folder: Path) -> None:
    (folder / "cache").mkdir(mode=0o700)
    cache = Cache(str(folder / "cache").encode(), 7)
    dead = f"127.0.0.1:{free_port()}"
    with pytest.raises(ScannerTrouble, match="Connection refused"):
        asked(of(TEXT), dead, retry=0.0)
    mail = of(TEXT)
    for _ in range(5):
        pool = Checker("spamd", (dead, spamassassin.at))
        assert Question(mail, ENVELOPE, pool, b"", monotonic() + 60, cache, 0).answer() is not None


def test_rspamd_calls_gtube_spam(rspamd_server: rspamd.Rspamd) -> None:
    score = asked(of(TEXT + GTUBE + b"\n"), rspamd_server.at, "rspamd")
    assert names(score) == {"GTUBE"}
    assert score.score == score.required == 15.0
    assert headers.lines(score, TAG, REQUIRED)[0] == b"X-Spam-Flag: YES"


@pytest.mark.parametrize("crlf", [False, True], ids=["LF", "CRLF"])
def test_ham_is_below_tag_for_rspamd(rspamd_server: rspamd.Rspamd, crlf: bool) -> None:
    score = asked(of(TEXT, crlf), rspamd_server.at, "rspamd", report=True)
    assert score.score < TAG
    assert abs(sum(points or 0 for _, points in score.tests) - score.score) < 0.01
    assert "Helo" not in score.report or "mx.example.org" not in score.report
    assert headers.lines(score, TAG, REQUIRED) == []


def test_rspamd_is_told_of_the_envelope(rspamd_server: rspamd.Rspamd) -> None:
    envelope = Envelope(
        b"bounce@example.net",
        (b"b@example.org", b"c@example.org"),
        b"4bX7Queue",
        b"2001:db8::7",
        b"mx.example.org",
        b"helo.example.org",
        b"alice",
    )
    asked(of(TEXT), rspamd_server.at, "rspamd", b"b@example.org", envelope)
    line = next(line for line in rspamd_server.log().splitlines() if "qid: <4bX7Queue>" in line)
    for told in (
        "ip: 2001:db8::7",
        "from: <bounce@example.net>",
        "rcpts: <b@example.org,c@example.org>",
        "user: alice",
    ):
        assert told in line


def test_rspamd_takes_the_received_line_for_postfix_own(rspamd_server: rspamd.Rspamd) -> None:
    score = asked(of(TEXT), rspamd_server.at, "rspamd")
    assert "RCVD_COUNT_ONE" in names(score)
    assert "INVALID_POSTFIX_RECEIVED" not in names(score)


def test_no_value_of_the_envelope_stops_rspamd_from_answering(rspamd_server: rspamd.Rspamd) -> None:
    evil = b"\xff\xfe \x01<>\"'\\: x\ty" * 90
    many = tuple(b"%d%s@example.org" % (number, b"x" * 200) for number in range(1000))
    envelope = Envelope(evil, (evil, *many), evil, b"127.0.0.1", evil, evil, evil)
    assert asked(of(TEXT), rspamd_server.at, "rspamd", evil, envelope).score > -100
