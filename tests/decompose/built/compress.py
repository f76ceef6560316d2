"""Files as compress writes them."""

from built._bits import grouped, lzw


def compressed(data: bytes, widest: int = 16, blocks: bool = True, clear: int = 0) -> bytes:
    first = 257 if blocks else 256
    codes = lzw(data, first, 1 << widest, clear)
    return b"\x1f\x9d" + bytes((widest | (0x80 if blocks else 0),)) + grouped(codes, first, widest)


def pack(data: bytes) -> bytes:
    return compressed(data)
