"""ACE archives by hand, of stored members."""

import struct
import zlib


def header(body: bytes) -> bytes:
    return struct.pack("<HH", ~zlib.crc32(body) & 0xFFFF, len(body)) + body


def member(name: bytes, data: bytes, flags: int = 0, size: int | None = None, method: int = 0) -> bytes:
    number = len(data) if size is None else size
    head = struct.pack("<BHIIIII", 1, 1 | flags, len(data), number, 0, 0x20, ~zlib.crc32(data) & 0xFFFFFFFF)
    return header(head + struct.pack("<BBHHH", method, 3, 5, 0, len(name)) + name) + data


def ace(*members: bytes, flags: int = 0) -> bytes:
    main = struct.pack("<BH", 0, flags) + b"**ACE**" + struct.pack("<BBBBI8x", 20, 20, 2, 0, 0)
    return header(main) + b"".join(members)


def pack(data: bytes) -> bytes:
    return ace(member(b"file", data))
