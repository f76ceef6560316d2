"""lha by hand, stored: headers of level 0. Source: the header document of LHa for UNIX."""

import struct


def crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


def _table() -> list[int]:
    return [crc16(bytes((byte,))) for byte in range(256)]


_TABLE = _table()


def _crc(data: bytes) -> int:
    if not data.strip(b"\0"):
        return 0
    value = 0
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 255]
    return value


def member(name: bytes, data: bytes, method: bytes = b"-lh0-", size: int | None = None) -> bytes:
    told = len(data) if size is None else size
    head = method + struct.pack("<IIIBB", len(data), told, 0x21 << 16, 0x20, 0)
    head += bytes((len(name),)) + name + struct.pack("<H", _crc(data))
    return bytes((len(head), sum(head) & 255)) + head + data


def lha(*members: bytes) -> bytes:
    return b"".join(members) + b"\0"


def pack(data: bytes) -> bytes:
    return lha(member(b"file", data))
