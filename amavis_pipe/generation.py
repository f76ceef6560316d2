"""How one generation of the cache follows another, and what can be told of one (cache.py has its form).

Loaded when the current one is missing, full, old or damaged, and by commands; never for an ordinary mail.
"""

import posix
from _stat import S_IFREG
from fcntl import LOCK_EX, LOCK_NB, flock
from time import time

from amavis_pipe.cache import BUCKET, CURRENT, ENTRY, HEAD, LARGEST, PREVIOUS, SLOT, head_of, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STEP = 1 << 20
"""Bytes of an index that are read at once, whole slots."""


def renew(folder: bytes, fd: int, keep: bool, buckets: int) -> None:
    """Put an empty generation in place of the current one; OSError if that fails.

    fd    the current one, which is closed; -1 if there is nothing that can be used
    keep  whether it becomes the previous one; else, being damaged, it goes
    Nothing is done if another process was first, or is about it.
    """
    path = folder + CURRENT
    if fd < 0:
        _clear(path)
    elif not _retire(fd, path, folder + PREVIOUS if keep else b""):
        return
    _begin(path, buckets)


def contents(fd: int) -> tuple[int, int]:
    """When an open generation began, and its entries; zeros if it is damaged. OSError if unreadable."""
    end = posix.fstat(fd).st_size
    birth, buckets = parsed(posix.pread(fd, HEAD, 0), end)
    if not buckets:
        return 0, 0
    used = 0
    for at in range(BUCKET, BUCKET * (1 + buckets), STEP):
        index = posix.pread(fd, min(STEP, BUCKET * (1 + buckets) - at), at)
        slots = memoryview(index[: len(index) // SLOT * SLOT]).cast("Q")
        used += len(slots) - slots.tolist().count(0)
    return birth, used


def entries(fd: int) -> "Iterator[tuple[int, bytes]]":
    """Where each entry of an open generation stands, and its payload; what is not whole is left out."""
    end = posix.fstat(fd).st_size
    _, buckets = parsed(posix.pread(fd, HEAD, 0), end)
    for at in range(BUCKET, BUCKET * (1 + buckets), STEP):
        index = posix.pread(fd, min(STEP, BUCKET * (1 + buckets) - at), at)
        for place in range(0, len(index) - SLOT + 1, SLOT):
            offset = int.from_bytes(index[place + 3 : place + SLOT], "big")
            head = posix.pread(fd, ENTRY, offset) if offset else b""
            size = int.from_bytes(head[24:ENTRY], "big")
            if len(head) == ENTRY and any(head[:16]) and size <= LARGEST:
                payload = posix.pread(fd, size, offset + ENTRY)
                if len(payload) == size:
                    yield offset, payload


def strike(fd: int, offset: int) -> None:
    """Make an entry a miss for every process; its slot stays, and is written over one day."""
    posix.pwrite(fd, bytes(16), offset)


def _retire(fd: int, path: bytes, to: bytes) -> bool:
    """Move an open generation from `path` to `to`, or remove it; False if another process was faster."""
    try:
        flock(fd, LOCK_EX | LOCK_NB)  # let go when it is closed
        ours, there = posix.fstat(fd), posix.stat(path)
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            return False
        if to:
            posix.rename(path, to)
        else:
            posix.unlink(path)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        pass  # moved already: whoever makes the next one first, makes it
    finally:
        posix.close(fd)
    return True


def _clear(path: bytes) -> None:
    """Make way where something is that is none of ours: a link, another's file, another mode."""
    try:
        found = posix.lstat(path)
    except FileNotFoundError:
        return
    if found.st_mode != S_IFREG | 0o600 or found.st_uid != posix.geteuid():
        posix.unlink(path)  # a folder stays: IsADirectoryError, and nothing is kept


def _begin(path: bytes, buckets: int) -> None:
    """Make an empty generation, whole from the moment it is there; one that is there already stays."""
    temporary = path + b".%d-%s" % (posix.getpid(), posix.urandom(4).hex().encode())
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    fd = posix.open(temporary, flags, 0o600)
    try:
        posix.ftruncate(fd, BUCKET * (1 + buckets))
        posix.pwrite(fd, head_of(int(time()), buckets), 0)
        posix.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        posix.close(fd)
        posix.unlink(temporary)
