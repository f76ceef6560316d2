"""bzip2: one file, which may be in several streams in a row."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, Streams, steps, without_suffix

MAGIC = b"BZh"
SUFFIXES = {b".tbz2": b".tar", b".tbz": b".tar", b".bz2": b"", b".bz": b""}


def unpack(blob: Blob, sink: Sink) -> None:
    """The file, and what stands after it, as a part of its own."""
    from _bz2 import BZ2Decompressor

    streams = Streams(steps(blob.view()), sink, BZ2Decompressor, MAGIC, (OSError,))
    sink.add(streams.output(), without_suffix(sink.names, SUFFIXES))
    if streams.has_trailer():
        sink.add(streams.trailer(), (b"trailer",))


DECODER = Decoder("bzip2", ("application/x-bzip2",), unpack, starts=(MAGIC,), broken=(Broken,))
