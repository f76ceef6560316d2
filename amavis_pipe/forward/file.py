"""Writes each message into a folder of its own file: for trials, and for sites that fetch it there.

Exactly one file per mail, the message as it would be forwarded: written beside under a temporary name,
synced, renamed. The envelope is not kept.
"""

import posix
from time import time_ns

from amavis_pipe.model import ForwardTrouble, SpoolTrouble
from amavis_pipe.spool import write_all
from amavis_pipe.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.forward import Before, Message
    from amavis_pipe.spool import Blob


def submit(message: "Message | Blob", folder: bytes, before: "Before") -> None:
    """Write the message to a new file in `folder`; ForwardTrouble if it can't be.

    `before` as in forward.submit.
    """
    before([])
    name = b"%s/%d-%d.eml" % (folder, time_ns(), posix.getpid())
    temporary = name + b".part"
    try:
        beside = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            _write(message, temporary)
            posix.rename(temporary, name)
            posix.fsync(beside)
        finally:
            posix.close(beside)
    except (OSError, SpoolTrouble) as error:
        for path in (temporary, name):  # also what may not be on disk: the mail comes again
            _unlink(path)
        raise ForwardTrouble(f"{readable(folder)}: {getattr(error, 'strerror', None) or error}") from None


def _write(message: "Message | Blob", path: bytes) -> None:
    fd = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    try:
        write_all(fd, message.chunks())
        posix.fsync(fd)
    finally:
        posix.close(fd)


def _unlink(path: bytes) -> None:
    try:
        posix.unlink(path)
    except OSError:
        pass
