"""Fuzzes the readers of what spamd and rspamd answer.

What must hold: nothing but ScannerTrouble is raised; a score is a number that can be one, names and reports are
bounded printable ASCII; an answer that is not whole is none.
"""

import random
from importlib.util import module_from_spec, spec_from_file_location

from amavis_pipe.model import ScannerTrouble
from amavis_pipe.spam import rspamd, spamd
from amavis_pipe.spam.score import HIGHEST, LONGEST_NAME, MOST_TESTS, Score, unpack
from fuzz import driver
from fuzz.mutants import changed

_SPEC = spec_from_file_location("spam_replies", driver.HERE.parent / "spam" / "replies.py")
"""By its place: others have modules of that name."""
replies = module_from_spec(_SPEC)
_SPEC.loader.exec_module(replies)
SPAMD = [replies.SYMBOLS, replies.HAM, replies.REPORT]
RSPAMD = [replies.http(), replies.http(b"{}"), replies.JSON]
WORDS = [
    b"\r\n", b"\n", b"\r\n\r\n", b":", b";", b"/", b"nan", b"inf", b"1e400", b"-", b"9" * 400, b"9" * 5000, b"1_0", b"\xff", b"\0",
    b"{", b"}", b"[" * 3000, b'{"a":' * 3000, b'"', b"\\ud800", b"\\u0000", b"null", b"true", b",", b"NaN", b"Infinity",
    b"Content-length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Spam: True ; 9 / 5\r\n",
    b"---- -\n", b"99 X Y\n", "\u0661".encode(), b'"score":', b'"symbols":',
]  # fmt: skip


def fuzz(source: random.Random) -> None:
    """Read one answer in all ways."""
    samples = source.choice((SPAMD, RSPAMD))
    data = changed(source.choice(samples), SPAMD + RSPAMD, WORDS, source, 5)
    if source.randrange(2):
        data = _with_length(data)
    is_report = bool(source.randrange(2))
    for read in (spamd.reply, rspamd.reply, rspamd.read):
        try:
            score = read(data, is_report)
        except ScannerTrouble as error:
            assert str(error).isascii() and str(error).isprintable() and len(str(error)) < 1200, str(error)
            continue
        _check(score)
        if read is not rspamd.read:
            _check_cut(read, data)


def _with_length(data: bytes) -> bytes:
    """The answer with the length that it has."""
    head, empty, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + empty + body


def _check(score: Score) -> None:
    assert -HIGHEST <= score.score <= HIGHEST and (
        score.required is None or -HIGHEST <= score.required <= HIGHEST
    )
    assert len(score.tests) <= MOST_TESTS
    for name, points in score.tests:
        assert 0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and " " not in name, (
            name
        )
        assert points is None or -HIGHEST <= points <= HIGHEST
    assert all(
        line.isascii() and line.isprintable() and len(line) < 1000
        for line in score.report.split("\n")
        if line
    )
    assert unpack(score.pack()).pack() == score.pack()


def _check_cut(read: object, data: bytes) -> None:
    """Less a byte it is no answer any more, where there is a body."""
    if data.endswith(b"\r\n\r\n"):
        return
    try:
        read(data[:-1], False)
    except ScannerTrouble:
        return
    raise AssertionError(f"half an answer was taken: {data[-40:]!r}")
