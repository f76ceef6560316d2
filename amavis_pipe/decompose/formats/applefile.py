"""AppleSingle, AppleDouble and MacBinary: a Macintosh file, its two forks as parts.

Sizes are not believed: what is cut off is kept as far as it goes. Sources: RFC 1740 (AppleSingle,
AppleDouble), MacBinary II and III.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

SINGLE, DOUBLE = b"\0\5\x16\0", b"\0\5\x16\7"
STEP = 1 << 16
_DATA, _RESOURCE, _NAME = 1, 2, 3
_HEAD, _ENTRY = 26, 12
_NAME_MAX = 1024
_BLOCK = 128


def unpack(blob: Blob, sink: Sink) -> None:
    """The data fork, and the resource fork if it isn't empty, under the name that is stored."""
    view = blob.view()
    if view[:4] in (SINGLE, DOUBLE):
        _apple(view, sink)
    else:
        _mac_binary(view, sink)


def _apple(view: "View", sink: Sink) -> None:
    """Add what the table of entries tells of (RFC 1740 A.)."""
    count = int.from_bytes(view[24:_HEAD], "big")
    table = view[_HEAD : _HEAD + count * _ENTRY]
    if not table:
        raise Broken("no entries")
    entries = [
        [int.from_bytes(table[at + part : at + part + 4], "big") for part in (0, 4, 8)]
        for at in range(0, len(table) - _ENTRY + 1, _ENTRY)
    ]
    names = tuple(view[at : at + min(size, _NAME_MAX)] for kind, at, size in entries if kind == _NAME)[:4]
    for kind, at, size in entries:
        sink.tick()
        if kind == _DATA or (kind == _RESOURCE and size):
            sink.add(_pieces(view, at, at + size), names)
    if len(table) < count * _ENTRY:
        raise Broken("cut off")


def _mac_binary(view: "View", sink: Sink) -> None:
    """Add both forks: behind the header, and behind the data fork, in whole blocks."""
    head = view[:_BLOCK]
    if len(head) < _BLOCK or head[0] or not 0 < head[1] < 64:
        raise Broken("no header")
    names = (head[2 : 2 + head[1]],)
    data, resource = (int.from_bytes(head[at : at + 4], "big") for at in (83, 87))
    start = _BLOCK + _whole(int.from_bytes(head[120:122], "big"))
    sink.add(_pieces(view, start, start + data), names)
    if resource:
        start += _whole(data)
        sink.add(_pieces(view, start, start + resource), names)


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, min(end, len(view)), STEP):
        yield view[at : min(at + STEP, end)]
    if end > len(view):
        raise Broken("cut off")


def _whole(size: int) -> int:
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK


DECODER = Decoder("applefile", ("application/applefile",), unpack, starts=(SINGLE, DOUBLE), broken=(Broken,))
