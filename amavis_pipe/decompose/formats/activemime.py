"""ActiveMime: a compound file packed with zlib, as Office puts macros into web pages and XML (editdata.mso).

Promises: the packed file, wherever behind the header it begins. There is no public specification: the
header has 50 bytes, rarely more.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"ActiveMime"
_HEADER = 0x32
_SEARCHED = 4096
_ZLIB = b"\x78"


def unpack(blob: Blob, sink: Sink) -> None:
    """The file that is packed in it."""
    from zlib import error

    head = blob.head(_SEARCHED)
    at = _HEADER if head[_HEADER : _HEADER + 1] == _ZLIB else head.find(_ZLIB, len(MAGIC))
    while at >= 0:
        sink.tick()
        streams = Streams(steps(blob.view(), at), sink, lambda: Inflate(15), None, (error,))
        output = streams.output()
        try:
            first = next(output, b"")
        except Broken:
            at = head.find(_ZLIB, max(at, len(MAGIC)) + 1)
            continue
        sink.add(_joined(first, output), sink.names)
        return
    raise Broken("nothing packed")


def _joined(first: bytes, others: "Iterator[bytes]") -> "Iterator[bytes]":
    if first:
        yield first
    yield from others


DECODER = Decoder("activemime", ("application/x-mso",), unpack, starts=(MAGIC,), broken=(Broken,))
