"""Spam through the whole site: Postfix, the filter, a real spamd without network tests; levels by recipient."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from harness import mails, spamd
from harness.clamd import EICAR, EICAR_NAME
from harness.site import ALICE, BOB, Site
from harness.smtp import Arrived, free_port
from spam.replies import GTUBE, HAM, SYMBOLS
from stand_in.daemon import Daemon

BY_SENDMAIL = pytest.mark.parametrize("running", ["sendmail"], indirect=True)
WORDS = b"Hello,\n\nhere are the minutes of our meeting on Monday, as we agreed.\n\nBest regards, Alice\n"
HEAD = (
    b"From: Alice <alice@sender.example>\r\nTo: Bob <bob@site.example>\r\nSubject: Minutes of our meeting\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
)
FOREIGN = (
    b"X-Spam-Status: No, hits=-100.0 tagged_above=0.0 required=5.0\r\n\ttests=FORGED_FIELD\r\n"
    b"X-Spam-Level: \r\nX-SPAM-FLAG: NO\r\nX-Spam-Score: -100\r\nX-Spam-Report: FORGED_FIELD\r\n"
    b"X-Spam-Checker-Version: FORGED_FIELD\r\nX-Spam-Tests: FORGED_FIELD\r\n"
)
TESTS = rb"tests=\w+(?:,(?: |\r\n\t)\w+)*\r\n"
POINTS = rb"-?\d+\.\d{1,3}"
ALL_POINTS, SOME_POINTS = 5000.0, 500.0
"""Above and below what GTUBE has, about a thousand."""


@pytest.fixture(scope="module")
def spamassassin() -> Iterator[spamd.Spamd]:
    """A running spamd."""
    if os.geteuid() != 0 or not spamd.COMMAND.exists():
        pytest.fail("wants root, and: apt-get install --no-install-recommends spamd")
    folder = Path(tempfile.mkdtemp(prefix="ap-spam-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = spamd.Spamd(folder / "spamd", free_port())
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def stand_in() -> Iterator[Daemon]:
    """A spamd of our own, which calls everything spam."""
    server = Daemon()
    server.script = [b"", SYMBOLS]
    yield server
    server.close()


def letter(*body: bytes, fields: bytes = b"") -> bytes:
    """A mail of today."""
    about = b"Date: %s\r\nMessage-ID: <20261102.4bX7@sender.example>\r\n" % formatdate().encode()
    return HEAD + about + fields + b"\r\n" + mails.crlf(b"".join((WORDS, *body)))


SPAM = (GTUBE + b"\n",)


def at(server: spamd.Spamd | Daemon, **more: object) -> dict[str, object]:
    """The section that has a checker asked."""
    return {"checker": "spamd", "at": server.at, "timeout": 20, **more}


def by_recipient(mails_: list[Arrived]) -> dict[bytes, Arrived]:
    """Who got what; AssertionError if somebody got two."""
    found = [(recipient, arrived) for arrived in mails_ for recipient in arrived.recipients]
    assert len(dict(found)) == len(found)
    return dict(found)


def spam_fields(arrived: Arrived) -> bytes:
    """The fields about spam, as bytes."""
    return b"".join(re.findall(rb"(?im)^x-spam[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", arrived.head))


def body(arrived: Arrived) -> bytes:
    return arrived.data.partition(b"\r\n\r\n")[2]


def to(name: str, **spam: object) -> dict[str, object]:
    """A rule for one recipient."""
    return {"match": f"{name}@site.example", "spam": spam}


LEVELS = [
    to("none", tag=ALL_POINTS, required=ALL_POINTS, kill=ALL_POINTS),
    to("tag", tag=SOME_POINTS, required=ALL_POINTS, kill=ALL_POINTS),
    to("required", tag=SOME_POINTS, required=SOME_POINTS, kill=ALL_POINTS),
    to("kill", tag=SOME_POINTS, required=SOME_POINTS, kill=SOME_POINTS),
    {"match": "bypass@site.example", "bypass": ["spam"]},
]
WHITE = {"match": "alice@sender.example", "recipient": "white@site.example", "list": "white"}
EVERYBODY = tuple(
    b"%s@site.example" % name for name in (b"none", b"tag", b"required", b"kill", b"bypass", b"white")
)


def test_of_one_mail_each_recipient_gets_what_its_own_levels_say(
    site: Site, spamassassin: spamd.Spamd
) -> None:
    mail = letter(*SPAM, fields=FOREIGN)
    settings = at(spamassassin, action="discard", quarantine=True, subject_tag="***SPAM***")
    site.configure(spam=settings, recipient=LEVELS, sender=[WHITE])
    site.send(mail, recipients=EVERYBODY)
    got = by_recipient(site.finished())
    none, tag, required, _, bypass, white = EVERYBODY
    assert set(got) == {none, tag, required, bypass, white}
    for spared in (none, bypass, white):
        assert spam_fields(got[spared]) == b""
    assert re.fullmatch(
        rb"X-Spam-Score: (%s)\r\nX-Spam-Level: \*{64}\r\n"
        rb"X-Spam-Status: No, hits=\1 tagged_above=500\.0 required=5000\.0(?: |\r\n\t)%s" % (POINTS, TESTS),
        spam_fields(got[tag]),
    )
    assert re.fullmatch(
        rb"X-Spam-Flag: YES\r\nX-Spam-Score: (%s)\r\nX-Spam-Level: \*{64}\r\n"
        rb"X-Spam-Status: Yes, hits=\1 tagged_above=500\.0 required=500\.0(?: |\r\n\t)%s" % (POINTS, TESTS),
        spam_fields(got[required]),
    )
    subjects = {one: arrived.field(b"Subject") for one, arrived in got.items()}
    assert subjects.pop(required) == b"***SPAM*** Minutes of our meeting"
    assert set(subjects.values()) == {b"Minutes of our meeting"}
    for arrived in got.values():
        assert body(arrived) == mail.partition(b"\r\n\r\n")[2]
        assert b"FORGED_FIELD" not in arrived.data
        assert all(len(line) <= 78 for line in spam_fields(arrived).split(b"\r\n"))
    (copy,) = site.quarantined()
    assert b"\nX-Envelope-To: <kill@site.example>\n" in copy
    assert copy.count(b"\nX-Envelope-To: ") == 1
    assert copy.endswith(mail.replace(b"\r\n", b"\n"))
    (record,) = site.journal()
    assert (record["verdict"], record["spam"]["checker"]) == ("spam", "spamd")
    assert "GTUBE" in record["spam"]["tests"]
    fates = {one: action["action"] for action in record["actions"] for one in action["recipients"]}
    assert fates.pop("required@site.example") == "tag"
    assert fates.pop("kill@site.example") == "discard"
    assert set(fates.values()) == {"pass"}


def test_ham_has_fields_for_whom_a_low_level_is_set_and_none_else(
    site: Site, spamassassin: spamd.Spamd
) -> None:
    mail = letter(fields=FOREIGN)
    site.configure(spam=at(spamassassin), recipient=[to("low", tag=-1000.0)])
    site.send(mail, recipients=(BOB, b"low@site.example"))
    got = by_recipient(site.finished())
    assert spam_fields(got[BOB]) == b""
    assert re.fullmatch(
        rb"X-Spam-Score: (%s)\r\n(?:X-Spam-Level: \*{1,3}\r\n)?"
        rb"X-Spam-Status: No, hits=\1 tagged_above=-1000\.0 required=6\.9(?: |\r\n\t)%s" % (POINTS, TESTS),
        spam_fields(got[b"low@site.example"]),
    )
    for arrived in got.values():
        assert arrived.data.endswith(mail.replace(FOREIGN, b""))
    assert site.journal()[0]["verdict"] == "clean"


@BY_SENDMAIL
def test_mail_of_70_kib_is_not_shown_and_has_no_fields(site: Site, spamassassin: spamd.Spamd) -> None:
    site.configure(spam=at(spamassassin, action="discard", tag=-1000.0))
    mail = letter(*SPAM, b"0123456789 and so on and on\n" * 2560, fields=FOREIGN)
    assert len(mail) > 70 << 10
    site.send(mail)
    (arrived,) = site.finished()
    assert spam_fields(arrived) == b""
    (record,) = site.journal()
    assert record["spam"] is None
    assert "spamd" not in {scanner["name"] for scanner in record["scanners"]}


@BY_SENDMAIL
def test_a_report_is_added_where_it_is_asked_for(site: Site, spamassassin: spamd.Spamd) -> None:
    site.configure(spam=at(spamassassin, report=True))
    site.send(letter(*SPAM, fields=FOREIGN))
    (arrived,) = site.finished()
    start, _, report = spam_fields(arrived).partition(b"X-Spam-Report:\r\n")
    assert start.startswith(b"X-Spam-Flag: YES\r\n")
    assert b"\t* 1000.0 GTUBE BODY: Generic Test for Unsolicited Bulk Email\r\n" in report
    assert all(line.startswith(b"\t") for line in report.splitlines())


TROUBLES = {"dead": "Connection refused", "slow": "no answer in 1 s", "half": "closed the connection"}


def troubled(site: Site, how: str, server: Daemon, trouble: str = "pass") -> dict[str, object]:
    """The section for a checker that is dead, slow, or gives half a reply."""
    server.stays = how == "slow"
    server.script = [b"", SYMBOLS[:-20]] if how == "half" else [b""]
    place = f"127.0.0.1:{free_port()}" if how == "dead" else server.at
    return {"checker": "spamd", "at": place, "timeout": 1, "tag": -1000.0, "trouble": trouble}


@BY_SENDMAIL
@pytest.mark.parametrize("how", TROUBLES)
def test_without_an_answer_mail_passes_without_a_score_and_the_log_says_so(
    site: Site, stand_in: Daemon, how: str
) -> None:
    site.configure(spam=troubled(site, how, stand_in))
    mail = letter(*SPAM, fields=FOREIGN)
    site.send(mail)
    (arrived,) = site.finished()
    assert spam_fields(arrived) == b""
    assert arrived.data.endswith(mail.replace(FOREIGN, b""))
    (record,) = site.journal()
    assert (record["verdict"], record["spam"]) == ("clean", None)
    (answer,) = (scanner for scanner in record["scanners"] if scanner["name"] == "spamd")
    assert answer["trouble"].startswith("spamd")
    assert answer["trouble"].endswith(TROUBLES[how])
    assert any(f"warning: {answer['trouble']}" in line for line in site.syslog.lines)


@BY_SENDMAIL
@pytest.mark.parametrize("how", TROUBLES)
def test_without_an_answer_mail_stays_queued_where_the_site_wants_that(
    site: Site, stand_in: Daemon, how: str
) -> None:
    site.configure(spam=troubled(site, how, stand_in, "defer"))
    site.send(letter())
    assert "could not be checked" in site.deferred()
    assert any("trouble: spamd" in line for line in site.syslog.lines)
    stand_in.close()
    fresh = Daemon()
    fresh.script = [b"", HAM]
    site.configure(spam=at(fresh, tag=-1000.0, trouble="defer"))
    (arrived,) = site.retried()
    fresh.close()
    assert b"X-Spam-Status: No, hits=-1.2 " in spam_fields(arrived)


@BY_SENDMAIL
@pytest.mark.parametrize(
    ("points", "mail", "discarded"),
    [(-2000.0, SPAM, False), (2000.0, (), True), (0.0, (), False)],
    ids=["a bonus saves spam", "a malus makes spam", "none"],
)
def test_points_are_added_by_sender(
    site: Site, spamassassin: spamd.Spamd, points: float, mail: tuple[bytes, ...], discarded: bool
) -> None:
    site.configure(
        spam=at(spamassassin, action="discard"), sender=[{"match": "sender.example", "score": points}]
    )
    site.send(letter(*mail))
    site.send(letter(*mail), b"other@elsewhere.example")
    got = [arrived.sender for arrived in site.finished()]
    assert (ALICE in got) is not discarded
    assert (b"other@elsewhere.example" in got) is not bool(mail)


def test_a_blacklisted_sender_is_spam_whatever_the_score(site: Site, spamassassin: spamd.Spamd) -> None:
    site.configure(
        spam=at(spamassassin, action="discard", quarantine=True),
        sender=[{"match": "alice@sender.example", "recipient": "bob@site.example", "list": "black"}],
    )
    site.send(letter(), recipients=(BOB, b"carol@site.example"))
    assert list(by_recipient(site.finished())) == [b"carol@site.example"]
    (record,) = site.journal()
    assert [found["name"] for found in record["findings"] if found["grade"] == "spam"] == ["blacklisted"]
    assert len(site.quarantined()) == 1


@BY_SENDMAIL
def test_a_virus_in_spam_is_infected_and_no_spam_checker_is_waited_for(site: Site, stand_in: Daemon) -> None:
    site.configure(spam=at(stand_in, action="pass"))
    mail = mails.with_attachment(b"e.com", EICAR)
    site.send(mail)
    assert site.finished() == []
    heard = len(stand_in.heard)
    stand_in.script = [b""]
    stand_in.stays = True  # whoever asks now waits
    site.send(mail)
    assert site.finished() == []
    assert len(stand_in.heard) == heard, "of a mail that is known to be infected it was asked"
    for record in site.journal():
        assert (record["verdict"], record["spam"]) == ("infected", None)
        assert EICAR_NAME in {found["name"] for found in record["findings"]}


@BY_SENDMAIL
@pytest.mark.parametrize(
    ("cutoffs", "copies", "told"),
    [
        ({}, 1, 1),
        ({"quarantine_cutoff": SOME_POINTS}, 0, 1),
        ({"notice_cutoff": SOME_POINTS}, 1, 0),
        ({"quarantine_cutoff": ALL_POINTS, "notice_cutoff": ALL_POINTS}, 1, 1),
    ],
    ids=["none", "no copy", "no notice", "beyond"],
)
def test_over_the_cutoffs_no_copy_is_kept_and_nobody_is_told(
    site: Site, spamassassin: spamd.Spamd, cutoffs: dict[str, float], copies: int, told: int
) -> None:
    site.configure(
        spam=at(spamassassin, action="discard", quarantine=True, admin="admin@site.example", **cutoffs),
        notices={"admin": "each"},
    )
    site.send(letter(*SPAM))
    assert [arrived.recipients for arrived in site.finished()] == [(b"admin@site.example",)] * told
    assert len(site.quarantined()) == copies
