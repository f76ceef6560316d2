"""arj by hand, stored. Source: the technical note that comes with arj."""

import struct
from zlib import crc32

MAGIC = b"\x60\xea"


def header(basic: bytes, name: bytes) -> bytes:
    head = bytes((len(basic) + 1,)) + basic + name + b"\0\0"
    return MAGIC + struct.pack("<H", len(head)) + head + struct.pack("<IH", crc32(head), 0)


def member(name: bytes, data: bytes, flags: int = 0x10, kind: int = 0, size: int | None = None) -> bytes:
    """One file; `kind` 3 is a folder."""
    told = len(data) if size is None else size
    basic = struct.pack("<7BIIIIHHH", 3, 1, 0, flags, 0, kind, 0, 0, len(data), told, crc32(data), 0, 0, 0)
    return header(basic, name) + data


def arj(*members: bytes) -> bytes:
    main = struct.pack("<7BIIIIHH2x", 3, 1, 0, 0x10, 0, 2, 0, 0, 0, 0, 0, 0, 0)
    return header(main, b"a.arj") + b"".join(members) + MAGIC + b"\0\0"


def pack(data: bytes) -> bytes:
    return arj(member(b"file", data))
