"""A tar of the seventh edition, which has no magic: libmagic knows it by its checksum."""


def pack(data: bytes) -> bytes:
    fields = (
        b"file".ljust(100, b"\0")
        + b"0000644\0"
        + b"0000000\0" * 2
        + b"%011o\0" % len(data)
        + b"0" * 11
        + b"\0"
    )
    head = (fields + b" " * 8 + b"0").ljust(512, b"\0")
    head = head[:148] + b"%06o\0 " % sum(head) + head[156:]
    return head + data + bytes(-len(data) % 512) + bytes(1024)
