"""The ways in which readers decode a body that is not encoded as it should be: more than one stream of bytes.

Promises: as mime.coding, for each way. A body that is encoded correctly has one way. What readers do
with junk, with padding in the middle and with what follows it, with lines of odd length, and with blanks
and bare CRs in quoted-printable, was seen in them (shared test mails: tests/mime/hostile).
"""

import re
from binascii import Error, a2b_base64

from amavis_pipe.mime import coding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.spool import View

    Way = Callable[[View, int, int], Iterator[bytes]]

LINE_MAX = 1 << 16
"""Bytes of a line that are read as one; a longer one is cut."""

FEW = 1 << 20
"""Bytes of a body whose lines are looked at one by one, however short they are."""

_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_LETTERS = bytes(set(range(256)) - set(_LETTERS))
_NOT_CODED = bytes(set(range(256)) - set(_LETTERS + b"="))
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_NOT_URL = bytes(set(range(256)) - set(_LETTERS + b"-_"))
_SPACE = b" \t\r\n\0\v\f"
_LINE = re.compile(rb"[^\r\n]{1,%d}" % LINE_MAX)
_TRIPLET = re.compile(rb"=([0-9A-F]{2})|=[ \t]*(?:\r\n|\n|\r)")
_SAMPLE = 4096


def ways(encodings: list[bytes], view: "View", start: int, end: int) -> "Iterator[Way]":
    """How view[start:end] may be decoded, by these encodings and what it looks like, the likeliest first."""
    for encoding in encodings:
        if encoding == b"base64":
            yield from _base64_ways(view, start, end)
        elif encoding == b"quoted-printable":
            yield from _printable_ways(view, start, end)
        else:
            yield _uuencoded
    if b"base64" not in encodings and looks_like_base64(view, start, end):
        yield from _base64_ways(view, start, end)


def is_base64(view: "View", start: int, end: int) -> bool:
    """Whether nine of ten bytes of a body are letters of base64: it is nothing else, then."""
    letters = sum(len(piece.translate(None, _NOT_CODED)) for piece in coding.pieces(view, start, end))
    return letters * 10 >= (end - start) * 9


def looks_like_base64(view: "View", start: int, end: int) -> bool:
    """Whether a body of which nobody says so begins as base64 does: a long first line of letters alone."""
    sample = view[start : min(end, start + _SAMPLE)].lstrip(_SPACE)
    line = re.split(rb"[\r\n]", sample, maxsplit=1)[0].rstrip(_SPACE)
    if len(line) < 16 or line.translate(None, _LETTERS + b"="):
        return False
    return len(line) >= 40 or len(sample.rstrip(_SPACE)) == len(line)


def _base64_ways(view: "View", start: int, end: int) -> "tuple[Way, ...]":
    size = sum(map(len, _usual(view, start, end)))
    if coding.is_regular(view, start, end, size):
        return (_usual,)
    usual: tuple[Way, ...] = (_usual, _to_padding, _all)
    if end - start < FEW or view[start : start + _SAMPLE].count(b"\n") < _SAMPLE // 8:
        usual += (_by_lines, _good_lines)  # a call for each line: not for a million lines of a letter
    safe = any(view.find(mark, start, end) >= 0 for mark in (b"-", b"_"))
    return (*usual, _url_safe) if safe else usual


def _printable_ways(view: "View", start: int, end: int) -> "tuple[Way, ...]":
    return (_printable,) if coding.is_clear(view, start, end) else (_printable, _triplets, _without_cr)


def _uuencoded(view: "View", start: int, end: int) -> "Iterator[bytes]":
    return coding.decode(view, start, end, b"x-uuencode")


def _usual(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """Junk is skipped, and what follows padding begins a new quad."""
    return coding.decode(view, start, end, b"base64")


def _to_padding(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """Up to the first padding."""
    held = b""
    for piece in coding.pieces(view, start, end):
        text = piece.translate(None, _NOT_CODED)
        letters, padding, _ = text.partition(b"=")
        held += letters
        whole = len(held) & ~3
        if padding:
            yield _decoded(held)
            return
        yield a2b_base64(held[:whole])
        held = held[whole:]
    yield _decoded(held)


def _all(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """All letters one after the other, as if there were no padding."""
    return _letters_of(view, start, end, None, _NOT_LETTERS)


def _url_safe(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """The same by the letters of RFC 4648 5."""
    return _letters_of(view, start, end, _FROM_URL, _NOT_URL)


def _letters_of(view: "View", start: int, end: int, table: bytes | None, others: bytes) -> "Iterator[bytes]":
    """What all letters give, translated by `table`, the bytes `others` left out."""
    held = b""
    for piece in coding.pieces(view, start, end):
        held += piece.translate(table, others)
        whole = len(held) & ~3
        yield a2b_base64(held[:whole])
        held = held[whole:]
    yield _decoded(held)


def _by_lines(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """Each line for itself, what is over behind its last whole quad left out; delimiters are no lines."""
    for line in _lines(view, start, end):
        if not line.startswith(b"--"):
            letters = line.translate(None, _NOT_CODED).partition(b"=")[0]
            yield _decoded(letters if len(letters) % 4 != 1 else letters[:-1])


def _good_lines(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """The lines without junk, up to the first padding and on behind it; others are left out."""
    held = b""
    for line in _lines(view, start, end):
        text = line.strip(_SPACE)
        if text and not text.translate(None, _LETTERS + b"="):
            letters, padding, _ = text.partition(b"=")
            held += letters
            whole = len(held) & ~3
            yield _decoded(held) if padding else a2b_base64(held[:whole])
            held = b"" if padding else held[whole:]
    yield _decoded(held)


def _printable(view: "View", start: int, end: int) -> "Iterator[bytes]":
    return coding.decode(view, start, end, b"quoted-printable")


def _triplets(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """Only what is written as it should be counts, with any line end behind a soft break."""
    for text in _whole_lines(view, start, end, b""):
        yield _TRIPLET.sub(lambda found: bytes((int(found[1], 16),)) if found[1] else b"", text)


def _without_cr(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """As if no CR and no NUL were there."""
    for text in _whole_lines(view, start, end, b"\r\0"):
        yield from coding.decode(text, 0, len(text), b"quoted-printable")


def _whole_lines(view: "View", start: int, end: int, drop: bytes) -> "Iterator[bytes]":
    """view[start:end] without the bytes `drop`, cut behind line ends (or in lines of a megabyte)."""
    held = b""
    for piece in coding.pieces(view, start, end):
        text = held + piece.translate(None, drop)
        cut = text.rfind(b"\n") + 1
        cut = len(text) if len(text) - cut > 1 << 20 else cut
        held = text[cut:]
        yield text[:cut]
    yield held


def _decoded(letters: bytes) -> bytes:
    """Letters without padding, as much as they give."""
    odd = len(letters) & 3
    try:
        return (
            a2b_base64(letters + b"=" * (4 - odd)) if odd > 1 else a2b_base64(letters[: len(letters) - odd])
        )
    except Error:
        return b""


def _lines(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, end, coding.CHUNK):
        # a line across the border of two pieces is two: seldom, and only in what is not regular
        for found in _LINE.finditer(view[at : min(at + coding.CHUNK, end)]):
            yield found[0]
