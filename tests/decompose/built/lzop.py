"""lzop by hand, stored. Source: lzop's own reading of its header."""

import struct
from zlib import adler32

MAGIC = b"\x89LZO\0\r\n\x1a\n"
BLOCK = 1 << 18


def pack(data: bytes, name: bytes = b"") -> bytes:
    head = (
        struct.pack(">HHHBBIIII", 0x1030, 0x2080, 0x0940, 1, 5, 1, 0o100644, 0, 0)
        + bytes((len(name),))
        + name
    )
    packed = MAGIC + head + struct.pack(">I", adler32(head))
    for at in range(0, len(data), BLOCK):
        block = data[at : at + BLOCK]
        packed += struct.pack(">III", len(block), len(block), adler32(block)) + block
    return packed + bytes(4)
