"""Flash: what is in a packed movie is the same movie unpacked; of that, the files that are stored in it.

Sources: SWF File Format Specification, version 19: the header (chapter 2), DefineBinaryData (chapter 13).
"""

from itertools import chain

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, steps
from amavis_pipe.decompose.lzmas import Header, add_stream
from amavis_pipe.unmarked import SWF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

PLAIN, ZLIB, LZMA = b"FWS", b"CWS", b"ZWS"
_HEAD = 8
_LZMA_HEAD = 17
_BINARY, _END = 87, 0
_LONG = 0x3F
_BINARY_HEAD = 6
_CHUNK = 1 << 16


def unpack(blob: Blob, sink: Sink) -> None:
    """The movie unpacked, or the files in it."""
    view, head = blob.view(), blob.head(_LZMA_HEAD)
    if head.startswith(PLAIN):
        _files(view, sink)
        return
    if len(head) < (_LZMA_HEAD if head.startswith(LZMA) else _HEAD):
        raise Broken("no header")
    front = PLAIN + head[3:_HEAD]  # as if it had never been packed
    if head.startswith(LZMA):
        header = Header(head[12:], max(0, _number(head[4:8]) - _HEAD))
        add_stream(view, _LZMA_HEAD, header, sink, sink.names, front)
    else:
        _inflate(view, front, sink)


def _inflate(view: "View", front: bytes, sink: Sink) -> None:
    from zlib import error

    streams = Streams(steps(view, _HEAD), sink, lambda: Inflate(15), None, (error,))
    sink.add(chain((front,), streams.output()), sink.names)
    if streams.has_trailer():
        sink.add(streams.trailer(), (b"trailer",))


def _files(view: "View", sink: Sink) -> None:
    """Add what the tags DefineBinaryData hold; the tags stand in a row behind the header."""
    head = view[_HEAD : _HEAD + 1]
    at = _HEAD + ((head[0] >> 3) * 4 + 5 + 7) // 8 + 4 if head else len(view)
    kind = -1
    while at + 2 <= len(view) and kind != _END:
        sink.tick()
        code = _number(view[at : at + 2])
        kind, size, at = code >> 6, code & _LONG, at + 2
        if size == _LONG:
            size, at = _number(view[at : at + 4]), at + 4
        if kind == _BINARY and size >= _BINARY_HEAD:
            sink.add(_pieces(view, at + _BINARY_HEAD, at + size))
        at += size
    if kind != _END:
        raise Broken("cut off")


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, min(end, len(view)), _CHUNK):
        yield view[at : min(at + _CHUNK, end)]
    if end > len(view):
        raise Broken("cut off")


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder("swf", (SWF,), unpack, broken=(Broken,))
