"""ALZ: stored and deflated members.

Its own kind of bzip2, which lacks most of bzip2's marks, is `undecoded:alz`. Sources: the headers as ALZip
writes them and unalz reads them.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.spool import View

MAGIC = b"ALZ\1"
_LOCAL, _END = b"BLZ\1", b"CLZ\2"
_STORED, _BZIP2, _DEFLATED = 0, 1, 2
_FIXED = 13
_FOLDER = 0x10
_ENCRYPTED = 1 << 0
_KEY = 12
_STEP = 1 << 16
_MOST = 1 << 16
"""Members of one archive."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    view = blob.view()
    at, damaged = view.find(_LOCAL), view.rfind(_END) < 0
    for _ in range(_MOST):
        if at < 0:
            break
        sink.tick()
        member = Member(view, at)
        whole = member.is_whole and (member.is_folder or _add(view, member, sink))
        damaged = damaged or not whole
        # a header that lies about its size hides nothing: the next one is searched for
        at = view.find(_LOCAL, member.start + member.packed if whole else at + len(_LOCAL))
    if damaged:
        raise Broken("damaged")


class Member:
    """A local header: `start` is where the content is, of `packed` bytes."""

    __slots__ = ("crc", "is_folder", "is_locked", "is_whole", "method", "name", "packed", "size", "start")

    def __init__(self, view: "View", at: int) -> None:
        head = view[at : at + _FIXED + 6 + 16]
        name_size = _number(head[4:6])
        self.is_whole = len(head) > _FIXED
        flags = head[11] if self.is_whole else 0
        self.is_folder = self.is_whole and bool(head[6] & _FOLDER)
        self.is_locked = bool(flags & _ENCRYPTED)
        width = flags >> 4
        self.method, self.crc = head[_FIXED] if self.is_whole and width else 0, _number(head[15:19])
        sizes = head[19 : 19 + 2 * width]
        self.packed, self.size = _number(sizes[:width]), _number(sizes[width:])
        place = at + (19 + 2 * width if width else _FIXED)
        self.is_whole = self.is_whole and width in (0, 1, 2, 4, 8)
        self.name = view[place : place + min(name_size, 1024)]
        self.start = place + name_size + (_KEY if self.is_locked else 0)


def _add(view: "View", member: Member, sink: Sink) -> bool:
    """Add the member; whether it is whole."""
    names = (member.name,) if member.name else ()
    if member.is_locked:
        sink.unchecked("encrypted:alz")
        sink.add((), names, flags=("encrypted",))
        return True
    pieces = _pieces(view, member.start, member.start + member.packed)
    if member.method == _STORED:
        chunks: Iterator[bytes] = pieces
    elif member.method == _DEFLATED:
        from zlib import error

        chunks = Streams(pieces, sink, lambda: Inflate(-15), None, (error,)).output()
    else:
        sink.unchecked("undecoded:alz")
        return True
    try:
        sink.add(_checked(chunks, member), names)
    except Broken:
        return False
    return True


def _checked(chunks: "Iterable[bytes]", member: Member) -> "Iterator[bytes]":
    """The chunks; then Broken if they are not what the header tells."""
    from zlib import crc32

    given = crc = 0
    for chunk in chunks:
        given += len(chunk)
        crc = crc32(chunk, crc)
        yield chunk
    if (given, crc) != (member.size, member.crc):
        raise Broken("checksum")


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, min(end, len(view)), _STEP):
        yield view[at : min(at + _STEP, end)]


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("alz", ("application/x-alz",), unpack, starts=(MAGIC,), broken=(Broken,))
