"""OneNote sections by hand: the header, property sets with names, stores with files."""

import struct
import uuid

ONE = uuid.UUID("7B5C52E4-D88C-4DA7-AEB1-5378D02996D3").bytes_le
FORMAT = uuid.UUID("109ADD3F-911B-49F5-A5D0-1791EDC8AED8").bytes_le
PACKAGE = uuid.UUID("638DE92F-A6D4-4BC1-9A36-B3FC2511A5B7").bytes_le
STORE = uuid.UUID("BDE316E7-2665-4511-A4C4-8D4D0B7A9EAC").bytes_le
STORE_END = uuid.UUID("71FBA722-0F79-4A0B-BB13-899256426B24").bytes_le


def header(form: bytes = FORMAT) -> bytes:
    return (ONE + bytes(32) + form).ljust(1024, b"\0")


def store(data: bytes, size: int | None = None) -> bytes:
    """A FileDataStoreObject."""
    length = len(data) if size is None else size
    return STORE + struct.pack("<Q", length) + bytes(12) + data + bytes(-len(data) % 8) + STORE_END


def named(name: str) -> bytes:
    """A property set with the name of an embedded file among others."""
    wide = name.encode("utf-16-le")
    ids = struct.pack("<5I", 0x14001D7A, 0x1C001CF3, 0x08001C00, 0x1C001D9C, 0x20001D63)
    values = b"time" + struct.pack("<I", 6) + b"t\0x\0t\0" + struct.pack("<I", len(wide)) + wide
    return struct.pack("<H", 5) + ids + values


def pack(data: bytes) -> bytes:
    return header() + named("file") + store(data)
