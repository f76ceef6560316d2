"""lrzip: one file; by the program lrzip."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, without_suffix
from amavis_pipe.decompose.ways import LRZIP, open_by, stream

NEEDS = (LRZIP,)
SUFFIXES = {b".tlrz": b".tar", b".lrz": b""}
_FLAGS = 22
_ENCRYPTED = b"\1"


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    if blob.head(_FLAGS + 1)[_FLAGS:] == _ENCRYPTED:
        sink.unchecked("encrypted:lrzip")
        return
    open_by(blob, sink, "lrzip", stream("lrzip", without_suffix(sink.names, SUFFIXES)))


DECODER = Decoder("lrzip", ("application/x-lrzip",), unpack, starts=(b"LRZI",), broken=(Broken,))
