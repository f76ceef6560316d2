"""zip (APPNOTE.TXT 6.3.10): by an own reader for stored, deflated and bzip2 members, else libarchive.

What is taken are the members of both readings, by the central directory and by the local headers: a
file that only one of them shows is shown to some reader. No declared size of a compressed member is
believed, its stream says where it ends. The own reader costs a tenth of zipfile and a sixth of
libarchive to load, and sees what these don't tell: which members are encrypted, and both names.
"""

from amavis_pipe.decompose.api import (
    CHUNK,
    LIBARCHIVE,
    Blob,
    Broken,
    Decoder,
    Inflate,
    Need,
    Sink,
    Streams,
    steps,
)
from amavis_pipe.jail import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.decompose.streams import Stream
    from amavis_pipe.decompose.zipmember import Member
    from amavis_pipe.spool import View

NEEDS = (
    LIBARCHIVE,
    Need(programs.SEVEN_ZIP.name, programs.SEVEN_ZIP.package, programs.SEVEN_ZIP.places),
    Need(programs.UNAR.name, programs.UNAR.package, programs.UNAR.places),
)

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_END64 = b"PK\6\6"
_DESCRIPTOR = b"PK\7\x08"
STARTS = (LOCAL, END, b"PK00" + LOCAL, _DESCRIPTOR + LOCAL)  # the last two: of a split one, in one piece

_ENTRIES = 1 << 16
_COMMENT = 1 << 16
_ENCRYPTED, _DESCRIBED = 1 << 0, 1 << 3
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12
_FULL = 0xFFFFFFFF
_WIDE, _UNICODE_NAME = 0x0001, 0x7075


def unpack(blob: Blob, sink: Sink) -> None:
    """All members that can be read; `encrypted:zip` if some can't be, `undecoded:zip` for rare methods."""
    view = blob.view()
    if _is_last_of_several(view):
        from amavis_pipe.decompose.volumes import joined

        if joined(sink) is not None:
            return  # read with the first
    reader = _Reader(view, sink)
    reader.run()
    if reader.locked:
        from amavis_pipe.decompose.zips import add_locked

        add_locked(blob, sink, reader.locked)
    if reader.unknown:
        from amavis_pipe.decompose.zipmember import add_rare

        add_rare(blob, sink, reader.unknown)
    if reader.damaged:
        raise Broken("damaged")


class Header:
    """What a local header or an entry of the central directory says of a member.

    at      where the local header is
    body    where the content begins; only a local header tells
    packed  bytes of the content as stored, size unpacked; both may be lies
    """

    __slots__ = ("at", "body", "check", "crc", "extra", "flags", "method", "names", "packed", "size")

    def __init__(self, fixed: bytes, name: bytes, extra: bytes, at: int, body: int = -1) -> None:
        """`fixed` begins at the flags: from there on both kinds have the same fields."""
        self.flags = _number(fixed[0:2])
        self.check = fixed[5:6]
        self.method = _number(fixed[2:4])
        self.crc = _number(fixed[8:12])
        self.packed = _number(fixed[12:16])
        self.size = _number(fixed[16:20])
        self.at = at
        self.body = body
        fields = self.extra = _fields(extra)
        unicode_name = fields.get(_UNICODE_NAME, b"")[5:]
        self.names: tuple[bytes, ...] = (name, unicode_name) if unicode_name else (name,)
        self._widen(fields.get(_WIDE, b""))

    def _widen(self, wide: bytes) -> None:
        """Take the numbers that don't fit 32 bits from their own field (APPNOTE 4.5.3)."""
        for name in ("size", "packed", "at"):
            if getattr(self, name) == _FULL and wide:
                setattr(self, name, _number(wide[:8]))
                wide = wide[8:]


