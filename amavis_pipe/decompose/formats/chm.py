"""chm, compiled help: by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "chm", by_7zz("chm", "hxs"))


DECODER = Decoder(
    "chm", ("application/vnd.ms-htmlhelp",), unpack, starts=(b"ITSF", b"ITOLITLS"), broken=(Broken,)
)
