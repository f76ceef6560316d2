"""SIS, packages of Symbian before release 9: their files (the published description, "SIS File Format").

The list of files is followed in order; conditions on when a file is to be installed don't matter here.
Of packages of release 9 only the compressed streams are taken, in order and without names.
"""

from amavis_pipe.decompose.api import CHUNK, Blob, Broken, Decoder, Inflate, Sink, Streams, steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

OLD = b"\x19\x04\0\x10"
"""The third of the four numbers in front; the second is that of EPOC's release."""
NEW = b"\x7a\x1a\x20\x10"
_RELEASE_6 = b"\x12\x3a\0\x10"
_UNICODE, _NOT_PACKED = 1 << 0, 1 << 3
_FILE, _FILES, _OPTIONS, _IF, _ELSE_IF = range(5)
_RECORDS = 1 << 14
_LANGUAGES = 256
_NAME = 1024


def unpack(blob: Blob, sink: Sink) -> None:
    """Each file, in each of its languages, with the name it is installed by and the one it had."""
    view = blob.view()
    if view[:4] == NEW:
        _unpack_new(view, sink)
        return
    package = _Package(view)
    damaged = len(view) < 68
    for names, start, size in package.files(sink):
        try:
            sink.add(package.content(start, size, sink), names)
        except Broken:
            damaged = True
    if damaged or package.damaged:
        raise Broken("damaged")


class _Package:
    """What the header of an old package tells.

    damaged  whether the list of files is cut off
    """

    def __init__(self, view: "View") -> None:
        self.damaged = False
        self._view = view
        self._languages = min(_LANGUAGES, max(1, self._number(18, 2)))
        self._count = self._number(20, 2)
        self._new = view[4:8] == _RELEASE_6
        options = self._number(36, 2)
        self._wide = bool(options & _UNICODE)
        self._packed = self._new and not options & _NOT_PACKED

    def files(self, sink: Sink) -> "Iterator[tuple[tuple[bytes, ...], int, int]]":
        """The names of each file, where it is, and its size there."""
        at, seen = self._number(52), 0
        for _ in range(min(_RECORDS, 8 * self._count + 8)):
            sink.tick()
            if seen >= self._count:
                return
            if at + 4 > len(self._view):
                break
            kind = self._number(at)
            if kind in (_FILE, _FILES):
                seen += 1
                count = self._languages if kind == _FILES else 1
                names = tuple(name for name in (self._name(at + 20), self._name(at + 12)) if name)
                sizes, places = at + 28, at + 28 + 4 * count
                for index in range(count):
                    yield names, self._number(places + 4 * index), self._number(sizes + 4 * index)
                at += 28 + 8 * count + (4 * count + 8 if self._new else 0)
            elif kind == _OPTIONS:
                at += 8 + 8 * self._languages * min(self._number(at + 4), _RECORDS) + 16 * self._new
            elif kind in (_IF, _ELSE_IF):
                at += 8 + self._number(at + 4)
            else:
                at += 4
        self.damaged = self.damaged or seen < self._count

    def content(self, start: int, size: int, sink: Sink) -> "Iterator[bytes]":
        """A file; Broken if it is damaged."""
        from zlib import error

        end = min(start + size, len(self._view))
        chunks: Iterator[bytes] = (self._view[at : min(at + CHUNK, end)] for at in range(start, end, CHUNK))
        if self._packed and size:
            chunks = Streams(chunks, sink, lambda: Inflate(15), None, (error,)).output()
        yield from chunks
        if end < start + size:
            raise Broken("cut off")

    def _name(self, at: int) -> bytes:
        """The name whose size and place are at `at`."""
        start = self._number(at + 4)
        raw = self._view[start : start + min(self._number(at), _NAME)]
        return raw.decode("utf-16-le", "replace").encode("utf-8", "replace") if self._wide else raw

    def _number(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self._view[at : at + size], "little")


def _unpack_new(view: "View", sink: Sink) -> None:
    """Add each compressed field: an algorithm, a size, a stream (SISCompressed)."""
    import re
    from zlib import error

    damaged = True
    for field in re.finditer(rb"\x01\x00\x00\x00.{4}\x00{4}(?=\x78[\x01\x5e\x9c\xda])", view, re.DOTALL):
        sink.tick()
        chunks = Streams(steps(view, field.end()), sink, lambda: Inflate(15), None, (error,)).output()
        try:
            sink.add(chunks)
            damaged = False
        except Broken:
            continue
    if damaged:
        raise Broken("no files")


DECODER = Decoder("sis", ("application/x-sis",), unpack, starts=((8, OLD), NEW), broken=(Broken,))
