"""lzop: one file, or several in a row; by the program lzop."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, without_suffix
from amavis_pipe.decompose.ways import LZOP, open_by, stream

NEEDS = (LZOP,)
SUFFIXES = {b".tzo": b".tar", b".lzo": b""}


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    open_by(blob, sink, "lzop", stream("lzop", without_suffix(sink.names, SUFFIXES)))


DECODER = Decoder("lzop", ("application/x-lzop",), unpack, starts=(b"\x89LZO\0\r\n\x1a\n",), broken=(Broken,))
