"""Opens the files that a command was given: single ones, all below a folder, standard input.

Promises: only regular files are opened (a FIFO or device never, not even for a moment); below a folder
no symbolic link is followed, folders are opened by descriptor and taken in order of their names. Root
opens nothing in the process that will read: a child of its own sends the descriptors, so that the
reader can have given up its rights before the first of them comes.
"""

import errno
import marshal
import os
import socket
import stat
from collections.abc import Iterator
from typing import NamedTuple

DEEPEST = 100
"""Levels of folders that are walked; each holds a descriptor."""
MOST = 1_000_000
"""Files that one command takes."""
LONGEST_MESSAGE = 1 << 16
STDIN = b"-"

_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY


class Opened(NamedTuple):
    """A file: its path as the user would write it, and a descriptor; or -1, and why there is none.

    folder is the name of the folder that it lies in, b"" if that can't be told.
    """

    path: bytes
    fd: int
    trouble: str = ""
    folder: bytes = b""


class Inputs:
    """The files that `paths` stand for: iterate once; whoever gets a descriptor closes it.

    total  how many there will be, about: folders change
    """

    def __init__(self, paths: list[bytes]) -> None:
        self._paths = paths
        self._socket: socket.socket | None = None
        self._child = 0
        if os.geteuid() == 0:
            self._start_opener()
        self.total = self._counted()

    def __iter__(self) -> Iterator[Opened]:
        if self._socket is None:
            yield from _opened(self._paths)
            return
        with self._socket:
            while True:
                data, fds, _, _ = socket.recv_fds(self._socket, LONGEST_MESSAGE, 1)
                if not data:
                    break
                path, trouble, folder = marshal.loads(data)  # noqa: S302 - from our own child
                yield Opened(path, fds[0] if fds else -1, trouble, folder)
        os.waitpid(self._child, 0)

    def _start_opener(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._child = os.fork()
        if self._child == 0:
            try:
                ours.close()
                _send(self._paths, theirs)
            finally:
                os._exit(0)
        theirs.close()
        self._socket = ours

    def _counted(self) -> int:
        if self._socket is None:
            return _count(self._paths)
        return int(self._socket.recv(LONGEST_MESSAGE))


def is_folder(path: bytes) -> bool:
    """Whether a path the user gave is a folder, or a link to one."""
    return path != STDIN and os.path.isdir(path)


def folder_of(path: bytes) -> bytes:
    """The name of the folder that holds a file, seen from the folder where the user is."""
    try:
        return os.path.basename(os.path.dirname(os.path.abspath(path)))
    except OSError:
        return b""  # the user's folder is gone


def _send(paths: list[bytes], to: socket.socket) -> None:
    """The number of files, then a message with a descriptor for each."""
    to.send(b"%d" % _count(paths))
    for path, fd, trouble, folder in _opened(paths):
        message = marshal.dumps((path[-LONGEST_MESSAGE // 2 :], trouble, folder))
        socket.send_fds(to, [message], [fd] if fd >= 0 else [])
        if fd >= 0:
            os.close(fd)


def _count(paths: list[bytes]) -> int:
    total = 0
    for path in paths:
        total += sum(1 for _ in _below(path)) if is_folder(path) else 1
    return total


def _opened(paths: list[bytes]) -> Iterator[Opened]:
    left = MOST
    for path in paths:
        for found in _opened_of(path):
            left -= 1
            if left < 0:
                yield Opened(path, -1, f"more than {MOST} files; the rest was left out")
                return
            yield found


def _opened_of(path: bytes) -> Iterator[Opened]:
    if path == STDIN:
        yield Opened(path, os.dup(0))
    elif is_folder(path):
        for folder, name, shown, trouble in _below(path):
            yield Opened(shown, -1, trouble) if trouble else _open(name, folder, shown, os.O_NOFOLLOW)
    else:
        yield _open(path, None, path, 0)


def _open(name: "bytes | str", folder: int | None, shown: bytes, flags: int) -> Opened:
    """A regular file, opened; a link that the user named is followed, none that was met."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=not flags)
        if not stat.S_ISREG(found.st_mode):
            return Opened(shown, -1, "not a regular file")
        fd = os.open(name, _FILE | flags, dir_fd=folder)
    except OSError as error:
        return Opened(shown, -1, error.strerror or "can't be opened")
    if not stat.S_ISREG(os.fstat(fd).st_mode):  # it was swapped meanwhile
        os.close(fd)
        return Opened(shown, -1, "not a regular file")
    return Opened(shown, fd, folder=folder_of(shown))


class _Entry(NamedTuple):
    folder: int
    name: str
    path: bytes
    trouble: str = ""


def _below(path: bytes) -> Iterator[_Entry]:
    """The files below a folder: descriptor of their folder, name there, path; or trouble."""
    try:
        fd = os.open(path, _FOLDER)
    except OSError as error:
        yield _Entry(-1, "", path, error.strerror or "can't be opened")
        return
    yield from _walk(fd, path.rstrip(b"/"), 1)


def _walk(fd: int, path: bytes, depth: int) -> Iterator[_Entry]:
    """The same for an open folder, which is closed at the end."""
    try:
        with os.scandir(fd) as entries:
            found = sorted(
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.is_symlink()
                and (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False))
            )
        for name, folder in found:
            shown = path + b"/" + os.fsencode(name)
            if not folder:
                yield _Entry(fd, name, shown)
                continue
            inner, trouble = _open_folder(fd, name, depth)
            if trouble:
                yield _Entry(fd, name, shown, trouble)
            elif inner >= 0:
                yield from _walk(inner, shown, depth + 1)
    except OSError as error:
        yield _Entry(fd, "", path, error.strerror or "can't be read")
    finally:
        os.close(fd)


def _open_folder(fd: int, name: str, depth: int) -> tuple[int, str]:
    """A descriptor; -1 and trouble, or neither if it is gone or a link by now."""
    if depth >= DEEPEST:
        return -1, f"more than {DEEPEST} folders deep"
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd), ""
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
        return -1, "" if gone else error.strerror or "can't be opened"
