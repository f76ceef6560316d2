"""compress (.Z): one file in LZW; and SCO's compress -H, which is the compression of -lh5- alone.

The stream has no end mark and no size: an incomplete last code is normal. Sources: the behaviour of compress
4.0 and later; gzip's documentation for SCO's.
"""

from amavis_pipe.decompose import lzh, lzw
from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink, steps, without_suffix

MAGIC, SCO = b"\x1f\x9d", b"\x1f\xa0"
SUFFIXES = {b".tz": b".tar", b".taz": b".tar", b".z": b""}
_BLOCKS = 0x80
"""Whether CLEAR is in use."""
_WIDEST = 16


def unpack(blob: Blob, sink: Sink) -> None:
    """The file."""
    names = without_suffix(sink.names, SUFFIXES)
    head = blob.head(3)
    if head.startswith(SCO):
        sink.add(lzh.unpacked(steps(blob.view(), 2), sink), names)
        return
    flags = head[2] if len(head) > 2 else 0
    widest = flags & 0x1F
    if not lzw.NARROW <= widest <= _WIDEST:
        raise Broken("no header")
    if widest == lzw.NARROW:
        sink.unchecked("undecoded:compress")  # programs write these as none of them reads them
    first = lzw.CLEAR + 1 if flags & _BLOCKS else lzw.CLEAR
    codes = lzw.grouped(steps(blob.view(), 3), widest, first, sink)
    sink.add(lzw.unpacked(codes, 1 << widest, first), names)


DECODER = Decoder("compress", ("application/x-compress",), unpack, starts=(MAGIC, SCO), broken=(Broken,))
