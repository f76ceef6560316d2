"""Encrypted archives: zip's traditional encryption in code, others by 7zz."""

import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import archives


def _crc(value: int, byte: int) -> int:
    return crc32(bytes((byte,)), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def enciphered(data: bytes, word: bytes) -> bytes:
    """The traditional encryption (APPNOTE 6.1): `data` begins with the twelve bytes of the head."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)

    for byte in word:
        update(byte)
    out = bytearray()
    for byte in data:
        mask = keys[2] | 2
        out.append(byte ^ (mask * (mask ^ 1) >> 8 & 0xFF))
        update(byte)
    return bytes(out)


def zipped(*members: tuple[bytes, bytes, bytes]) -> bytes:
    """A zip of these: name, content, password; without one it is open."""
    body, directory = b"", b""
    for name, data, word in members:
        crc, flags, stored = crc32(data), int(bool(word)), data
        if word:
            stored = enciphered(bytes(range(11)) + bytes((crc >> 24,)) + data, word)
        entry = bytearray(archives.central(name, stored, len(body), 0, flags, crc))
        entry[24:28] = len(data).to_bytes(4, "little")
        head = bytearray(archives.local(name, stored, 0, flags, crc))
        head[22:26] = len(data).to_bytes(4, "little")
        directory, body = directory + entry, body + head
    return archives.ended(body, directory, len(members))


@lru_cache
def by_7zz(kind: str, word: str, *options: str, name: str = "secret.txt", data: bytes = b"plain") -> bytes:
    """An archive that 7zz makes of one file."""
    with tempfile.TemporaryDirectory() as folder:
        run = ["7zz", "a", "-t" + kind, "-bd", "-y", "-p" + word, *options, "-si" + name, folder + "/a"]
        subprocess.run(run, input=data, check=True, stdout=subprocess.DEVNULL)
        return next(Path(folder).iterdir()).read_bytes()
