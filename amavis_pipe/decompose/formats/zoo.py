"""zoo: stored members, and both compressions; deleted ones too, which stay in the archive until it is packed.

The members are a list linked by offsets, which may lead in circles: each place is visited once. Sources: the
headers as zoo 2.10 and its kin write them.
"""

from amavis_pipe.decompose import lzh, lzw
from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.crc16 import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

TAG = b"\xdc\xa7\xc4\xfd"
_STEP = 1 << 16
_HEAD, _ENTRY, _LONG_ENTRY = 24, 51, 56
_MOST = 1 << 15
"""Entries of one archive."""
_STORED, _LZW, _LZH = 0, 1, 2
_WIDEST, _FIRST, _LAST = 13, 258, 257
"""Of the LZW: the bits of a code, the first new one, and the one that ends the stream."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    view = blob.view()
    seen: set[int] = set()
    whole = _follow(view, _number(view[24:28]), seen, sink)
    if not whole:
        # what no link leads to any more is still marked
        at = view.find(TAG, _HEAD)
        while at >= 0 and len(seen) < _MOST:
            if at not in seen:
                _follow(view, at, seen, sink)
            at = view.find(TAG, at + 1)
        raise Broken("damaged")


def _follow(view: "View", at: int, seen: set[int], sink: Sink) -> bool:
    """Add the members from the entry at `at` on; whether they are whole, and end as they should."""
    whole = True
    while at not in seen and len(seen) < _MOST:
        sink.tick()
        seen.add(at)
        entry = Entry(view, at)
        if not entry.is_whole:
            return False
        if not entry.next:  # the last is empty
            return whole
        whole = _add(view, entry, sink) and whole
        at = entry.next
    return False


class Entry:
    """An entry of the directory.

    next   where the next one is, 0 in the last
    names  the long one first
    """

    __slots__ = ("crc", "is_whole", "method", "names", "next", "packed", "size", "start")

    names: tuple[bytes, ...]

    def __init__(self, view: "View", at: int) -> None:
        head = view[at : at + _LONG_ENTRY]
        self.is_whole = head.startswith(TAG) and len(head) >= _ENTRY
        self.method = head[5] if self.is_whole else 0
        self.next, self.start = _number(head[6:10]), _number(head[10:14])
        self.crc = _number(head[18:20])
        self.size, self.packed = _number(head[20:24]), _number(head[24:28])
        self.names = (head[38:51].partition(b"\0")[0],)
        if self.is_whole and head[4] == 2 and len(head) == _LONG_ENTRY:
            self._extend(view[at + _LONG_ENTRY : at + _LONG_ENTRY + _number(head[51:53])])

    def _extend(self, more: bytes) -> None:
        """Take the long name and the folder from what stands behind an entry of type 2."""
        if len(more) < 2:
            return
        name = more[2 : 2 + more[0]].rstrip(b"\0")
        folder = more[2 + more[0] : 2 + more[0] + more[1]].rstrip(b"\0")
        short = self.names[0]
        name = name or short
        if folder and name:
            name = folder + b"/" + name
        self.names = tuple(dict.fromkeys(one for one in (name, short) if one))


def _add(view: "View", entry: Entry, sink: Sink) -> bool:
    """Add the member; whether it is whole."""
    packed = _pieces(view, entry.start, entry.start + entry.packed)
    if entry.method == _STORED:
        chunks: Iterator[bytes] = packed
    elif entry.method == _LZW:
        chunks = lzw.unpacked(_codes(packed, sink), 1 << _WIDEST, _FIRST)
    elif entry.method == _LZH:
        chunks = lzh.unpacked(packed, sink)
    else:
        sink.unchecked("undecoded:zoo")
        return True
    try:
        sink.add(checked(chunks, entry.size, entry.crc), entry.names)
    except Broken:
        return False
    return entry.start + entry.packed <= len(view)


def _codes(packed: "Iterator[bytes]", sink: Sink) -> "Iterator[int]":
    """The codes of the LZW, without groups, up to the one that ends the stream."""
    for code in lzw.packed(packed, _WIDEST, _FIRST, sink):
        if code == _LAST:
            return
        yield code


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, min(end, len(view)), _STEP):
        yield view[at : min(at + _STEP, end)]


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("zoo", ("application/x-zoo",), unpack, starts=((20, TAG),), broken=(Broken,))
