"""xz: one file, which may be in several streams in a row, with zeros between (xz file format 2.2)."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, Streams, steps, without_suffix

MAGIC = b"\xfd7zXZ\0"
SUFFIXES = {b".txz": b".tar", b".xz": b""}


def unpack(blob: Blob, sink: Sink) -> None:
    """The file, and what stands after it, as a part of its own."""
    from _lzma import FORMAT_XZ, LZMADecompressor, LZMAError

    # no memory limit of lzma's own: the child's makes it a MemoryError, which is told apart from damage
    streams = Streams(steps(blob.view()), sink, lambda: LZMADecompressor(FORMAT_XZ), MAGIC, (LZMAError,))
    sink.add(streams.output(), without_suffix(sink.names, SUFFIXES))
    if streams.has_trailer():
        sink.add(streams.trailer(), (b"trailer",))


DECODER = Decoder("xz", ("application/x-xz",), unpack, starts=(MAGIC,), broken=(Broken,))
