"""Copies new signatures from a mirror: a folder that something else fills, a share, a medium, by rsync.

Promises: each file is the old or the new one, whole; only regular files are copied, no link is followed,
nothing is deleted. A file that changes while it is read is left for the next time. It may run as root
between two folders that belong to others: all is done by descriptors, and a file that the mirror's owner only
links to (one of root's) is none of the mirror's.
"""

import os
import stat
from collections.abc import Iterator
from time import monotonic

from amavis_pipe.text import readable

FILES = 10_000
"""Files of a mirror that are looked at at most."""
CHUNK = 1 << 20
TEMPORARY = b".amavis-pipe.part"
"""One name: there is one update at a time, and what a crash left is replaced."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class MirrorTrouble(Exception):
    """Some file could not be copied; the text says which, and why."""


def copy(mirror: bytes, folder: bytes, end: float) -> list[bytes]:
    """Copy every file of `mirror` that is not in `folder` as it is there; the names of those copied.

    Files that differ in size or time are copied. MirrorTrouble for a folder that can't be opened, and, once
    all others are copied, for the first file that can't be, or when `end` of monotonic() has come.
    """
    copied, trouble = [], None
    with _Opened(mirror) as source, _Opened(folder) as target:
        for name in _names(source):
            if not _is_new(name, source, target):
                continue
            try:
                if _copy(name, source, target, end):
                    copied.append(name)
            except MirrorTrouble as error:
                trouble = trouble or error
                if monotonic() > end:
                    break
        if copied:
            os.fsync(target)
    if trouble is not None:
        raise trouble
    return copied


class _Opened:
    """A folder's descriptor, as long as it is used."""

    def __init__(self, path: bytes) -> None:
        try:
            self._fd = os.open(path, _FOLDER)
        except OSError as error:
            raise MirrorTrouble(f"{readable(path)}: {error.strerror}") from None

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _names(folder: int) -> list[bytes]:
    """What may be a file to be copied; hidden ones are being written by somebody."""
    names = sorted(os.fsencode(name) for name in os.listdir(folder))
    return [name for name in names if not name.startswith(b".")][:FILES]


def _is_new(name: bytes, source: int, target: int) -> bool:
    """Whether there is a regular file of that name which differs from ours."""
    try:
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
    except OSError:
        return False  # gone
    if not stat.S_ISREG(found.st_mode):
        return False
    try:
        ours = os.stat(name, dir_fd=target, follow_symlinks=False)
    except OSError:
        return True
    return (found.st_size, found.st_mtime_ns) != (ours.st_size, ours.st_mtime_ns)


def _copy(name: bytes, source: int, target: int, end: float) -> bool:
    """Copy one file; False if it is no file to be copied after all."""
    try:
        fd = os.open(name, _READ, dir_fd=source)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            return False
        raise MirrorTrouble(f"{readable(name)}: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if not _is_the_mirrors(found, source):
            return False
        _write(name, fd, found, target, end)
    except OSError as error:
        raise MirrorTrouble(f"{readable(name)}: {error.strerror}") from None
    finally:
        os.close(fd)
        _unlink(target)
    return True


def _is_the_mirrors(found: os.stat_result, source: int) -> bool:
    """Whether a file is regular, and not another one's to which a link was made to have it published."""
    linked = found.st_nlink > 1 and found.st_uid != os.fstat(source).st_uid
    return stat.S_ISREG(found.st_mode) and not linked


def _write(name: bytes, fd: int, found: os.stat_result, target: int, end: float) -> None:
    """Write its bytes beside the old file, and put them in its place."""
    _unlink(target)
    new = os.open(TEMPORARY, _WRITE, 0o600, dir_fd=target)
    try:
        size = 0
        for chunk in _chunks(fd, name, end):
            _write_all(new, chunk)
            size += len(chunk)
        after = os.fstat(fd)
        if (size, after.st_size, after.st_mtime_ns) != (found.st_size, found.st_size, found.st_mtime_ns):
            raise MirrorTrouble(f"{readable(name)}: changed while it was copied")
        _own(new, name, target)
        os.fchmod(new, 0o644)
        os.utime(new, ns=(found.st_mtime_ns, found.st_mtime_ns))
        os.fsync(new)
    finally:
        os.close(new)
    os.rename(TEMPORARY, name, src_dir_fd=target, dst_dir_fd=target)


def _chunks(fd: int, name: bytes, end: float) -> Iterator[bytes]:
    while chunk := os.read(fd, CHUNK):
        if monotonic() > end:
            raise MirrorTrouble(f"{readable(name)}: no time left to copy it")
        yield chunk


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _own(new: int, name: bytes, target: int) -> None:
    """As root: give a file to whom the old one belongs, or the folder."""
    if os.geteuid():
        return
    try:
        old = os.stat(name, dir_fd=target, follow_symlinks=False)
    except FileNotFoundError:
        old = os.fstat(target)
    os.fchown(new, old.st_uid, old.st_gid)


def _unlink(target: int) -> None:
    try:
        os.unlink(TEMPORARY, dir_fd=target)
    except OSError:
        pass
