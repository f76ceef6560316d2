"""One member of a zip as a zip of its own, for libarchive to read; and what is done if it can't.

Whatever else says of a member what it is, such as its name, its attributes, and its like in the directory,
makes readers leave it out or take another for it: here it has none of that, and can't be confused.
"""

from itertools import chain
from struct import pack
from zlib import crc32

from amavis_pipe.decompose.api import CHUNK, LIBARCHIVE, Broken
from amavis_pipe.digest import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.formats.zip import Header
    from amavis_pipe.model import Part
    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

LARGEST = 48 << 20
"""Bytes of a member that are copied at most: a larger one can't be read this way."""
_AES = 0x9901
_ENCRYPTED, _DESCRIBED = 1 << 0, 1 << 3
_VERSION, _NAME = 63, b"member"


class Member:
    """What the headers of a member, the local one last, say of it together.

    body    where the content begins, of `packed` bytes, or of `size` unpacked
    check   the byte that tells wrong passwords, if it isn't of `crc`
    doubted  whether only one header calls it encrypted
    """

    __slots__ = ("body", "check", "crc", "doubted", "extra", "flags", "methods", "names", "packed", "size")

    def __init__(self, headers: "list[Header]", names: tuple[bytes, ...], method: int = -1) -> None:
        """Of an encrypted member, or of one that is not, if a method is given to read it by."""
        local = headers[-1]
        locked = [header for header in headers if header.flags & _ENCRYPTED and method < 0]
        self.body, self.check, self.names = local.body, local.check, names
        self.packed = max(header.packed for header in headers)
        self.size = max(header.size for header in headers)
        self.crc = (locked or headers)[0].crc
        self.flags = local.flags & ~_ENCRYPTED | bool(locked)
        self.extra = next((one.extra for one in reversed(headers) if _AES in one.extra), local.extra)
        self.methods = [*dict.fromkeys(one.method for one in reversed(headers))] if method < 0 else [method]
        self.doubted = 0 < len(locked) < len(headers)


def add_rare(blob: "Blob", sink: "Sink", members: list[Member]) -> None:
    """Add these members, whose methods are not the own reader's; `undecoded:zip` if one doesn't come out."""
    left = [member for member in members if not _is_taken(blob.view(), sink, member)]
    if not left:
        return
    from amavis_pipe.decompose.seven_zip import by_7zz
    from amavis_pipe.decompose.unar import by_unar
    from amavis_pipe.decompose.ways import open_by

    before = len(sink.walk.parts)
    try:
        open_by(blob, sink, "zip", by_7zz("zip"), by_unar, again=True)
    except Broken:
        sink.unchecked("undecoded:zip")
        return
    new = [part for part in sink.walk.parts[before:] if part.path.rpartition(".")[0] == sink.path]
    if not _are_all(blob.view(), left, new):
        sink.unchecked("undecoded:zip")


def _is_taken(view: "View", sink: "Sink", member: Member) -> bool:
    sink.tick()
    try:
        chunks = content(view, member, member.methods[0])
        sink.add(chain((next(chunks),), chunks), member.names)
    except Broken:
        return False
    return True


def _are_all(view: "View", members: list[Member], parts: "list[Part]") -> bool:
    """Whether each of the members is among the parts, by size and checksum.

    Two that tell the same of themselves have to be the same: else one hides behind the other.
    """
    found = {
        (part.size, _crc(part.blob))
        for part in parts
        if part.blob is not None and any(part.size == member.size for member in members)
    }
    stored: dict[tuple[int, int], str] = {}
    for member in members:
        own = (member.size, member.crc)
        end = min(member.body + member.packed, len(view))
        steps = (view[at : min(at + CHUNK, end)] for at in range(member.body, end, CHUNK))
        body = sha256_of(steps, member.packed)
        if own not in found or stored.setdefault(own, body) != body:
            return False
    return True


def _crc(blob: "Blob") -> int:
    crc = 0
    for chunk in blob.chunks():
        crc = crc32(chunk, crc)
    return crc


def content(view: "View", member: Member, method: int, password: bytes = b"") -> "Iterator[bytes]":
    """What is in the member, read by `method`: at least one chunk, which may be empty.

    Broken where it is damaged, the method unknown, or the password wrong: before the first chunk, or later.
    """
    from amavis_pipe.decompose import libarchive

    path = LIBARCHIVE.path()
    if not path or not 0 <= member.packed <= LARGEST:
        raise Broken("not to be read alone")
    alone = archive(view, member, method)
    for _, chunks in libarchive.members(libarchive.library(path), alone, ("zip",), password=password):
        yield next(chunks, b"")
        yield from chunks
        return
    raise Broken("no member")


def archive(view: "View", member: Member, method: int) -> bytes:
    """The zip: a local header as it was but for name and sizes, the content, a directory of one entry."""
    aes = member.extra.get(_AES, b"")
    extra = pack("<HH", _AES, len(aes)) + aes if aes else b""
    sizes = [min(number, 0xFFFFFFFF) for number in (member.crc, member.packed, member.size)]
    # the time is that of the original: a byte of it may tell wrong passwords
    time = b"\0" + member.check + b"\0\0"
    fixed = pack("<HH", member.flags, method) + time + pack("<3I2H", *sizes, len(_NAME), len(extra))
    local = b"PK\3\4" + pack("<H", _VERSION) + fixed + _NAME + extra
    body = view[member.body : member.body + member.packed]
    told = b"PK\7\x08" + pack("<3I", *sizes) if member.flags & _DESCRIBED else b""
    entry = b"PK\1\2" + pack("<2H", _VERSION & 0xFF, _VERSION) + fixed + bytes(14) + _NAME + extra
    place = len(local) + len(body) + len(told)
    end = b"PK\5\6" + pack("<4H2IH", 0, 0, 1, 1, len(entry), place, 0)
    return b"".join((local, body, told, entry, end))
