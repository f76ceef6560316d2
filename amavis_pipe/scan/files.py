"""Parts as files, for scanners that are told where to look: names made here, nothing of the mail in them."""

import os
import shutil
from types import TracebackType

from amavis_pipe.model import SpoolTrouble
from amavis_pipe.settings import Row
from amavis_pipe.spool import Blob, write_all

Items = list[tuple[str, Blob]]


class Folder:
    """A folder with the parts, and one for the scanner's own files; both are gone at the end.

    parts, own  their paths
    names       of the files, each with the item's path ("" for the mail)

    Below the row's `folder`, group and mode are such that a daemon of that group can read them.
    """

    def __init__(self, row: Row, work: bytes, items: Items) -> None:
        place = row.more.get("folder") or b""
        self._shared = bool(place)
        self._top = (place or work) + b"/scan-%d-%s" % (os.getpid(), os.urandom(8).hex().encode())
        self.parts, self.own = self._top + b"/parts", self._top + b"/own"
        self.names: dict[bytes, str] = {}
        self._items = items

    def __enter__(self) -> "Folder":
        try:
            for folder in (self._top, self.parts, self.own):
                os.mkdir(folder, 0o700)
            for number, (path, blob) in enumerate(self._items, 1):
                name = b"p%06d" % number
                self.names[name] = path
                self._write(name, blob)
            if self._shared:
                self._open_up()
        except BaseException as error:
            self._remove()
            if isinstance(error, OSError):
                raise SpoolTrouble(f"{os.fsdecode(self._top)}: {error.strerror}") from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def files(self) -> list[bytes]:
        """The paths of the files, in the order of the items."""
        return [self.parts + b"/" + name for name in self.names]

    def _open_up(self) -> None:
        """Let the group in, which all of it has from the folder above by its set-group-ID bit.

        Last: that bit goes with a chmod by a user who isn't in the group, and Postfix takes all groups but
        one from the filter's user.
        """
        for folder, mode in ((self.own, 0o2770), (self.parts, 0o2750), (self._top, 0o2750)):
            os.chmod(folder, mode)

    def _write(self, name: bytes, blob: Blob) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.parts + b"/" + name, flags, 0o600)
        try:
            if self._shared:
                os.fchmod(fd, 0o640)
            write_all(fd, blob.chunks())
        finally:
            os.close(fd)

    def _remove(self) -> None:
        shutil.rmtree(self._top, ignore_errors=True)  # prune sweeps what is left
