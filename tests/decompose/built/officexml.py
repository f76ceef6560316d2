"""Office documents in one XML file."""

import base64

FIRST = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'


def document(*elements: bytes, first: bytes = FIRST) -> bytes:
    """A Word 2003 document of these elements."""
    return (
        first
        + b'<?mso-application progid="Word.Document"?>\r\n<w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml">'
        + b"".join(elements)
        + b"</w:wordDocument>"
    )


def binary(data: bytes, name: bytes = b"editdata.mso") -> bytes:
    """An element that holds a file."""
    return (
        b'<w:binData w:name="'
        + name
        + b'" xml:space="preserve">'
        + base64.encodebytes(data)
        + b"</w:binData>"
    )


def pack(data: bytes) -> bytes:
    """One file in a document."""
    return document(binary(data))
