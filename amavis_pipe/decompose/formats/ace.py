"""ACE 1 and 2: by the module acefile, which does not mind memory: what comes out at once is bounded here.

The headers are walked here first, so that what stands behind the archive, or is damaged there, costs no
member in front of it. Of an archive in several files the members that go on in others are `undecoded:ace`.
Sources: the headers as acefile reads them, and the technical notes of unace.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Need, Sink
from amavis_pipe.decompose.ways import Foreign, python_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from amavis_pipe.spool import View

ACEFILE = Need("acefile", "acefile (PyPI)", python_module("acefile"))
NEEDS = (ACEFILE,)
MARK = b"**ACE**"
AT_ONCE = 16 << 20
"""Bytes of a member that acefile may have to hold at once, in lists that take eight times as much."""
_AT = 7
_MAIN, _FILES, _RECOVERY = 0, (1, 3), (2, 4, 5)
_ADDED, _WIDE, _LOCKED = 0x0001, 0x0004, 0x4000
_GOES_ON = 0x1000 | 0x2000
_FIXED = 7
_STORED = 0
_PADDING = 1 << 12
_MOST = 1 << 16


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    view = blob.view()
    end, whole = _walk(view, sink)
    try:
        import acefile
    except ImportError:
        sink.unchecked("undecoded:ace")
        return
    with Foreign():
        archive = acefile.open(_Window(view, end, sink), search=0)
        members = archive.getmembers()
    for member in members:
        sink.tick()
        if not member.is_dir():
            whole = _add(archive, member, sink) and whole
    if not whole:
        raise Broken("damaged")


def _add(archive: "Any", member: "Any", sink: Sink) -> bool:
    """Add the member; whether it is whole."""
    names = (bytes(member.raw_filename).partition(b"\0")[0][:1024],)
    if member.is_enc():
        sink.unchecked("encrypted:ace")
        sink.add((), names, flags=("encrypted",))
        return True
    if member.comptype != _STORED and member.size > AT_ONCE:
        # it is a lie, or too much: as far as that it is read
        member._AceMember__size = AT_ONCE
        sink.unchecked("limit:memory")
    try:
        sink.add(_blocks(archive, member), names)
    except Broken:
        return False
    return True


def _blocks(archive: "Any", member: "Any") -> "Iterator[bytes]":
    with Foreign():
        yield from archive.readblocks(member)


def _walk(view: "View", sink: Sink) -> tuple[int, bool]:
    """Where the last member that is there ends, and whether that is the end of the archive."""
    at, goes_on = 0, False
    for _ in range(_MOST):
        sink.tick()
        head = view[at : at + _FIXED + 16]
        size, kind, flags = _number(head[2:4]), head[4:5], _number(head[5:7])
        if len(head) < _FIXED or not _is_sound(view, at, size) or (kind[0] != _MAIN) == (at == 0):
            break
        added = _number(head[7:15] if flags & _WIDE else head[7:11]) if flags & _ADDED else 0
        goes_on = goes_on or bool(kind[0] in _FILES and flags & _GOES_ON)
        at += 4 + size + added
        if at >= len(view):
            break
    if goes_on:
        sink.unchecked("undecoded:ace")
    if not at:
        raise Broken("no header")
    # behind the last one there may be zeros; a header that isn't sound may be one that another reader takes
    return min(at, len(view)), at <= len(view) and not view[at : at + _PADDING].strip(b"\0")


def _is_sound(view: "View", at: int, size: int) -> bool:
    """Whether the header has the checksum that it tells: the lower half of CRC-32, not inverted."""
    from zlib import crc32

    body = view[at + 4 : at + 4 + size]
    return len(body) == size >= 3 and ~crc32(body) & 0xFFFF == _number(view[at : at + 2])


class _Window:
    """The archive as a file for acefile, which asks for the time whenever it is read."""

    def __init__(self, view: "View", end: int, sink: Sink) -> None:
        self._view = view
        self._end = end
        self._sink = sink
        self._at = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._end)[whence])
        return self._at

    def read(self, size: int = -1) -> bytes:
        self._sink.tick()
        stop = self._end if size is None or size < 0 else min(self._at + size, self._end)
        data = self._view[self._at : stop] if self._at < stop else b""
        self._at += len(data)
        return data

    def close(self) -> None:
        """Nothing is to be done."""


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("ace", ("application/x-ace",), unpack, starts=((_AT, MARK),), broken=(Broken,))
