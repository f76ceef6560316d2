"""Archives in what is something else: behind a picture, after junk, or two formats in one file.

Unpackers look for the beginning, or from the end, of what they know, whatever stands around it; so whoever
gets the file can open it. Each becomes a part, from its beginning to its end.
"""

from amavis_pipe.decompose.api import CHUNK, Blob, Broken, Decoder, Sink
from amavis_pipe.decompose.carve import CAB, RAR, SEVEN, SUFFIXES, ZIP, extent, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

_KINDS = (ZIP, RAR, SEVEN, CAB)
_MOST = 16


def unpack(blob: Blob, sink: Sink) -> None:
    """The archives, as bytes."""
    view = blob.view()
    past = taken = 0
    for at, kind in found(view, len(view), sink.tick):
        if kind not in _KINDS or at < past or taken >= _MOST:
            continue
        end = extent(view, len(view), at, kind)
        past, taken = (end if kind != RAR else at + 1), taken + 1
        sink.add_new(_pieces(view, at, end), (b"archive" + SUFFIXES[kind],), kind.encode(), ("carved",))


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, end, CHUNK):
        yield view[at : min(at + CHUNK, end)]


DISGUISED = Decoder("disguise", (), unpack, broken=(Broken,))
