"""Packages of Symbian before release 9 by hand."""

import struct
import zlib


def sis(
    *files: tuple[str, list[bytes]], options: int = 1, release: int = 6, count: int | None = None
) -> bytes:
    """A package of these files, each with its content in every language."""
    languages = max([1, *(len(contents) for _, contents in files)])
    records, at = [], 100 + 2 * languages
    size = sum(28 + 8 * len(contents) + (4 * len(contents) + 8) * (release == 6) for _, contents in files)
    data, end = b"", at + size
    for name, contents in files:
        wide = name.encode("utf-16-le" if options & 1 else "latin-1")
        place, data = end + len(data), data + wide
        packed = [zlib.compress(one) if release == 6 and not options & 8 else one for one in contents]
        places = []
        for one in packed:
            places.append(end + len(data))
            data += one
        record = struct.pack("<7I", len(contents) > 1, 0, 0, len(wide), place, len(wide), place)
        record += struct.pack(f"<{2 * len(packed)}I", *map(len, packed), *places)
        if release == 6:
            record += struct.pack(f"<{len(contents) + 2}I", *map(len, contents), 0, end)
        records.append(record)
    head = struct.pack("<4I", 0x10000000, 0x10003A12 if release == 6 else 0x1000006D, 0x10000419, 0)
    number = len(files) if count is None else count
    head += struct.pack("<HHHHHHHHIHHHHI", 0, languages, number, 0, 0, 0, 0, 0, 200, options, 0, 1, 0, 0)
    head += struct.pack("<II", 100, at)
    return head.ljust(100, b"\0") + bytes(2 * languages) + b"".join(records) + data


def pack(data: bytes) -> bytes:
    return sis(("file", [data]))
