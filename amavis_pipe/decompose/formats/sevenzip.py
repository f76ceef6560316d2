"""7z: by py7zr, which tells best what is encrypted; what it can't read by libarchive, then by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.sevens import PY7ZR, by_py7zr
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (PY7ZR, LIBARCHIVE, SEVEN_ZIP)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "7z", by_py7zr, libarchive("7zip"), by_7zz("7z"))


DECODER = Decoder(
    "7z", ("application/x-7z-compressed",), unpack, starts=(b"7z\xbc\xaf\x27\x1c",), broken=(Broken,)
)
