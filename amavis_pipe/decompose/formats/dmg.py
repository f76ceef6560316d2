"""dmg, disk images of macOS: by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "dmg", by_7zz("dmg", "hfs", "apfs"))


DECODER = Decoder(
    "dmg",
    ("application/x-apple-diskimage",),
    unpack,
    starts=((1024, b"H+\0\4"), (1024, b"HX\0\5"), (32, b"NXSB")),
    broken=(Broken,),
    ends=(b".dmg",),
)
