"""The objects of a PDF: found by looking for them, not by its tables, and read leniently.

What stands here are objects, object streams and where streams begin and end; values are in pdfvalues.py,
filters in pdffilters.py, what is taken out of a PDF in formats/pdf.py. Promises: the cross-reference
table is not asked, so that every version of an object counts, and one that no table knows; no length is
believed that the bytes don't bear out; the work is bounded by the size of the input. Source: ISO
32000-1, 7.5.
"""

import re
from bisect import bisect_right
from itertools import islice

from amavis_pipe.decompose.pdffilters import decoded
from amavis_pipe.decompose.pdfvalues import SKIP, SPACE, Ref, parse
from amavis_pipe.decompose.streams import STEP, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from amavis_pipe.decompose.pdfvalues import Value
    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

    Place: TypeAlias = "tuple[Body, int]"

_HEADER = re.compile(rb"([0-9]{1,10})" + SKIP + rb"+[0-9]{1,10}" + SKIP + rb"*\Z")
_STREAM = re.compile(SKIP + rb"*+stream(?:\r\n|\n|\r)?")
_STREAM_END = re.compile(rb"[" + SPACE + rb"]*+endstream")
_OBJECTS = 1 << 18
_HEADS = 1 << 21
_HELD = 96 << 20
"""Bytes that all object streams may hold together."""
_REMEMBERED = 64
_OBJECT_STREAM = 1 << 25
"""Bytes that an object stream may hold."""


class Body:
    """Some text with objects in it: the file itself, or what an object stream holds.

    text     the bytes
    starts   where each object's value begins, in order
    numbers  their numbers
    """

    __slots__ = ("numbers", "starts", "text")

    def __init__(self, text: "View", found: list[tuple[int, int]]) -> None:
        self.text = text
        self.starts = [at for at, _ in found]
        self.numbers = [number for _, number in found]

    def before(self, at: int) -> int:
        """Where the value of the last object that begins before `at` is, or -1."""
        index = bisect_right(self.starts, at)
        return self.starts[index - 1] if index else -1


class Stream:
    """A stream: its dictionary, and where its data begins in the file."""

    __slots__ = ("entry", "start")

    def __init__(self, entry: "dict[str, Value]", start: int) -> None:
        self.entry = entry
        self.start = start