class _Reader:
    """One pass over a zip: first by local headers in order, then what only the directory knows.

    unknown  members whose method is not among ours
    locked   members that are encrypted, by any of their headers
    damaged  whether anything was cut off, missing, or had a wrong checksum
    """

    def __init__(self, view: "View", sink: Sink) -> None:
        self.unknown: list[Member] = []
        self.locked: list[Member] = []
        self.damaged = False
        self._view = view
        self._sink = sink
        self._listed = self._directory()

    def run(self) -> None:
        """Add all members there are."""
        seen, at = set(), self._view.find(LOCAL)
        if at < 0 and self._view.find(END) < 0:
            self.damaged = True
        while at >= 0:
            seen.add(at)
            at = self._view.find(LOCAL, max(self._member(at), at + len(LOCAL)))
        for at in sorted(self._listed.keys() - seen):
            self._member(at)

    def _directory(self) -> dict[int, Header]:
        """The entries of the last central directory, by where their local headers are."""
        view = self._view
        listed: dict[int, Header] = {}
        at, shift = _start(view)
        while view[at : at + 4] == CENTRAL:
            self._sink.tick()
            fixed = view[at + 8 : at + 46]
            name, extra, comment = (_number(fixed[i : i + 2]) for i in (20, 22, 24))
            text = view[at + 46 : at + 46 + name + extra]
            header = Header(fixed, text[:name], text[name:], _number(fixed[34:38]))
            header.at += shift
            if len(text) < name + extra or len(listed) >= _ENTRIES:
                self.damaged = True
                break
            if header.at in listed:  # several names for one content
                header.names = (*listed[header.at].names, *header.names)[:8]
            listed[header.at] = header
            at += 46 + name + extra + comment
        return listed

    def _local(self, at: int) -> Header | None:
        """The local header at `at`, if there is one that is whole."""
        fixed = self._view[at + 6 : at + 30]
        if self._view[at : at + 4] != LOCAL or len(fixed) < 24:
            return None
        name, extra = _number(fixed[20:22]), _number(fixed[22:24])
        text = self._view[at + 30 : at + 30 + name + extra]
        if len(text) < name + extra:
            return None
        return Header(fixed, text[:name], text[name:], at, at + 30 + name + extra)

    def _member(self, at: int) -> int:
        """Add the member whose local header is at `at`; where its content ends, as far as that is known."""
        self._sink.tick()
        local = self._local(at)
        if local is None:
            self.damaged = True
            return at
        listed = self._listed.get(at)
        headers = [listed, local] if listed else [local]
        names = tuple(dict.fromkeys(name for header in headers for name in header.names if name))
        packed = max(header.packed for header in headers)
        end = min(local.body + packed, len(self._view))
        locked = [header for header in headers if header.flags & _ENCRYPTED]
        is_folder = bool(names) and names[0].endswith(b"/")
        # a size of 0 may be all that is told in front of the content
        if locked and (packed or (local.flags & _DESCRIBED and not (listed and is_folder))):
            self.locked.append(_told(headers, names))
        if len(locked) == len(headers):
            return end
        if is_folder and packed <= 2 and not local.flags & _DESCRIBED:
            return end
        # headers that differ are read both ways: one of them is what some reader believes
        ends = [self._content(method, headers, names) for method in {one.method: 0 for one in headers}]
        if all(one < 0 for one in ends) and not locked:
            self.damaged = True
        return max(ends) if max(ends) >= 0 else local.body

    def _content(self, method: int, headers: list[Header], names: tuple[bytes, ...]) -> int:
        """Add the content as `method` gives it; where it ends, -1 if it is damaged."""
        try:
            if method == _STORED:
                return self._stored(headers, names)
            if method in (_DEFLATED, _BZIP2):
                return self._unpacked(method, headers, names)
        except Broken:
            return -1
        self.unknown.append(_told(headers, names, method))
        return headers[-1].body + max(header.packed for header in headers)

    def _stored(self, headers: list[Header], names: tuple[bytes, ...]) -> int:
        view, local = self._view, headers[-1]
        end = local.body + max(header.packed for header in headers)
        if len(headers) == 1 and local.flags & _DESCRIBED and not local.packed:
            end = min(self._find(mark, local.body) for mark in (_DESCRIPTOR, LOCAL, CENTRAL))
        whole = end <= len(view)
        chunks = (view[at : min(at + CHUNK, end)] for at in range(local.body, min(end, len(view)), CHUNK))
        self._sink.add(_checked(chunks, headers, whole), names)
        return end

    def _unpacked(self, method: int, headers: list[Header], names: tuple[bytes, ...]) -> int:
        taken = 0

        def counted() -> "Iterator[bytes]":
            nonlocal taken
            for chunk in steps(self._view, headers[-1].body):
                taken += len(chunk)
                yield chunk

        new, bad = _decompressor(method)
        streams = Streams(counted(), self._sink, new, None, bad)
        self._sink.add(_checked(streams.output(), headers, True), names)
        return headers[-1].body + taken - streams.left()

    def _find(self, mark: bytes, start: int) -> int:
        at = self._view.find(mark, start)
        return at if at >= 0 else len(self._view)


def _told(headers: list[Header], names: tuple[bytes, ...], method: int = -1) -> "Member":
    from amavis_pipe.decompose.zipmember import Member

    return Member(headers, names, method)


def _start(view: "View") -> tuple[int, int]:
    """Where the central directory begins, and by how much its offsets are to be shifted.

    What stands in front of a zip is not counted in it: the directory ends where its end record is.
    """
    end = view.rfind(END, max(0, len(view) - _COMMENT - 22))
    if end < 0:
        return len(view), 0
    size, offset = _number(view[end + 12 : end + 16]), _number(view[end + 16 : end + 20])
    if _FULL in (size, offset):
        wide = view.rfind(_END64, max(0, end - 4096), end)
        if wide >= 0:
            end, size, offset = (
                wide,
                _number(view[wide + 40 : wide + 48]),
                _number(view[wide + 48 : wide + 56]),
            )
    start = end - size
    if start >= 0 and view[start : start + 4] == CENTRAL:
        return start, start - offset
    return offset, 0


def _is_last_of_several(view: "View") -> bool:
    """Whether the end record says that it is on another disk than the first."""
    end = view.rfind(END, max(0, len(view) - _COMMENT - 22))
    return end >= 0 and view[end + 4 : end + 6] not in (b"\0\0", b"\xff\xff")


def _decompressor(method: int) -> "tuple[Callable[[], Stream], tuple[type[Exception], ...]]":
    if method == _BZIP2:
        from _bz2 import BZ2Decompressor

        return BZ2Decompressor, (OSError,)
    from zlib import error

    return (lambda: Inflate(-15)), (error,)


def _checked(chunks: "Iterator[bytes]", headers: list[Header], whole: bool) -> "Iterator[bytes]":
    """The chunks; then Broken if they are not whole or no header's checksum is theirs."""
    from zlib import crc32

    crc = 0
    for chunk in chunks:
        crc = crc32(chunk, crc)
        yield chunk
    told = [header.crc for header in headers if header.body < 0 or not header.flags & _DESCRIBED]
    if not whole or (told and crc not in told):
        raise Broken("checksum")


def _fields(extra: bytes) -> dict[int, bytes]:
    """The extra fields by their number (APPNOTE 4.5.1)."""
    found, at = {}, 0
    while at + 4 <= len(extra):
        size = _number(extra[at + 2 : at + 4])
        found[_number(extra[at : at + 2])] = extra[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


DECODER = Decoder("zip", ("application/zip",), unpack, starts=STARTS, broken=(Broken,))
