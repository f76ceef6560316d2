"""The journal's files of each day: YYYY-MM-DD.jsonl, to which mail appends, and YYYY-MM-DD.jsonl.gz, packed.

Promises: no link is followed, only regular files of ours are opened. The packed file is a row of gzip
members of whole lines, so that one record is read without the rest; gunzip and zcat take it as one.
"""

import fcntl
import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from io import BytesIO
from sqlite3 import Connection
from typing import BinaryIO, NamedTuple

from amavis_pipe.history.base import Day, day_of
from amavis_pipe.history.lines import Line, lines

FOLDER = b"/journal"
PACKED = ".gz"
UNFINISHED = ".gz.new"
NOWHERE = -1
IDENTIFYING = 4096
"""Bytes of a first line that tell one file from another."""
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)\.jsonl(\.gz|\.gz\.new)?")
_DAMAGED = (OSError, EOFError, zlib.error)


class Member(NamedTuple):
    """A gzip member: the stream from offset `start` is in `length` bytes of the packed file from `at`."""

    start: int
    at: int
    length: int


@contextmanager
def opened(state: bytes) -> Iterator[int]:
    """A descriptor of the journal's folder; NOWHERE if there is none. OSError if it is a link."""
    try:
        fd = os.open(state + FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield NOWHERE
        return
    try:
        yield fd
    finally:
        os.close(fd)


def locked(folder: int) -> bool:
    """Whether nobody else folds: the folder stays locked until it is closed. Mail takes no lock."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def listed(folder: int) -> list[str]:
    """The days that have a file of ours, oldest first."""
    return sorted(sizes(folder))


def sizes(folder: int) -> dict[str, int]:
    """Bytes of our files of each day."""
    total: dict[str, int] = {}
    for name in os.listdir(folder) if folder != NOWHERE else ():
        found = _NAME.fullmatch(name)
        status = _status(folder, name) if found else None
        if found and status:
            total[found[1]] = total.get(found[1], 0) + status.st_size
    return total


def plain(folder: int, day: str) -> BinaryIO | None:
    """The file that mail appends to, or appended to; None if there is none."""
    return _open(folder, day + ".jsonl")


def packed(folder: int, day: str) -> BinaryIO | None:
    """The packed file; None if there is none."""
    return _open(folder, day + ".jsonl" + PACKED)


def remove(folder: int, day: str, *endings: str) -> tuple[int, int]:
    """Remove a day's files with these endings ("", PACKED, UNFINISHED): how many, and their bytes."""
    number = size = 0
    for ending in endings:
        name = day + ".jsonl" + ending
        status = _status(folder, name)
        if status is not None:
            os.unlink(name, dir_fd=folder)
            number, size = number + 1, size + status.st_size
    return number, size


def identity(file: BinaryIO, settled: bool = False) -> bytes:
    """What tells one plain file from another: a digest of its first line.

    b"" while that is unfinished; never, once it is `settled` that nothing more will come.
    """
    file.seek(0)
    return _digest(file.readline(IDENTIFYING), settled)


def placed(day: Day, file: BinaryIO | None, settled: bool = False) -> Day:
    """The same day, with the base that the plain file really has: another file begins where all ended."""
    first = identity(file, settled) if file else b""
    if file and first and first == day.first and size_of(file) >= day.packed - day.base:
        return day
    return day._replace(first=first, base=max(day.folded, day.packed))


def first_of(file: BinaryIO, member: Member) -> bytes:
    """The identity of the plain file that this member of a packed file began."""
    return _digest(unpacked(file, member)[:IDENTIFYING].partition(b"\n")[0] + b"\n", settled=True)


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


@contextmanager
def streams(db: Connection | None, folder: int, days: Iterable[str]) -> Iterator[list["Stream"]]:
    """The records of these days as they are at one moment, at which the base is read in the with-block, too.

    The plain files are opened before that moment, so that no record can slip past: what is packed meanwhile
    is still there under the descriptor, and is told from what the base has by its offset.
    """
    with ExitStack() as stack:
        made = [stack.enter_context(Stream(folder, day)) for day in days]
        if db is not None:
            db.execute("BEGIN")
            stack.callback(db.execute, "ROLLBACK")
        for stream in made:
            stream.place(db)
        yield made


class Stream:
    """One day's records as they lie in its files: what is packed, then what is plain."""

    def __init__(self, folder: int, day: str) -> None:
        self._folder = folder
        self._plain = plain(folder, day)
        self._packed: BinaryIO | None = None
        self._members: list[Member] = []
        self._last: tuple[Member | None, bytes] = (None, b"")
        self.day = Day(day)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._packed, self._plain):
            if file:
                file.close()

    def place(self, db: Connection | None) -> None:
        """Find out how far the day is."""
        self.day = placed(day_of(db, self.day.day), self._plain)
        self._members = members(db, self.day.day)

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return max(self.day.packed, self.day.base + (size_of(self._plain) if self._plain else 0))

    def lines(self, start: int = 0) -> Iterator[Line]:
        """The whole lines from this offset on, at which one must begin; damaged members are left out."""
        ends = [*(member.start for member in self._members[1:]), self.day.packed]
        for member, end in zip(self._members, ends, strict=False):
            if end > start:
                data = BytesIO(self._unpacked(member))
                yield from (line for line in lines(data, member.start) if line.at >= start)
        if self._plain:
            begin = max(start, self.day.packed, self.day.base)
            self._plain.seek(begin - self.day.base)
            yield from (line for line in lines(self._plain, begin) if line.ends)

    def at(self, start: int, length: int) -> bytes:
        """These bytes of the stream; b"" if they are gone."""
        member = max((one for one in self._members if one.start <= start), default=None)
        if member and start < self.day.packed:
            return self._unpacked(member)[start - member.start :][:length]
        if self._plain and start >= self.day.base:
            return os.pread(self._plain.fileno(), length, start - self.day.base)
        return b""

    def _unpacked(self, member: Member) -> bytes:
        if not self._packed:
            self._packed = packed(self._folder, self.day.day)
        if self._last[0] != member:
            self._last = member, unpacked(self._packed, member) if self._packed else b""
        return self._last[1]


def unpacked(file: BinaryIO, member: Member) -> bytes:
    """The lines of a member; b"" if it is damaged."""
    try:
        return gzip.decompress(os.pread(file.fileno(), member.length, member.at))
    except _DAMAGED:
        return b""


def members(base: Connection | None, day: str) -> list[Member]:
    """The members of a day's packed file."""
    query = "SELECT start, at, length FROM member WHERE day = ? ORDER BY start"
    return [Member(*row) for row in base.execute(query, (day,))] if base else []


def _digest(line: bytes, settled: bool) -> bytes:
    whole = settled or line.endswith(b"\n") or len(line) == IDENTIFYING
    return sha256(line).digest() if whole and line else b""


def _status(folder: int, name: str) -> os.stat_result | None:
    """That of a regular file of ours; None for anything else."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() else None


def _open(folder: int, name: str) -> BinaryIO | None:
    if _status(folder, name) is None:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    return os.fdopen(fd, "rb")
