"""rpm: the cpio archive in it, by libarchive, else by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (LIBARCHIVE, SEVEN_ZIP)
_FILTERS = ("rpm", "gzip", "bzip2", "xz", "lzma", "zstd")


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "rpm", libarchive("cpio", filters=_FILTERS), by_7zz("rpm"))


DECODER = Decoder("rpm", ("application/x-rpm",), unpack, starts=(b"\xed\xab\xee\xdb",), broken=(Broken,))
