"""xar, as in packages of macOS: by 7zz; the reader of libarchive may loop for ever."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.seven_zip import by_7zz
from amavis_pipe.decompose.ways import SEVEN_ZIP, open_by

NEEDS = (SEVEN_ZIP,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "xar", by_7zz("xar"))


DECODER = Decoder("xar", ("application/x-xar",), unpack, starts=(b"xar!",), broken=(Broken,))
