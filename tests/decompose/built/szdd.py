"""Files as COMPRESS.EXE writes them, and KWAJ with some of its methods."""

import struct
import zlib

from built._bits import matches

RING = 4096


def lzss(data: bytes, start: int = RING - 16, literals: bool = False) -> bytes:
    """Items in groups of eight behind their flags."""
    items = [(byte, 0) for byte in data] if literals else matches(data, RING - 18, 18)
    out, at, done = bytearray(), 0, 0
    while at < len(items):
        flags, group = 0, bytearray()
        for bit, (value, back) in enumerate(items[at : at + 8]):
            if back:
                place = (start + done - back) % RING
                group += bytes((place & 0xFF, place >> 4 & 0xF0 | value - 3))
                done += value
            else:
                flags |= 1 << bit
                group.append(value)
                done += 1
        out += bytes((flags,)) + group
        at += 8
    return bytes(out)


def szdd(data: bytes, last: bytes = b"\0", size: int | None = None) -> bytes:
    head = b"SZDD\x88\xf0\x27\x33A" + last + struct.pack("<I", len(data) if size is None else size)
    return head + lzss(data)


def basic(data: bytes) -> bytes:
    return b"SZ \x88\xf0\x27\x33\xd1" + struct.pack("<I", len(data)) + lzss(data, RING - 18)


def kwaj(packed: bytes, method: int, flags: int = 0, fields: bytes = b"") -> bytes:
    head = b"KWAJ\x88\xf0\x27\xd1" + struct.pack("<HHH", method, 14 + len(fields), flags)
    return head + fields + packed


def mszip(data: bytes) -> bytes:
    """Blocks of 32 KiB, each with the one before as its dictionary."""
    out, before = b"", b""
    for at in range(0, len(data), 1 << 15):
        block = data[at : at + (1 << 15)]
        stream = (
            zlib.compressobj(9, zlib.DEFLATED, -15, zdict=before) if before else zlib.compressobj(9, 8, -15)
        )
        packed = b"CK" + stream.compress(block) + stream.flush()
        out += struct.pack("<H", len(packed)) + packed
        before = block
    return out + b"\0\0"


def pack(data: bytes) -> bytes:
    return szdd(data)
