"""SZDD and KWAJ: one file packed by Microsoft's COMPRESS.EXE; and what QuickBASIC 4.5 came in.

The size in the header is not believed, but less than that is damage. The last letter of the name, which
the packed file's name lacks, is restored. KWAJ's own LZ with Huffman codes (method 3) is `undecoded:szdd`.
Sources: the description of both formats by the author of libmspack, and what the programs write.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, steps
from amavis_pipe.decompose.bits import Bytes
from amavis_pipe.decompose.lzss import unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SZDD, BASIC, KWAJ = b"SZDD\x88\xf0\x27\x33", b"SZ \x88\xf0\x27\x33\xd1", b"KWAJ\x88\xf0\x27\xd1"
_START, _BASIC_START = 4096 - 16, 4096 - 18
_HEAD = 14
_HEAD_MOST = 1 << 10
_STORED, _INVERTED, _LZSS, _MSZIP = 0, 1, 2, 4
_SIZE, _FIXED, _FIELD, _NAME, _ENDING = 1, 2, 4, 8, 16
_NAME_MOST, _ENDING_MOST = 9, 4
_BLOCK = b"CK"
_HISTORY = 1 << 15
_INVERSE = bytes(255 - byte for byte in range(256))


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    head = blob.head(_HEAD_MOST)
    if head.startswith(KWAJ):
        _kwaj(blob, head, sink)
        return
    old = head.startswith(BASIC)
    if len(head) < (12 if old else _HEAD):
        raise Broken("no header")
    size = int.from_bytes(head[8:12] if old else head[10:14], "little")
    start, last = (_BASIC_START, b"") if old else (_START, head[9:10].strip(b"\0"))
    chunks = unpacked(steps(blob.view(), 12 if old else _HEAD), start, sink)
    sink.add(_whole(chunks, size), _restored(sink.names, last))


def _restored(names: tuple[bytes, ...], last: bytes) -> tuple[bytes, ...]:
    """The names with the letter that was taken from them, if it is known: b"a.ex_" -> b"a.exe"."""
    return tuple(name[:-1] + last if name[-1:] in (b"_", b"$") and len(name) > 1 else name for name in names)


def _kwaj(blob: Blob, head: bytes, sink: Sink) -> None:
    if len(head) < _HEAD:
        raise Broken("no header")
    method, start, flags = (int.from_bytes(head[at : at + 2], "little") for at in (8, 10, 12))
    size, stored = _fields(head, flags)
    names = (stored,) if stored.strip(b".") else _restored(sink.names, b"")
    packed = steps(blob.view(), start)
    if method in (_STORED, _INVERTED):
        chunks: Iterator[bytes] = (
            piece.translate(_INVERSE) if method == _INVERTED else piece for piece in packed
        )
    elif method == _LZSS:
        chunks = unpacked(packed, _START, sink)
    elif method == _MSZIP:
        chunks = _unzipped(packed, sink)
    else:
        sink.unchecked("undecoded:szdd")
        return
    sink.add(_whole(chunks, size), names)


def _fields(head: bytes, flags: int) -> tuple[int, bytes]:
    """The size, 0 if it isn't told, and the name of the file, from a header of KWAJ."""
    at, size, name = _HEAD, 0, b""
    if flags & _SIZE:
        size = int.from_bytes(head[at : at + 4], "little")
        at += 4
    if flags & _FIXED:
        at += 2
    if flags & _FIELD:
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    if flags & _NAME:
        name = head[at : at + _NAME_MOST].partition(b"\0")[0]
        at += len(name) + (len(name) < _NAME_MOST)
    if flags & _ENDING:
        ending = head[at : at + _ENDING_MOST].partition(b"\0")[0]
        name = name + b"." + ending if name and ending else name
    return size, name


def _unzipped(packed: "Iterable[bytes]", sink: Sink) -> "Iterator[bytes]":
    """The blocks of MSZIP: each deflated for itself, with the last 32 KiB before it as its dictionary."""
    from zlib import error

    source, history = Bytes(packed), b""
    while True:
        sink.tick()
        size = int.from_bytes(source.take(2), "little")
        if not size:
            return
        block = source.take(size)
        if not block.startswith(_BLOCK):
            raise Broken("no block")
        skip = len(history)
        pieces = iter((_as_block(history) + block[2:],))
        for out in Streams(pieces, sink, lambda: Inflate(-15), None, (error,)).output():
            piece = out[skip:]
            skip = max(0, skip - len(out))
            history = (history + piece)[-_HISTORY:]
            if piece:
                yield piece


def _as_block(history: bytes) -> bytes:
    """A stored block of deflate, which puts these bytes in front (RFC 1951 3.2.4)."""
    size = len(history)
    return b"\0" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + history


def _whole(chunks: "Iterable[bytes]", size: int) -> "Iterator[bytes]":
    """The chunks; then Broken if they are less than `size`."""
    given = 0
    for chunk in chunks:
        given += len(chunk)
        yield chunk
    if given < size:
        raise Broken("cut off")


DECODER = Decoder(
    "szdd", ("application/x-ms-compress-szdd",), unpack, starts=(SZDD, BASIC, KWAJ), broken=(Broken,)
)
