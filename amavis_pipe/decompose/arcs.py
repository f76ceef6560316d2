"""What ARC's methods are made of besides LZW as compress has it: runs, squeezing, and the first crunching.

Sources: ARC's own documentation, and what arc and nomarch make of samples.
"""

from amavis_pipe.decompose.bits import Bytes, low_first
from amavis_pipe.decompose.streams import OUTPUT, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.walk import Sink

_END = 256
_NODES = 257
_AT_ONCE = 1 << 15
_SLOTS = 1 << 12
_STEP = 101
_NOTHING = 0xFFFF


def spread(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """The runs spread out: 0x90 and a count say how often the byte before stands there; 0x90 0 is 0x90."""
    last, is_open, out = b"\0", False, bytearray()
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            if is_open:
                count, is_open = chunk[at], False
                out += last * (count - 1) if count else b"\x90"
                at += 1
            else:
                end = chunk.find(b"\x90", at)
                is_open = end >= 0
                plain = chunk[at:end] if is_open else chunk[at:]
                out += plain
                last = plain[-1:] or last
                at += len(plain) + is_open
            if len(out) >= OUTPUT:
                yield bytes(out)
                out.clear()
        if out:
            yield bytes(out)
            out.clear()


def unsqueezed(chunks: "Iterable[bytes]", sink: "Sink") -> "Iterator[bytes]":
    """What was squeezed: a Huffman tree as a table of nodes, then the bits, lowest first."""
    source = Bytes(chunks)
    count = int.from_bytes(source.take(2), "little")
    table = source.take(4 * count) if count < _NODES else b""
    if count >= _NODES or len(table) < 4 * count:
        raise Broken("no table")
    if not count:
        return
    tree = _tree(table)
    bits = low_first(iter(lambda: source.take(OUTPUT), b""))
    going = True
    while going:
        sink.tick()
        out = bytearray()
        going = _decode(bits, tree, out)
        going = going and bool(out)  # not every program writes the mark of the end
        if out:
            yield bytes(out)


def _tree(table: bytes) -> list[int]:
    """The nodes as bits.grown() has them; a child is the number of a node, or below 0 a symbol: -1 is 0."""
    tree = []
    for at in range(0, len(table), 2):
        child = int.from_bytes(table[at : at + 2], "little", signed=True)
        if child < 0:
            tree.append(child if child >= ~_END else 0)
        else:
            tree.append(2 * child if 4 * child < len(table) else 0)
    return tree


def _decode(bits: "Iterator[int]", tree: list[int], out: bytearray) -> bool:
    """Append some symbols; False when the end was met. What is missing gives nothing."""
    node, left = 0, _AT_ONCE
    for bit in bits:
        node = tree[node + bit]
        left -= 1
        if node < 0:
            if ~node == _END:
                return False
            out.append(~node)
            node = 0
            if left < 0:
                break
        elif not node:
            raise Broken("code")
    return True


def uncrunched(codes: "Iterable[int]", fast: bool) -> "Iterator[bytes]":
    """What codes of twelve bits stand for that are places in a hash table: the one of ARC before version 5.

    `fast`: by the hash function of its last release, which hardly anything was made with.
    """
    slots = _Slots(fast)
    old, text, held = -1, b"", 0
    out: list[bytes] = []
    for code in codes:
        known = slots.text[code]
        before = text
        if known is not None:
            text = known
        elif old >= 0:
            text = before + before[:1]
        else:
            yield b"".join(out)
            raise Broken("code")
        if old >= 0:
            slots.enter(old, before, text[0])
        old = code if known is not None else slots.last
        out.append(text)
        held += len(text)
        if held > OUTPUT:
            yield b"".join(out)
            out, held = [], 0
    yield b"".join(out)


class _Slots:
    """The table: the text of each slot, None while it is free.

    last   the slot entered last
    """

    __slots__ = ("_fast", "_free", "_next", "last", "text")

    def __init__(self, fast: bool) -> None:
        self._fast = fast
        self._free = _SLOTS
        self._next = [0] * _SLOTS
        self.text: list[bytes | None] = [None] * _SLOTS
        self.last = 0
        for byte in range(256):
            self.enter(_NOTHING, b"", byte)

    def enter(self, old: int, text: bytes, byte: int) -> None:
        """A new entry, as long as there is a slot: `text`, whose slot is `old`, and a byte."""
        if not self._free:
            return
        self._free -= 1
        self.last = slot = self._slot(old + byte)
        self.text[slot] = text + bytes((byte,))

    def _slot(self, key: int) -> int:
        """The slot for a key: if it is taken, the first free one from a place behind its chain's end on."""
        if self._fast:
            slot = key * 15073 & 0xFFF
        else:
            key = (key | 0x800) & 0xFFFF
            slot = key * key >> 6 & 0xFFF
        if self.text[slot] is None:
            return slot
        while self._next[slot]:
            slot = self._next[slot]
        place = slot + _STEP & 0xFFF
        while self.text[place] is not None:
            place = place + 1 & 0xFFF
        self._next[slot] = place
        return place
