"""Flash movies with nothing in them but files."""

import lzma
import struct
import zlib


def movie(*files: bytes, ended: bool = True) -> bytes:
    """Plain: a header, a tag for each file, the end."""
    body = (
        bytes((0x08,)) + bytes(1) + struct.pack("<HH", 24 << 8, 1)
    )  # a frame of no size, its rate, their number
    for number, data in enumerate(files):
        body += struct.pack("<HIHI", 87 << 6 | 63, len(data) + 6, number + 1, 0) + data
    body += struct.pack("<H", 9 << 6 | 3) + b"abc" + bytes(2 * ended)
    return b"FWS\x0b" + struct.pack("<I", 8 + len(body)) + body


def zlibbed(plain: bytes) -> bytes:
    return b"CWS" + plain[3:8] + zlib.compress(plain[8:])


def lzmaed(plain: bytes) -> bytes:
    packed = lzma.compress(plain[8:], lzma.FORMAT_ALONE)
    return b"ZWS" + plain[3:8] + struct.pack("<I", len(packed) - 13) + packed[:5] + packed[13:]


def pack(data: bytes) -> bytes:
    return movie(data)
