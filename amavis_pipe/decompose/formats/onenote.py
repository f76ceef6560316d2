"""OneNote (.one, .onetoc2): the files embedded in it ([MS-ONESTORE] 2.6.13, [MS-ONE] 2.2.22).

They are found by the GUID of their store alone, in the order of the file; no list of what is where is
asked. Notes as they are sent between servers (2.8) are said to be undecoded. Which name belongs to
which file is only told by structures that the store does not need: each gets the names in their order
if there are as many of them as files, else all candidates.
"""

from itertools import islice

from amavis_pipe.decompose.api import CHUNK, Blob, Broken, Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

ONE = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"
TOC = b"\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f"
_STORE = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac"
_STORE_END = b"\x22\xa7\xfb\x71\x79\x0f\x0b\x4a\xbb\x13\x89\x92\x56\x42\x6b\x24"
_FORMAT = b"\x3f\xdd\x9a\x10\x1b\x91\xf5\x49\xa5\xd0\x17\x91\xed\xc8\xae\xd8"
_PACKAGE = b"\x2f\xe9\x8d\x63\xd4\xa6\xc1\x4b\x9a\x36\xb3\xfc\x25\x11\xa5\xb7"
_HEAD = 36
"""Bytes from the GUID of a store to the file."""
_NAME_PROPERTY = b"\x9c\x1d\x00\x1c"
"""EmbeddedFileName."""
_NAME = 260 * 2
_NAMES = 1 << 17
"""Places where a name is looked for."""
_STORES = 1 << 16
_FAR = 1 << 24
"""Bytes in which the end of a store with a wrong size is looked for."""
_PROPERTIES = 64
"""Properties that a set with a name may have."""
_SIZED = 7
_SIZES = {1: 0, 2: 0, 3: 1, 4: 2, 5: 4, 6: 8, 8: 0, 9: 4, 10: 0, 11: 4, 12: 0, 13: 4}
"""Bytes of a value by its type (2.6.6); of those that refer to objects, only the counts are here."""


def unpack(blob: Blob, sink: Sink) -> None:
    """All files in stores, each once."""
    view = blob.view()
    stores = list(islice(_stores(view, sink), _STORES))
    names = _names(view, sink) if stores else {}
    form = view[48:64]
    if form == _PACKAGE:
        sink.unchecked("undecoded:onenote")
    damaged = form not in (_FORMAT, _PACKAGE) or len(stores) == _STORES
    known = list(names)
    for number, (start, end) in enumerate(stores):
        own = (known[number],) if len(known) == len(stores) else tuple(known[:8])
        sink.add(_pieces(view, start, min(end, len(view))), own)
        damaged = damaged or end > len(view)
    if damaged:
        raise Broken("damaged")


def _stores(view: "View", sink: Sink) -> "Iterator[tuple[int, int]]":
    """Where the file in each store begins and ends; the end may be behind that of the view."""
    last = view.rfind(_STORE_END)
    at = view.find(_STORE)
    while at >= 0:
        sink.tick()
        start = at + _HEAD
        end = start + int.from_bytes(view[at + 16 : at + 24], "little")
        if end > len(view):  # a lie, or cut off
            end = view.find(_STORE_END, start, start + _FAR) if start <= last else -1
            end = end if end >= 0 else len(view) + 1
        yield start, end
        # one within what another claims is one as well: sizes may lie
        at = view.find(_STORE, at + len(_STORE))


def _names(view: "View", sink: Sink) -> dict[bytes, None]:
    """The names of embedded files, in their order."""
    found: dict[bytes, None] = {}
    at = view.find(_NAME_PROPERTY)
    for _ in range(_NAMES):
        if at < 0:
            break
        sink.tick()
        name = _name(view, at)
        if name:
            found[name] = None
        at = view.find(_NAME_PROPERTY, at + 4)
    return found


def _name(view: "View", at: int) -> bytes:
    """The value of the name property whose id is at `at`, if it is one of a property set (2.6.7)."""
    ids = view[max(0, at - 4 * _PROPERTIES - 2) : at]
    for before in range(min(_PROPERTIES, (len(ids) - 2) // 4)):
        first = len(ids) - 4 * before
        count = ids[first - 2]
        if before < count <= _PROPERTIES and not ids[first - 1]:
            name = _value(view, at + 4 * (count - before), ids[first:])
            if name:
                return name
    return b""


def _value(view: "View", at: int, ids: bytes) -> bytes:
    """The string that comes after the values of the properties with these ids, the first at `at`; or b""."""
    for index in range(3, len(ids), 4):
        kind = ids[index] >> 2 & 31
        if kind == _SIZED:
            at += 4 + min(_size(view, at), len(view))
        elif kind in _SIZES:
            at += _SIZES[kind]
        else:
            return b""
    size = _size(view, at)
    raw = view[at + 4 : at + 4 + size]
    if not 0 < size <= _NAME or size & 1 or len(raw) < size:
        return b""
    text = raw.decode("utf-16-le", "replace").rstrip("\0")
    return text.encode("utf-8", "replace") if text.isprintable() and "\ufffd" not in text else b""


def _size(view: "View", at: int) -> int:
    return int.from_bytes(view[at : at + 4], "little")


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, end, CHUNK):
        yield view[at : min(at + CHUNK, end)]


DECODER = Decoder("onenote", ("application/onenote",), unpack, starts=(ONE, TOC), broken=(Broken,))
