"""Ordinary tar archives, read here: loading libarchive costs more than all the rest of such a mail.

Ordinary is what all tars write and all readers read alike (pax(1), "ustar Interchange Format" and "pax Header
Block"; GNU tar's manual, "Basic Tar Format"): every header has the magic and its checksum, all numbers are
octal, what is neither a file nor a link to one has no content, pax headers tell names and times alone, each
once, and behind the end there are zeros. For anything else members() says None before it gave anything, and
a library decides.
"""

from amavis_pipe.decompose.streams import STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.spool import View

    Member = tuple[bytes, int, int]
    """Its name, where its content begins, and how long it is."""

BLOCK = 512
ZERO = bytes(BLOCK)
POSIX, GNU = b"ustar\x0000", b"ustar  \0"
FILE = (b"0", b"\0")
WITHOUT_CONTENT = (b"2", b"3", b"4", b"5", b"6")
"""Symbolic links, devices, folders, pipes. A hard link is a file by another name."""
LONG_NAME, EXTENDED = b"L", b"x"
NAME_MAX = 4096
"""Bytes of a name, or of a pax header."""
NUMBERS = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
"""Mode, owner, group, time, device: nothing to us, but libraries want numbers there."""
HARMLESS = (b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname", b"comment", b"path")
"""Keywords of pax headers that change nothing about a content."""


def members(view: "View", most: int, tick: "Callable[[], None]") -> "list[Member] | None":
    """The files of an ordinary archive, at most so many, in order; None if it is none, or has more.

    `tick` is called for each header.
    """
    found: list[Member] = []
    at, given, size = 0, b"", len(view)
    while at + BLOCK <= size:
        tick()
        head = view[at : at + BLOCK]
        at += BLOCK
        if head == ZERO:
            return found if found and not given and _is_zero(view, at) else None
        length, kind = _octal(head[124:136]), head[156:157]
        if length < 0 or at + length > size or not _is_sound(head):
            break
        if kind in (LONG_NAME, EXTENDED):
            given = _told(kind, view[at : at + length]) if not given and 0 < length <= NAME_MAX else b""
            if not given:
                break
        else:
            own = _name(head)
            name, given = given if given.strip(b"\0") else own, b""
            # by its own name, too, it must be no folder: some skip no content behind one
            if (
                kind in FILE
                and name
                and not (name.endswith(b"/") or own.endswith(b"/"))
                and len(found) < most
            ):
                found.append((name, at, length))
            elif kind not in WITHOUT_CONTENT or length:
                break
        at += -(-length // BLOCK) * BLOCK
    return None


def content(view: "View", start: int, length: int) -> "Iterator[bytes]":
    """The bytes of a member, a piece at a time."""
    for at in range(start, start + length, STEP):
        yield view[at : min(at + STEP, start + length)]


def _is_sound(head: bytes) -> bool:
    """Whether a header has its magic and its checksum, and nothing where dialects differ."""
    magic = head[257:265]
    if magic == GNU:
        if head[345:].strip(b"\0"):
            return False
    elif magic != POSIX or head[500:].strip(b"\0"):
        return False
    for start, end in NUMBERS:
        if head[start:end].strip(b"\0") and _octal(head[start:end]) < 0:
            return False
    return sum(head) - sum(head[148:156]) + 8 * 32 == _octal(head[148:156])


def _octal(field: bytes) -> int:
    """The number in a field that ends with NUL or blank, or -1."""
    digits = field.rstrip(b"\0 ").lstrip(b" ")
    if not digits or len(digits) == len(field) or digits.strip(b"01234567"):
        return -1
    return int(digits, 8)


def _name(head: bytes) -> bytes:
    """The name in a header: with its prefix, where POSIX has one."""
    name, prefix = head[:100].partition(b"\0")[0], b""
    if head[257:265] == POSIX:
        prefix = head[345:500].partition(b"\0")[0]
    return prefix + b"/" + name if prefix and name else name


def _told(kind: bytes, data: bytes) -> bytes:
    """The name that an extension gives the next member, NUL if it gives none; b"" if it is not ordinary."""
    if kind == LONG_NAME:
        name, end, rest = data.partition(b"\0")
        return b"" if not end or rest.strip(b"\0") else name
    name = b"\0"
    seen: set[bytes] = set()
    while data:
        length, blank, _ = data.partition(b" ")
        if not blank or not 0 < len(length) < 5 or length.strip(b"0123456789"):
            return b""
        if not len(length) + 2 <= int(length) <= len(data):
            return b""
        record, data = data[len(length) + 1 : int(length)], data[int(length) :]
        keyword, equals, value = record.partition(b"=")
        # of NULs, and of what comes twice, readers make different things
        if not equals or value[-1:] != b"\n" or b"\0" in value or keyword in seen or keyword not in HARMLESS:
            return b""
        seen.add(keyword)
        if keyword == b"path":
            name = value[:-1]
            if not name or not _is_utf8(name):
                return b""
    return name


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_zero(view: "View", start: int) -> bool:
    return not any(view[at : at + STEP].strip(b"\0") for at in range(start, len(view), STEP))
