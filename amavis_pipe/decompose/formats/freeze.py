"""freeze (.F), versions 1 and 2: one file, without a name, a size or a checksum in its container.

LZ77 with a dynamic Huffman tree, as in LZHUF, for literals and lengths, and a static code for places. What a
match finds in front of the file is spaces. Source: the behaviour of the program, versions 1.0 to 2.5.
"""

from _bisect import bisect_left

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, steps, without_suffix
from amavis_pipe.decompose.bits import grown, high_first
from amavis_pipe.decompose.lzss import copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OLD, NEW = b"\x1f\x9e", b"\x1f\x9f"
SUFFIXES = {b".tf": b".tar", b".f": b""}
OUTPUT = 1 << 16
_WINDOW = 1 << 13
_END = 256
_LEAVES = {OLD: 315, NEW: 511}
_LOW = {OLD: 6, NEW: 7}
"""Bits of a place that are written as they are."""
_OLD_COUNTS = (0, 0, 1, 3, 8, 12, 24, 16)
_FULL = 0x8000
_AT_ONCE = 1 << 10
"""Symbols after which the clock is looked at."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    head = blob.head(5)
    magic = head[:2]
    if magic not in _LEAVES:
        raise Broken("no header")
    counts = _OLD_COUNTS if magic == OLD else _counts(head)
    places = grown(_codes(counts))
    bits = high_first(steps(blob.view(), 2 if magic == OLD else 5))
    tree = Tree(_LEAVES[magic])
    sink.add(_output(bits, tree, places, _LOW[magic], sink), without_suffix(sink.names, SUFFIXES))


def _counts(head: bytes) -> tuple[int, ...]:
    """How many codes of places there are of each length, 1 to 8, as the header of version 2 tells."""
    low, high = int.from_bytes(head[2:4], "little"), head[4] if len(head) > 4 else 0xFF
    if low >> 15 or high >> 6:
        raise Broken("no table")
    six = (low & 1, low >> 1 & 3, low >> 3 & 7, low >> 6 & 15, low >> 10 & 31, high)
    rest = 62 - sum(six)
    seventh = 256 - sum(count << 7 - at for at, count in enumerate(six)) - rest
    if seventh < 0 or rest < seventh:
        raise Broken("no table")
    return (*six, seventh, rest - seventh)


def _codes(counts: tuple[int, ...]) -> "Iterator[tuple[int, int, int]]":
    """The codes of places: short ones first, each length counted on from the one before."""
    symbol = code = 0
    for length, count in enumerate(counts, 1):
        code <<= 1
        for _ in range(count):
            yield symbol, length, code
            symbol += 1
            code += 1


def _output(
    bits: "Iterator[int]", tree: "Tree", places: list[int], low: int, sink: Sink
) -> "Iterator[bytes]":
    out = bytearray(b" " * _WINDOW)
    going = True
    while going:
        sink.tick()
        try:
            going = _decode(bits, tree, places, low, out)
        except (StopIteration, Broken):
            yield bytes(out[_WINDOW:])
            raise Broken("cut off") from None
        if len(out) > OUTPUT or not going:
            yield bytes(out[_WINDOW:])
            del out[:-_WINDOW]


def _decode(bits: "Iterator[int]", tree: "Tree", places: list[int], low: int, out: bytearray) -> bool:
    """Append what some symbols give; whether the end is still to come. StopIteration if bits are missing."""
    son, top, update, bit = tree.son, tree.size, tree.update, bits.__next__
    root = top - 1
    for _ in range(_AT_ONCE):
        node = son[root]
        while node < top:
            node = son[node + bit()]
        symbol = node - top
        update(symbol)
        if symbol < _END:
            out.append(symbol)
            continue
        if symbol == _END:
            return False
        place = places[bit()]
        while place > 0:
            place = places[place + bit()]
        if not place:
            raise Broken("place")
        place = ~place
        for _ in range(low):
            place = place << 1 | bit()
        copy(out, place + 1, symbol - 254)
    return True


class Tree:
    """The dynamic tree of LZHUF over so many symbols: nodes in the order of how often they came.

    size   of nodes; the root is the last
    son    a node's first child, or its symbol and `size`; `parent` of a node or a child
    """

    __slots__ = ("_count", "_leaves", "parent", "size", "son")

    def __init__(self, leaves: int) -> None:
        self.size = size = 2 * leaves - 1
        self._leaves = leaves
        self._count = [1] * leaves + [0] * (size - leaves) + [0xFFFF]
        self.parent = [0] * (size + leaves)
        self.son = [symbol + size for symbol in range(leaves)] + [0] * (size - leaves)
        for node in range(leaves, size):
            child = 2 * (node - leaves)
            self._count[node] = self._count[child] + self._count[child + 1]
            self.son[node] = child
        self._relink()

    def update(self, symbol: int) -> None:
        """Count the symbol, and move it and what it is below to their new places."""
        count, son, parent, size = self._count, self.son, self.parent, self.size
        if count[size - 1] == _FULL:
            self._rebuild()
        node = parent[symbol + size]
        while True:
            count[node] = seen = count[node] + 1
            if seen > count[node + 1]:
                # the last one that came less often: behind it they stand in order, up to the sentinel
                other = bisect_left(count, seen, node + 1) - 1
                count[node], count[other] = count[other], seen
                mine, its = son[node], son[other]
                son[node], son[other] = its, mine
                parent[mine] = other
                if mine < size:
                    parent[mine + 1] = other
                parent[its] = node
                if its < size:
                    parent[its + 1] = node
                node = other
            node = parent[node]
            if not node:
                return

    def _rebuild(self) -> None:
        """Halve all counts, and build the tree anew from its leaves in their order."""
        size, leaves = self.size, self._leaves
        pairs = zip(self._count, self.son[:size], strict=False)
        ends = [((count + 1) // 2, child) for count, child in pairs if child >= size]
        count, son = [seen for seen, _ in ends], [child for _, child in ends]
        for at in range(leaves - 1):
            both = count[2 * at] + count[2 * at + 1]
            place = len(count)
            while both < count[place - 1]:
                place -= 1
            count.insert(place, both)
            son.insert(place, 2 * at)
        self._count[:] = [*count, 0xFFFF]
        self.son[:] = son
        self._relink()

    def _relink(self) -> None:
        for node, child in enumerate(self.son):
            self.parent[child] = node
            if child < self.size:
                self.parent[child + 1] = node
        self.parent[self.size - 1] = 0


DECODER = Decoder("freeze", ("application/x-freeze",), unpack, starts=(OLD, NEW), broken=(Broken,))
