"""What InstallShield puts behind its setup.exe: a list of files, plain or coded, and its own cabinets.

Promises: each file of the list, decoded; those of cabinets whose header is in the list, too, but for
files split over several. The structures are not published; these are as seen in setup programs of
versions 5 to 23.
"""

import re

from amavis_pipe.decompose.streams import STEP, Broken, Inflate, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

_LIST, _STREAM = b"InstallShield\0", b"ISSetupStream\0"
_CABINET = b"ISc("
_HEAD = 46
_ENTRY, _STREAM_ENTRY = 312, 24
_ENTRIES = 1 << 14
_NAME = 260
_BLOCK = 1024
_MASK = b"\x13\x35\x86\x07"
_SWAPPED = bytes(~(byte << 4 | byte >> 4) & 255 for byte in range(256))
_CODED, _IN_BLOCKS = 2, 4
_PLAIN = re.compile(rb"([\x20-\xfe]{1,260})\0([\x20-\xfe]{1,260})\0([0-9., ]{0,31})\0([0-9]{1,10})\0")
_WIDE = re.compile(
    rb"((?:(?!\0\0)..){1,260})\0\0((?:(?!\0\0)..){1,260})\0\0"
    rb"((?:[0-9., ]\0){0,31})\0\0((?:[0-9]\0){1,10})\0\0",
    re.DOTALL,
)
_FILE = 87
_SPLIT, _OBFUSCATED, _COMPRESSED, _INVALID = 1, 2, 4, 8
_UNMIXED = bytes(((byte ^ 0xD5) >> 2 | (byte ^ 0xD5) << 6) & 255 for byte in range(256))


class Entry:
    """A file of the list.

    names   its path, and its name if that is not the same
    key     what it is coded with, b"" if it is plain; in `blocks` that begin anew, or in one piece
    packed  whether it may be deflated
    """

    __slots__ = ("blocks", "key", "names", "packed", "size", "start")

    def __init__(self, names: tuple[bytes, ...], start: int, size: int) -> None:
        self.names = names
        self.start = start
        self.size = size
        self.key = b""
        self.blocks = False
        self.packed = False


def entries(view: "View", overlay: int, sink: "Sink") -> list[Entry]:
    """The files in the list that begins at or behind `overlay`, the end of the program."""
    found = _written(view, overlay, _PLAIN) or _written(view, overlay + 4, _WIDE)
    for mark in (_LIST, _STREAM) if not found else ():
        at = view.find(mark, overlay)
        while at >= 0 and not found:
            sink.tick()
            found = _coded(view, at)
            at = view.find(mark, at + len(mark))
    return found


def content(view: "View", entry: Entry, sink: "Sink") -> "Iterator[bytes]":
    """The file itself; Broken if it is cut off or damaged."""
    from zlib import error

    chunks = _decoded(view, entry)
    first = next(chunks, b"")
    chunks = _joined(first, chunks)
    if entry.packed and len(first) > 1 and first[0] & 15 == 8 and not (first[0] << 8 | first[1]) % 31:
        chunks = Streams(chunks, sink, lambda: Inflate(15), None, (error,)).output()
    yield from chunks
    if entry.start + entry.size > len(view):
        raise Broken("cut off")


def cabinets(view: "View", found: list[Entry], sink: "Sink") -> bool:
    """Add the files in the cabinets of the list; whether all were whole."""
    volumes = [entry for entry in found if view[entry.start : entry.start + 4] == _CABINET and not entry.key]
    whole = True
    for header in volumes:
        at = header.start + _number(view[header.start + 12 : header.start + 16])
        if at > header.start and _number(view[header.start + 16 : header.start + 20]):
            for file in _files(view, header, at):
                sink.tick()
                whole = _add(view, volumes, header, file, sink) and whole
    return whole


class _File:
    """A file in a cabinet: its flags, name, sizes, and where it is in which volume."""

    __slots__ = ("at", "flags", "name", "packed", "size", "volume")

    def __init__(self, fixed: bytes, name: bytes) -> None:
        self.flags = _number(fixed[:2])
        self.size = _number(fixed[2:10])
        self.packed = _number(fixed[10:18])
        self.at = _number(fixed[18:26])
        self.volume = _number(fixed[85:87])
        self.name = name


def _files(view: "View", header: Entry, at: int) -> "Iterator[_File]":
    """The files that a cabinet's header tells of, but for those that are not in it."""
    table = at + _number(view[at + 12 : at + 16])
    major = _number(view[header.start + 4 : header.start + 8]) >> 12 & 15
    count = _number(view[at + 40 : at + 44])
    if major < 6 and _number(view[header.start + 4 : header.start + 8]) >> 24 == 1:
        yield from _old_files(view, table, _number(view[at + 28 : at + 32]), count)
        return
    first = table + _number(view[at + 44 : at + 48])
    for index in range(min(count, _ENTRIES)):
        fixed = view[first + index * _FILE : first + (index + 1) * _FILE]
        if len(fixed) < _FILE:
            return
        yield _File(fixed, _string(view, table + _number(fixed[58:62])))


def _old_files(view: "View", table: int, folders: int, count: int) -> "Iterator[_File]":
    """The same of version 5, which has a table of offsets."""
    for index in range(min(count, _ENTRIES)):
        place = table + 4 * (min(folders, _ENTRIES) + index)
        at = table + _number(view[place : place + 4])
        raw = view[at : at + 42]
        if len(raw) < 42:
            return
        fixed = raw[8:10] + raw[10:14] + bytes(4) + raw[14:18] + bytes(4) + raw[38:42] + bytes(4)
        yield _File(fixed + bytes(59) + b"\1\0", _string(view, table + _number(raw[:4])))


