"""Compound files ([MS-CFB]): the container of Office 97-2003, Outlook messages, installers.

Promises: every entry of the directory, whether a tree leads to it or not; a stream ends with its chain,
whatever size it claims; chains that run in circles, cross or leave the file end; fields of the header
that make no sense are taken as what they should be. No stream is in memory as a whole. What Windows and
others read differently (another limit of small streams) is read both ways. Sources: [MS-CFB] 2.2-2.6.
"""

from amavis_pipe.decompose.streams import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
STEP = 1 << 16

_END = 0xFFFFFFFA
"""Numbers from here on are no sectors."""
_HEADER = 512
_LISTED = 109
"""Sectors of the allocation table that the header itself lists."""
_ENTRY = 128
_ENTRIES = 1 << 16
_CUTOFF = 4096
"""Streams below this size are in the mini stream, by the standard; the header may say otherwise."""
_LEVELS = 16
_STORAGE, _ROOT = 1, 5
_READS = 32
"""How often all of the file may be read before it is too much: chains may cross."""


class Entry:
    """One entry of the directory.

    number  its place; parent that of the storage it is in, -1 if nothing leads to it
    start   first sector, of the mini stream if `mini`
    """

    __slots__ = ("is_storage", "mini", "name", "number", "parent", "size", "start")

    def __init__(self, number: int, name: str, is_storage: bool, start: int, size: int) -> None:
        self.number = number
        self.name = name
        self.is_storage = is_storage
        self.start = start
        self.size = size
        self.parent = -1
        self.mini = False


