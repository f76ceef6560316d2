"""BinHex 4.0: a Macintosh file in text, its two forks as parts.

Promises: nothing raises but the limits of `out`; linear; about a chunk held. A block begins with a line
that begins with a colon and whose header makes sense, with or without the line of introduction; it ends at
the next colon or with the text. Checksums are not looked at. Source: RFC 1741.
"""

import re
from binascii import a2b_base64

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import coding
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

_ALPHABET = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
assert len(_ALPHABET) == 64
_TO_BASE64 = bytes.maketrans(_ALPHABET, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_JUNK = bytes(set(range(256)) - set(_ALPHABET))
_BEGIN = re.compile(rb"(?:\A|[\r\n]):(?=[" + re.escape(_ALPHABET) + rb"]{20})")
_REPEAT = b"\x90"
_STEP = 1 << 16
_NAME_MAX = 63
_FIXED = 21
"""Bytes of the header behind the name: version, type, creator, flags, two lengths, checksum."""


def unpack(blob: "Blob", out: "Sink") -> None:
    """Data and resource fork of each file, under its name; an empty resource fork is no part."""
    view = blob.view()
    begin = _BEGIN.search(view)
    while begin:
        start = begin.end()
        stop = view.find(b":", start)
        stop = len(view) if stop < 0 else stop
        out.tick()
        file = _File(expanded(view, start, stop))
        if file.is_sound:
            out.add(file.fork(file.data), (file.name,))
            file.skip(2)
            if file.resource:
                out.add(file.fork(file.resource), (file.name,), flags=("resource",))
        # what ends one block may begin the next
        begin = _BEGIN.search(view, max(start, stop - 1))


DECODER = Decoder("binhex", (PLAIN, "application/mac-binhex40"), unpack)


class _File:
    """The bytes of one block: name, sizes of both forks, and whether that can be a header."""

    def __init__(self, chunks: "Iterator[bytes]") -> None:
        self._chunks = chunks
        self._held = b""
        size = self._take(1)
        self.name = self._take(size[0]) if size else b""
        fixed = self._take(_FIXED)
        self.data = int.from_bytes(fixed[11:15], "big")
        self.resource = int.from_bytes(fixed[15:19], "big")
        self.is_sound = (
            len(fixed) == _FIXED
            and 0 < len(self.name) <= _NAME_MAX
            and fixed[0] == 0
            and min(self.name) > 31
            and self.data < 1 << 31 > self.resource
        )

    def fork(self, size: int) -> "Iterator[bytes]":
        """The next `size` bytes; fewer if there are no more."""
        while size > 0:
            data = self._held or next(self._chunks, None)
            if data is None:
                return
            self._held = data[size:]
            if data:
                yield data[:size]
            size -= len(data)

    def skip(self, size: int) -> None:
        """Pass over some bytes."""
        self._take(size)

    def _take(self, size: int) -> bytes:
        return b"".join(self.fork(size))


def expanded(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """The bytes that view[start:end] stands for: six bits a character, then runs of equal bytes."""
    last, held = b"", b""
    for raw in _packed(view, start, end):
        data, out, size, at = held + raw, [], 0, 0
        held = b""
        while (mark := data.find(_REPEAT, at)) >= 0:
            if mark > at:
                out.append(data[at:mark])
                last = data[mark - 1 : mark]
            if mark + 1 == len(data):
                held, at = _REPEAT, len(data)
                break
            count, at = data[mark + 1], mark + 2
            if not count:
                last = _REPEAT
            out.append(last * (count - 1) if count else last)
            size += count
            if size >= _STEP:
                yield b"".join(out)
                out, size = [], 0
        if at < len(data):
            out.append(data[at:])
            last = data[-1:]
        yield b"".join(out)


def _packed(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """The bytes before runs are expanded; of what is cut off, the whole ones."""
    held = b""
    for raw in coding.pieces(view, start, end, _STEP):
        text = held + raw.translate(None, _JUNK)
        whole = len(text) & ~3
        held = text[whole:]
        yield a2b_base64(text[:whole].translate(_TO_BASE64))
    if len(held) > 1:
        yield a2b_base64(held.translate(_TO_BASE64) + b"=="[len(held) - 2 :])
