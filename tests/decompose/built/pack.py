"""Files as pack writes them."""

import heapq
import struct
from collections import Counter

from built._bits import High


def packed(data: bytes, size: int | None = None) -> bytes:
    """One file; with a byte of no use if there would be too few."""
    counts = Counter(data) + Counter({0: 1})
    lengths = _lengths({**counts, 256: 0})
    deepest = max(lengths.values())
    levels = [
        [symbol for symbol in sorted(lengths) if lengths[symbol] == level] for level in range(1, deepest + 1)
    ]
    codes, inner = {}, 0
    for level in range(deepest, 0, -1):
        inner >>= 1
        codes |= {symbol: (inner + at, level) for at, symbol in enumerate(levels[level - 1])}
        inner += len(levels[level - 1])
    numbers = [len(level) for level in levels]
    numbers[-1] -= 2
    bits = High()
    for byte in data:
        bits.put(*codes[byte])
    bits.put(*codes[256])
    symbols = bytes(symbol for level in levels for symbol in level if symbol < 256)
    head = struct.pack(">I", len(data) if size is None else size) + bytes((deepest, *numbers))
    return b"\x1f\x1e" + head + symbols + bits.bytes()


def pack(data: bytes) -> bytes:
    return packed(data)


def _lengths(counts: dict[int, int]) -> dict[int, int]:
    """How long each symbol's code is; 256, the rarest, has one of the longest."""
    heap = [(count, -symbol, [symbol]) for symbol, count in counts.items()]
    heapq.heapify(heap)
    lengths = dict.fromkeys(counts, 0)
    while len(heap) > 1:
        (one, key, some), (two, _, others) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in some + others:
            lengths[symbol] += 1
        heapq.heappush(heap, (one + two, key, some + others))
    return lengths
