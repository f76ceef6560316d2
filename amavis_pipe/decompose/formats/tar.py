"""tar: v7, ustar, pax and GNU, also sparse files. What is ordinary is read here (tars.py), the rest by
libarchive, or tarfile where that isn't."""

from amavis_pipe.decompose import tars
from amavis_pipe.decompose.api import CHUNK, Blob, Broken, Decoder, Sink, open_file
from amavis_pipe.decompose.ways import (
    DAMAGED,
    LIBARCHIVE,
    UNKNOWN,
    WHOLE,
    Foreign,
    Taker,
    libarchive,
    open_by,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

NEEDS = (LIBARCHIVE,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files, and the names of hard links to them; what else has no content is left out."""
    open_by(blob, sink, "tar", _if_ordinary, libarchive("tar"), _by_tarfile)


def _if_ordinary(blob: Blob, taker: Taker, password: bytes) -> str:
    view = blob.view()
    found = tars.members(view, taker.sink.room()[0], taker.sink.tick)
    if found is None:
        return UNKNOWN
    for name, start, length in found:
        taker.sink.tick()
        taker.add(tars.content(view, start, length), (name,))
    return WHOLE


def _by_tarfile(blob: Blob, taker: Taker, password: bytes) -> str:
    import tarfile

    try:
        with (
            Foreign(),
            tarfile.open(fileobj=open_file(blob), mode="r:", errors="surrogateescape") as archive,
        ):
            for member in archive:
                taker.sink.tick()
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None or member.islnk():
                    chunks = _chunks(file) if file is not None else ()
                    taker.add(chunks, (member.name.encode("utf-8", "surrogateescape"),))
    except Broken:
        return DAMAGED
    return WHOLE


def _chunks(file: "IO[bytes]") -> "Iterator[bytes]":
    while chunk := file.read(CHUNK):
        yield chunk


DECODER = Decoder("tar", ("application/x-tar",), unpack, starts=((257, b"ustar"),), broken=(Broken,))
