"""zstd (RFC 8878): one file, in one frame or several; by libarchive, else by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, without_suffix
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, open_by, packed

NEEDS = (LIBARCHIVE, SEVEN_ZIP)
SUFFIXES = {b".tzst": b".tar", b".tzs": b".tar", b".zst": b"", b".zstd": b""}


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    names = without_suffix(sink.names, SUFFIXES)
    open_by(blob, sink, "zstd", packed("zstd", names), by_7zz("zstd", names=names))


DECODER = Decoder(
    "zstd",
    ("application/zstd",),
    unpack,
    starts=(b"\x28\xb5\x2f\xfd", *((1, b"\x2a\x4d\x18"),)),
    broken=(Broken,),
)
