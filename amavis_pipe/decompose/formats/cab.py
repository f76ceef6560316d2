"""cab: by libarchive, else by cabextract, which alone knows Quantum, else by 7zz. InstallShield's by unar."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.cabextract import by_cabextract
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import CABEXTRACT, LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (LIBARCHIVE, CABEXTRACT, SEVEN_ZIP)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "cab", libarchive("cab"), by_cabextract, by_7zz("cab"))


DECODER = Decoder(
    "cab", ("application/vnd.ms-cab-compressed",), unpack, starts=(b"MSCF\0\0\0\0",), broken=(Broken,)
)
