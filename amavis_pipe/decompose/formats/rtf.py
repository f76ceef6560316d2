r"""RTF: the objects in it (\objdata, \datastore), and files that pose as pictures.

Promises: the forms in which Word still finds an object: digits torn apart by blanks, control words, groups
and \'hh, raw bytes after \bin, no \object around. Where it is not known how Word takes nested groups or
half a byte, all readings that differ are given. Leaves out: links, real pictures. Sources: RTF 1.9.1,
[MS-OLEDS] 2.2.
"""

from binascii import unhexlify

from amavis_pipe.decompose import ole1
from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from amavis_pipe.spool import View

MAGIC = b"{\\rt"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STEP = 1 << 16
_TICK = 1 << 12
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))
_WORD = rb"\\(objdata|datastore|pict)(?![a-zA-Z])(-?[0-9]+)?"
_TOKEN = (
    rb"[{}]|\\(?:([a-zA-Z]{1,250})(-?[0-9]{1,250})?[ ]?|'[0-9a-fA-F]{0,2}|[^a-zA-Z'])|[^\\{}]{1,65536}|\\"
)
_STARRED, _NESTED, _ALL = range(3)
"""What is left out of nested groups: those with a star, or all; or nothing is."""
_LINK = 1
_READS = 32
"""How often all of the text may be read before it is too much: raw bytes may hold more objects."""


def unpack(blob: Blob, sink: Sink) -> None:
    """Each object in order: the file in it, or all its bytes."""
    import re

    view = blob.view()
    reader = _Reader(view, sink, re.compile(_TOKEN, re.DOTALL))
    for found in re.finditer(_WORD, view, re.IGNORECASE):
        sink.tick()
        word = found[1].lower()
        if word == b"pict":
            reader.picture(found.end())
            continue
        take = reader.inner if found.start() < reader.end else reader.outer
        for start in dict.fromkeys((found.end(), found.end(1))):  # digits may be a number, or data
            take(start)
    if reader.damaged:
        raise Broken("cut off")


class _Reading:
    """One way to read a group's digits; `data` is what came out so far.

    groups      what is left out of nested ones
    keeps_half  whether half a byte before \\'hh goes on after it
    nested      whether digits were met in nested groups, halves whether half a byte before \\'hh was
    """

    __slots__ = ("data", "groups", "half", "halves", "keeps_half", "nested")

    def __init__(self, groups: int, keeps_half: bool) -> None:
        self.groups = groups
        self.keeps_half = keeps_half
        self.nested = self.halves = False
        self.half = b""
        self.data = bytearray()

    def take(self, text: bytes) -> None:
        """Add the digits in a text."""
        digits = self.half + text.translate(None, _NO_DIGITS)
        even = len(digits) & ~1
        self.half = digits[even:]
        self.data += unhexlify(digits[:even])

    def drop_half(self) -> None:
        """Forget half a byte, if this reading does."""
        if self.half:
            self.halves = True
            self.half = self.half if self.keeps_half else b""


