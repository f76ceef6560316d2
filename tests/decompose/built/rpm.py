"""rpm by hand: lead, two empty headers, a cpio archive that is not compressed. Source: rpm's format manual."""

import struct

from built import cpio


def header(*tags: tuple[int, bytes]) -> bytes:
    """A header structure of strings."""
    index, store = b"", b""
    for tag, text in tags:
        index += struct.pack(">4I", tag, 6, len(store), 1)
        store += text + b"\0"
    return b"\x8e\xad\xe8\1\0\0\0\0" + struct.pack(">II", len(tags), len(store)) + index + store


def rpm(payload: bytes) -> bytes:
    lead = struct.pack(">4sBBHH66sHH16x", b"\xed\xab\xee\xdb", 3, 0, 0, 1, b"file-1-1", 1, 5)
    signature = header((1000, b"file"))
    body = header((1000, b"file"), (1124, b"cpio"), (1125, b"none"))
    return lead + signature + bytes(-len(signature) % 8) + body + payload


def pack(data: bytes) -> bytes:
    return rpm(cpio.pack(data))
