"""What a format is written against; beside this and the ways in this folder it imports nothing of the
package.

A file in formats/ defines DECODER (or DECODERS): a Decoder, whose unpack(blob, sink) puts what it
finds in a Blob into a Sink, and raises Broken (or what its `broken` names) when the input is bad.
What came out before is kept. Limits are the Sink's business. A format that wants a library or a
program that may not be there lists it in NEEDS, and imports it inside its functions.
"""

import io

from amavis_pipe.decompose.streams import Broken, Inflate, Streams, steps
from amavis_pipe.model import Part
from amavis_pipe.spool import CHUNK, Blob
from amavis_pipe.walk import Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

    from amavis_pipe.spool import View

__all__ = [
    "CHUNK",
    "LIBARCHIVE",
    "Blob",
    "Broken",
    "Decoder",
    "Inflate",
    "Need",
    "Part",
    "Sink",
    "Streams",
    "open_file",
    "steps",
    "without_suffix",
]


class Need:
    """Something that a format wants, or is better with.

    name     as shown by the command `formats`
    package  the Debian package it is in
    places   gives the files it may be, best first; the stamp of the one found is part of cache keys
    """

    __slots__ = ("name", "package", "places")

    def __init__(self, name: str, package: str, places: "Callable[[], tuple[str, ...]]") -> None:
        self.name = name
        self.package = package
        self.places = places

    def path(self) -> str:
        """The file that is there, or ""."""
        from os.path import exists

        return next((place for place in self.places() if exists(place)), "")


def _libarchive_places() -> tuple[str, ...]:
    from amavis_pipe.decompose import libarchive

    return libarchive.places()


LIBARCHIVE = Need("libarchive", "libarchive13", _libarchive_places)


def open_file(blob: Blob) -> "BinaryIO":
    """The blob as a seekable file to read from, without a copy of its bytes."""
    return io.BufferedReader(_Window(blob.view()), CHUNK)


def without_suffix(names: tuple[bytes, ...], suffixes: dict[bytes, bytes]) -> tuple[bytes, ...]:
    """The names a single packed file has by those of its container: b"a.tgz" -> b"a.tar".

    `suffixes` are the format's, in lower case, each with what to put in its place.
    """
    found = []
    for name in names:
        for suffix, instead in suffixes.items():
            if name.lower().endswith(suffix) and len(name) > len(suffix):
                found.append(name[: -len(suffix)] + instead)
                break
    return tuple(found)


class _Window(io.RawIOBase):
    """A file over the view of a blob."""

    def __init__(self, view: "View") -> None:
        self._view = view
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, len(self._view))[whence])
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        data = self._view[self._at : self._at + len(memoryview(buffer))]
        memoryview(buffer)[: len(data)] = data
        self._at += len(data)
        return len(data)
