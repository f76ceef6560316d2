"""LZW as compress, ARC and ZOO have it: codes of a growing width, and what they stand for.

How wide a code is depends on nothing but how many came before, so that reading and understanding them are
two steps. A string is kept as its last bytes, and the code of what comes before these: a table of 65536
entries stays small whatever is in it. Sources: the formats' own programs, as their behaviour shows.
"""

from amavis_pipe.decompose.bits import Bytes
from amavis_pipe.decompose.streams import OUTPUT, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.walk import Sink

CLEAR = 256
NARROW = 9
"""Bits of the first codes."""
_TAIL = 64
_PIECE = 1 << 6


def grouped(chunks: "Iterable[bytes]", widest: int, first: int, sink: "Sink") -> "Iterator[int]":
    """The codes as compress writes them, up to `widest` bits: in groups of eight of the same width.

    Behind a change of width and a CLEAR the rest of a group is left out. `first` is the code of the first new
    string; if it is above CLEAR, that is in use. An incomplete code at the end is none.
    """
    source = Bytes(chunks)
    width, count = NARROW, 0
    group = source.take(width)
    while group:
        sink.tick()
        value, cleared = int.from_bytes(group, "little"), False
        wider = ((1 << width) - first + 1) if width < widest else -1
        for _ in range(len(group) * 8 // width):
            code = value & (1 << width) - 1
            value >>= width
            yield code
            count += 1
            cleared = code == CLEAR < first
            if cleared or count == wider:
                break
        if cleared:
            width, count = NARROW, 0
        elif count == wider:
            width += 1
        group = source.take(width)


def packed(chunks: "Iterable[bytes]", widest: int, first: int, sink: "Sink") -> "Iterator[int]":
    """The codes as ZOO writes them, up to `widest` bits: one right behind the other at all times."""
    source = Bytes(chunks)
    width, count = NARROW, 0
    value = held = 0
    wider = (1 << width) - first + 1
    while piece := source.take(_PIECE):
        sink.tick()
        value |= int.from_bytes(piece, "little") << held
        held += len(piece) * 8
        while held >= width:
            code = value & (1 << width) - 1
            value >>= width
            held -= width
            yield code
            count += 1
            if code == CLEAR:
                width, count = NARROW, 0
                wider = (1 << width) - first + 1
            elif count == wider and width < widest:
                width += 1
                wider = (1 << width) - first + 1


def fixed(chunks: "Iterable[bytes]", sink: "Sink") -> "Iterator[int]":
    """Codes of twelve bits each, highest first."""
    source = Bytes(chunks)
    while piece := source.take(3):
        sink.tick()
        value = int.from_bytes(piece.ljust(3, b"\0"), "big")
        if len(piece) > 1:
            yield value >> 12
        if len(piece) > 2:
            yield value & 0xFFF


def unpacked(codes: "Iterable[int]", size: int, first: int) -> "Iterator[bytes]":
    """What the codes stand for, with a table of `size`; Broken where one stands for nothing."""
    tails = [bytes((byte,)) for byte in range(256)] + [b""] * (first - 256)
    bases = [-1] * first
    clear = CLEAR if first > CLEAR else -1
    old, text, out, held = -1, b"", [], 0
    failed: Broken | None = None
    try:
        for code in codes:
            if code == clear:
                del tails[first:], bases[first:]
                old = -1
                continue
            before = text[:1]
            if code < len(tails):
                text = tails[code] if bases[code] < 0 else _whole(tails, bases, code)
            elif old >= 0 and code == len(tails):
                text += before
            else:
                raise Broken("code")
            if old >= 0 and len(tails) < size:
                _enter(tails, bases, old, text[:1])
            old = code
            out.append(text)
            held += len(text)
            if held >= OUTPUT:
                yield b"".join(out)
                out, held = [], 0
    except Broken as error:
        failed = error
    if out:
        yield b"".join(out)
    if failed is not None:
        raise failed


def _enter(tails: list[bytes], bases: list[int], old: int, byte: bytes) -> None:
    """A new entry: what `old` stands for, and a byte more."""
    tail = tails[old]
    if len(tail) < _TAIL:
        tails.append(tail + byte)
        bases.append(bases[old])
    else:
        tails.append(byte)
        bases.append(old)


def _whole(tails: list[bytes], bases: list[int], code: int) -> bytes:
    """What a code stands for: each base is an older entry, so this ends."""
    pieces = []
    while code >= 0:
        pieces.append(tails[code])
        code = bases[code]
    pieces.reverse()
    return b"".join(pieces)
