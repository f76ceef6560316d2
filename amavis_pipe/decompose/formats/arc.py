"""ARC and PAK: stored, packed, squeezed, crunched and squashed members; also as RISC OS has them.

PAK's crushed and distilled members are `undecoded:arc`. Told by the structure of the first header: one byte
is too little of a magic. Sources: ARC's documentation of its headers, what arc and nomarch make of samples.
"""

from amavis_pipe.decompose import arcs, lzw
from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.crc16 import checked
from amavis_pipe.unmarked import ARC, is_arc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

_STEP = 1 << 16
_MARK = 0x1A
_FIXED, _OLD_FIXED, _RISC = 29, 25, 12
_RISC_OS = 0x80
_END = (0, _RISC_OS)
_OLD, _PACKED, _SQUEEZED, _CRUNCHED, _SQUASHED, _COMPRESSED = 1, 3, 4, 8, 9, 0x7F
_FIRST_CRUNCHED = (5, 6, 7)
_WITHOUT_RUNS = (1, 2, 5, _COMPRESSED)
_FIRST = lzw.CLEAR + 1
_MOST = 1 << 16
"""Members of one archive."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    view, at, damaged = blob.view(), 0, False
    for _ in range(_MOST):
        sink.tick()
        member = Member(view, at)
        if member.is_whole and member.method in _END:
            break
        if member.is_whole:
            damaged = not _add(view, member, sink) or damaged
            at = member.start + member.packed
        else:  # as arc does, go on with the next header
            damaged = True
            at = _next(view, at, sink)
            if at < 0:
                break
    if damaged:
        raise Broken("damaged")


def _next(view: "View", at: int, sink: Sink) -> int:
    """Where the next header behind `at` is, -1 if there is none."""
    at = view.find(b"\x1a", at + 1)
    while at >= 0 and not is_arc(view[at : at + _FIXED]):
        sink.tick()
        at = view.find(b"\x1a", at + 1)
    return at


class Member:
    """A header: `start` is where the content is, of `packed` bytes; no size unpacked is below 0."""

    __slots__ = ("crc", "is_whole", "method", "name", "packed", "size", "start")

    def __init__(self, view: "View", at: int) -> None:
        head = view[at : at + _FIXED]
        method = head[1] if len(head) > 1 and head[0] == _MARK else -1
        self.method = method if method < _RISC_OS or method in _END else method - _RISC_OS
        self.is_whole = self.method in _END or is_arc(head)
        self.name = head[2:15].partition(b"\0")[0]
        self.packed, self.crc = _number(head[15:19]), _number(head[23:25])
        self.size = self.packed if method == _OLD else _number(head[25:29])
        self.start = at + (_OLD_FIXED if method == _OLD else _FIXED) + (_RISC if method >= _RISC_OS else 0)


def _add(view: "View", member: Member, sink: Sink) -> bool:
    """Add the member; whether it is whole."""
    chunks = _unpacked(_pieces(view, member.start, member.start + member.packed), member.method, sink)
    if chunks is None:
        sink.unchecked("undecoded:arc")
        return True
    try:
        sink.add(checked(chunks, member.size, member.crc), (member.name,))
    except Broken:
        return False
    return True


def _unpacked(packed: "Iterator[bytes]", method: int, sink: Sink) -> "Iterator[bytes] | None":
    """The content by its method, None if that isn't known."""
    if method == _SQUASHED:
        return lzw.unpacked(lzw.grouped(packed, 13, _FIRST, sink), 1 << 13, _FIRST)
    if method in _FIRST_CRUNCHED:
        plain = arcs.uncrunched(lzw.fixed(packed, sink), method == _FIRST_CRUNCHED[-1])
    elif method in (_CRUNCHED, _COMPRESSED):
        plain = _crunched(packed, sink)
    elif method == _SQUEEZED:
        plain = arcs.unsqueezed(packed, sink)
    elif method == _PACKED or method in _WITHOUT_RUNS:
        plain = packed
    else:
        return None
    return plain if method in _WITHOUT_RUNS else arcs.spread(plain)


def _crunched(packed: "Iterator[bytes]", sink: Sink) -> "Iterator[bytes]":
    """What is in LZW behind a byte that tells the width of its codes."""
    first = next(packed, b"")
    widest = first[0] if first else 12
    if not lzw.NARROW <= widest <= 16:
        raise Broken("codes")

    def rest() -> "Iterator[bytes]":
        yield first[1:]
        yield from packed

    yield from lzw.unpacked(lzw.grouped(rest(), widest, _FIRST, sink), 1 << widest, _FIRST)


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, min(end, len(view)), _STEP):
        yield view[at : min(at + _STEP, end)]


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("arc", (ARC,), unpack, broken=(Broken,), ends=(b".arc",))
