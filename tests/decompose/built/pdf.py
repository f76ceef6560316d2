"""PDF files by hand, so that they can be wrong."""

import zlib


def obj(number: int, body: bytes) -> bytes:
    return b"%d 0 obj\n" % number + body + b"\nendobj\n"


def stream(number: int, entries: bytes, data: bytes, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return obj(number, b"<<%s/Length %d>>\nstream\n" % (entries, size) + data + b"\nendstream")


def filespec(number: int, name: bytes, embedded: int) -> bytes:
    return obj(number, b"<</Type/Filespec/F(%s)/EF<</F %d 0 R>>>>" % (name, embedded))


def embedded(number: int, data: bytes) -> bytes:
    return stream(number, b"/Type/EmbeddedFile/Filter/FlateDecode", zlib.compress(data))


def object_stream(number: int, objects: dict[int, bytes], entries: bytes = b"/Type/ObjStm") -> bytes:
    head, body = b"", b""
    for inner, value in objects.items():
        head += b"%d %d " % (inner, len(body))
        body += value + b"\n"
    numbers = b"/N %d/First %d/Filter/FlateDecode" % (len(objects), len(head))
    return stream(number, entries + numbers, zlib.compress(head + body))


def pdf(*objects: bytes) -> bytes:
    """A PDF of these objects, with no table that says where they are."""
    catalog = obj(1, b"<</Type/Catalog/Pages 2 0 R>>") + obj(2, b"<</Type/Pages/Kids[]/Count 0>>")
    return b"%PDF-1.7\n" + catalog + b"".join(objects) + b"trailer\n<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"


def pack(data: bytes) -> bytes:
    return pdf(filespec(3, b"file", 4), embedded(4, data))
