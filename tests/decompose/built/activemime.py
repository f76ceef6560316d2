"""ActiveMime files."""

import zlib


def pack(data: bytes, header: int = 0x32) -> bytes:
    """The data packed behind a header of that size."""
    head = b"ActiveMime\0\0\1\xf0\4\0\0\0\xff\xff\xff\xff\0\0\7\xf0"
    return head.ljust(header, b"\0") + zlib.compress(data)
