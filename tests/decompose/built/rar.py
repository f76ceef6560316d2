"""RAR by hand, stored: version 5, and 4 by rar4(). Source: technotes of RAR."""

import struct
from zlib import crc32

MAGIC5, MAGIC4 = b"Rar!\x1a\7\1\0", b"Rar!\x1a\7\0"


def number(value: int) -> bytes:
    """A vint."""
    packed = b""
    while value > 127:
        packed += bytes((value & 127 | 128,))
        value >>= 7
    return packed + bytes((value,))


def block5(kind: int, flags: int, fields: bytes, data: bytes = b"") -> bytes:
    body = number(kind) + number(flags) + (number(len(data)) if flags & 2 else b"") + fields
    body = number(len(body)) + body
    return struct.pack("<I", crc32(body)) + body + data


def file5(
    name: bytes, data: bytes, flags: int = 2, crc: int | None = None, size: int | None = None, system: int = 1
) -> bytes:
    told = number(len(data) if size is None else size)
    check = struct.pack("<I", crc32(data) if crc is None else crc)
    fields = number(4) + told + number(0o100644) + check + number(0) + number(system)
    return block5(2, flags, fields + number(len(name)) + name, data)


def rar5(*files: bytes, volume: int | None = None, more: bool = False) -> bytes:
    """An archive of these files; `volume` counts from 0, `more`: another one follows."""
    flags = (
        number(0) if volume is None else number(1 | 2 * bool(volume)) + (number(volume) if volume else b"")
    )
    return MAGIC5 + block5(1, 0, flags) + b"".join(files) + block5(5, 0, number(int(more)))


def block4(kind: int, flags: int, fields: bytes, data: bytes = b"") -> bytes:
    body = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", crc32(body) & 0xFFFF) + body + data


def file4(
    name: bytes,
    data: bytes,
    flags: int = 0,
    crc: int | None = None,
    size: int | None = None,
    mode: int = 0o100644,
) -> bytes:
    told, check = len(data) if size is None else size, crc32(data) if crc is None else crc
    fields = struct.pack("<IIBIIBBHI", len(data), told, 3, check, 0x21 << 16, 29, 0x30, len(name), mode)
    return block4(0x74, flags | 0x8000, fields + name, data)


def rar4(*files: bytes, flags: int = 0, end: int = 0) -> bytes:
    return MAGIC4 + block4(0x73, flags, bytes(6)) + b"".join(files) + block4(0x7B, 0x4000 | end, b"")


def pack(data: bytes) -> bytes:
    return rar5(file5(b"file", data))
