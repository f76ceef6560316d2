"""uuencoded files in the text of a mail: any number of blocks, each from its "begin" line on.

Promises: no bad line raises; time linear in the text; no more than about a chunk held. A block ends
at its "end" line, at the next "begin" line, or with the text. Lines that can't be data are skipped.
Sources: POSIX uuencode(1), both forms (historical and base64). Leaves BinHex and yEnc to others.
"""

from binascii import Error, a2b_uu

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import coding
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

NAME_MAX = 1024
_LINE_MAX = NAME_MAX + 64
_OCTAL = b"01234567"


class Block:
    """One encoded file: its name, the offsets of its "begin" line and of the line after, if in base64."""

    __slots__ = ("base64", "begin", "name", "start")

    def __init__(self, name: bytes, begin: int, start: int, base64: bool) -> None:
        self.name = name
        self.begin = begin
        self.start = start
        self.base64 = base64


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each file in the text of `blob`, under the name it was given."""
    view = blob.view()
    for block, stop in blocks(view, 0, len(view)):
        out.add(contents(view, block, stop), names=(block.name,) if block.name else ())


DECODER = Decoder("uuencode", (PLAIN,), unpack)


def has_uu(blob: "Blob") -> bool:
    """Whether there is a "begin" line in the text of `blob`."""
    view = blob.view()
    return find(view, 0, len(view)) is not None


def decode(view: "View", start: int, end: int, chunk: int = coding.CHUNK) -> "Iterator[bytes]":
    """The contents of all blocks in view[start:end]; without any, the bytes as they are."""
    if find(view, start, end) is None:
        yield from coding.pieces(view, start, end, chunk)
    for block, stop in blocks(view, start, end):
        yield from contents(view, block, stop, chunk)


def blocks(view: "View", start: int, end: int) -> "Iterator[tuple[Block, int]]":
    """Each block in view[start:end], and the offset at which it ends at the latest."""
    block = find(view, start, end)
    while block is not None:
        after = find(view, block.start, end)
        yield block, end if after is None else after.begin
        block = after


def find(view: "View", start: int, end: int) -> Block | None:
    """The first block that begins in view[start:end]; `start` is the beginning of a line."""
    at = start
    if view[at : at + 5] != b"begin":
        at = _next(view, at, end)
    while at < end:
        limit = min(at + _LINE_MAX, end)
        stop = view.find(b"\n", at, limit)
        block = _block(view[at : limit if stop < 0 else stop], at, limit if stop < 0 else stop + 1)
        if block is not None:
            return block
        at = _next(view, at, end)
    return None


def _next(view: "View", start: int, end: int) -> int:
    """Offset of the next line that starts with "begin", or `end`."""
    at = view.find(b"\nbegin", start, end)
    return end if at < 0 else at + 1


def contents(view: "View", block: Block, end: int, chunk: int = coding.CHUNK) -> "Iterator[bytes]":
    """The decoded bytes of `block`, whose lines end at `end` at the latest."""
    if block.base64:
        stop = view.find(b"\n====", block.start - 1, end)
        yield from coding.decode(view, block.start, end if stop < 0 else stop, b"base64", chunk)
        return
    at, over = block.start, False
    while at < end and not over:
        raw = view[at : min(at + chunk, end)]
        cut = len(raw) if at + len(raw) == end else raw.rfind(b"\n") + 1
        if not cut:  # a line longer than a chunk is no data
            at = view.find(b"\n", at, end) + 1 or end
            continue
        at += cut
        data, over = _lines(raw[:cut].split(b"\n"))
        if data:
            yield data


def _block(line: bytes, begin: int, start: int) -> Block | None:
    """What a "begin" line begins, if it is one: `begin 644 name`, `begin-base64 644 name`."""
    word, *rest = line.split(None, 2)
    if word not in (b"begin", b"begin-base64") or not rest:
        return None
    if not 3 <= len(rest[0]) <= 6 or rest[0].translate(None, _OCTAL):
        return None
    name = rest[1].strip()[:NAME_MAX] if len(rest) > 1 else b""
    return Block(name, begin, start, word == b"begin-base64")


def _lines(lines: list[bytes]) -> tuple[bytes, bool]:
    """The data of these lines, and whether the block is over."""
    decoded: list[bytes] = []
    for line in lines:
        if line[:1] == b"e" and line.rstrip() == b"end":
            return b"".join(decoded), True
        if line and 32 < line[0] < 96:
            decoded.append(_line(line))
    return b"".join(decoded), False


def _line(line: bytes) -> bytes:
    """The bytes of one data line; empty if it can't be one."""
    try:
        return a2b_uu(line)
    except Error:
        pass
    try:
        # some encoders put a checksum, or rubbish, behind the characters that count
        return a2b_uu(line[: 1 + ((line[0] - 32 & 63) * 4 + 2) // 3])
    except Error:
        return b""
