"""cpio, all variants: by libarchive, else by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (
    LIBARCHIVE,
    SEVEN_ZIP,
)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "cpio", libarchive("cpio"), by_7zz("cpio"))


DECODER = Decoder(
    "cpio",
    ("application/x-cpio",),
    unpack,
    starts=(b"070701", b"070702", b"070707", b"\xc7\x71", b"\x71\xc7"),
    broken=(Broken,),
)
