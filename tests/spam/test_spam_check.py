"""Asking a checker: whole conversations, faults, several addresses, what is remembered."""

import marshal
import select
import socket
import struct
from time import monotonic

import pytest
from spam.replies import HAM, REPORT, SYMBOLS, http
from stand_in.daemon import Daemon

from amavis_pipe import intake
from amavis_pipe.cache import Cache
from amavis_pipe.model import Envelope, ScannerTrouble
from amavis_pipe.scan.channel import Channel
from amavis_pipe.scan.together import together
from amavis_pipe.spam.check import Checker, Question, check, key
from amavis_pipe.spam.score import Score, unpack
from amavis_pipe.spam.users import MOST, groups, user_of

ENVELOPE = Envelope(b"a@example.org", (b"b@example.org",), b"4bX7", b"192.0.2.1", b"mx.example.org", b"helo")
DATA = b"From: a@example.org\nSubject: hello\n\nhello\n"
NOBODY = "127.0.0.1:1"


@pytest.fixture
def server():
    server = Daemon()
    server.script = [b"", SYMBOLS]
    yield server
    server.close()


@pytest.fixture
def mail(tmp_path):
    return intake.of_bytes(DATA, str(tmp_path).encode())


@pytest.fixture
def cache(tmp_path):
    (tmp_path / "cache").mkdir(mode=0o700)
    return Cache(str(tmp_path / "cache").encode(), 7, 1 << 20)


def soon():
    return monotonic() + 30


def checker(*pool, via="spamd", timeout=20, retry=0.0, **more):
    return Checker(via, pool, timeout, retry, **more)


def test_spamd_is_shown_the_whole_mail_and_its_answer_is_read(server, mail):
    score = check(mail, ENVELOPE, checker(server.at), b"b@example.org", soon())
    assert (score.score, score.checker) == (1009.9, "spamd")
    assert score.ms > 0
    server.close()
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"SYMBOLS SPAMC/1.5",
        b"Content-length: %d" % len(body),
        b"User: b@example.org",
    ]
    assert body.startswith(
        b"Return-Path: <a@example.org>\nReceived: from helo (mx.example.org [192.0.2.1])\n"
    )
    assert body.endswith(DATA)


def test_a_report_is_asked_for_where_one_is_wanted(server, mail):
    server.script = [b"", REPORT]
    score = check(mail, ENVELOPE, checker(server.at, report=True), b"", soon())
    assert "GTUBE" in score.report
    server.close()
    assert server.heard[0].startswith(b"REPORT SPAMC/1.5\r\n")


def test_rspamd_is_asked_over_http(server, mail):
    server.script = [b"", http()]
    score = check(mail, ENVELOPE, checker(server.at, via="rspamd", password=b"secret"), b"b", soon())
    assert (score.score, score.checker) == (9.1, "rspamd")
    server.close()
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /checkv2 HTTP/1.0\r\nContent-Length: %d\r\n" % len(body))
    assert b"\r\nPassword: secret\r\n" in head
    assert body.endswith(DATA)


@pytest.mark.parametrize("via", ["spamd", "rspamd"])
def test_a_unix_socket_and_slow_pieces_will_do(tmp_path, mail, via):
    server = Daemon(tmp_path / "s")
    server.script, server.slowly = [b"", SYMBOLS if via == "spamd" else http()], True
    try:
        assert check(mail, ENVELOPE, checker(server.at, via=via), b"", soon()).score > 9
    finally:
        server.close()


ENDLESS = b"x" * (3 << 20)
HALF = {"spamd": SYMBOLS[:20], "rspamd": http()[:20]}
FAULTS = {
    "closes at once": ([None], "away"),
    "closes when asked": ([b"", b"", None], "away"),
    "says nothing": ([b""], "slow"),
    "half a head": ([b"", HALF, None], "away"),
    "half a head, then nothing": ([b"", HALF], "slow"),
    "half a body": ([b"", {"spamd": SYMBOLS[:-9], "rspamd": http()[:-9]}, None], "away"),
    "half a body, then nothing": ([b"", {"spamd": SYMBOLS[:-9], "rspamd": http()[:-9]}], "slow"),
    "garbage": ([b"", b"\x17\x00\xff\r\n\r\n"], ""),
    "a line without end": ([b"", ENDLESS], ""),
    "lines without end": (
        [
            b"",
            {
                via: start + b"X: y\r\n" * 200_000
                for via, start in (("spamd", SYMBOLS[:19]), ("rspamd", http()[:17]))
            },
        ],
        "",
    ),
    "a body without end": (
        [
            b"",
            {
                "spamd": b"SPAMD/1.1 0 EX_OK\r\nContent-length: 9999999\r\n\r\n" + ENDLESS,
                "rspamd": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + ENDLESS,
            },
        ],
        "",
    ),
}


