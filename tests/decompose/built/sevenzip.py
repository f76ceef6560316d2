"""7z by hand, stored. Source: 7zFormat.txt of the LZMA SDK."""

import struct
from zlib import crc32

MAGIC = b"7z\xbc\xaf\x27\x1c\0\4"


def number(value: int) -> bytes:
    """A NUMBER: how many bytes follow is told by the first."""
    for extra in range(8):
        if value < 1 << (7 * (extra + 1)):
            first = (0xFF00 >> extra & 0xFF) | value >> (8 * extra)
            return bytes((first,)) + (value & (1 << (8 * extra)) - 1).to_bytes(extra, "little")
    return b"\xff" + value.to_bytes(8, "little")


def _word(value: int) -> bytes:
    return struct.pack("<I", value)


COPY = b"\1\0"


def seven(
    *members: tuple[str, bytes],
    coder: bytes = COPY,
    packed: bytes | None = None,
    attributes: tuple[int, ...] = (),
) -> bytes:
    """An archive of these files, in one folder without compression; empty ones have no stream.

    `coder` is another method, of which `packed` is the output; `attributes` are those of all files.
    """
    full = [data for _, data in members if data]
    content = b"".join(full)
    streams = b""
    if full:
        streams = b"\4" + b"\6\0\1\x09" + number(len(content if packed is None else packed)) + b"\0"
        streams += b"\7\x0b\1\0\1" + coder + b"\x0c" + number(len(content)) + b"\0"
        several = b"\x0d" + number(len(full)) if len(full) > 1 else b""
        sizes = b"\x09" + b"".join(number(len(data)) for data in full[:-1]) if len(full) > 1 else b""
        checks = b"\x0a\1" + b"".join(_word(crc32(data)) for data in full)
        streams += b"\x08" + several + sizes + checks + b"\0" + b"\0"
    files = b"\5" + number(len(members))
    if len(full) < len(members):
        bits = "".join("01"[not data] for _, data in members)
        empty = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
        count = len(members) - len(full)
        files += b"\x0e" + number(len(empty)) + empty
        flags = (((1 << count) - 1) << (-count % 8)).to_bytes(-(-count // 8), "big")
        files += b"\x0f" + number(len(flags)) + flags
    names = b"\0" + b"".join((name + "\0").encode("utf-16-le", "surrogatepass") for name, _ in members)
    files += b"\x11" + number(len(names)) + names
    if attributes:
        words = b"\1\0" + b"".join(map(_word, attributes))
        files += b"\x15" + number(len(words)) + words
    files += b"\0"
    head = b"\1" + streams + files + b"\0"
    body = content if packed is None else packed
    start = struct.pack("<QQI", len(body), len(head), crc32(head))
    return MAGIC + _word(crc32(start)) + start + body + head


def pack(data: bytes) -> bytes:
    return seven(("file", data))
