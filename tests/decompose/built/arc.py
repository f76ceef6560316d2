"""ARC archives by hand, with every method but those of PAK."""

import struct

from built._bits import High, Low, crc16, grouped, lzw


def runs(data: bytes) -> bytes:
    """Runs as 0x90 and a count."""
    out, at = bytearray(), 0
    while at < len(data):
        size = 1
        while size < 255 and data[at + size : at + size + 1] == data[at : at + 1]:
            size += 1
        if data[at] == 0x90:
            out += b"\x90\0" * size
        else:
            out += data[at : at + 1] + (bytes((0x90, size)) if size > 2 else data[at : at + 1] * (size - 1))
        at += size
    return bytes(out)


def squeezed(data: bytes) -> bytes:
    """A complete tree over all symbols, as a heap: node n has 2n+1 and 2n+2 below it; 256 nodes, 257 leaves."""
    nodes, bits = b"", Low()
    for child in range(1, 513):
        nodes += struct.pack("<h", child if child < 256 else ~(child - 256))
    for symbol in (*data, 256):
        child, path = symbol + 256, []
        while child:
            path.append(1 - child % 2)
            child = (child - 1) // 2
        for bit in reversed(path):
            bits.put(bit, 1)
    return struct.pack("<H", 256) + nodes + bits.bytes()


class Slots:
    """The table of the first crunching: (slot before, byte) -> slot."""

    def __init__(self, fast: bool) -> None:
        self.fast, self.used, self.next = fast, [False] * 4096, [0] * 4096
        self.found: dict[tuple[int, int], int] = {}
        for byte in range(256):
            self.enter(0xFFFF, byte)

    def enter(self, old: int, byte: int) -> None:
        if all(self.used):
            return
        key = (old + byte) & 0xFFFF
        slot = key * 15073 & 0xFFF if self.fast else (key | 0x800) ** 2 >> 6 & 0xFFF
        if self.used[slot]:
            while self.next[slot]:
                slot = self.next[slot]
            place = (slot + 101) % 4096
            while self.used[place]:
                place = (place + 1) % 4096
            self.next[slot] = slot = place
        self.used[slot] = True
        self.found[old, byte] = slot


def first_crunched(data: bytes, fast: bool = False) -> bytes:
    slots, bits, old = Slots(fast), High(), -1
    for byte in data:
        if old < 0:
            old = slots.found[0xFFFF, byte]
        elif (old, byte) in slots.found:
            old = slots.found[old, byte]
        else:
            bits.put(old, 12)
            slots.enter(old, byte)
            old = slots.found[0xFFFF, byte]
    if old >= 0:
        bits.put(old, 12)
    return bits.bytes()


PACK = {
    1: bytes, 2: bytes, 3: runs,
    4: lambda data: squeezed(runs(data)),
    5: first_crunched,
    6: lambda data: first_crunched(runs(data)),
    7: lambda data: first_crunched(runs(data), True),
    8: lambda data: b"\x0c" + grouped(lzw(runs(data), 257, 4096), 257, 12),
    9: lambda data: grouped(lzw(data, 257, 8192), 257, 13),
}  # fmt: skip
"""By method."""


def arc(
    *files: tuple[bytes, bytes],
    method: int = 2,
    ended: bool = True,
    crc: int | None = None,
    risc: bool = False,
) -> bytes:
    """An archive of these files, as (name, content)."""
    out = b""
    for name, data in files:
        packed = PACK.get(method, bytes)(data)
        out += bytes((0x1A, method | (0x80 if risc else 0))) + name[:12].ljust(13, b"\0")
        out += struct.pack("<IHHH", len(packed), 0x21, 0, crc16(data) if crc is None else crc)
        out += (b"" if method == 1 else struct.pack("<I", len(data))) + bytes(12 * risc) + packed
    return out + b"\x1a\0" * ended


def pack(data: bytes) -> bytes:
    return arc((b"file", data))
