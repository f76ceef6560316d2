"""A small FAT file system (FAT12) by hand, which the same decoder opens. Source: Microsoft's fatgen103, 3 to 6."""

import struct

SECTOR, ENTRIES = 512, 512


def fat(name: bytes, data: bytes) -> bytes:
    """One file; `name` in eight and three characters."""
    per = 1
    while len(data) > 4000 * per * SECTOR:
        per *= 2
    cluster = per * SECTOR
    used = (len(data) + cluster - 1) // cluster
    table = [0xFF8, 0xFFF, *range(3, used + 2), *([0xFFF] if used else [])]
    table += [0] * ((used + 8) - len(table))
    packed = b"".join(
        (low | high << 12).to_bytes(3, "little")
        for low, high in zip(table[::2], [*table[1::2], 0], strict=False)
    )
    sectors = (len(packed) + SECTOR - 1) // SECTOR
    total = 1 + 2 * sectors + ENTRIES * 32 // SECTOR + (used + 4) * per
    boot = b"\xeb\x3c\x90MSDOS5.0" + struct.pack(
        "<HBHBHHBHHHIIBBBI", SECTOR, per, 1, 2, ENTRIES, 0, 0xF8, sectors, 1, 1, 0, total, 128, 0, 0x29, 1
    )
    boot = (boot + b"NO NAME    FAT12   ").ljust(510, b"\0") + b"\x55\xaa"
    entry = name.ljust(11) + struct.pack("<B14xHI", 0x20, 2 if used else 0, len(data))
    area = packed.ljust(sectors * SECTOR, b"\0")
    image = boot + area + area + entry.ljust(ENTRIES * 32, b"\0") + data
    return image.ljust(total * SECTOR, b"\0")


def pack(data: bytes) -> bytes:
    return fat(b"FILE", data)
