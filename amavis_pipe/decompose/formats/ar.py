"""ar, and so Debian packages and static libraries: by libarchive, else by 7zz."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import LIBARCHIVE, SEVEN_ZIP, libarchive, open_by

NEEDS = (
    LIBARCHIVE,
    SEVEN_ZIP,
)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "ar", libarchive("ar"), by_7zz("ar"))


DECODER = Decoder("ar", ("application/x-archive",), unpack, starts=(b"!<arch>\n",), broken=(Broken,))
