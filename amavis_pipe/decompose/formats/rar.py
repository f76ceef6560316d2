"""rar 1.4 to 7: by the unrar library where it is installed, else by libarchive and unar together.

Neither of these two finds all that the other does. rarfile lists what there is: what libarchive gives is all
only if it is as many; and it tells what is encrypted. Files in several volumes that came as siblings are read
together.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Need, Sink, open_file
from amavis_pipe.decompose.rarblocks import goes_on
from amavis_pipe.decompose.unar import by_unar, by_unar_volumes
from amavis_pipe.decompose.unrar import by_unrar
from amavis_pipe.decompose.volumes import volumes_of
from amavis_pipe.decompose.ways import (
    DAMAGED,
    LIBARCHIVE,
    LOCKED,
    MISSING,
    UNAR,
    UNRAR,
    WHOLE,
    Foreign,
    Taker,
    libarchive,
    open_by,
    python_module,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.decompose.ways import Way
    from amavis_pipe.model import Part

RARFILE = Need("rarfile", "python3-rarfile", python_module("rarfile"))
NEEDS = (UNRAR, LIBARCHIVE, UNAR, RARFILE)
_NAMES = 256
RAR = "application/vnd.rar"
_SPLIT = 0x0003
"""Flags of a file that goes on in another volume: libarchive gives what there is of it as if it were all."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The files: of the first volume those in all of them."""
    volumes = volumes_of(sink) if _is_volume(blob) else None
    if volumes and volumes[0].path == sink.path:
        paths = tuple(part.path for part in volumes)

        def together(blob: Blob, taker: Taker, password: bytes) -> str:
            return by_unar_volumes(taker, paths, password)

        open_by(blob, sink, "rar", by_unrar(paths), together)
        return
    ways = (_checked(by_unrar()), _checked(libarchive("rar", "rar5")), by_unar, _by_listing)
    try:
        open_by(blob, sink, "rar", *ways)
    except Broken:
        # a later one, to which all before it lead: what begins in another is read with the first
        place = next((number for number, part in enumerate(volumes or ()) if part.path == sink.path), 0)
        if not volumes or goes_on(blob) is None or not all(_leads_on(part) for part in volumes[:place]):
            raise


def _leads_on(part: "Part") -> bool:
    return part.blob is not None and part.kind == RAR and goes_on(part.blob) is True


def _is_volume(blob: Blob) -> bool:
    """Whether it says itself that it is one of several (of RAR 1.4 and what is encrypted we take it so)."""
    head = blob.head(64)
    if head[6:7] == b"\0":
        return bool(head[10:11] and head[10] & 1)
    if head[6:8] != b"\1\0":
        return True
    at, numbers = 12, []
    for _ in range(5):
        value = shift = 0
        for byte in head[at : at + 5]:
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        numbers.append(value)
    _, kind, flags, *rest = numbers
    if kind != 1:
        return True
    return bool(rest[1 if flags & 1 else 0] & 1)


def _checked(way: "Way") -> "Way":
    """The way, which has found all only if it has found as much as there is by rarfile's list."""

    def checked(blob: Blob, taker: Taker, password: bytes) -> str:
        before = taker.count
        went = way(blob, taker, password)
        if went != WHOLE:
            return went
        listed = _listed(blob)
        found = taker.count - before
        return WHOLE if listed is None or (found >= len(listed[0]) and not listed[2]) else DAMAGED

    return checked


def _by_listing(blob: Blob, taker: Taker, password: bytes) -> str:
    """Nothing but the names of what is encrypted."""
    if not RARFILE.path():
        return MISSING
    listed = _listed(blob)
    if listed is None or not listed[1]:
        return DAMAGED
    for name in listed[1]:
        taker.locked((name,))
    return LOCKED


def _listed(blob: Blob) -> tuple[list[bytes], list[bytes], bool] | None:
    """The names of all files, and of those that are encrypted, and whether one goes on in another volume.

    None if that can't be told.
    """
    try:
        import rarfile
    except ImportError:
        return None
    try:
        with Foreign(), rarfile.RarFile(open_file(blob)) as archive:
            members = [one for one in archive.infolist() if one.is_file()]
            locked = [one for one in members if one.needs_password()]
            if archive.needs_password() and not members:
                return [], [b""], False
            split = any(one.flags & _SPLIT for one in members)
            return (
                [_name(one.filename) for one in members],
                [_name(one.filename) for one in locked[:_NAMES]],
                split,
            )
    except Broken:
        return None


def _name(name: str | None) -> bytes:
    return (name or "").encode("utf-8", "surrogateescape")


DECODER = Decoder(
    "rar",
    ("application/vnd.rar",),
    unpack,
    starts=(b"Rar!\x1a\7", b"RE\x7e\x5e"),
    broken=(Broken,),
    ends=(b".rar", b".cbr"),
)
