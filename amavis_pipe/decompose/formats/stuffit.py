"""StuffIt and other archives of the Macintosh and the Amiga: by unar."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.unar import by_unar
from amavis_pipe.decompose.ways import UNAR, open_by

NEEDS = (UNAR,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files."""
    open_by(blob, sink, "stuffit", by_unar)


DECODER = Decoder(
    "stuffit",
    ("application/x-stuffit",),
    unpack,
    starts=(
        b"SIT!",
        b"StuffIt (c)1997-",
        b"StuffIt!",
        b"LZX\0",
        b"PMa",
        b"DMS!",
        (10, b"rLau"),
        b"\1\1\0\0\0",
        b"PIT ",
    ),
    broken=(Broken,),
    ends=(b".sit", b".sitx", b".cpt", b".lzx", b".sea"),
)
