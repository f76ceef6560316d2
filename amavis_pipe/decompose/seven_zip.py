"""The way through 7zz, which opens more formats than any other program: only as the types asked for."""

import re

from amavis_pipe.decompose.ways import (
    DAMAGED,
    LOCKED,
    MEMBERS,
    MISSING,
    SEVEN_ZIP,
    UNKNOWN,
    WHOLE,
    Blob,
    Member,
    Taker,
    listing,
    take_all,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.decompose.ways import Way

_ENCRYPTED = b"Cannot open encrypted archive"
_PROGRAMS = (b"PE", b"ELF", b"MachO", b"COFF", b"TE", b"")
"""What 7zz shows the sections of, and what is no type."""
_ODD = (b"\nERROR", b"\nWARNING", b"\nOffset = ")
"""What an honest archive without members has none of; the last: it doesn't begin where the file does."""
_SIZE = re.compile(rb"Size = \d{1,18}")
_FIRST = (b"Path = ", b"Size = ")
"""How a member's lines begin."""
_STREAM = b"Alternate Stream = +"


def by_7zz(*types: str, names: tuple[bytes, ...] = (), job: str = "7zz") -> "Way":
    """What 7zz finds in a file that it takes for one of these types (as it calls them, any case),
    or for any type of archive.

    `names` are those of the only member, in place of what 7zz makes up; `job` is how the jobs' names begin.
    """
    wanted = {one.lower().encode() for one in types}

    def way(blob: Blob, taker: Taker, password: bytes) -> str:
        if not SEVEN_ZIP.path():
            return MISSING
        sink = taker.sink
        shown, is_all = listing(sink.run(job + "-list", password))
        if _ENCRYPTED in shown:
            return LOCKED
        kinds, members = read(shown)
        if not wanted & {kinds[0].lower(), kinds[-1].lower()} and (
            wanted or kinds[-1] in _PROGRAMS or not members
        ):
            return UNKNOWN
        if names and len(members) == 1:
            members[0].name = names[0]
        locked = [member for member in members if member.locked]
        if locked and not _is_right(taker, locked, password, job):
            return _take_open(taker, members, password, job)
        if not members:
            return DAMAGED if not is_all or any(mark in shown for mark in _ODD) else WHOLE
        went = take_all(
            taker,
            members,
            sink.run(job + "-all", password),
            lambda member: sink.run(job + "-one", password, member.word),
        )
        return went if went != WHOLE or (is_all and b"\nERRORS:" not in shown) else DAMAGED

    return way


def read(shown: bytes) -> tuple[list[bytes], list[Member]]:
    """The types, of an image and then of the file system in it, and the members, in a listing (`l -slt`)."""
    # the last one: the comment of the archive, which stands before it, may have such a line, members' not
    head, mark, body = shown.replace(b"\r\n", b"\n").rpartition(b"\n----------\n")
    if not mark:
        head, body = body, b""
    kinds = [line[7:] for line in head.split(b"\n") if line.startswith(b"Type = ")] or [b""]
    members: list[Member] = []
    for block in body.split(b"\n\n"):
        lines = block.strip(b"\n").split(b"\n")
        name = lines[0][7:] if lines[0].startswith(b"Path = ") else b""  # a stream's may be missing
        if lines[0].startswith(_FIRST) and len(members) < MEMBERS:
            size = next((int(line[7:]) for line in lines if _SIZE.fullmatch(line)), -1)
            if not _is_folder(lines, size):
                members.append(Member(name, size, name, b"Encrypted = +" in lines))
    return kinds, members


def _is_folder(lines: list[bytes], size: int) -> bool:
    """Whether it has no content of its own: what calls itself a folder and has a size is a file to 7zz."""
    if _STREAM in lines:
        return True
    return size <= 0 and any(line == b"Folder = +" or line.startswith(b"Attributes = D") for line in lines)


def _is_right(taker: Taker, locked: list[Member], password: bytes, job: str) -> bool:
    """Whether the password opens the smallest of the locked members."""
    smallest = min(locked, key=lambda member: member.size if member.size > 0 else 1 << 60)
    run = taker.sink.run(job + "-test", password, smallest.word)
    listing(run)
    return run.status == 0


def _take_open(taker: Taker, members: list[Member], password: bytes, job: str) -> str:
    """Take what can be read without a password, the first time."""
    if password:
        return LOCKED
    sink = taker.sink
    for member in members:
        if member.locked:
            taker.locked((member.name,))
    readable = [member for member in members if not member.locked]
    if readable:
        take_all(
            taker,
            readable,
            sink.run(job + "-all", password),
            lambda member: sink.run(job + "-one", password, member.word),
        )
        taker.again()
    return LOCKED
