"""The objects of a PDF: found by looking for them, not by its tables, and read leniently.

What stands here are values, objects, object streams and where streams begin and end; filters are in
pdffilters.py, what is taken out of a PDF in formats/pdf.py. Promises: the cross-reference table is
not asked, so that every version of an object counts, and one that no table knows; no length is
believed that the bytes don't bear out; the work is bounded by the size of the input. Source: ISO
32000-1, 7.2 to 7.5.
"""

import re
from bisect import bisect_right
from itertools import islice

from amavis_pipe.decompose.pdffilters import decoded
from amavis_pipe.decompose.streams import STEP, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

    Value: TypeAlias = "str | bytes | int | Ref | list[Value] | dict[str, Value] | None"
    Place: TypeAlias = "tuple[Body, int]"

SPACE = rb"\0\t\n\f\r "
_DELIMITERS = SPACE + rb"()<>\[\]{}/%"
_SKIP = rb"(?:[" + SPACE + rb"]|%[^\r\n]*+)"
_TOKEN = re.compile(
    _SKIP + rb"*+(?:(<<)|(>>)|(\[)|(\])|/([^" + _DELIMITERS + rb"]*+)|(\()|<([^<>]*+)>|"
    rb"([0-9]{1,10})"
    + (_SKIP + rb"++[0-9]{1,10}+" + _SKIP + rb"++R(?![^" + _DELIMITERS + rb"])|([^")
    + (_DELIMITERS + rb"]++)|(.))"),
    re.DOTALL,
)
_OPEN, _CLOSE, _LIST, _LIST_END, _NAME, _STRING, _HEX, _REF, _WORD = range(1, 10)
_PAREN = re.compile(rb"\\.|[()]", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_ESCAPED = {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"b": b"\b",
    b"f": b"\f",
    b"\r\n": b"",
    b"\r": b"",
    b"\n": b"",
}
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_NOT_HEX = bytes(set(range(256)) - set(b"0123456789abcdefABCDEF"))
_BOUNDS = (b"endobj", b"stream", b"obj", b"endstream", b"trailer", b"xref")
_HEADER = re.compile(rb"([0-9]{1,10})" + _SKIP + rb"+[0-9]{1,10}" + _SKIP + rb"*\Z")
_STREAM = re.compile(_SKIP + rb"*+stream(?:\r\n|\n|\r)?")
_STREAM_END = re.compile(rb"[" + SPACE + rb"]*+endstream")
_NESTED = 200
_VALUES = 1 << 20
_OBJECTS = 1 << 18
_HEADS = 1 << 21
_HELD = 96 << 20
"""Bytes that all object streams may hold together."""
_REMEMBERED = 64
_OBJECT_STREAM = 1 << 25
"""Bytes that an object stream may hold."""


class Ref:
    """A reference to the object with this number."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


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


def parse(text: "View", at: int) -> "tuple[Value, int, int]":
    """The value at `at`, where it ends, and how far was looked; None where there is none.

    What is left open ends where the object does.
    """
    stack: list[list[Value]] = [[]]
    ends: list[int] = []
    for _ in range(_VALUES):
        token = _TOKEN.match(text, at)
        seen = token.end() if token else len(text)
        kind = token.lastindex if token else None
        if token is None or (kind == _WORD and token[_WORD] in _BOUNDS) or len(stack) > _NESTED:
            break
        at = seen
        if kind in (_OPEN, _LIST):
            stack.append([])
            ends.append(kind)
        elif kind in (_CLOSE, _LIST_END):
            _close(stack, ends)
        elif kind == _STRING:
            string, at = _string(text, at)
            stack[-1].append(string)
        elif kind is not None:
            stack[-1].append(_simple(kind, token[kind]))
        if len(stack) == 1:
            return (stack[0][0] if stack[0] else None), at, at
    else:
        raise Broken("too many values")
    while len(stack) > 1:
        _close(stack, ends)
    return (stack[0][0] if stack[0] else None), at, max(at, seen)


def name_of(raw: bytes) -> str:
    """A name as it is meant: b"Embedded#46ile" is EmbeddedFile."""
    if b"#" in raw:
        raw = _NAME_ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), raw)
    return raw.decode("latin-1")


def text_of(string: bytes) -> bytes:
    """A string in UTF-8 if it says how it is written; else as it stands."""
    if string[:2] == b"\xfe\xff":
        return string[2:].decode("utf-16-be", "replace").encode("utf-8", "replace")
    if string[:2] == b"\xff\xfe":
        return string[2:].decode("utf-16-le", "replace").encode("utf-8", "replace")
    return string[3:] if string[:3] == b"\xef\xbb\xbf" else string


def dictionaries(value: "Value") -> "Iterator[dict[str, Value]]":
    """All dictionaries that are in a value, itself among them."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            yield one
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)


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


def _close(stack: "list[list[Value]]", ends: list[int]) -> None:
    """End what was begun last, by whatever mark."""
    if ends:
        items = stack.pop()
        stack[-1].append(items if ends.pop() == _LIST else _pairs(items))


def _pairs(items: "list[Value]") -> "dict[str, Value]":
    """A dictionary of these keys and values. Of a key that comes again, the first and the last value.

    Readers differ in which counts: the last is found by the key and a NUL.
    """
    found: dict[str, Value] = {}
    at = 0
    while at < len(items):
        key = items[at]
        if isinstance(key, str):
            value = items[at + 1] if at + 1 < len(items) else None
            found[key + "\0" if key in found else key] = value
            at += 1
        at += 1
    return found


def _simple(kind: int, word: bytes) -> "Value":
    if kind == _NAME:
        return name_of(word)
    if kind == _REF:
        return Ref(int(word))
    if kind == _HEX:
        digits = word.translate(None, _NOT_HEX)
        return bytes.fromhex((digits + b"0" * (len(digits) & 1)).decode())
    return int(word) if kind == _WORD and len(word) < 16 and word.lstrip(b"+").isdigit() else None


def _string(text: "View", at: int) -> tuple[bytes, int]:
    """The string whose opening parenthesis is before `at`, and where it ends."""
    deep = 1
    for mark in _PAREN.finditer(text, at):
        deep += {b"(": 1, b")": -1}.get(mark[0], 0)
        if not deep:
            return _ESCAPE.sub(_unescaped, text[at : mark.start()]), mark.end()
    return _ESCAPE.sub(_unescaped, text[at:]), len(text)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if code.isdigit() and code < b"8":
        return bytes((int(code, 8) & 255,))
    return _ESCAPED.get(code, code)
