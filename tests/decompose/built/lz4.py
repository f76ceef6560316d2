"""lz4 by hand: the legacy format, all literals. Source: lz4's documents on blocks and frames."""

MAGIC, FRAME = b"\x02\x21\x4c\x18", b"\x04\x22\x4d\x18"
MOST = 8 << 20


def literals(data: bytes) -> bytes:
    """One block."""
    size = len(data)
    if size < 15:
        return bytes((size << 4,)) + data
    return b"\xf0" + b"\xff" * ((size - 15) // 255) + bytes(((size - 15) % 255,)) + data


def pack(data: bytes) -> bytes:
    packed = MAGIC
    for at in range(0, len(data), MOST):
        block = literals(data[at : at + MOST])
        packed += len(block).to_bytes(4, "little") + block
    return packed


def framed(data: bytes) -> bytes:
    """The newer format, in blocks that are not compressed."""
    packed = FRAME + b"\x60\x40\x82"  # independent blocks of 64 KiB, no checksums
    for at in range(0, len(data), 1 << 16):
        block = data[at : at + (1 << 16)]
        packed += (len(block) | 1 << 31).to_bytes(4, "little") + block
    return packed + bytes(4)
