"""Parts as files, for scanners that are told where to look: names made here, nothing of the mail in them."""

import posix

from amavis_pipe.model import SpoolTrouble
from amavis_pipe.settings import Row
from amavis_pipe.spool import Blob, write_all
from amavis_pipe.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

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
        self._top = (place or work) + b"/scan-%d-%s" % (posix.getpid(), posix.urandom(8).hex().encode())
        self.parts, self.own = self._top + b"/parts", self._top + b"/own"
        self.names: dict[bytes, str] = {}
        self._items = items

    def __enter__(self) -> "Folder":
        try:
            for folder in (self._top, self.parts, self.own):
                posix.mkdir(folder, 0o700)
            for number, (path, blob) in enumerate(self._items, 1):
                name = b"p%06d" % number
                self.names[name] = path
                self._write(name, blob)
            if self._shared:
                self._open_up()
        except BaseException as error:
            self._remove()
            if isinstance(error, OSError):
                raise SpoolTrouble(f"{readable(self._top)}: {error.strerror}") from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
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
            posix.chmod(folder, mode)

    def _write(self, name: bytes, blob: Blob) -> None:
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
        fd = posix.open(self.parts + b"/" + name, flags, 0o600)
        try:
            if self._shared:
                posix.fchmod(fd, 0o640)
            write_all(fd, blob.chunks())
        finally:
            posix.close(fd)

    def _remove(self) -> None:
        """Take all away; prune sweeps what is left."""
        left = [*self.files(), self.parts, self.own, self._top]
        for path in left:
            try:
                (posix.rmdir if path in left[-3:] else posix.unlink)(path)
            except OSError:
                pass
        try:
            posix.stat(self._top)
        except OSError:
            return
        from shutil import rmtree  # the scanner has left files of its own

        rmtree(self._top, ignore_errors=True)
