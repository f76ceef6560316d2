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
_ZIP_END, _ZIP_TAIL = b"PK\5\6", (1 << 16) + 22


def unpack(blob: Blob, sink: Sink) -> None:
    """The archives, as bytes; `broken:zip` for a zip's last piece, if the others aren't there."""
    view = blob.view()
    past = taken = 0
    hits, all_told = found(view, len(view), sink.tick, lambda at, kind: kind in _KINDS)
    if not all_told:
        sink.unchecked("undecoded:disguise")
    for at, kind in hits:
        if at < past:
            continue
        if taken >= _MOST:
            sink.unchecked("undecoded:disguise")
            break
        end = extent(view, len(view), at, kind)
        past, taken = (end if kind == ZIP else at + 1), taken + 1  # of the others the sizes may lie
        sink.add_new(_pieces(view, at, end), (b"archive" + SUFFIXES[kind],), kind.encode(), ("carved",))
    if not taken and _is_last_piece(view):
        from amavis_pipe.decompose.volumes import joined

        if joined(sink) is None:
            sink.unchecked("broken:zip")


def _is_last_piece(view: "View") -> bool:
    """Whether an end record that begins on another disk is what the bytes end with."""
    end = view.rfind(_ZIP_END, max(0, len(view) - _ZIP_TAIL))
    fixed = view[end : end + 22] if end >= 0 else b""
    disk, comment = fixed[4:6], int.from_bytes(fixed[20:22], "little")
    return len(fixed) == 22 and disk not in (b"\0\0", b"\xff\xff") and end + 22 + comment == len(view)


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, end, CHUNK):
        yield view[at : min(at + CHUNK, end)]


DISGUISED = Decoder("disguise", (), unpack, broken=(Broken,))
