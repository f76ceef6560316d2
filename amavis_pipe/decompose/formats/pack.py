"""pack (.z): one file in a static Huffman code, as System V's pack writes it.

The size in the header is not believed: the code has a mark of the end. Source: the behaviour of pack and
unpack.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, steps, without_suffix
from amavis_pipe.decompose.bits import grown, high_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x1f\x1e"
SUFFIXES = {b".z": b""}
_HEAD = 7
_DEEPEST = 25
_END = 256
_AT_ONCE = 1 << 15


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    head = blob.head(_HEAD + _DEEPEST + _END)
    size, deepest = int.from_bytes(head[2:6], "big"), head[6] if len(head) >= _HEAD else 0
    counts = list(head[_HEAD : _HEAD + deepest])
    if not 0 < deepest <= _DEEPEST or len(counts) < deepest:
        raise Broken("no table")
    counts[-1] += 1  # and one more, which is the mark of the end
    start = _HEAD + deepest + sum(counts)
    symbols = head[_HEAD + deepest : start]
    if len(symbols) < sum(counts) or sum(counts) > _END:
        raise Broken("no table")
    counts[-1] += 1
    tree = grown(_codes(counts, [*symbols, _END]))
    sink.add(
        _output(high_first(steps(blob.view(), start)), tree, size, sink), without_suffix(sink.names, SUFFIXES)
    )


def _codes(counts: list[int], symbols: list[int]) -> "Iterator[tuple[int, int, int]]":
    """The codes, from the longest up: of each length those of leaves stand above those that go on."""
    inner = 0
    at = len(symbols)
    for length in range(len(counts), 0, -1):
        inner >>= 1
        at -= counts[length - 1]
        for number in range(counts[length - 1]):
            yield symbols[at + number], length, inner + number
        inner += counts[length - 1]
    if inner != 2:
        raise Broken("no table")


def _output(bits: "Iterator[int]", tree: list[int], size: int, sink: Sink) -> "Iterator[bytes]":
    given, going = 0, True
    while going:
        sink.tick()
        out = bytearray()
        going = _decode(bits, tree, out)
        given += len(out)
        if out:
            yield bytes(out)
        elif going:
            raise Broken("cut off")
    if given != size:
        raise Broken("size")


def _decode(bits: "Iterator[int]", tree: list[int], out: bytearray) -> bool:
    """Append some symbols; False when the end was met. What is missing gives nothing."""
    node, most = 0, _AT_ONCE
    for bit in bits:
        node = tree[node + bit]
        if node < 0:
            if ~node == _END:
                return False
            out.append(~node)
            node = 0
            most -= 1
            if not most:
                break
    return True


DECODER = Decoder("pack", ("application/x-pack",), unpack, starts=(MAGIC,), broken=(Broken,))
