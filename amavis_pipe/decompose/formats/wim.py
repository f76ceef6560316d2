"""wim, images of Windows files: by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "wim", by_7zz("wim"))


DECODER = Decoder(
    "wim", ("application/x-ms-wim",), unpack, starts=(b"MSWIM\0\0\0", b"WLPWM\0\0\0"), broken=(Broken,)
)
