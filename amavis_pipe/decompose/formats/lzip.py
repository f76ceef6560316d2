"""lzip (.lz): one file, which may be in several members in a row (lzip manual, File format)."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, Streams, steps, without_suffix
from amavis_pipe.decompose.lzmas import Member

MAGIC = b"LZIP"
SUFFIXES = {b".tlz": b".tar", b".lz": b""}


def unpack(blob: Blob, sink: Sink) -> None:
    """The file, and what stands after it, as a part of its own."""
    from _lzma import LZMAError

    most = sink.room()[1]
    streams = Streams(steps(blob.view()), sink, lambda: Member(most), MAGIC, (LZMAError,))
    sink.add(streams.output(), without_suffix(sink.names, SUFFIXES))
    if streams.has_trailer():
        sink.add(streams.trailer(), (b"trailer",))


DECODER = Decoder("lzip", ("application/lzip",), unpack, starts=(MAGIC,), broken=(Broken,))
