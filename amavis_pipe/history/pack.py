"""Packs the plain file of a closed day: whole records, compressed, beside the base that knows where each is.

In this order, so that a crash at any point leaves one copy that counts: the packed file is made under
another name and is on disk; it takes its place; the base says so; the plain file goes. Until the base says
so, what is new in the packed file is not read, and is made again; a plain file that the base says is
packed goes.
"""

import gzip
import os
import zlib
from sqlite3 import Connection
from typing import BinaryIO

from amavis_pipe.history import base, files
from amavis_pipe.history.base import Day
from amavis_pipe.history.files import Member
from amavis_pipe.history.lines import LONGEST

MEMBER = 256 << 10
"""Bytes of a member, before it is compressed; more if a line is longer."""
CHUNK = 64 << 10
LEVEL = 6


def pack(db: Connection, folder: int, day: Day, file: BinaryIO) -> None:
    """Pack the whole of a folded plain file, which then goes."""
    start, end = max(day.packed, day.base), day.base + files.size_of(file)
    if start < end:
        file.seek(start - day.base)
        length, members = _made(folder, day, file, start, end)
        os.rename(
            day.day + ".jsonl" + files.UNFINISHED,
            day.day + ".jsonl" + files.PACKED,
            src_dir_fd=folder,
            dst_dir_fd=folder,
        )
        os.fsync(folder)
        with base.transaction(db):
            db.executemany("INSERT INTO member VALUES (?, ?, ?, ?)", [(day.day, *one) for one in members])
            base.put_day(db, day._replace(packed=end, length=length))
    if day.base + files.size_of(file) == end:
        files.remove(folder, day.day, "")


def found(file: BinaryIO, day: Day) -> tuple[Day, list[Member]]:
    """How far a day is by its packed file alone, of which nothing else is known, and its members."""
    members: list[Member] = []
    start = at = 0
    while (sizes := _member(file, at)) is not None:
        members.append(Member(start, at, sizes[0]))
        at, start = at + sizes[0], start + sizes[1]
    first = files.first_of(file, members[0]) if members else b""
    return day._replace(first=first, packed=start, length=at), members


def _made(folder: int, day: Day, file: BinaryIO, start: int, end: int) -> tuple[int, list[Member]]:
    """The new packed file, under its other name: its bytes, and the members that are new in it."""
    name = day.day + ".jsonl" + files.UNFINISHED
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as new:
            _copy(files.packed(folder, day.day), day.length, new)
            members, at = [], day.length
            while lines := _some(file, min(MEMBER, end - start)):
                data = gzip.compress(lines, LEVEL, mtime=0)
                new.write(data)
                members.append(Member(start, at, len(data)))
                start, at = start + len(lines), at + len(data)
            new.flush()
            os.fsync(new.fileno())
    except BaseException:
        files.remove(folder, day.day, files.UNFINISHED)
        raise
    return at, members


def _some(file: BinaryIO, size: int) -> bytes:
    """Whole lines of about this many bytes; of one that is too long for any record, a piece."""
    taken = []
    while size > 0 and (line := file.readline(LONGEST)):
        taken.append(line)
        size -= len(line)
    return b"".join(taken)


def _copy(old: BinaryIO | None, length: int, new: BinaryIO) -> None:
    """The beginning of the old file, if there is one."""
    if old is None:
        return
    with old:
        while length and (data := old.read(min(length, CHUNK))):
            new.write(data)
            length -= len(data)


def _member(file: BinaryIO, at: int) -> tuple[int, int] | None:
    """The bytes of the member at this place, packed and unpacked; None if there is no whole one."""
    unpacking = zlib.decompressobj(wbits=31)
    taken = size = 0
    while not unpacking.eof:
        data = os.pread(file.fileno(), CHUNK, at + taken)
        if not data:
            return None
        try:
            size += len(unpacking.decompress(data))
        except zlib.error:
            return None
        taken += len(data) - len(unpacking.unused_data)
    return taken, size
