"""The way through py7zr, which writes each member into what it is given, a piece at a time."""

from amavis_pipe.decompose.api import Need, open_file
from amavis_pipe.decompose.ways import (
    DAMAGED,
    LOCKED,
    MISSING,
    SEVEN_ZIP,
    UNKNOWN,
    WHOLE,
    Blob,
    Broken,
    Foreign,
    Taker,
    python_module,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from amavis_pipe.walk import Entry

_PIECE = 1 << 20
PY7ZR = Need("py7zr", "python3-py7zr", python_module("py7zr"))


def by_py7zr(blob: Blob, taker: Taker, password: bytes) -> str:
    """What py7zr finds; an encrypted archive is left to 7zz, which tries passwords faster, where it is."""
    try:
        import py7zr
    except ImportError:
        return MISSING
    vars(py7zr.py7zr)["get_memory_limit"] = lambda: _PIECE  # else it makes up to 128 MB of a member at once
    word = password.decode("utf-8", "replace") or None
    try:
        with Foreign(), py7zr.SevenZipFile(open_file(blob), password=word) as archive:
            if archive.needs_password() and (word is None or SEVEN_ZIP.path()):
                return LOCKED
            if word is not None:
                archive.extractall(factory=py7zr.io.NullIOFactory())  # type: ignore[no-untyped-call]
                archive.reset()
            _extract(archive, taker, py7zr.io.WriterFactory, py7zr.io.Py7zIO)
            hides = any(not one.emptystream and (one.is_directory or one.is_socket) for one in archive.files)
    except Broken as error:
        if "assword" in str(error) or word is not None:
            return LOCKED
        return DAMAGED if taker.count else UNKNOWN
    # py7zr leaves out what calls itself a folder or a socket; what has content is a file to others
    return DAMAGED if hides else WHOLE


def _extract(archive: "Any", taker: Taker, factory: type, writer: type) -> None:
    """Hand over all members as they come."""

    class Member(writer):  # type: ignore[misc]
        """One member being written."""

        def __init__(self, name: str) -> None:
            self._entry: Entry | None = taker.entry((name.encode("utf-8", "surrogatepass"),))
            self._size = 0

        def write(self, data: bytes) -> int:
            if self._entry is not None:
                self._entry.write(bytes(data))
            self._size += len(data)
            return len(data)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None: ...

        def size(self) -> int:
            return self._size

        def close(self, whole: bool = True) -> None:
            entry, self._entry = self._entry, None
            if entry is not None:
                entry.end(whole)

    class Members(factory):  # type: ignore[misc]
        """All of them, in order: one is whole when the next begins."""

        last: Member | None = None

        def create(self, filename: str) -> Member:
            taker.sink.tick()
            if self.last is not None:
                self.last.close()
            self.last = Member(filename)
            return self.last

    members, whole = Members(), False
    try:
        archive.extractall(factory=members)
        whole = True
    finally:
        if members.last is not None:
            members.last.close(whole)
