"""arj, also in several files: by 7zz, else by unar."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.unar import by_unar
from amavis_pipe.decompose.ways import SEVEN_ZIP, UNAR, open_by

NEEDS = (
    SEVEN_ZIP,
    UNAR,
)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "arj", by_7zz("arj"), by_unar)


DECODER = Decoder("arj", ("application/x-arj",), unpack, starts=(b"\x60\xea",), broken=(Broken,))
