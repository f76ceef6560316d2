"""LZMA alone."""

import lzma


def pack(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE)
