"""ALZ: stored and deflated members.

Its own kind of bzip2, which lacks most of bzip2's marks, is `undecoded:alz`. Sources: the headers as ALZip
writes them and unalz reads them.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, steps

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
        # a header that lies hides nothing: the next one is searched for
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
        self.is_locked = bool(flags & _ENCRYPTED)
        width = flags >> 4
        self.method, self.crc = head[_FIXED] if self.is_whole and width else 0, _number(head[15:19])
        sizes = head[19 : 19 + 2 * width]
        self.packed, self.size = _number(sizes[:width]), _number(sizes[width:])
        place = at + (19 + 2 * width if width else _FIXED)
        # whatever its attributes say: what has content is a file
        self.is_folder = self.is_whole and bool(head[6] & _FOLDER) and not self.packed and not self.size
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
    if member.method not in (_STORED, _DEFLATED):
        sink.unchecked("undecoded:alz")
        return True
    try:
        if member.method == _DEFLATED:
            return _inflate(view, member, sink, names) == member.start + member.packed
        # of two sizes that differ the one with the checksum is right
        sizes = {member.packed, member.size}
        size = next((one for one in sizes if _crc(view, member, one) == member.crc), max(sizes))
        sink.add(_checked(_pieces(view, member, size), member), names)
    except Broken:
        return False
    return member.packed == member.size


def _inflate(view: "View", member: Member, sink: Sink, names: tuple[bytes, ...]) -> int:
    """Add a deflated member; where its stream ends, whatever the header says."""
    from zlib import error

    taken = 0

    def counted() -> "Iterator[bytes]":
        nonlocal taken
        for chunk in steps(view, member.start):
            taken += len(chunk)
            yield chunk

    streams = Streams(counted(), sink, lambda: Inflate(-15), None, (error,))
    sink.add(_checked(streams.output(), member), names)
    return member.start + taken - streams.left()


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


def _crc(view: "View", member: Member, size: int) -> int:
    from zlib import crc32

    crc = 0
    for piece in _pieces(view, member, size):
        crc = crc32(piece, crc)
    return crc


def _pieces(view: "View", member: Member, size: int) -> "Iterator[bytes]":
    end = min(member.start + size, len(view))
    return (view[at : min(at + _STEP, end)] for at in range(member.start, end, _STEP))


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("alz", ("application/x-alz",), unpack, starts=(MAGIC,), broken=(Broken,))
