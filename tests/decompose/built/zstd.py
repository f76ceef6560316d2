"""zstd by hand, in blocks that are not compressed (RFC 8878 3.1.1)."""

MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK = 1 << 17
HEAD = MAGIC + b"\0\x38"  # a window of one block, nothing told of the size


def block(kind: int, size: int, last: bool = False) -> bytes:
    return (size << 3 | kind << 1 | last).to_bytes(3, "little")


def zeros(size: int) -> bytes:
    """A frame that gives that many, each block in four bytes."""
    count = (size + BLOCK - 1) // BLOCK
    blocks = (block(1, BLOCK) + b"\0") * (count - 1)
    return HEAD + blocks + block(1, size - BLOCK * (count - 1), True) + b"\0"


def pack(data: bytes) -> bytes:
    packed = HEAD
    for at in range(0, len(data) or 1, BLOCK):
        piece = data[at : at + BLOCK]
        packed += block(0, len(piece), at + BLOCK >= len(data)) + piece
    return packed
