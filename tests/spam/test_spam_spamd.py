"""spamd's protocol: the question as bytes, every sort of answer."""

import pytest
from hypothesis import given, strategies
from spam.replies import HAM, REPORT, SYMBOLS

from amavis_pipe.model import ScannerTrouble
from amavis_pipe.spam import spamd
from amavis_pipe.spam.score import HIGHEST, bounded, number


def test_symbols_give_score_required_and_names():
    score = spamd.reply(SYMBOLS)
    assert (score.score, score.required, score.checker, score.report) == (1009.9, 5.0, "spamd", "")
    assert score.tests == (("GTUBE", None), ("MISSING_DATE", None), ("MISSING_MID_2", None))


def test_a_negative_score_and_no_tests_are_an_answer():
    score = spamd.reply(HAM)
    assert (score.score, score.required, score.tests) == (-1.2, 5.0, ())


def test_a_report_gives_points_and_no_word_of_the_mail():
    score = spamd.reply(REPORT, True)
    assert score.tests == (
        ("MISSING_MID", 0.6),
        ("GTUBE", 1000.0),
        ("DKIM_VALID", -0.1),
        ("URIBL_BLOCKED", 0.0),
        ("T__", 1.0),
    )
    assert score.report.split("\n")[1:3] == [
        "* 1000.0 GTUBE BODY: Generic Test for Unsolicited Bulk Email",
        "*  -0.1 DKIM_VALID Message has at least one valid DKIM signature",
    ]
    assert "FORGED" not in score.report
    assert "example.com" not in score.report


def test_a_report_without_a_table_is_an_answer_without_tests():
    score = spamd.reply(b"SPAMD/1.1 0 EX_OK\r\nContent-length: 2\r\nSpam: False ; 1 / 5\r\n\r\nhi", True)
    assert (score.score, score.tests, score.report) == (1.0, (), "")


OK = b"SPAMD/1.1 0 EX_OK\r\n"
FAULTS = {
    "nothing": (b"", ""),
    "garbage": (b"\x00\xff\x17garbage", ""),
    "another protocol": (b"HTTP/1.1 200 OK\r\nContent-length: 0\r\nSpam: True ; 1 / 5\r\n\r\n", ""),
    "a bad header line": (b"SPAMD/1.0 76 Bad header line: BOGUS SPAMC/1.5\r\n", ""),
    "usage": (b"SPAMD/1.1 64 EX_USAGE\r\n", ""),
    "unavailable": (b"SPAMD/1.1 69 EX_UNAVAILABLE\r\n", "away"),
    "no process": (b"SPAMD/1.1 71 EX_OSERR\r\n", "away"),
    "read error": (b"SPAMD/1.1 74 EX_IOERR\r\n", "away"),
    "later": (b"SPAMD/1.1 75 EX_TEMPFAIL\r\n", "away"),
    "timeout": (b"SPAMD/1.1 79 Timeout: (30 second timeout while trying to check)\r\n", "slow"),
    "a status that is no number": (b"SPAMD/1.1 0x0 EX_OK\r\n", ""),
    "a status without end": (b"SPAMD/1.1 0000000 EX_OK\r\n", ""),
    "half a head": (OK + b"Content-le", ""),
    "a head without an empty line": (OK + b"Content-length: 0\r\nSpam: True ; 1 / 5\r\n", "away"),
    "half a body": (SYMBOLS[:-5], "away"),
    "more than its length": (SYMBOLS + b"x", "away"),
    "no length": (OK + b"Spam: True ; 1 / 5\r\n\r\n", ""),
    "a negative length": (OK + b"Content-length: -1\r\nSpam: True ; 1 / 5\r\n\r\n", ""),
    "a huge length": (OK + b"Content-length: 99999999999999\r\nSpam: True ; 1 / 5\r\n\r\n", ""),
    "no score": (OK + b"Content-length: 0\r\n\r\n", ""),
    "half a score": (OK + b"Content-length: 0\r\nSpam: True ; 15.3\r\n\r\n", ""),
    "NaN": (OK + b"Content-length: 0\r\nSpam: True ; nan / 5.0\r\n\r\n", ""),
    "infinity": (OK + b"Content-length: 0\r\nSpam: True ; inf / 5.0\r\n\r\n", ""),
    "an underscore": (OK + b"Content-length: 0\r\nSpam: True ; 1_0 / 5.0\r\n\r\n", ""),
    "an exponent": (OK + b"Content-length: 0\r\nSpam: True ; 1e5 / 5.0\r\n\r\n", ""),
    "a huge score": (OK + b"Content-length: 0\r\nSpam: True ; 10000000 / 5.0\r\n\r\n", ""),
    "digits without end": (OK + b"Content-length: 0\r\nSpam: True ; " + b"1" * 5000 + b" / 5.0\r\n\r\n", ""),
    "no required score": (OK + b"Content-length: 0\r\nSpam: True ; 1.0 / x\r\n\r\n", ""),
}


@pytest.mark.parametrize(("data", "kind"), FAULTS.values(), ids=FAULTS)
def test_whatever_is_no_whole_answer_is_trouble(data, kind):
    with pytest.raises(ScannerTrouble, match=r"^spamd: ") as caught:
        spamd.reply(data)
    assert caught.value.kind == kind
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@given(strategies.binary(max_size=200), strategies.integers(0, len(REPORT)), strategies.booleans())
def test_no_bytes_raise_anything_but_trouble(noise, at, report):
    for seed in (REPORT, SYMBOLS):
        try:
            score = spamd.reply(seed[:at] + noise + seed[at:], report)
        except ScannerTrouble:
            continue
        assert -HIGHEST <= score.score <= HIGHEST
        assert score.report.replace("\n", "").isprintable()


@pytest.mark.parametrize("at", range(len(SYMBOLS)))
def test_every_cut_of_an_answer_is_trouble(at):
    with pytest.raises(ScannerTrouble):
        spamd.reply(SYMBOLS[:at])


@given(strategies.binary(max_size=30))
def test_a_number_is_decimal_and_bounded_or_none(text):
    found = number(text)
    assert found is None or -HIGHEST <= found <= HIGHEST


@pytest.mark.parametrize(
    "value", [True, None, "1", float("nan"), float("inf"), 10**400, -1e7, [1.0]], ids=repr
)
def test_what_can_be_no_score_is_none(value):
    assert bounded(value) is None


def test_names_of_tests_are_safe_and_bounded():
    body = b"A\tB,C\x1b[31m,\xe4," + b"x" * 500
    data = b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: True ; 9 / 5\r\n\r\n%s" % (len(body), body)
    assert [name for name, _ in spamd.reply(data).tests] == ["A", "B", "C__31m", "_", "x" * 80]


def test_the_question_is_as_the_protocol_wants_it():
    assert spamd.request(12) == b"SYMBOLS SPAMC/1.5\r\nContent-length: 12\r\n\r\n"
    assert spamd.request(12, b"a@example.org", True) == (
        b"REPORT SPAMC/1.5\r\nContent-length: 12\r\nUser: a@example.org\r\n\r\n"
    )


@pytest.mark.parametrize(
    "user",
    [
        b"",
        b"../x",
        b"a/b",
        b"a b",
        b"a\r\nX: y",
        b"-r",
        b".a",
        b"a..b",
        b"\xc3\xa4@example.org",
        b"a" * 256,
        b"%u",
    ],
    ids=repr,
)
def test_a_user_that_could_be_a_path_or_a_line_is_not_told(user):
    assert spamd.request(1, user) == spamd.request(1)
