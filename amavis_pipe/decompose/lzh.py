"""The compression of -lh5-: LZ77 in a window of 8 KiB, with Huffman codes in blocks.

ZOO and SCO's compress use it. Sources: ar002, which LHA's author based it on, and what programs write.
"""

from amavis_pipe.decompose.bits import Bytes
from amavis_pipe.decompose.lzss import copy
from amavis_pipe.decompose.streams import OUTPUT, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from amavis_pipe.walk import Sink

WINDOW = 1 << 13
_SYMBOLS, _LENGTHS, _PLACES = 510, 19, 14
_SYMBOLS_BITS, _LENGTHS_BITS, _PLACES_BITS = 9, 5, 4
_SHORTEST = 3
_FAST = 12
"""Bits of a code that are looked up at once."""
_LONGEST = 16
_STEP = 8
_AT_ONCE = 1024
"""Symbols that are read together."""
_ENOUGH = 48
"""Bits that one symbol with its place takes at most."""


def unpacked(chunks: "Iterable[bytes]", sink: "Sink") -> "Iterator[bytes]":
    """What was packed; Broken if it is cut off within a block.

    The end is a block of no symbols, or no more block: what is in front counts as spaces.
    """
    bits = _Bits(chunks)
    out = bytearray(b" " * WINDOW)
    size = _block(bits)
    while size:
        sink.tick()
        symbols, places = _codes(bits)
        while size:
            most = min(size, _AT_ONCE)
            size -= most
            failed = _decode(bits, symbols, places, out, most)
            if failed or len(out) > OUTPUT or not size:
                yield bytes(out[WINDOW:])
                del out[:-WINDOW]
            if failed:
                raise Broken("cut off")
        size = _block(bits)


def _block(bits: "_Bits") -> int:
    """How many symbols the next block has, 0 if there is none."""
    bits.fill()
    if bits.count - bits.spare < _LONGEST:
        return 0
    return bits.take(16)


def _decode(bits: "_Bits", symbols: "_Codes", places: "_Codes", out: bytearray, most: int) -> bool:
    """Append what `most` symbols give; whether the input ended before that."""
    value, count, spare = bits.value, bits.count, bits.spare
    table, other = symbols.table, places.table
    for _ in range(most):
        if count < _ENOUGH:
            bits.value, bits.count = value, count
            bits.fill()
            value, count, spare = bits.value, bits.count, bits.spare
        entry = table[value >> count - _FAST & 0xFFF]
        if entry < 0:
            entry = symbols.long(value >> count - _LONGEST & 0xFFFF)
        count -= entry & 31
        if count < spare:
            return True
        symbol = entry >> 5
        if symbol < 256:
            out.append(symbol)
            continue
        entry = other[value >> count - _FAST & 0xFFF]
        if entry < 0:
            entry = places.long(value >> count - _LONGEST & 0xFFFF)
        count -= entry & 31
        back = entry >> 5
        if back > 1:
            extra = back - 1
            count -= extra
            back = (1 << extra) + (value >> count & (1 << extra) - 1)
        if count < spare:
            return True
        copy(out, back + 1, symbol - 256 + _SHORTEST)
    bits.value, bits.count = value, count
    return False


class _Bits:
    """The bits, highest first: the lowest `count` of `value`, of which the last `spare` are made up."""

    __slots__ = ("_source", "count", "spare", "value")

    def __init__(self, chunks: "Iterable[bytes]") -> None:
        self._source = Bytes(chunks)
        self.value = self.count = self.spare = 0

    def fill(self) -> None:
        """Have at least _ENOUGH bits."""
        if self.count >= _ENOUGH:
            return
        piece = self._source.take(_STEP)
        self.spare += (_STEP - len(piece)) * 8
        kept = self.value & (1 << self.count) - 1
        self.value = kept << _STEP * 8 | int.from_bytes(piece.ljust(_STEP, b"\0"), "big")
        self.count += _STEP * 8

    def take(self, size: int) -> int:
        """The next `size` bits as a number, at most 16; Broken if there are not so many."""
        self.fill()
        self.count -= size
        if self.count < self.spare:
            raise Broken("cut off")
        return self.value >> self.count & (1 << size) - 1


class _Codes:
    """Codes to be looked up: symbol << 5 | length, in `table` by the next _FAST bits; -1: long() knows it.

    They are complete: Broken if some bits would be no code. `only` is the symbol of a code without bits.
    """

    __slots__ = ("_long", "table")

    def __init__(self, lengths: "Sequence[int]", only: int = -1) -> None:
        self._long: dict[int, int] = {}
        if only >= 0:
            self.table = [only << 5] * (1 << _FAST)
            return
        order = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
        if sum(1 << _LONGEST - length for length, _ in order) != 1 << _LONGEST:
            raise Broken("codes")
        self.table = []
        place = 0
        for length, symbol in order:
            if length <= _FAST:
                self.table += [symbol << 5 | length] * (1 << _FAST - length)
            else:
                self._long[1 << length | place >> _LONGEST - length] = symbol << 5 | length
            place += 1 << _LONGEST - length
        self.table += [-1] * ((1 << _FAST) - len(self.table))

    def long(self, ahead: int) -> int:
        """The entry of the code that the next 16 bits begin with, which is longer than _FAST."""
        for length in range(_FAST + 1, _LONGEST + 1):
            entry = self._long.get(1 << length | ahead >> _LONGEST - length)
            if entry is not None:
                return entry
        raise Broken("code")


def _codes(bits: _Bits) -> tuple[_Codes, _Codes]:
    """The codes of a block: of symbols, and of places."""
    lengths = _read(bits, _LENGTHS, _LENGTHS_BITS, 3)
    return _read_symbols(bits, lengths), _read(bits, _PLACES, _PLACES_BITS, -1)


def _read(bits: _Bits, most: int, width: int, gap: int) -> _Codes:
    """Codes whose lengths are written as they are; after `gap` of them the next may be left out."""
    number = bits.take(width)
    if not number:
        return _Codes((), min(bits.take(width), most - 1))
    found: list[int] = []
    while len(found) < min(number, most):
        length = bits.take(3)
        while length >= 7 and bits.take(1):
            length += 1
            if length > _LONGEST:
                raise Broken("codes")
        found.append(length)
        if len(found) == gap:
            found += [0] * bits.take(2)
    return _Codes(found[:most])


def _read_symbols(bits: _Bits, codes: _Codes) -> _Codes:
    """Codes whose lengths are themselves written in codes: 0 to 2 are gaps, others a length and 2."""
    number = bits.take(_SYMBOLS_BITS)
    if not number:
        return _Codes((), min(bits.take(_SYMBOLS_BITS), _SYMBOLS - 1))
    found: list[int] = []
    while len(found) < min(number, _SYMBOLS):
        symbol = _symbol(bits, codes)
        if symbol > 2:
            found.append(symbol - 2)
        else:
            found += [0] * (1, 3, 20)[symbol]
            found += [0] * bits.take((0, 4, 9)[symbol])
    return _Codes(found[:_SYMBOLS])


def _symbol(bits: _Bits, codes: _Codes) -> int:
    bits.fill()
    entry = codes.table[bits.value >> bits.count - _FAST & 0xFFF]
    if entry < 0:
        entry = codes.long(bits.value >> bits.count - _LONGEST & 0xFFFF)
    bits.take(entry & 31)
    return entry >> 5
