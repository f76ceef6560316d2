"""lz4, the frame format and the legacy one: one file; by libarchive."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, without_suffix
from amavis_pipe.decompose.ways import LIBARCHIVE, open_by, packed

NEEDS = (LIBARCHIVE,)
SUFFIXES = {b".tlz4": b".tar", b".lz4": b""}


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    open_by(blob, sink, "lz4", packed("lz4", without_suffix(sink.names, SUFFIXES)))


DECODER = Decoder(
    "lz4",
    ("application/x-lz4",),
    unpack,
    starts=(b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18"),
    broken=(Broken,),
)
