"""TNEF (winmail.dat): attachments, messages in it, and the texts of the message ([MS-OXTNEF]).

Checksums and counts are not believed, levels neither; of a file cut off, what came is kept. Sources:
[MS-OXTNEF] 2.1, [MS-OXPROPS].
"""

from amavis_pipe.decompose import lzfu
from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

MAGIC = b"\x78\x9f\x3e\x22"
STEP = 1 << 16
NAME_MAX = 1024
_NAMES = 16

_BODY, _TITLE, _DATA, _METAFILE = 0x800C, 0x8010, 0x800F, 0x8011
_NEW, _MESSAGE, _ATTACHMENT = 0x9002, 0x9003, 0x9005

_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Bytes of a property's value by its type, filled up to 4."""
_OBJECT, _STRING, _UNICODE, _BINARY = 0x0D, 0x1E, 0x1F, 0x102
_EMPTY = (0x00, 0x01)
_MANY = 0x1000
_CONTENT = {0x3701: b"", 0x1000: b"text/plain", 0x1013: b"text/html", 0x1009: b"text/rtf"}
"""Properties that hold content, and what it is."""
_RTF = 0x1009
_NAMING = (0x3707, 0x3704, 0x370C, 0x3001)
_CLASS = b"\0\0\0\0\xc0\0\0\0\0\0\0\x46"
"""How the class of an object goes on after its first four bytes."""


def unpack(blob: Blob, sink: Sink) -> None:
    """Each attachment with its names, in order, and the texts of the message."""
    view = blob.view()
    entry = _Entry()
    at = len(MAGIC) + 2
    if len(view) <= at:
        raise Broken("no attributes")
    try:
        while at < len(view):
            sink.tick()
            number, start, end = _attribute(view, at)
            if number == _NEW:
                entry.put(view, sink)
                entry = _Entry()
            else:
                _take(view, number, start, end, entry, sink)
            at = end + 2
    finally:
        entry.put(view, sink)


class _Entry:
    """What is known of an attachment, or of the message itself: names, and where its contents are.

    contents  of each: start, end, type, whether it is compressed
    """

    __slots__ = ("_long", "_others", "contents")

    def __init__(self) -> None:
        self._long: list[bytes] = []
        self._others: list[bytes] = []
        self.contents: list[tuple[int, int, bytes, bool]] = []

    def name(self, name: bytes, is_long: bool = False) -> None:
        """Note a name, once; the long ones go first."""
        known = self._long if is_long else self._others
        if name and len(known) < _NAMES and name not in known:
            known.append(name)

    def put(self, view: "View", sink: Sink) -> None:
        """Add them all; Broken where one is cut off."""
        names = tuple(dict.fromkeys((*self._long, *self._others)))[:_NAMES]
        contents, self.contents = self.contents, []
        for start, end, claimed, packed in contents:
            chunks = _pieces(view, start, end)
            sink.add(lzfu.expanded(chunks) if packed else chunks, () if claimed else names, claimed)


def _attribute(view: "View", at: int) -> tuple[int, int, int]:
    """The attribute at `at`: its number, and where its data is; that may end behind the view."""
    head = view[at : at + 9]
    if len(head) < 9 or head[0] not in (1, 2):
        raise Broken("no attribute")
    return _number(head[1:3]), at + 9, at + 9 + _number(head[5:9])


def _take(view: "View", number: int, start: int, end: int, entry: _Entry, sink: Sink) -> None:
    """Note what an attribute tells of the entry."""
    if number == _TITLE:
        entry.name(view[start : min(end, start + NAME_MAX)].partition(b"\0")[0])
    elif number in (_DATA, _METAFILE):
        entry.contents.append((start, end, b"", False))
    elif number == _BODY:
        entry.contents.append((start, end, b"text/plain", False))
    elif number in (_MESSAGE, _ATTACHMENT):
        _properties(view, start, min(end, len(view)), entry, sink)
    if end > len(view):
        raise Broken("cut off")


def _properties(view: "View", start: int, end: int, entry: _Entry, sink: Sink) -> None:
    """Note what a list of MAPI properties tells of the entry ([MS-OXTNEF] 2.1.3.4)."""
    at = start + 4
    for _ in range(_number(view[start:at])):
        sink.tick()
        kind, name = _number(view[at : at + 2]), _number(view[at + 2 : at + 4])
        at += 4
        if name >= 0x8000:
            by_text = _number(view[at + 16 : at + 20])
            at += 24 + (_padded(_number(view[at + 20 : at + 24])) if by_text else 0)
        if at > end:
            raise Broken("cut off")
        base, many = kind & ~_MANY, kind & _MANY
        if base in _FIXED or base in _EMPTY:
            count = _number(view[at : at + 4]) if many else 1
            at += (4 if many else 0) + count * _FIXED.get(base, 0)
            continue
        if base not in (_OBJECT, _STRING, _UNICODE, _BINARY):
            raise Broken("unknown type")
        count, at = _number(view[at : at + 4]), at + 4
        for _ in range(count):
            sink.tick()
            size, at = _number(view[at : at + 4]), at + 4
            _property(view, name, base, at, at + size, entry)
            at += _padded(size)
            if at > end + 3:
                raise Broken("cut off")


def _property(view: "View", name: int, kind: int, start: int, end: int, entry: _Entry) -> None:
    if name in _NAMING:
        raw = view[start : min(end, start + 2 * NAME_MAX)]
        text = raw.decode("utf-16-le", "replace").encode() if kind == _UNICODE else raw
        entry.name(text.partition(b"\0")[0], name == _NAMING[0])
    elif name in _CONTENT:
        if kind == _OBJECT and view[start + 4 : start + 16] == _CLASS:
            start += 16
        entry.contents.append((start, max(start, end), _CONTENT[name], name == _RTF))


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, min(end, len(view)), STEP):
        yield view[at : min(at + STEP, end)]
    if end > len(view):
        raise Broken("cut off")


def _padded(size: int) -> int:
    return size + 3 & ~3


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("tnef", ("application/ms-tnef",), unpack, starts=(MAGIC,), broken=(Broken,))
