"""iso and udf, images of discs: both file systems, where a disc has two, by libarchive and 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (LIBARCHIVE, SEVEN_ZIP)
_AREA, _AREA_END = 32768, 1 << 16
_UDF = (b"\1NSR02", b"\0NSR02", b"\0NSR03", b"NSR0")


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    area = blob.view()[_AREA:_AREA_END]
    ways = [libarchive("iso9660"), by_7zz("iso", "udf")] if b"CD001" in area else [by_7zz("udf", "iso")]
    open_by(blob, sink, "iso", *ways, every=b"CD001" in area and any(mark in area for mark in _UDF))


DECODER = Decoder(
    "iso", ("application/x-iso9660-image",), unpack, broken=(Broken,), ends=(b".iso", b".udf", b".img")
)
