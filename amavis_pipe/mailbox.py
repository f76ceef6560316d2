r"""Mailbox files by mboxrd's rules: how a mail is written into one, and read out of it byte for byte.

Before each mail stands a line "From MAILER-DAEMON …", behind it two line ends. A line of the mail that reads
"From …" behind any number of ">" gets one ">" more, so no such line is taken for the beginning of another
mail, and taking it off again gives the mail as it was. Whoever writes holds a lock (flock(2)) on the file,
and looks whether it still is the one of that name: a mailbox is made smaller by a new file in its place.
"""

import posix
from _stat import S_ISREG
from fcntl import LOCK_EX, flock
from time import gmtime, strftime

from amavis_pipe.spool import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FROM = b"From "
SEPARATOR = b"From MAILER-DAEMON "
END = b"\n\n"
"""What stands behind each mail."""
TRIES = 100
"""Times that the file may be replaced while its lock is waited for."""


def append(path: bytes, lines: list[bytes], chunks: "Iterable[bytes]") -> None:
    """Add the mail in `chunks` below `lines` of our own (without line ends); on disk when this returns.

    OSError or SpoolTrouble if that can't be done; the file is as it was then.
    """
    fd = opened(path, posix.O_CREAT)
    try:
        before = posix.fstat(fd).st_size
        try:
            posix.lseek(fd, before, 0)
            if before and posix.pread(fd, len(END), max(0, before - len(END))) != END:
                write_all(fd, (END,))  # a mail that a crash cut must not swallow this one
            stamp = strftime("%a %b %d %H:%M:%S %Y", gmtime()).encode()
            write_all(fd, (SEPARATOR + stamp + b"\n" + b"\n".join(lines) + b"\n",))
            write_all(fd, escaped(chunks))
            write_all(fd, (END,))
            posix.fsync(fd)
            if not before:
                sync_folder(path)
        except BaseException:
            posix.ftruncate(fd, before)
            raise
    finally:
        posix.close(fd)


def opened(path: bytes, flags: int = 0) -> int:
    """A descriptor of the mailbox, locked, for reading and writing; OSError if it can't be, or isn't ours."""
    flags |= posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    for _ in range(TRIES):
        fd = posix.open(path, flags, 0o600)
        try:
            found = posix.fstat(fd)
            if not S_ISREG(found.st_mode) or found.st_uid != posix.geteuid() or found.st_mode & 0o022:
                raise OSError(1, f"wants a file of uid {posix.geteuid()} that nobody else can write")
            flock(fd, LOCK_EX)
            if is_still(fd, path):
                return fd
        except BaseException:
            posix.close(fd)
            raise
        posix.close(fd)
    raise OSError(11, "replaced again and again")


def is_still(fd: int, path: bytes) -> bool:
    """Whether the open file is the one of that name."""
    try:
        named = posix.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    found = posix.fstat(fd)
    return (found.st_dev, found.st_ino) == (named.st_dev, named.st_ino)


def sync_folder(path: bytes) -> None:
    """Have on disk what the name `path` stands for."""
    fd = posix.open(path.rpartition(b"/")[0] or b"/", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.fsync(fd)
    finally:
        posix.close(fd)


def escaped(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """The bytes with one ">" more before each "From " that only ">"s part from the beginning of its line."""
    for before, is_start in _split(chunks, 0):
        yield before
        if is_start is not None:
            yield b">" + FROM if is_start else FROM


def original(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """The bytes that escaped() made these of."""
    for before, is_start in _split(chunks, 1):
        if is_start is None:
            yield before
        else:
            yield before[:-1] if is_start and before.endswith(b">") else before
            yield FROM


def _split(chunks: "Iterable[bytes]", more: int) -> "Iterator[tuple[bytes, bool | None]]":
    """What stands before each "From ", and whether nothing but ">"s does in its line; the rest with None.

    Up to `more` ">"s at the end of a chunk are kept for the next piece.
    """
    held, is_start = b"", True  # whether what went out ends where a line begins, or with ">"s there
    for chunk in chunks:
        *pieces, last = (held + chunk).split(FROM)
        for piece in pieces:
            is_start = _ends_at_start(piece, is_start)
            yield piece, is_start
            is_start = False
        length = _undecided(last, more)
        last, held = last[: len(last) - length], last[len(last) - length :]
        is_start = _ends_at_start(last, is_start)
        yield last, None
    yield held, None


def _undecided(data: bytes, more: int) -> int:
    """How many bytes at the end may be the beginning of "From ", with up to `more` ">"s before it."""
    length = next((size for size in range(len(FROM) - 1, 0, -1) if data.endswith(FROM[:size])), 0)
    return length + (more if data[: len(data) - length].endswith(b">") else 0)


def _ends_at_start(data: bytes, before: bool) -> bool:
    bare = data.rstrip(b">")
    return bare.endswith(b"\n") if bare else before
