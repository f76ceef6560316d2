"""ALZ archives by hand."""

import struct
import zlib


def alz(
    *files: tuple[bytes, bytes], method: int = 2, flags: int = 0, wide: int = 4, size: int | None = None
) -> bytes:
    """An archive of these files, as (name, content), with sizes of `wide` bytes."""
    out = b"ALZ\1\x0a\0\0\0"
    for name, data in files:
        stream = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = stream.compress(data) + stream.flush() if method == 2 else data
        out += b"BLZ\1" + struct.pack("<HBIBB", len(name), 0x20, 0, wide << 4 | flags, 0)
        out += struct.pack("<BBI", method, 0, zlib.crc32(data))
        for number in (len(packed) if size is None else size, len(data)):
            out += number.to_bytes(wide, "little")
        out += name + (bytes(12) if flags & 1 else b"") + packed
    return out + b"CLZ\1" + bytes(8) + b"CLZ\2"


def pack(data: bytes) -> bytes:
    return alz((b"file", data))
