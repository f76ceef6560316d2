"""An image of a disc by hand. Source: ECMA-119."""

import struct

SECTOR = 2048


def _both(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little") + number.to_bytes(size, "big")


def record(name: bytes, at: int, size: int, flags: int = 0) -> bytes:
    """A directory's record of an extent that begins with sector `at` (9.1)."""
    fixed = _both(at, 4) + _both(size, 4) + bytes(7) + bytes((flags, 0, 0)) + _both(1, 2)
    rest = bytes((0,)) + fixed + bytes((len(name),)) + name + bytes(1 - len(name) % 2)
    return bytes((len(rest) + 1,)) + rest


def iso(*records: bytes, data: bytes = b"") -> bytes:
    """The records in the root, in sector 20; `data` from sector 21 on."""
    root = record(b"\0", 20, SECTOR, 2)
    folder = root + record(b"\1", 20, SECTOR, 2) + b"".join(records)
    total = 21 + (len(data) + SECTOR - 1) // SECTOR
    volume = b"\1CD001\1\0" + b"".ljust(32) + b"DISC".ljust(32) + bytes(8) + _both(total, 4) + bytes(32)
    volume += _both(1, 2) + _both(1, 2) + _both(SECTOR, 2) + _both(10, 4)
    volume += struct.pack("<II", 18, 0) + struct.pack(">II", 19, 0) + root + b"".ljust(128 * 4 + 37 * 3)
    volume += (b"0" * 16 + b"\0") * 4 + b"\1\0"
    path = struct.pack("<BBIH", 1, 0, 20, 1) + bytes(2), struct.pack(">BBIH", 1, 0, 20, 1) + bytes(2)
    sectors = [volume, b"\xffCD001\1", *path, folder]
    return (bytes(16 * SECTOR) + b"".join(one.ljust(SECTOR, b"\0") for one in sectors) + data).ljust(
        total * SECTOR, b"\0"
    )


def pack(data: bytes) -> bytes:
    return iso(record(b"FILE.;1", 21, len(data)), data=data)
