"""yEnc: 8-bit files in the text of a mail, any number of blocks, each from its `=ybegin` line on.

Promises: nothing raises; time linear in the text; about a chunk held. A block ends at its `=yend` line,
at the next `=ybegin` line or with the text; sizes and checksums are not believed, a size only decides
whether a second reading is worth a part. Source: yEnc draft 1.3 (J. Helbing, 2002).
"""

import re

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import coding
from amavis_pipe.mime.lines import runs
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

NAME_MAX = 1024
_BEGIN = re.compile(rb"(?:\A|[\r\n])=ybegin[ \t]([^\r\n]{0,2048})[^\r\n]*")
_PART = re.compile(rb"[\r\n]{1,2}=ypart[ \t]([^\r\n]{0,2048})[^\r\n]*")
_STOP = re.compile(rb"[\r\n]=y(?:end|begin[ \t])")
_NUMBER = re.compile(rb"\b(begin|end|size|part)[ \t]*=[ \t]*([0-9]{1,18})")

_ESCAPE = re.compile(rb"=[\0-\xff]")
_SHIFTED = bytes((byte - 42) & 255 for byte in range(256))
_LINE_ENDS = b"\r\n"


class Block:
    """One `=ybegin`: the file's name, this part's number (0: the whole file) and size (-1: not told).

    data is in view[start:end].
    """

    __slots__ = ("end", "name", "number", "size", "start")

    def __init__(self, name: bytes, number: int, size: int, start: int, end: int) -> None:
        self.name = name
        self.number = number
        self.size = size
        self.start = start
        self.end = end


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each block as a part; the blocks of one file in several parts also in one piece."""
    view = blob.view()
    files: dict[bytes, list[Block]] = {}
    for block in blocks(view):
        names = (block.name,) if block.name else ()
        part = out.add(contents(view, block), names)
        if part.size != block.size and _has_dots(view, block):
            out.add(contents(view, block, stuffed=True), names)
        if block.number:
            files.setdefault(block.name, []).append(block)
    for name, several in files.items():
        if len(several) > 1:
            several.sort(key=lambda block: block.number)
            whole = (piece for block in several for piece in contents(view, block))
            out.add(whole, (name,) if name else ())


DECODER = Decoder("yenc", (PLAIN,), unpack)


def decode(view: "View", start: int, end: int, chunk: int = coding.CHUNK) -> "Iterator[bytes]":
    """The contents of all blocks in view[start:end]; without any, the bytes as they are."""
    found = False
    for block in blocks(view, start, end):
        found = True
        yield from contents(view, block)
    if not found:
        yield from coding.pieces(view, start, end, chunk)


def blocks(view: "View", first: int = 0, last: int = -1) -> "Iterator[Block]":
    """The blocks of the text view[first:last], in order; it begins a line."""
    last = len(view) if last < 0 else last
    for begin in _BEGIN.finditer(view, max(0, first - 1), last):
        start, fields = begin.end(), begin[1]
        part = _PART.match(view, start, last)
        end = _stop(view, part.end() if part else start, last)
        fields, _, name = fields.partition(b"name=")
        told = _numbers(fields)
        size = told.get(b"size", -1)
        if part:
            start, place = part.end(), _numbers(part[1])
            size = place.get(b"end", 0) - place.get(b"begin", 0) + 1
        name = name.strip(b' \t"')[-NAME_MAX:]
        yield Block(name, told.get(b"part", 1) if part else 0, size, start, end)


def contents(view: "View", block: Block, stuffed: bool = False) -> "Iterator[bytes]":
    """The decoded bytes of a block; `stuffed` takes two dots at a line's start for one."""
    held = b""
    for raw in runs(view, block.start, block.end):
        text = raw.replace(b"\n..", b"\n.") if stuffed else raw
        text = held + text.translate(None, _LINE_ENDS)
        held = text[-1:] if (len(text) - len(text.rstrip(b"="))) & 1 else b""
        text = _ESCAPE.sub(_unescaped, text[:-1] if held else text)
        if text:
            yield text.translate(_SHIFTED)


def _unescaped(match: "re.Match[bytes]") -> bytes:
    return bytes((match[0][1] - 64 & 255,))


def _stop(view: "View", start: int, last: int) -> int:
    """Where the data that begins at `start` ends: at `last` at the latest."""
    mark = _STOP.search(view, start, last)
    return mark.start() if mark else last


def _has_dots(view: "View", block: Block) -> bool:
    return view.find(b"\n..", block.start, block.end) >= 0


def _numbers(fields: bytes) -> dict[bytes, int]:
    return {name: int(digits) for name, digits in _NUMBER.findall(fields)}
