"""Compound files, their streams and what stands in these, by hand."""

import struct
import zlib

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
FREE, END, TABLE, LIST = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC


def compound(streams: dict[str, bytes], shift: int = 9, cutoff: int = 4096, linked: bool = True) -> bytes:
    """A file of these streams: the keys are paths; tables and directory come first, so that a cut leaves them."""
    size = 1 << shift
    small = {path: data for path, data in streams.items() if 0 < len(data) < cutoff}
    mini = b"".join(data + bytes(-len(data) % 64) for data in small.values())
    mini_table = b"".join(_chain(at, (len(data) + 63) // 64) for at, data in _starts(small, 6))
    entries = _entries(streams)
    blobs = {"": mini, **{path: data for path, data in streams.items() if len(data) >= cutoff}}
    rest = [
        len(data) + size - 1 >> shift for data in (bytes(128 * len(entries)), mini_table, *blobs.values())
    ]
    tables = lists = 0
    while True:
        total = tables + lists + sum(rest)
        wanted = (4 * total + size - 1) // size
        more = max(0, wanted - 109)
        wanted_lists = (more + size // 4 - 2) // (size // 4 - 1)
        if (wanted, wanted_lists) == (tables, lists):
            break
        tables, lists = wanted, wanted_lists
    table = struct.pack("<I", TABLE) * tables + struct.pack("<I", LIST) * lists
    at, starts = tables + lists, []
    for count in rest:
        starts.append(at if count else END)
        table += _chain(at, count)
        at += count
    table += struct.pack("<I", FREE) * ((tables * size - len(table)) // 4)
    places = dict(zip(blobs, starts[2:], strict=True))
    mini_places = {path: at for (at, _), path in zip(_starts(small, 6), small, strict=True)}
    directory = b"".join(
        _entry(entry, number, entries, streams, places, mini_places, len(mini), linked)
        for number, entry in enumerate(entries)
    )
    listed = [number if number < tables else FREE for number in range(109)]
    head = struct.pack(
        "<8s16x5H6x9I", MAGIC, 0x3E, 4 if shift == 12 else 3, 0xFFFE, shift, 6,
        0, tables, starts[0], 0, cutoff, starts[1], 1 if mini_table else 0, tables if lists else END, lists,
    )  # fmt: skip
    head += struct.pack("<109I", *listed)
    body = [table]
    for number in range(lists):
        first = 109 + number * (size // 4 - 1)
        numbers = [one if one < tables else FREE for one in range(first, first + size // 4 - 1)]
        follows = tables + number + 1 if number + 1 < lists else END
        body.append(struct.pack(f"<{size // 4}I", *numbers, follows))
    body += [directory, mini_table, *blobs.values()]
    return b"".join(piece + b"\0" * (-len(piece) % size) for piece in (head, *body))


def _starts(small: dict[str, bytes], shift: int) -> list[tuple[int, bytes]]:
    found, at = [], 0
    for data in small.values():
        found.append((at, data))
        at += len(data) + (1 << shift) - 1 >> shift
    return found


def _chain(at: int, count: int) -> bytes:
    numbers = [*range(at + 1, at + count), END] if count else []
    return struct.pack(f"<{len(numbers)}I", *numbers)


def _entries(streams: dict[str, bytes]) -> list[str]:
    """Paths of root, storages and streams."""
    found = dict.fromkeys([""])
    for path in streams:
        steps = path.split("/")
        found.update(dict.fromkeys("/".join(steps[:count]) for count in range(1, len(steps) + 1)))
    return list(found)


def _entry(
    path: str,
    number: int,
    entries: list[str],
    streams: dict[str, bytes],
    places: dict[str, int],
    mini_places: dict[str, int],
    mini: int,
    linked: bool,
) -> bytes:
    data = streams.get(path)
    name = (path.rpartition("/")[2] or "Root Entry").encode("utf-16-le")[:62]
    parent = path.rpartition("/")[0]
    later = [at for at, one in enumerate(entries) if at > number and one and one.rpartition("/")[0] == parent]
    inside = [at for at, one in enumerate(entries) if one and one.rpartition("/")[0] == path]
    kind = 5 if not path else 1 if data is None else 2
    start = places.get(path, mini_places.get(path, END if data is not None else 0))
    size = mini if not path else len(data or b"")
    return struct.pack(
        "<64sHBB3I36xIQ", name, len(name) + 2, kind, 1,
        FREE, later[0] if later and path and linked else FREE, inside[0] if inside and kind != 2 and linked else FREE,
        start, size,
    )  # fmt: skip


def packager(
    data: bytes, label: bytes = b"file", path: bytes = b"C:\\file", temporary: bytes = b"C:\\t\\file"
) -> bytes:
    """What the Packager writes of a file."""
    head = b"\2\0" + label + b"\0" + path + b"\0\0\0\3\0" + struct.pack("<I", len(temporary) + 1) + temporary
    return head + b"\0" + struct.pack("<I", len(data)) + data


def sized(data: bytes) -> bytes:
    """Data as in an Ole10Native stream."""
    return struct.pack("<I", len(data)) + data


def vba_packed(text: bytes) -> bytes:
    """A CompressedContainer of literals."""
    out = b"\1"
    for at in range(0, len(text), 3600):
        piece = text[at : at + 3600]
        chunk = b"".join(b"\0" + piece[one : one + 8] for one in range(0, len(piece), 8))
        out += struct.pack("<H", 0xB000 | len(chunk) - 1) + chunk
    return out


def vba_record(kind: int, data: bytes) -> bytes:
    """One record of a dir stream."""
    return struct.pack("<HI", kind, len(data)) + data


def vba_directory(modules: dict[str, int], codepage: int = 1252) -> bytes:
    """A packed dir stream: names of modules, which are those of their streams, and offsets."""
    text = vba_record(1, bytes(4)) + vba_record(3, struct.pack("<H", codepage))
    text += struct.pack("<HIIH", 9, 4, 1, 2)
    for name, offset in modules.items():
        text += vba_record(0x19, name.encode("cp1252")) + vba_record(0x47, name.encode("utf-16-le"))
        text += vba_record(0x1A, name.encode("cp1252")) + vba_record(0x32, name.encode("utf-16-le"))
        text += vba_record(0x31, struct.pack("<I", offset)) + vba_record(0x2B, b"")
    return vba_packed(text)


def slide_object(data: bytes) -> bytes:
    """The record of an object in a presentation, packed."""
    packed = struct.pack("<I", len(data)) + zlib.compress(data)
    return struct.pack("<HHI", 0x10, 0x1011, len(packed)) + packed


def pack(data: bytes) -> bytes:
    """One packed file in a document's object pool."""
    return compound({"ObjectPool/_1/\1Ole10Native": sized(packager(data))})