def _add(view: "View", volumes: list[Entry], header: Entry, file: _File, sink: "Sink") -> bool:
    """Add a file of a cabinet; whether it was whole."""
    if file.flags & _INVALID or not file.at or not file.packed:
        return True
    volume = _volume(volumes, header, file.volume)
    if volume is None or file.flags & _SPLIT:
        sink.unchecked("undecoded:installshield")
        return True
    try:
        sink.add(_unpacked(view, volume, file), (file.name,) if file.name else ())
    except Broken:
        return False
    return True


def _volume(volumes: list[Entry], header: Entry, number: int) -> Entry | None:
    """The cabinet with this number, as its name has it; data1.hdr goes with data1.cab, data2.cab."""
    stem = header.names[-1].lower().rpartition(b".")[0].rstrip(b"0123456789")
    name = stem + b"%d.cab" % number
    same = (one for one in volumes if one.names[-1].lower() == name)
    return next(same, None)


def _unpacked(view: "View", volume: Entry, file: _File) -> "Iterator[bytes]":
    """The content: pieces with their sizes in front, each deflated by itself."""
    from zlib import decompressobj, error

    start = volume.start + file.at
    end = start + file.packed
    if not file.flags & _COMPRESSED:
        for at in range(start, min(end, len(view)), STEP):
            yield _clear(view[at : min(at + STEP, end)], file, at - start)
    at = start if file.flags & _COMPRESSED else end
    while at + 2 < min(end, len(view)):
        size = _number(_clear(view[at : at + 2], file, at - start))
        piece = _clear(view[at + 2 : at + 2 + size], file, at + 2 - start)
        at += 2 + size
        stream = decompressobj(-15)
        try:
            out = stream.decompress(piece, STEP)
            while out:
                yield out
                out = stream.decompress(stream.unconsumed_tail, STEP)
        except error:
            raise Broken("damaged") from None
    if end > len(view):
        raise Broken("cut off")


def _clear(data: bytes, file: _File, at: int) -> bytes:
    if not file.flags & _OBFUSCATED:
        return data
    mixed = data.translate(_UNMIXED)
    return bytes([byte - (at + index) % 71 & 255 for index, byte in enumerate(mixed)])


def _written(view: "View", at: int, pattern: re.Pattern[bytes]) -> list[Entry]:
    """The files of a plain list: name, path, version and size as text before each."""
    found: list[Entry] = []
    while len(found) < _ENTRIES:
        match = pattern.match(view, at)
        if match is None:
            return found
        wide = pattern is _WIDE
        name, path, size = (_text(match[group]) if wide else match[group] for group in (1, 2, 4))
        entry = Entry(tuple(dict.fromkeys((path, name))), match.end(), int(size))
        found.append(entry)
        at = match.end() + entry.size
    return found


def _coded(view: "View", at: int) -> list[Entry]:
    """The files of the list with this head; none if it is not one."""
    count, kind = _number(view[at + 14 : at + 16]), _number(view[at + 16 : at + 20])
    wide = view[at : at + len(_STREAM)] == _STREAM
    found: list[Entry] = []
    place = at + _HEAD
    while len(found) < min(count, _ENTRIES) and kind < 16:
        entry = _wide_entry(view, place, kind) if wide else _entry(view, place)
        if entry is None:
            break
        found.append(entry)
        place = entry.start + entry.size
    return found


def _entry(view: "View", at: int) -> Entry | None:
    head = view[at : at + _ENTRY]
    name = head[:_NAME].partition(b"\0")[0]
    if len(head) < _ENTRY or not name or min(name) < 32:
        return None
    return _described(name, head[260:264], head[280:282], at + _ENTRY, head[268:272])


def _wide_entry(view: "View", at: int, kind: int) -> Entry | None:
    head = view[at : at + _STREAM_ENTRY]
    size = _number(head[:4])
    at += _STREAM_ENTRY * (2 if kind == 4 else 1)
    name = _text(view[at : at + size])
    if len(head) < _STREAM_ENTRY or not 0 < size <= 2 * _NAME or not name or min(name) < 32:
        return None
    return _described(name, head[4:8], head[22:24], at + size, head[10:14])


def _described(name: bytes, flags: bytes, packed: bytes, start: int, size: bytes) -> Entry:
    entry = Entry((name,), start, _number(size))
    if _number(flags) & (_CODED | _IN_BLOCKS):
        entry.key = bytes(byte ^ _MASK[index & 3] for index, byte in enumerate(name))
        entry.blocks = bool(_number(flags) & _IN_BLOCKS)
    entry.packed = _number(packed) != 0
    return entry


def _decoded(view: "View", entry: Entry) -> "Iterator[bytes]":
    """The bytes as they were: each has its halves swapped and is mixed with the key."""
    end = min(entry.start + entry.size, len(view))
    period = _BLOCK if entry.blocks else len(entry.key)
    mask = (entry.key * (_BLOCK // max(1, len(entry.key)) + 1))[:period]
    step = STEP // _BLOCK * _BLOCK if entry.blocks or not mask else STEP // period * period
    mask *= step // period if mask else 0
    for at in range(entry.start, end, step):
        data = view[at : min(at + step, end)]
        if mask:
            mixed = int.from_bytes(data.translate(_SWAPPED)) ^ int.from_bytes(mask[: len(data)])
            data = mixed.to_bytes(len(data))
        yield data


def _joined(first: bytes, rest: "Iterator[bytes]") -> "Iterator[bytes]":
    yield first
    yield from rest


def _string(view: "View", at: int) -> bytes:
    return view[at : at + _NAME].partition(b"\0")[0]


def _text(wide: bytes) -> bytes:
    return wide.decode("utf-16-le", "replace").partition("\0")[0].encode("utf-8", "replace")


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
