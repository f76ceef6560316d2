"""Bits and bytes out of a row of chunks, for decoders of old formats that zlib and its like don't know.

One by one, in C as far as it goes: an iterator of zeros and ones costs 30 ns for each. Codes of a static
Huffman tree are found in a flat list: the children of a node stand side by side, a leaf is ~symbol, and
what no code leads to is 0.
"""

from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HIGH = tuple(bytes(byte >> shift & 1 for shift in range(7, -1, -1)) for byte in range(256))
_LOW = tuple(bytes(byte >> shift & 1 for shift in range(8)) for byte in range(256))


def high_first(chunks: "Iterable[bytes]") -> "Iterator[int]":
    """The bits, of each byte the highest first."""
    return chain.from_iterable(map(_HIGH.__getitem__, chain.from_iterable(chunks)))


def low_first(chunks: "Iterable[bytes]") -> "Iterator[int]":
    """The bits, of each byte the lowest first."""
    return chain.from_iterable(map(_LOW.__getitem__, chain.from_iterable(chunks)))


def grown(codes: "Iterable[tuple[int, int, int]]") -> list[int]:
    """The tree of these codes, each as (symbol, length, code); the first of two that clash."""
    tree = [0, 0]
    for symbol, length, code in codes:
        node = 0
        for shift in range(length - 1, 0, -1):
            place = node + (code >> shift & 1)
            if not tree[place]:
                tree[place] = len(tree)
                tree += (0, 0)
            node = tree[place]
            if node < 0:
                break
        else:
            tree[node + (code & 1)] = tree[node + (code & 1)] or ~symbol
    return tree


class Bytes:
    """Bytes taken from chunks, as many at a time as are asked for."""

    __slots__ = ("_at", "_buffer", "_chunks")

    def __init__(self, chunks: "Iterable[bytes]") -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer if there are no more."""
        taken = self._buffer[self._at : self._at + size]
        self._at += size
        while len(taken) < size:
            self._buffer = next(self._chunks, b"")
            if not self._buffer:
                break
            self._at = size - len(taken)
            taken += self._buffer[: self._at]
        return taken
