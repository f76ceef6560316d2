"""NSIS, installers of Nullsoft's system: by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.carve import is_nsis
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files of an installer; of any other program nothing."""
    if is_nsis(blob.view()):
        open_by(blob, sink, "nsis", by_7zz("nsis"))


DECODER = Decoder("nsis", ("application/x-dosexec",), unpack, broken=(Broken,))
