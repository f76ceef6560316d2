"""brotli by hand, in blocks that are not compressed (RFC 7932 9.2). Told by its name alone."""

CALLED = b"file.br"
MOST = 1 << 16


def pack(data: bytes) -> bytes:
    packed = b""
    for at in range(0, len(data), MOST):
        block = data[at : at + MOST]
        bits, shift = (len(block) - 1) << 3 | 1 << 19, int(at == 0)  # a window of 64 KiB is one bit, 0
        packed += (bits << shift).to_bytes(3, "little") + block
    return packed + (b"\3" if data else b"\6")