@pytest.mark.parametrize(("script", "kind"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("via", ["spamd", "rspamd"])
def test_whatever_is_no_answer_is_trouble_in_time(server, mail, via, script, kind):
    server.script = [piece[via] if isinstance(piece, dict) else piece for piece in script]
    server.stays = kind == "slow"
    with pytest.raises(ScannerTrouble, match=f"^{via}") as caught:
        check(mail, ENVELOPE, checker(server.at, via=via, timeout=0.5 if kind == "slow" else 20), b"", soon())
    assert caught.value.kind == kind


def test_to_end_a_connection_that_was_reset_is_no_failure_of_its_own():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        channel = Channel(checker().row, f"127.0.0.1:{listener.getsockname()[1]}", soon())
        connection = listener.accept()[0]
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        assert select.select([channel._socket.fileno()], [], [], 20)[0]
        channel.end()
        with pytest.raises(ScannerTrouble, match="Connection reset") as caught:
            channel.line()
        channel.close()
    assert caught.value.kind == "away"


def test_nobody_there_is_trouble(mail):
    with pytest.raises(ScannerTrouble, match=r"^spamd at 127\.0\.0\.1:1: Connection refused$") as caught:
        check(mail, ENVELOPE, checker(NOBODY), b"", soon())
    assert caught.value.kind == "away"


def test_the_time_for_the_mail_ends_it_whatever_the_checker_may_take(server, mail):
    server.script, server.stays = [b""], True
    with pytest.raises(ScannerTrouble, match="no answer") as caught:
        check(mail, ENVELOPE, checker(server.at, timeout=1000), b"", monotonic() + 0.3)
    assert caught.value.kind == "slow"


def test_of_several_another_is_asked_if_one_is_away(server, mail, cache):
    for _ in range(6):
        assert check(mail, ENVELOPE, checker(NOBODY, server.at), b"", soon(), cache).score == 1009.9


def test_one_that_cannot_now_is_as_one_that_is_away(server, mail):
    busy = Daemon()
    busy.script = [b"", b"SPAMD/1.1 75 EX_TEMPFAIL\r\n"]
    try:
        for _ in range(6):
            assert check(mail, ENVELOPE, checker(busy.at, server.at), b"", soon()).score == 1009.9
    finally:
        busy.close()


def test_one_that_is_just_being_restarted_is_asked_again(server, mail):
    server.before = [[None], [None]]
    assert check(mail, ENVELOPE, checker(server.at, retry=20), b"", soon()).score == 1009.9
    assert len(server.heard) == 3


@pytest.fixture
def large(tmp_path):
    return intake.of_bytes(DATA + b"0123456789\n" * 7_000, str(tmp_path).encode())


def test_a_large_mail_is_not_shown_and_has_no_score(server, large):
    assert check(large, ENVELOPE, checker(server.at), b"", soon()) is None
    assert Question(large, ENVELOPE, checker(server.at), b"", soon()).answer() is None
    assert not server.heard


def test_or_its_head_is_shown(server, large):
    assert check(large, ENVELOPE, checker(server.at, over_size="head"), b"", soon()).score == 1009.9
    server.close()
    body = server.heard[0].partition(b"\r\n\r\n")[2]
    assert body.endswith(b"0123456789\n")
    assert 65_000 < len(body) < 66_000


def test_an_answer_is_remembered_for_its_time(server, mail, cache):
    answers = []
    for _ in range(2):
        question = Question(mail, ENVELOPE, checker(server.at), b"", soon(), cache, 60)
        answers.append((question.answer().pack(), question.cached))
    assert answers == [(answers[0][0], False), (answers[0][0], True)]
    assert len(server.heard) == 1
    assert Question(mail, ENVELOPE, checker(server.at), b"", soon(), cache, 0).answer().score == 1009.9
    assert len(server.heard) == 2


def test_an_answer_that_is_too_old_is_asked_for_again(server, mail, cache):
    asked = checker(server.at)
    cache.put(key(mail.sha256, ENVELOPE, asked, b""), marshal.dumps(Score(1.0).pack()), age=61)
    assert Question(mail, ENVELOPE, asked, b"", soon(), cache, 600).answer().score == 1.0
    assert Question(mail, ENVELOPE, asked, b"", soon(), cache, 60).answer().score == 1009.9


def test_trouble_is_not_remembered(server, mail, cache):
    server.before = [[b"", b"SPAMD/1.1 64 EX_USAGE\r\n"]]
    with pytest.raises(ScannerTrouble):
        Question(mail, ENVELOPE, checker(server.at), b"", soon(), cache, 60).answer()
    assert Question(mail, ENVELOPE, checker(server.at), b"", soon(), cache, 60).answer().score == 1009.9


def test_another_user_is_asked_for_anew(server, mail, cache):
    server.before = [[b"", HAM]]
    scores = [
        Question(mail, ENVELOPE, checker(server.at), user, soon(), cache, 60).answer().score
        for user in (b"a", b"b", b"a")
    ]
    assert scores == [-1.2, 1009.9, -1.2]


BASE = ("ab", ENVELOPE, checker("/s"), b"u")
WITH = {
    field: Envelope(
        *[
            b"x" if name == field else getattr(ENVELOPE, name)
            for name in (
                "sender",
                "recipients",
                "queue_id",
                "client_address",
                "client_name",
                "helo",
                "sasl_username",
            )
        ]
    )
    for field in ("sender", "queue_id", "client_address", "client_name", "helo", "sasl_username")
}
OTHER = {
    "mail": ("ac", *BASE[1:]),
    **{field: ("ab", envelope, *BASE[2:]) for field, envelope in WITH.items()},
    "recipients": (
        "ab",
        Envelope(
            ENVELOPE.sender, (b"b@example.org", b"c"), b"4bX7", b"192.0.2.1", b"mx.example.org", b"helo"
        ),
        *BASE[2:],
    ),
    "via": ("ab", ENVELOPE, checker("/s", via="rspamd"), b"u"),
    "address": ("ab", ENVELOPE, checker("/t"), b"u"),
    "size": ("ab", ENVELOPE, checker("/s", max_size=9), b"u"),
    "over size": ("ab", ENVELOPE, checker("/s", over_size="head"), b"u"),
    "report": ("ab", ENVELOPE, checker("/s", report=True), b"u"),
    "password": ("ab", ENVELOPE, checker("/s", password=b"x"), b"u"),
    "user": (*BASE[:3], b"v"),
}


def test_the_key_covers_all_that_an_answer_depends_on():
    keys = [key(*BASE), *(key(*other) for other in OTHER.values())]
    assert len(set(keys)) == len(keys)
    assert key(*BASE) == key("ab", ENVELOPE, checker("/s", timeout=1, retry=9.0), b"u")


def test_a_question_is_asked_once_beside_others_and_its_trouble_is_raised_where_it_is_waited_for(
    server, mail
):
    other = Daemon()
    other.script = [b"", b"SPAMD/1.1 64 EX_USAGE\r\n"]
    good = Question(mail, ENVELOPE, checker(server.at), b"", soon())
    bad = Question(mail, ENVELOPE, checker(other.at), b"", soon())
    try:
        together([good.run, bad.run])
        assert good.answer().score == good.answer().score == 1009.9
        for _ in range(2):
            with pytest.raises(ScannerTrouble, match="EX_USAGE"):
                bad.answer()
    finally:
        other.close()
    assert (len(server.heard), len(other.heard)) == (1, 1)


def test_a_score_survives_marshal():
    score = Score(1.5, None, (("A", 1.0), ("B", None)), "* x", "spamd", 3.0)
    assert unpack(marshal.loads(marshal.dumps(score.pack()))).pack() == score.pack()


TABLE = {b"boss@example.org": b"boss", b"example.org": b"staff", b".": b"all"}
USERS = {
    "nobody": (b"a@example.org", False, b""),
    "each": (b"A@Example.org", True, b"a@example.org"),
    "by address": (b"Boss@example.org", TABLE, b"boss"),
    "by domain": (b"a@example.org", TABLE, b"staff"),
    "all others": (b"a@example.net", TABLE, b"all"),
    "not in the table": (b"a@example.net", {b"example.org": b"x"}, b""),
}


@pytest.mark.parametrize(("recipient", "users", "user"), USERS.values(), ids=USERS)
def test_a_recipient_is_this_user(recipient, users, user):
    assert user_of(recipient, users) == user


def test_recipients_are_grouped_by_user_and_not_into_too_many():
    assert groups((b"a@x", b"b@y", b"c@x"), {b"x": b"1"}) == {b"1": (b"a@x", b"c@x"), b"": (b"b@y",)}
    many = tuple(b"u%d@example.org" % number for number in range(50))
    found = groups(many, True)
    assert len(found) == MOST + 1
    assert sorted(one for group in found.values() for one in group) == sorted(many)
