"""lzip by hand: a header, LZMA, a trailer."""

import lzma
import struct
import zlib


def member(data: bytes, code: int = 23, version: int = 1) -> bytes:
    """One member; `code` is the size of the dictionary."""
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}]
    alone = lzma.compress(data, lzma.FORMAT_ALONE, filters=filters)  # only this one has the mark of the end
    packed = b"LZIP" + bytes((version, code)) + alone[13:] + struct.pack("<IQ", zlib.crc32(data), len(data))
    return packed + struct.pack("<Q", len(packed) + 8) if version else packed


def pack(data: bytes) -> bytes:
    return member(data)
