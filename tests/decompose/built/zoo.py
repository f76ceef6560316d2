"""ZOO archives by hand."""

import struct

from built._bits import crc16, in_a_row, lh5, lzw

TAG = b"\xdc\xa7\xc4\xfd"
FIXED = 34
LONG = 56


def crunched(data: bytes, clear: int = 0) -> bytes:
    return in_a_row([256, *lzw(data, 258, 8192, clear), 257], 258, 13)


PACK = (bytes, crunched, lh5)
"""By method."""


def zoo(
    *files: tuple[bytes, bytes], method: int = 0, long: bool = True, deleted: bool = False, last: bool = True
) -> bytes:
    """An archive of these files, as (name, content); `last` is the empty entry that ends it."""
    out = (
        b"ZOO 2.10 Archive.\x1a\0\0" + TAG + struct.pack("<IIBBBIHB", 42, -42 & 0xFFFFFFFF, 2, 0, 1, 0, 0, 1)
    )
    out = out[:24] + struct.pack("<II", len(out), -len(out) & 0xFFFFFFFF) + out[32:]
    for name, data in files:
        packed = PACK[method](data)
        more = bytes((len(name) + 1, 0)) + name + b"\0" if long else b""
        start = len(out) + LONG + len(more)
        short = (b"~SHORT.X" if long else name)[:12].ljust(13, b"\0")
        out += TAG + struct.pack("<BBIIHHHIIBBBBIH", 2 if long else 1, method, start + len(packed), start, 0, 0,
                                 crc16(data), len(data), len(packed), 2, 0, deleted, 0, 0, 0) + short  # fmt: skip
        out += struct.pack("<HBH", len(more), 127, 0) + more + packed
    return out + (TAG + bytes((2,)) + bytes(LONG - 5) if last else b"")


def pack(data: bytes) -> bytes:
    return zoo((b"file", data))
