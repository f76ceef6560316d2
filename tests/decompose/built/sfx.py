"""Programs that hold files: a small one to put in front, and what InstallShield appends."""

import itertools
import struct
import zlib

MASK = b"\x13\x35\x86\x07"


def program(code: bytes = b"\xc3" * 512, appended: bytes = b"") -> bytes:
    """A program for Windows, as far as its headers go: one section, then what is appended."""
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    headers = b"PE\0\0" + struct.pack("<HHIIIHH", 0x14C, 1, 0, 0, 0, 0, 0x102)
    section = b".text\0\0\0" + struct.pack("<IIIIIIHHI", len(code), 4096, len(code), 512, 0, 0, 0, 0, 0)
    return (dos + headers + section).ljust(512, b"\0") + code + appended


def elf(code: bytes = b"\xc3" * 512, appended: bytes = b"") -> bytes:
    """The same for Linux: one segment."""
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    head = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    size = 120 + len(code)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096) + code + appended


def coded(data: bytes, key: bytes, block: int) -> bytes:
    """The bytes as InstallShield hides them, the key begun anew with each block."""
    masked = bytes(byte ^ mask for byte, mask in zip(key, itertools.cycle(MASK), strict=False))
    hidden = []
    for at in range(0, len(data), block):
        for byte, mask in zip(data[at : at + block], itertools.cycle(masked), strict=False):
            plain = mask ^ ~byte & 255
            hidden.append((plain << 4 | plain >> 4) & 255)
    return bytes(hidden)


def entry(name: bytes, data: bytes, flags: int = 6, packed: int = 1, size: int | None = None) -> bytes:
    stored = zlib.compress(data) if packed else data
    block = 1024 if flags & 4 else max(1, len(stored))
    hidden = coded(stored, name, block) if flags & 6 else stored
    length = len(hidden) if size is None else size
    return name.ljust(260, b"\0") + struct.pack("<IIIQH30x", flags, 0, length, 0, packed) + hidden


def installed(*entries: bytes, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    return b"InstallShield\0" + struct.pack("<H30x", number) + b"".join(entries)


def streamed(name: str, data: bytes, kind: int = 1) -> bytes:
    """What newer versions append."""
    hidden = coded(zlib.compress(data), name.encode(), 1024)
    wide = name.encode("utf-16-le")
    fixed = struct.pack("<IIHIQH", len(wide), 6, 0, len(hidden), 0, 1)
    head = b"ISSetupStream\0" + struct.pack("<HI26x", 1, kind)
    return head + fixed + bytes(24 if kind == 4 else 0) + wide + hidden


def pack(data: bytes) -> bytes:
    return program(appended=installed(entry(b"file", data)))
