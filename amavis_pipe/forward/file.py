"""Writes each message into a folder of its own file: for trials, and for sites that fetch it there.

Exactly one file per mail, the message as it would be forwarded: written beside under a temporary name,
synced, renamed. The envelope is not kept.
"""

import posix
from time import time_ns

from amavis_pipe.model import ForwardTrouble
from amavis_pipe.text import readable

STEP = 1 << 20


def submit(message: int, folder: bytes) -> None:
    """Copy the message in the file `message` to a new file in `folder`; ForwardTrouble if it can't."""
    name = b"%s/%d-%d.eml" % (folder, time_ns(), posix.getpid())
    temporary = name + b".part"
    try:
        _copy(message, temporary)
        posix.rename(temporary, name)
        _sync_folder(folder)
    except OSError as error:
        try:
            posix.unlink(temporary)
        except OSError:
            pass
        raise ForwardTrouble(f"{readable(folder)}: {error.strerror}") from None


def _copy(message: int, path: bytes) -> None:
    size = posix.fstat(message).st_size
    fd = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    try:
        at = 0
        while at < size:
            at += posix.sendfile(fd, message, at, min(STEP, size - at))
        posix.fsync(fd)
    finally:
        posix.close(fd)


def _sync_folder(folder: bytes) -> None:
    fd = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.fsync(fd)
    finally:
        posix.close(fd)