class _Reader:
    """Reads groups; `end` is where the last outer one ends, `damaged` whether one was cut off."""

    def __init__(self, view: "View", sink: Sink, token: "re.Pattern[bytes]") -> None:
        self.end = 0
        self.damaged = False
        self._view = view
        self._sink = sink
        self._token = token
        self._left = _READS * len(view) + (1 << 20)
        self._given: set[bytes] = set()

    def outer(self, start: int) -> None:
        """Add the object that begins at `start` and ends with its group, in all readings."""
        first = _Reading(_STARRED, False)
        self.end, closed = self._read(start, first, True)
        self.damaged = self.damaged or not closed
        self._put(first.data)
        for groups in (_STARRED, _NESTED, _ALL) if first.nested else (_STARRED,):
            for keeps_half in (False, True) if first.halves else (False,):
                if groups != _STARRED or keeps_half:
                    reading = _Reading(groups, keeps_half)
                    self._read(start, reading, True)
                    self._put(reading.data)

    def inner(self, start: int) -> None:
        """Add an object within another: it ends where one more begins."""
        reading = _Reading(_STARRED, False)
        self._read(start, reading, False)
        self._put(reading.data)

    def picture(self, start: int) -> None:
        """Add what poses as a picture and is a file of some other known kind."""
        head = _Reading(_STARRED, False)
        self._read(start, head, False, ole1.HEAD)
        kind = ole1.known(bytes(head.data[: ole1.HEAD]))
        if kind and not kind.startswith("image/"):
            whole = _Reading(_STARRED, False)
            self._read(start, whole, False)
            if self._is_new(whole.data):
                self._sink.add(_Bytes(whole.data).chunks())

    def _read(self, start: int, reading: _Reading, whole: bool, most: int = -1) -> tuple[int, bool]:
        """Read to the end of the group, or to the next object if not `whole`; where, whether it is closed."""
        view, match = self._view, self._token.match
        depth, left_out, at, counted = 0, 0, start, start
        while at < len(view) and depth >= 0:
            token = match(view, at)
            if token is None:
                break
            text, at = token[0], token.end()
            if at - counted > _TICK:
                self._charge(at - counted)
                counted = at
            if text == b"{":
                depth += 1
                if not left_out and reading.groups == _NESTED:
                    left_out = depth
            elif text == b"}":
                left_out = left_out if left_out != depth else 0
                depth -= 1
            elif text[:1] == b"\\":
                word = (token[1] or b"").lower()
                if not whole and word in (b"objdata", b"datastore", b"pict"):
                    return at, True
                if text == b"\\*" and depth and not left_out and reading.groups == _STARRED:
                    left_out = depth
                at = self._control(text, word, token[2], at, reading, not left_out)
            else:
                reading.nested = reading.nested or (depth > 0 and bool(text.translate(None, _NO_DIGITS)))
                if not left_out:
                    reading.take(text)
                if 0 <= most <= len(reading.data):
                    return at, True
        self._charge(at - counted)
        return at, depth < 0

    def _control(
        self, text: bytes, word: bytes, value: bytes | None, at: int, reading: _Reading, taken: bool
    ) -> int:
        """Take what a control word or symbol means for the data; where reading goes on."""
        if text[1:2] == b"'":
            reading.drop_half()
        if word != b"bin":
            return at
        size = int(value[-10:]) if value and not value.startswith(b"-") else 0
        if taken:
            reading.drop_half()
            reading.data += self._view[at : at + size]
        return min(at + size, len(self._view))

    def _put(self, data: bytearray) -> None:
        """Add what is in an object."""
        source = _Bytes(data)
        found = ole1.embedded(source)
        if found is None:
            start = data.find(_OLE)
            if start >= 0 or (len(data) > 8 and ole1.number(source.read(4, 4)) != _LINK):
                self._add(source, ole1.Piece(max(start, 0), len(data)))
            return
        piece = found[1]
        packed = ole1.packed(source, piece.start)
        if packed is None:
            self._add(source, piece)
        elif packed.end >= 0:
            self._add(source, packed)

    def _add(self, source: "_Bytes", piece: ole1.Piece) -> None:
        try:
            if self._is_new(source.data[piece.start : piece.end]):
                self._sink.add(source.chunks(piece.start, piece.end), piece.names)
        except Broken:
            self.damaged = True

    def _charge(self, size: int) -> None:
        """Count what is read."""
        self._sink.tick()
        self._left -= size
        if self._left < 0:
            raise Broken("objects overlap")

    def _is_new(self, data: bytearray) -> bool:
        """Whether these bytes were not given yet."""
        from hashlib import sha256

        digest = sha256(data).digest()
        known = digest in self._given
        self._given.add(digest)
        return not known


class _Bytes:
    """Decoded bytes in the shape of a stream."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.size = len(data)

    def read(self, at: int, size: int) -> bytes:
        """Bytes from `at` on, fewer at the end."""
        return bytes(self.data[at : at + size])

    def chunks(self, start: int = 0, end: int = -1) -> "Iterator[bytes]":
        """The bytes from `start` to `end` (-1: all); Broken if there are fewer."""
        end = self.size if end < 0 else end
        for at in range(start, min(end, self.size), _STEP):
            yield bytes(self.data[at : min(at + _STEP, end)])
        if end > self.size:
            raise Broken("cut off")


DECODER = Decoder("rtf", ("text/rtf",), unpack, starts=(MAGIC,), broken=(Broken,))
