"""ar by hand. Source: ar(5)."""


def ar(*members: tuple[bytes, bytes]) -> bytes:
    """An archive of these files: name as it stands in the header, content."""
    packed = b"!<arch>\n"
    for name, data in members:
        packed += b"%-16s%-12d%-6d%-6d%-8d%-10d`\n" % (name, 0, 0, 0, 100644, len(data))
        packed += data + b"\n" * (len(data) % 2)
    return packed


def pack(data: bytes) -> bytes:
    return ar((b"file/", data))
