"""iso and udf, images of discs: each file system and each tree of names that a disc has."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (LIBARCHIVE, SEVEN_ZIP)
_AREA, _AREA_END = 32768, 1 << 16
_UDF = (b"\1NSR02", b"\0NSR02", b"\0NSR03", b"NSR0")


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    area = blob.view()[_AREA:_AREA_END]
    has_iso, has_udf = b"CD001" in area, any(mark in area for mark in _UDF)
    ways = [libarchive("iso9660"), by_7zz("iso")] if has_iso else []
    ways += [by_7zz("udf", "iso", job="7zz-udf" if has_iso else "7zz")] if has_udf or not has_iso else []
    # of two trees of names each reader takes its own; nor do all believe what calls itself a link
    open_by(blob, sink, "iso", *ways, every=has_iso)


DECODER = Decoder(
    "iso", ("application/x-iso9660-image",), unpack, broken=(Broken,), ends=(b".iso", b".udf", b".img")
)
