"""Cabinets by hand, stored. Source: Microsoft Cabinet Format, [MS-CAB] 2."""

import struct

BLOCK = 32768


def check(data: bytes, seed: int = 0) -> int:
    """The checksum of [MS-CAB] 3.1."""
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        seed ^= word
    return seed ^ int.from_bytes(data[whole:], "big")


def block(data: bytes) -> bytes:
    sizes = struct.pack("<HH", len(data), len(data))
    return struct.pack("<I", check(sizes, check(data))) + sizes + data


def cab(
    *members: tuple[bytes, bytes], blocks: int | None = None, at: int | None = None, method: int = 0
) -> bytes:
    """A cabinet of these files in one folder; `blocks` and `at` are what the folder says in place of the truth."""
    files, content = b"", b""
    for name, data in members:
        files += struct.pack("<IIHHHH", len(data), len(content), 0, 0x21, 0, 0x20) + name + b"\0"
        content += data
    body = b"".join(block(content[start : start + BLOCK]) for start in range(0, len(content), BLOCK))
    count = (len(content) + BLOCK - 1) // BLOCK if blocks is None else blocks
    start = 44 + len(files)
    head = struct.pack("<4s5I2B5H", b"MSCF", 0, start + len(body), 0, 44, 0, 3, 1, 1, len(members), 0, 0, 0)
    return head + struct.pack("<IHH", start if at is None else at, count, method) + files + body


def pack(data: bytes) -> bytes:
    return cab((b"file", data))
