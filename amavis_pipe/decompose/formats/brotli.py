"""brotli (RFC 7932): one file. It has no magic: told by the end of its name alone."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Need, Sink, steps, without_suffix
from amavis_pipe.decompose.ways import python_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BROTLI = Need("brotli", "python3-brotli", python_module("brotli", "_brotli"))
NEEDS = (BROTLI,)
SUFFIXES = {b".tbr": b".tar", b".br": b""}
OUTPUT = 1 << 16


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    try:
        import brotli
    except ImportError:
        sink.unchecked("undecoded:brotli")
        return
    try:
        sink.add(_output(blob, sink, brotli.Decompressor()), without_suffix(sink.names, SUFFIXES))
    except brotli.error as error:
        raise Broken(str(error)) from None


def _output(blob: Blob, sink: Sink, stream: "Any") -> "Iterator[bytes]":
    """What comes out, little at a time: a few bytes of input may stand for gigabytes."""
    for chunk in steps(blob.view()):
        data = chunk
        while data or not stream.can_accept_more_data():
            sink.tick()
            out = stream.process(data, output_buffer_limit=OUTPUT)
            data = b""
            if out:
                yield out
            if stream.is_finished():
                return
    if not stream.is_finished():
        raise Broken("cut off")


DECODER = Decoder("brotli", ("application/x-brotli",), unpack, broken=(Broken,), ends=(b".br", b".tbr"))
