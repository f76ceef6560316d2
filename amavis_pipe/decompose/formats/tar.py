"""tar: v7, ustar, pax and GNU, also sparse files; by libarchive, or tarfile where that isn't."""

from amavis_pipe.decompose.api import (
    CHUNK,
    LIBARCHIVE,
    Blob,
    Broken,
    Decoder,
    Sink,
    add_archive,
    open_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

NEEDS = (LIBARCHIVE,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files; links, devices and folders have no content and are left out."""
    given = add_archive(blob, sink, ("tar",))
    if not given:
        _by_tarfile(blob, sink)


def _by_tarfile(blob: Blob, sink: Sink) -> None:
    import tarfile

    # tarfile has no one exception for bad input: its number fields raise what int() and seek() do
    try:
        with tarfile.open(fileobj=open_file(blob), mode="r:", errors="surrogateescape") as archive:
            for member in archive:
                sink.tick()
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    sink.add(_chunks(file), (member.name.encode("utf-8", "surrogateescape"),))
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise Broken(str(error)) from None


def _chunks(file: "IO[bytes]") -> "Iterator[bytes]":
    while chunk := file.read(CHUNK):
        yield chunk


DECODER = Decoder("tar", ("application/x-tar",), unpack, starts=((257, b"ustar"),), broken=(Broken,))
