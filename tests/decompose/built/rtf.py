"""RTF with objects."""

import struct

from .ole import packager


def text(raw: bytes) -> bytes:
    """A length and a text that ends with NUL."""
    return struct.pack("<I", len(raw) + 1) + raw + b"\0"


def ole1(data: bytes, name: bytes = b"Package") -> bytes:
    """An EmbeddedObject of OLE 1.0."""
    return struct.pack("<II", 0x501, 2) + text(name) + bytes(8) + struct.pack("<I", len(data)) + data


def document(*groups: bytes) -> bytes:
    """A text with these groups in it."""
    return b"{\\rtf1\\ansi Hello" + b"".join(groups) + b"\\par}"


def embedded(data: bytes) -> bytes:
    """An object in the usual form."""
    digits = data.hex().encode()
    lines = b"\r\n".join(digits[at : at + 128] for at in range(0, len(digits), 128))
    return (
        b"{\\object\\objemb\\objw1\\objh1{\\*\\objclass Package}{\\*\\objdata "
        + lines
        + b"}{\\result{\\pict}}}"
    )


def pack(data: bytes) -> bytes:
    """One packed file in a text."""
    return document(embedded(ole1(packager(data))))
