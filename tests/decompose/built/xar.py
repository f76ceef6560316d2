"""xar by hand, stored. Source: xar's own description of its header and table of contents."""

import hashlib
import struct
import zlib


def file(
    number: int,
    name: str,
    at: int,
    data: bytes,
    size: int | None = None,
    style: str = "application/octet-stream",
) -> str:
    told, check = len(data) if size is None else size, hashlib.sha1(data).hexdigest()
    return (
        f'<file id="{number}"><data><length>{told}</length><offset>{at}</offset><size>{told}</size>'
        f'<encoding style="{style}"/><extracted-checksum style="sha1">{check}</extracted-checksum>'
        f'<archived-checksum style="sha1">{check}</archived-checksum></data><type>file</type>'
        f"<name>{name}</name></file>"
    )


def xar(*files: str, heap: bytes = b"") -> bytes:
    """An archive with this table; in the heap the table's checksum comes first, in 20 bytes."""
    toc = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<xar><toc><checksum style="sha1"><offset>0</offset>'
        "<size>20</size></checksum>" + "".join(files) + "</toc></xar>\n"
    ).encode()
    packed = zlib.compress(toc)
    head = struct.pack(">4sHHQQI", b"xar!", 28, 1, len(packed), len(toc), 1)
    return head + packed + hashlib.sha1(packed).digest() + heap


def pack(data: bytes) -> bytes:
    return xar(file(1, "file", 20, data), heap=data)
