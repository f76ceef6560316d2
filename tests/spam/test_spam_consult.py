"""Who is asked for, and whose answer is whose."""

import pytest
from spam.replies import HAM, SYMBOLS, http
from stand_in.daemon import Daemon

from amavis_pipe import intake
from amavis_pipe.cache import Cache
from amavis_pipe.config import load
from amavis_pipe.model import Envelope, ScannerTrouble
from amavis_pipe.scan.together import together
from amavis_pipe.settings import Settings
from amavis_pipe.spam.check import Checker
from amavis_pipe.spam.consult import Consultation, begin

ALL = (b"a@example.org", b"b@example.org", b"c@example.org")
ENVELOPE = Envelope(b"s@example.net", ALL, b"4bX7", b"192.0.2.1", b"mx", b"mx", b"alice")
DATA = b"From: a@example.org\nSubject: hello\n\nhello\n"
FOREVER = float("inf")
FAILED = b"SPAMD/1.1 64 EX_USAGE\r\n"


@pytest.fixture
def server():
    server = Daemon()
    server.script = [b"", SYMBOLS]
    yield server
    server.close()


@pytest.fixture
def consult(tmp_path, server):
    """A function: a consultation of the stand-in."""
    (tmp_path / "cache").mkdir(mode=0o700)
    cache = Cache(str(tmp_path / "cache").encode(), 7, 1 << 20)

    def make(recipients=ALL, users=False, via="spamd", data=DATA, seconds=0):
        mail = intake.of_bytes(data, str(tmp_path).encode())
        checker = Checker(via, (server.at,), 20, 0.0)
        return Consultation(mail, ENVELOPE, recipients, checker, users, FOREVER, cache, seconds)

    return make


def points(consultation):
    return {recipient: score.score for recipient, score in consultation.scores.items()}


def test_one_question_is_enough_for_all_without_users(consult, server):
    asked = consult()
    asked.settle(defer=True)
    assert points(asked) == dict.fromkeys(ALL, 1009.9)
    assert len(server.heard) == 1
    assert [(answer.name, answer.cached, answer.trouble) for answer in asked.answers] == [
        ("spamd", False, "")
    ]


def test_each_user_has_an_answer_of_its_own(consult, server):
    server.before = [[b"", HAM]]
    asked = consult(users={b"a@example.org": b"one", b".": b"two"})
    asked.settle(defer=True)
    server.close()
    users = [heard.partition(b"User: ")[2].partition(b"\r\n")[0] for heard in server.heard]
    assert sorted(users) == [b"one", b"two"]
    said = dict(zip(users, (-1.2, 1009.9), strict=True))  # whoever came first
    assert points(asked) == {ALL[0]: said[b"one"], ALL[1]: said[b"two"], ALL[2]: said[b"two"]}


def test_who_is_left_out_is_not_asked_for_and_has_no_score(consult, server):
    server.script = [b"", http()]
    asked = consult(recipients=ALL[:1], via="rspamd")
    asked.settle(defer=True)
    assert points(asked) == {ALL[0]: 9.1}
    server.close()
    head = server.heard[0].partition(b"\r\n\r\n")[0]
    assert b"Rcpt: <a@example.org>\r\n" in head
    assert head.count(b"Rcpt: ") == 1
    for told in (b"From: <s@example.net>", b"IP: 192.0.2.1", b"User: alice", b"Queue-Id: 4bX7"):
        assert told in head.split(b"\r\n")


def test_with_nobody_to_ask_for_nobody_is_asked(consult, server):
    asked = consult(recipients=())
    assert asked.jobs == []
    asked.settle(defer=True)
    assert (asked.scores, asked.answers, server.heard) == ({}, [], [])


def test_what_one_is_spared_is_not_remembered_for_another(consult, server):
    server.before = [[b"", HAM]]
    for recipients, expect in ((ALL[:1], -1.2), (ALL, 1009.9), (ALL[:1], -1.2), (ALL, 1009.9)):
        asked = consult(recipients, seconds=60)
        asked.settle(defer=True)
        assert points(asked) == dict.fromkeys(recipients, expect)
    assert len(server.heard) == 2
    assert asked.answers[0].cached


def test_trouble_defers_or_leaves_its_recipients_without_a_score(consult, server):
    server.before = [[b"", FAILED]]
    with pytest.raises(ScannerTrouble, match="EX_USAGE"):
        consult().settle(defer=True)
    server.before = [[b"", FAILED]]
    asked = consult(users={b"a@example.org": b"one"})
    asked.settle(defer=False)
    assert set(points(asked)) in ({ALL[0]}, {ALL[1], ALL[2]})  # whoever came second
    assert sorted(answer.trouble for answer in asked.answers) == ["", "spamd: SPAMD/1.1 64 EX_USAGE"]


def test_a_mail_that_is_too_large_has_no_score_and_no_trouble(consult, server):
    asked = consult(data=DATA + b"x" * 70_000)
    together(asked.jobs)
    asked.settle(defer=True)
    assert (asked.scores, asked.answers, server.heard) == ({}, [], [])


def test_what_was_asked_beside_others_is_not_asked_again(consult, server):
    asked = consult(users=True)
    together(asked.jobs)
    assert len(server.heard) == 3
    asked.settle(defer=True)
    assert points(asked) == dict.fromkeys(ALL, 1009.9)
    assert len(server.heard) == 3


WHITE = {"match": "s@example.net", "list": "white"}
SPARED = {
    "nobody": ({}, ALL),
    "by a bypass": ({"recipient": [{"match": "a@example.org", "bypass": ["spam"]}]}, ALL[1:]),
    "by a white list of one": ({"sender": [{**WHITE, "recipient": "c@example.org"}]}, ALL[:2]),
    "by a black list": ({"sender": [{"match": "s@example.net", "list": "black"}]}, ALL),
    "by a bypass of another check": ({"bypass": ["infected"]}, ALL),
    "all by a white list": ({"sender": [WHITE]}, ()),
    "all by a bypass": ({"bypass": ["spam"]}, ()),
    "all by rules": ({"recipient": [{"match": "example.org", "bypass": ["spam"]}]}, ()),
}


@pytest.mark.parametrize(("tree", "expect"), SPARED.values(), ids=SPARED)
def test_who_is_spared_is_not_asked_for(server, tmp_path, tree, expect):
    tree = {"scanners": ["builtin"], "spam": {"checker": "spamd", "at": server.at}, **tree}
    mail = intake.of_bytes(DATA, str(tmp_path).encode())
    settings = Settings(load.read(tree, "", "")[0])
    asked = begin(mail, ENVELOPE, settings, FOREVER, None)
    if asked is not None:
        asked.settle(defer=True)
    assert points(asked) == dict.fromkeys(expect, 1009.9) if expect else asked is None
    assert len(server.heard) == (1 if expect else 0)
