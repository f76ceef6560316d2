"""Strings in scripts that may be files: base64, digits, lists of byte values, escapes; a guess each.

A guess is a part if it is of a known kind, or long: a magic of two bytes is in one of a few thousand strings
of chance, so where nothing else speaks for a file it has to be a surer one. Promises: linear time; nothing
raises.
"""

import re

from amavis_pipe.kinds import EMPTY, HEAD, OCTETS, PLAIN, detect
from amavis_pipe.mime import coding, escapes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

URL_BEFORE = 2048
"""Bytes before a string that are looked at for the URL that it may be a piece of."""
PROBE = 512
"""Characters of a string that tell whether it is worth while to read it backwards."""
LONG = 1024
"""So many characters are a part whatever they turn out to be."""
STEP = 1 << 16

_QUOTES = b"\"'`"
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_LIST_MIN = 16
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
JOINED = re.compile(rb"[\"'`]\)? *[+&.,] *\(?[\"'`]")
_RUN = re.compile(rb"={0,2}[A-Za-z0-9+/_-]{40,}={0,2}")
_NUMBERS = re.compile(rb"[0-9a-fA-FxX, -]{31,}")
_URL = re.compile(rb"https?:\\?/\\?/", re.IGNORECASE)
_LINK = re.compile(rb"(?:href|src|action|cite)\s{0,8}=\s{0,8}(?:[\"'`]\Z)?", re.IGNORECASE)
_URL_ENDS = tuple(bytes((mark,)) for mark in b" \"'`<>()")
_UNSURE = ("application/x-arj", "application/x-compress", "application/x-freeze", "application/x-lzh")
"""Kinds with a magic so short that noise has it."""
_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")
_STRING = re.compile(rb"[\"'`]([^\"'`]{16,})[\"'`]")


def strings(text: bytes) -> "Iterator[tuple[bytes, bool]]":
    """What strings and lists of numbers in a text without line ends stand for; True: a part in any case."""
    joined = escapes.replaced(JOINED, lambda match: b"", text)
    for one in (text, joined) if joined != text else (text,):
        for match in _RUN.finditer(one):
            start, end = match.span()
            long = end - start >= LONG
            certain = long and not _is_in_url(one, start)
            before, after = one[start - 1 : start] if start else b"", one[end : end + 1]
            quoted = bool(before) and before in _QUOTES and before == after
            for data, is_part in _digits(match[0], certain):
                if is_part or quoted or certain or is_sure(detect(data[:HEAD]), data):
                    yield data, is_part
    for match in _NUMBERS.finditer(text):
        for data in _lists(text, *match.span()):
            yield data, len(data) >= LONG
    for match in _STRING.finditer(joined):
        data = _escaped(match[1])
        if data:
            yield data, len(data) >= LONG


def _is_in_url(text: bytes, at: int) -> bool:
    """Whether what stands at `at` is a piece of a link: long ones are common in newsletters."""
    at += text[at : at + 2].count(b"=")  # a run may begin with that of href=
    before = text[max(0, at - URL_BEFORE) : at]
    start = max(before.rfind(mark) for mark in _URL_ENDS) + 1
    link = _LINK.search(before[max(0, start - 32) : start]) or _LINK.match(before, start)
    return bool(link or _URL.search(before, start))


def _digits(run: bytes, certain: bool) -> "Iterator[tuple[bytes, bool]]":
    """What a run of base64 or hexadecimal digits stands for, forwards or, if that begins well, backwards."""
    if not len(run) & 1 and not run.translate(None, _HEX_DIGITS):
        yield bytes.fromhex(run.decode()), certain
        if is_something(bytes.fromhex(run[: -PROBE - 1 : -1].decode())):
            yield bytes.fromhex(run[::-1].decode()), False
    text = run.translate(_URL_SAFE)
    backwards = certain and run.startswith(b"=")
    yield from_base64(text.lstrip(b"=")), certain and not backwards
    if backwards or is_something(from_base64(text[: -PROBE - 1 : -1].lstrip(b"="))):
        data = from_base64(text[::-1].lstrip(b"="))
        if backwards or is_sure(detect(data[:HEAD]), data):
            yield data, backwards


def from_base64(text: bytes) -> bytes:
    return b"".join(coding.decode(text.translate(_URL_SAFE), 0, len(text), b"base64"))


def _lists(text: bytes, start: int, end: int) -> "Iterator[bytes]":
    """The bytes of each list of numbers from -128 to 255, decimal or 0x…, of LIST_MIN or more."""
    values = bytearray()
    while start < end:
        stop = end
        if end - start > STEP:  # in pieces: a number takes much more room than its digits
            stop = text.rfind(b",", start, start + STEP)
            stop = start + STEP if stop < start else stop
        for one in text[start:stop].split(b","):
            number = _number(one.strip(b" "))
            if number is not None and -129 < number < 256:
                values.append(number & 255)
                continue
            if len(values) >= _LIST_MIN:
                yield bytes(values)
            values.clear()
        start = stop + 1
    if len(values) >= _LIST_MIN:
        yield bytes(values)


def _number(text: bytes) -> int | None:
    if text.isdigit() and len(text) < 4:
        return int(text)
    try:
        return int(text, 0) if len(text) < 6 else None
    except ValueError:
        return None


def _escaped(text: bytes) -> bytes:
    """What a string of escapes stands for; empty if it has few of them."""
    count = text.count(b"\\x") + text.count(b"\\u00") + text.count(b"%")
    if count < 8 or count * 16 < len(text):
        return b""
    return escapes.percent(escapes.wide_percent(escapes.script(text)))


def is_something(data: bytes) -> bool:
    """Whether these bytes are of a known kind or text, and not just noise."""
    head = data[:HEAD]
    kind = detect(head)
    if kind == PLAIN:  # a few bytes of noise may have no control characters among them
        return len(head.decode("utf-8", "ignore").encode()) > len(head) - 4
    return kind not in (OCTETS, EMPTY)


def is_sure(kind: str, data: bytes) -> bool:
    """Whether content of this kind, told by its magic, is more than noise that has it."""
    if kind == "application/gzip":
        return data[2:3] == b"\x08" and data[3:4] < b"\x20"
    if kind == "application/x-bzip2":
        return data[4:10] in _BZIP2
    if kind == "image/jpeg":
        return data[3:4] >= b"\xc0"
    if kind == "application/x-dosexec":
        return any(mark in data[:HEAD] for mark in (b"PE\0\0", b"DOS mode", b"This program"))
    return kind not in _UNSURE
