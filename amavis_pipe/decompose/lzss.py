"""LZSS in a ring of 4 KiB, as Microsoft's COMPRESS.EXE has it, and the copying that LZ77's kin need."""

from amavis_pipe.decompose.bits import Bytes
from amavis_pipe.decompose.streams import OUTPUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.walk import Sink

_WINDOW = 1 << 12
_SHORTEST = 3
_LONGEST = 17
"""Bytes of input for eight items at most: flags, and two for each."""


def unpacked(chunks: "Iterable[bytes]", start: int, sink: "Sink") -> "Iterator[bytes]":
    """What was packed, up to the end of the input: its size is to be told elsewhere.

    `start` is the place in the ring that the first byte gets; spaces are all around it.
    """
    source = Bytes(chunks)
    out = bytearray(b" " * (_WINDOW + start))
    sent = len(out)
    packed, at = source.take(OUTPUT), 0
    while at < len(packed):
        if len(packed) - at < _LONGEST:
            sink.tick()
            packed, at = packed[at:] + source.take(OUTPUT), 0
        flags = packed[at]
        if flags == 0xFF:
            out += packed[at + 1 : at + 9]
            at += 9
        else:
            at = _items(packed, at + 1, flags, out)
        if len(out) - sent >= OUTPUT:
            yield bytes(out[sent:])
            del out[: (len(out) - _WINDOW) // _WINDOW * _WINDOW]  # places in the ring stay what they are
            sent = len(out)
    if len(out) > sent:
        yield bytes(out[sent:])


def _items(packed: bytes, at: int, flags: int, out: bytearray) -> int:
    """Append what eight items at `at` give; where they end."""
    for bit in range(8):
        pair = packed[at : at + 2]
        if flags >> bit & 1:
            out += pair[:1]
            at += 1
        elif len(pair) < 2:
            return len(packed)
        else:
            place = pair[0] | (pair[1] & 0xF0) << 4
            copy(out, (len(out) - place - 1) % _WINDOW + 1, (pair[1] & 15) + _SHORTEST)
            at += 2
    return at


def copy(out: bytearray, back: int, size: int) -> None:
    """Append `size` bytes that stand `back` bytes before the end; they may run into what is appended."""
    start = len(out) - back
    if back >= size:
        out += out[start : start + size]
    else:
        out += (out[start:] * (size // back + 1))[:size]
