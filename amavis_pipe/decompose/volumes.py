"""Archives in several files that came side by side: which belong together, and in which order.

Told by their names alone, any of each part's: a.part1.rar, a.r00, a.z01, a.7z.001 and their kin. Those of zip
and of plain pieces are just joined; RAR's have headers of their own, and are read together.
"""

import re

from amavis_pipe.decompose.streams import STEP
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.model import Part
    from amavis_pipe.spool import Blob
    from amavis_pipe.walk import Sink

MOST = 128
_RAR_PART = re.compile(rb"(.+)\.part(\d{1,5})\.(?:rar|exe)\Z", re.DOTALL)
_RAR_OLD = re.compile(rb"(.+)\.(?:(rar|exe)|([r-z])(\d\d))\Z", re.DOTALL)
_ZIP = re.compile(rb"(.+)\.(?:zipx?()|zx?(\d\d\d?))\Z", re.DOTALL)
_PIECE = re.compile(rb"(.+)\.(?:part)?(\d{1,5})\Z", re.DOTALL)
_LAST = 1 << 20


def volumes_of(sink: "Sink") -> "list[Part] | None":
    """A RAR archive's volumes by their names, in order, this part among them; None if there is but one."""
    return _set(sink, _rar)


def joined(sink: "Sink") -> "list[Part] | None":
    """The same for files that were just cut in pieces."""
    return _set(sink, _cut)


def unpack(blob: "Blob", sink: "Sink") -> bool:
    """What the pieces give together, as one part, if this is the first of several.

    True if there is nothing else to be done with this part: a later piece may be a file of its own as well.
    """
    pieces = joined(sink)
    if pieces is None:
        return False
    if pieces[0].path != sink.path:
        return False
    if len(pieces) == MOST:
        sink.unchecked("limit:volumes")
    stem = next((found[0] for name in pieces[0].names if (found := _cut(name.lower()))), b"")
    original = next((name for name in pieces[0].names if name.lower().startswith(stem)), stem)[: len(stem)]
    names = (
        (original + b".zip",) if pieces[-1].names[-1].lower().endswith((b".zip", b".zipx")) else (original,)
    )
    sink.add(_all(pieces), names)
    return True


def _all(pieces: "list[Part]") -> "Iterator[bytes]":
    for part in pieces:
        if part.blob is not None:
            yield from part.blob.chunks(step=STEP)


JOINER = Decoder("volumes", (), unpack)


def _set(sink: "Sink", order: "object") -> "list[Part] | None":
    """Those beside this part, itself among them, that have a place in one order with it."""
    found: dict[int, Part] = {}
    own = _places(sink.names, order)
    for part in sink.beside():
        for stem, place in _places(part.names, order):
            if part.blob is not None and any(stem == one for one, _ in own):
                found.setdefault(place, part)
                break
    if len(found) < 2:
        return None
    ordered = [found[place] for place in sorted(found)][:MOST]
    # one that found its place taken, or is beyond the last, is nobody's volume
    return ordered if any(part.path == sink.path for part in ordered) else None


def _places(names: tuple[bytes, ...], order: "object") -> list[tuple[bytes, int]]:
    return [place for name in names if (place := order(name.lower())) is not None]  # type: ignore[operator]


def _rar(name: bytes) -> tuple[bytes, int] | None:
    """What the names of all volumes have in common, and this one's place."""
    if found := _RAR_PART.match(name):
        return found[1], int(found[2])
    if found := _RAR_OLD.match(name):
        if found[2]:
            return found[1], 0
        return found[1], 1 + (found[3][0] - ord("r")) * 100 + int(found[4])
    return None


def _cut(name: bytes) -> tuple[bytes, int] | None:
    if found := _ZIP.match(name):
        return found[1], _LAST if found[3] is None else int(found[3])
    if found := _PIECE.match(name):
        return found[1], int(found[2])
    return None
