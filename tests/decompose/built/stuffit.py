"""StuffIt by hand, stored. Source: The Unarchiver's wiki on the format of StuffIt."""

import struct

from built.lha import _crc


def entry(name: bytes, data: bytes) -> bytes:
    head = struct.pack(">BBB63s4s4sHII", 0, 0, len(name), name, b"TEXT", b"ttxt", 0, 0, 0)
    head += struct.pack(">IIIIHH6x", 0, len(data), 0, len(data), 0, _crc(data))
    return head + struct.pack(">H", _crc(head)) + data


def sit(*entries: bytes) -> bytes:
    body = b"".join(entries)
    return struct.pack(">4sHI4sB7x", b"SIT!", len(entries), 22 + len(body), b"rLau", 1) + body


def pack(data: bytes) -> bytes:
    return sit(entry(b"file", data))