class Objects:
    """All objects of a PDF that can be found.

    damaged  whether something was cut off
    """

    def __init__(self, view: "View", sink: "Sink") -> None:
        self.file = Body(view, list(islice(_headers(view, sink), _OBJECTS)))
        self.damaged = len(self.file.starts) == _OBJECTS
        self._sink = sink
        self._places: dict[int, list[Place]] = {}
        self._work = 8 * len(view) + _OBJECT_STREAM
        self._reading = 1 << 20
        self._held = 0
        self._read: dict[Place, tuple[Value, int]] = {}
        self._last_end = view.rfind(b"endstream")
        self._last_object = view.rfind(b"endobj")
        self.note(self.file)

    def note(self, body: Body) -> None:
        """Let the objects in `body` be found by their numbers."""
        self._reading += 2 * len(body.text)
        for number, at in zip(body.numbers, body.starts, strict=True):
            self._places.setdefault(number, []).append((body, at))

    def value(self, body: Body, at: int) -> "tuple[Value, int]":
        """The value at `at`, and where it ends."""
        place = (body, at)
        if place not in self._read:
            value, end, seen = parse(body.text, at)
            self._reading -= seen - at
            if self._reading < 0:
                raise Broken("tangled")
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[place] = value, end
        self._spend(0)
        return self._read[place]

    def versions(self, value: "Value", deep: int = 4) -> "Iterator[Value | Stream]":
        """What a value stands for: all objects with its number if it is a reference, or just itself."""
        if not isinstance(value, Ref):
            yield value
            return
        for body, at in self._places.get(value.number, ())[:64]:
            found, end = self.value(body, at)
            if isinstance(found, dict) and body is self.file:
                stream = self.stream(found, end)
                yield stream or found
            elif deep:
                yield from self.versions(found, deep - 1)

    def stream(self, entry: "dict[str, Value]", end: int) -> Stream | None:
        """The stream whose dictionary ends at `end` of the file, if it is one."""
        match = _STREAM.match(self.file.text, end)
        return Stream(entry, match.end()) if match else None

    def content(self, stream: Stream) -> "Iterator[bytes]":
        """What a stream holds, its filters undone; Broken at the point where it is damaged."""
        self._spend(0)
        end, whole = self._end(stream)
        self._spend(end - stream.start)
        chunks = self._pieces(stream.start, end)
        yield from decoded(chunks, self._filters(stream.entry), self._sink)
        if not whole:
            raise Broken("cut off")

    def object_stream(self, stream: Stream) -> Body | None:
        """The objects in a stream that is an object stream (ISO 32000-1, 7.5.7), as far as it is whole."""
        first = self.number(stream.entry.get("First"))
        if first is None or first <= 0:
            return None
        pieces, size = [], 0
        try:
            for piece in self.content(stream):
                pieces.append(piece)
                size += len(piece)
                self._held += len(piece)
                self._spend(len(piece))
                if size > _OBJECT_STREAM or self._held > _HELD:
                    raise Broken("too large")
        except Broken:
            self.damaged = True
        text = b"".join(pieces)
        head = text[: min(first, _HEADS)]
        numbers = [int(word) for word in head.split() if word.isdigit() and len(word) < 11]
        pairs = zip(numbers[::2], numbers[1::2], strict=False)
        return Body(text, sorted((first + offset, number) for number, offset in pairs)[:_OBJECTS])

    def is_spent(self) -> bool:
        """Whether there was too much work: nothing more comes out."""
        return self._work < 0 or self._reading < 0

    def number(self, value: "Value") -> int | None:
        """The number a value stands for, the last version of it, or None."""
        found = [one for one in self.versions(value) if isinstance(one, int)]
        return found[-1] if found else None

    def _end(self, stream: Stream) -> tuple[int, bool]:
        """Where the data of a stream ends, and whether that is sure."""
        view, start = self.file.text, stream.start
        size = self.number(stream.entry.get("Length"))
        if size is not None and _STREAM_END.match(view, start + size):
            return start + size, True
        if start > self._last_end:
            return (len(view) if start > self._last_object else view.find(b"endobj", start)), False
        end = view.find(b"endstream", start)
        for mark in (b"\r\n", b"\n", b"\r"):
            if view[max(start, end - len(mark)) : end] == mark:
                return end - len(mark), True
        return end, True

    def _filters(self, entry: "dict[str, Value]") -> list[tuple[str, dict[str, int]]]:
        """The filters of a stream in order, each with its numbers."""
        names = self._list(entry.get("Filter", entry.get("F")))
        rest = self._list(entry.get("DecodeParms", entry.get("DP")))
        found = []
        for index, name in enumerate(names):
            given = rest[index] if index < len(rest) else None
            numbers = {}
            for key, value in given.items() if isinstance(given, dict) else ():
                number = self.number(value)
                if number is not None:
                    numbers[key] = number
            if isinstance(name, str):
                found.append((name, numbers))
        return found

    def _list(self, value: "Value") -> "list[Value | Stream]":
        """The members of an array, references undone; a single value is one of its own."""
        found = list(self.versions(value))[-1:]
        if found and isinstance(found[0], list):
            return [one for inner in found[0][:64] for one in list(self.versions(inner))[-1:]]
        return found

    def _pieces(self, start: int, end: int) -> "Iterator[bytes]":
        for at in range(start, end, STEP):
            yield self.file.text[at : min(at + STEP, end)]

    def _spend(self, size: int) -> None:
        """Objects that overlap, or refer to each other all over, may not take more than the size is worth."""
        self._sink.tick()
        self._work -= size + 64
        if self._work < 0:
            raise Broken("tangled")


def _headers(view: "View", sink: "Sink") -> "Iterator[tuple[int, int]]":
    """Where the value of each object begins, and the object's number."""
    at = view.find(b"obj")
    while at >= 0:
        # the longer look is for those who put blanks and comments between the numbers
        before = view[max(0, at - 32) : at]
        header = None if before[-1:] == b"d" else _HEADER.search(before) or _far(view, at)
        if header:
            yield at + 3, int(header[1])
        if not at & 63:
            sink.tick()
        at = view.find(b"obj", at + 3)


def _far(view: "View", at: int) -> re.Match[bytes] | None:
    if view[at - 1 : at] not in (b" ", b"\n", b"\r", b"\t", b"\0", b"\f"):
        return None
    return _HEADER.search(view[max(0, at - 512) : at])
