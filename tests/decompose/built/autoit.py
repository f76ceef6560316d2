"""Compiled scripts of AutoIt, with nothing but literals in them."""

import struct

from amavis_pipe.decompose import autoit

MAGIC = bytes.fromhex("a3484bbe986c4aa9994c530a86d6487d")
OLD, NEW = autoit._KINDS[b"AU3!EA05"], autoit._KINDS[b"AU3!EA06"]


def masked(data: bytes, kind: autoit._Kind, key: int) -> bytes:
    return bytes(byte ^ mask for byte, mask in zip(data, kind.cipher(key), strict=False))


def squeezed(data: bytes, kind: autoit._Kind, copies: str = "", size: int | None = None) -> bytes:
    """As literals; `copies` are bits to put behind them."""
    bits = "".join(f"{kind.literal}{byte:08b}" for byte in data) + copies
    bits += "0" * (-len(bits) % 8)
    head = b"EA05" if kind is OLD else b"EA06"
    return (
        head
        + struct.pack(">I", len(data) if size is None else size)
        + bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    )


def entry(kind: autoit._Kind, source: str, stored: bytes, packed: int = 1, salt: int = 0) -> bytes:
    out = kind.file
    for key in (0, 2):
        raw = source.encode("utf-16-le" if kind is NEW else "latin-1")
        size = len(source)
        out += struct.pack("<I", size ^ kind.keys[key]) + masked(raw, kind, size + kind.keys[key + 1])
    sizes = [len(stored) ^ kind.keys[4], len(stored) ^ kind.keys[4], 0]
    out += bytes([packed]) + struct.pack("<III", *sizes) + bytes(16)
    return out + masked(stored, kind, kind.keys[5] + salt)


def script(kind: autoit._Kind, *entries: bytes) -> bytes:
    return MAGIC + (b"AU3!EA05" if kind is OLD else b"AU3!EA06") + bytes(16) + b"".join(entries) + b"end."


def pack(data: bytes) -> bytes:
    return script(OLD, entry(OLD, "file", data, 0))
