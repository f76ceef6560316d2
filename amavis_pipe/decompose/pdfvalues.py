"""The values that a PDF is written in: numbers, names, strings, arrays, dictionaries, references.

Read leniently, one at a time, from any place; by whom and how often is bounded in pdfs.py. Source: ISO
32000-1, 7.2 and 7.3.
"""

import re

from amavis_pipe.decompose.streams import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from amavis_pipe.spool import View

    Value: TypeAlias = "str | bytes | int | Ref | list[Value] | dict[str, Value] | None"

SPACE = rb"\0\t\n\f\r "
_DELIMITERS = SPACE + rb"()<>\[\]{}/%"
SKIP = rb"(?:[" + SPACE + rb"]|%[^\r\n]*+)"
_TOKEN = re.compile(
    SKIP + rb"*+(?:(<<)|(>>)|(\[)|(\])|/([^" + _DELIMITERS + rb"]*+)|(\()|<([^<>]*+)>|"
    rb"([0-9]{1,10})"
    + (SKIP + rb"++[0-9]{1,10}+" + SKIP + rb"++R(?![^" + _DELIMITERS + rb"])|([^")
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
_NESTED = 200
_VALUES = 1 << 20


class Ref:
    """A reference to the object with this number."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


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