class Compound:
    """A compound file: its `entries`; `damaged` if anything is missing."""

    def __init__(self, view: "View", sink: "Sink") -> None:
        from array import array

        head = view[:_HEADER]
        if len(head) < _HEADER:
            raise Broken("no header")
        self.view = view
        self.sink = sink
        self.damaged = False
        self.table: array[int] = array("I")
        self.small: array[int] = array("I")
        self._left = _READS * len(view) + (1 << 20)
        self._wide = head[26] >= 4
        self.shift, self.small_shift = _shifts(head)
        self.count = (len(view) - 1 >> self.shift) if len(view) else 0
        self._load_table(head)
        self.entries = self._directory(_number(head[48:52]))
        self.root = Stream(self, self._first(), self.shift)
        self._mark_small(_number(head[56:60]))
        self.small.frombytes(self._chain(_number(head[60:64]), self._left))
        _to_native(self.small)

    def streams(self) -> "Iterator[Entry]":
        """The entries that are streams."""
        return (entry for entry in self.entries if not entry.is_storage)

    def stream(self, entry: Entry) -> "Stream":
        """The content of an entry."""
        return Stream(self, entry, self.small_shift if entry.mini else self.shift)

    def path(self, entry: Entry) -> str:
        """The names of the storages it is in and its own; the last of them if there are many."""
        names, at = [entry.name], entry.parent
        while at > 0 and len(names) < _LEVELS:
            names.append(self.entries_by_number[at].name)
            at = self.entries_by_number[at].parent
        return "/".join(reversed(names))

    def charge(self, size: int) -> None:
        """Count what is read; Broken when the streams of the file are far more than the file."""
        self.sink.tick()
        self._left -= size
        if self._left < 0:
            raise Broken("chains cross")

    def place(self, sector: int) -> int:
        """Where a sector is in the file."""
        return sector + 1 << self.shift

    def _load_table(self, head: bytes) -> None:
        """The allocation table, from all the sectors that the header and its chain list."""
        from array import array

        listed = array("I", head[76 : 76 + 4 * _LISTED])
        _to_native(listed)
        most = (self.count >> self.shift - 2) + 1
        at, seen = _number(head[68:72]), set[int]()
        while at < self.count and at not in seen and len(listed) < most + _LISTED:
            seen.add(at)
            self.sink.tick()
            raw = self._sector(at)
            more = array("I", raw[:-4])
            _to_native(more)
            listed += more
            at = _number(raw[-4:])
        while listed and listed[-1] >= _END:
            listed.pop()
        for sector in listed[:most]:
            self.table.frombytes(self._sector(sector))
        _to_native(self.table)

    def _sector(self, sector: int) -> bytes:
        """A sector, filled up with what means "free" where there is none."""
        size = 1 << self.shift
        if sector >= self.count:
            return b"\xff" * size
        return self.view[self.place(sector) : self.place(sector) + size].ljust(size, b"\xff")

    def _chain(self, start: int, size: int) -> bytes:
        """All of a chain that is no stream of the directory, in whole sectors."""
        stream = Stream(self, Entry(-1, "", False, start, size), self.shift)
        raw = stream.read(0, size)
        self.damaged = self.damaged or stream.cut
        return raw + b"\xff" * (-len(raw) % 4)

    def _directory(self, start: int) -> list[Entry]:
        raw = self._chain(start, (_ENTRIES + 1) * _ENTRY)
        if len(raw) > _ENTRIES * _ENTRY or len(raw) < _ENTRY:
            self.damaged = True
        self.entries_by_number: dict[int, Entry] = {}
        links: dict[int, tuple[int, int, int]] = {}
        for number in range(min(len(raw) // _ENTRY, _ENTRIES)):
            one = raw[number * _ENTRY : (number + 1) * _ENTRY]
            if one[66] or not number:
                self.entries_by_number[number] = self._entry(number, one)
                links[number] = (_number(one[68:72]), _number(one[72:76]), _number(one[76:80]))
        self._link(links)
        return [entry for number, entry in self.entries_by_number.items() if number]

    def _entry(self, number: int, raw: bytes) -> Entry:
        name = raw[:64].decode("utf-16-le", "replace").partition("\0")[0]
        size = _number(raw[120:128] if self._wide else raw[120:124])
        return Entry(number, name, raw[66] in (_STORAGE, _ROOT), _number(raw[116:120]), size)

    def _link(self, links: dict[int, tuple[int, int, int]]) -> None:
        """Give each entry its parent, as the trees of the storages say ([MS-CFB] 2.6.4)."""
        waiting = [(links[0][2], 0)] if 0 in links else []
        while waiting:
            number, parent = waiting.pop()
            if number not in links or not number:
                continue
            left, right, child = links.pop(number)
            self.entries_by_number[number].parent = parent
            waiting += [(left, parent), (right, parent), (child, number)]

    def _first(self) -> Entry:
        return self.entries_by_number.get(0) or Entry(0, "", True, _END, 0)

    def _mark_small(self, cutoff: int) -> None:
        """Find the streams that are in the mini stream, and those that only some readers look for there."""
        more = []
        for entry in self.streams():
            entry.mini = entry.size < _CUTOFF
            if entry.mini != (entry.size < cutoff) and entry.size:
                other = Entry(entry.number, entry.name, False, entry.start, entry.size)
                other.parent, other.mini = entry.parent, not entry.mini
                more.append(other)
        self.entries += more


class Stream:
    """The content of one entry; `size` is what the directory claims, the chain may give less.

    cut  whether the chain was met to end where none may
    """

    def __init__(self, compound: Compound, entry: Entry, shift: int) -> None:
        from array import array

        self.size = entry.size
        self.cut = False
        self._file = compound
        self._mini = entry.mini
        self._shift = shift
        self._table = compound.small if entry.mini else compound.table
        self._sectors: array[int] = array("I")
        self._seen: set[int] = set()
        self._next = entry.start

    def read(self, at: int, size: int) -> bytes:
        """Bytes from `at` on, fewer if the stream ends."""
        return b"".join(self._pieces(at, min(at + size, self.size)))

    def chunks(self, start: int = 0, end: int = -1) -> "Iterator[bytes]":
        """The bytes from `start` to `end` (-1: all); then Broken if the chain is shorter."""
        end = self.size if end < 0 else end
        at = start
        for piece in self._pieces(start, end):
            at += len(piece)
            yield piece
        if at < end:
            raise Broken("cut off")

    def place(self, at: int) -> int:
        """Where the byte `at` is in the file, and -1 if nowhere."""
        index = at >> self._shift
        self._fill(index + 1)
        if index >= len(self._sectors):
            return -1
        rest = at & (1 << self._shift) - 1
        if self._mini:
            return self._file.root.place((self._sectors[index] << self._shift) + rest)
        return self._file.place(self._sectors[index]) + rest

    def _pieces(self, at: int, end: int) -> "Iterator[bytes]":
        """What there is from `at` to `end`: sectors that follow each other are one piece."""
        shift = self._shift
        while at < end:
            index = at >> shift
            self._fill(min((min(end, at + STEP) - 1 >> shift) + 1, index + (STEP >> shift) + 1))
            sectors = self._sectors
            if index >= len(sectors):
                return
            last = index + 1
            while (
                last < len(sectors)
                and last - index < STEP >> shift
                and sectors[last] == sectors[last - 1] + 1
            ):
                last += 1
            start = (sectors[index] << shift) + (at & (1 << shift) - 1)
            piece = self._raw(start, min(end - at, (last << shift) - at))
            if not piece:
                return
            at += len(piece)
            yield piece

    def _raw(self, start: int, size: int) -> bytes:
        if self._mini:
            return self._file.root.read(start, size)
        self._file.charge(size)
        start += self._file.place(0)
        return self._file.view[start : start + size]

    def _fill(self, count: int) -> None:
        """Follow the chain until `count` sectors are known, or it ends."""
        sectors, seen, table = self._sectors, self._seen, self._table
        most = len(table) if self._mini else min(len(table), self._file.count)
        at = self._next
        while len(sectors) < count and at < _END:
            if at in seen or at >= most:
                self.cut, at = True, _END
                break
            seen.add(at)
            sectors.append(at)
            at = table[at]
        self._next = at


def _shifts(head: bytes) -> tuple[int, int]:
    """Sizes of sectors and of those of the mini stream, as powers of two."""
    shift, small = _number(head[30:32]), _number(head[32:34])
    if not 7 <= shift <= 20:
        shift = 12 if head[26] == 4 else 9
    return shift, small if 2 <= small <= shift else 6


def _to_native(numbers: "array[int]") -> None:
    from sys import byteorder

    if byteorder == "big":
        numbers.byteswap()


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
