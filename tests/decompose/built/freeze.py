"""Files as freeze writes them: the tree is the decoder's own, which the samples prove."""

from amavis_pipe.decompose.formats.freeze import Tree
from built._bits import High, matches

OLD_COUNTS = (0, 0, 1, 3, 8, 12, 24, 16)
NEW_COUNTS = (0, 0, 1, 2, 7, 16, 36, 0)


def freeze(data: bytes, old: bool = False, ended: bool = True) -> bytes:
    """One file; version 2, or 1 if it is `old`."""
    counts, low = (OLD_COUNTS, 6) if old else (NEW_COUNTS, 7)
    bits, tree = High(), Tree(315 if old else 511)
    codes = _codes(counts)
    items = matches(data, 4096 if old else 7936, 60 if old else 256)
    for value, back in items:
        _put(bits, tree, value + 254 if back else value)
        if back:
            bits.put(*codes[back - 1 >> low])
            bits.put(back - 1 & (1 << low) - 1, low)
    if ended:
        _put(bits, tree, 256)
    if old:
        return b"\x1f\x9e" + bits.bytes()
    n1, n2, n3, n4, n5, n6, *_ = counts
    head = n1 | n2 << 1 | n3 << 3 | n4 << 6 | n5 << 10
    return b"\x1f\x9f" + head.to_bytes(2, "little") + bytes((n6,)) + bits.bytes()


def pack(data: bytes) -> bytes:
    return freeze(data)


def _codes(counts: tuple[int, ...]) -> list[tuple[int, int]]:
    codes, code = [], 0
    for length, count in enumerate(counts, 1):
        code <<= 1
        codes += [(code + at, length) for at in range(count)]
        code += count
    return codes


def _put(bits: High, tree: Tree, symbol: int) -> None:
    path, size, below = 0, 0, tree.parent[symbol + tree.size]
    while below != tree.size - 1:
        node = tree.parent[below]
        path |= (below != tree.son[node]) << size
        size += 1
        below = node
    bits.put(path, size)
    tree.update(symbol)
