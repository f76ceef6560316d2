"""uuencoded and xxencoded files in the text of a mail: any number of blocks, from each "begin" line on.

Promises: no bad line raises; time linear in the text; no more than about a chunk held. A block ends
at its "end" line, at the next "begin" line, or with the text; it may be indented or quoted ("> begin").
Lines that can't be data are skipped. Sources: POSIX uuencode(1), both forms (historical and base64);
xxencode has no standard. Leaves BinHex and yEnc to others.
"""

from binascii import Error, a2b_base64, a2b_uu

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import coding
from amavis_pipe.mime.lines import line_end, runs, unix
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

NAME_MAX = 1024
_LINE_MAX = NAME_MAX + 64
_INDENT_MAX = 16
_SAMPLE = 16
"""Lines after a "begin" line that tell which alphabet it is."""
_LONGEST = 200
"""A line of data has no more characters, by far."""
_OCTAL, _DIGITS = b"01234567", b"0123456789"
_BEFORE = b" \t>|"
_LINE_ENDS = (b"\n", b"\r")
_UU = bytes(range(32, 97))
_XX = b"+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TO_BASE64 = bytes.maketrans(_XX, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


class Block:
    """One encoded file: its name, the offsets of its "begin" line and of the line after, its alphabet.

    base64  whether it is in the form of begin-base64
    xx      whether its lines are xxencoded; both: whether some may be that and others uuencoded
    indent  what stands before "begin"
    ended   whether its end was met when it was read
    """

    __slots__ = ("base64", "begin", "both", "ended", "indent", "name", "start", "xx")

    def __init__(self, name: bytes, begin: int, start: int, base64: bool, indent: bytes = b"") -> None:
        self.name = name
        self.begin = begin
        self.start = start
        self.base64 = base64
        self.indent = indent
        self.xx = False
        self.both = False
        self.ended = False

    def names(self) -> tuple[bytes, ...]:
        """Its name, if it has one."""
        return (self.name,) if self.name else ()


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each file in the text of `blob`, under the name it was given.

    To some readers a "begin" line amid a file is rubbish: what has no end is also read as going on in the
    next one.
    """
    view = blob.view()
    row: list[tuple[Block, int]] = []
    for block, stop in blocks(view, 0, len(view)):
        out.tick()
        out.add(contents(view, block, stop), block.names())
        row.append((block, stop))
        if block.ended:
            _add_row(view, row, out)
            row = []
        if block.both:
            block.xx = not block.xx
            out.add(contents(view, block, stop), block.names())
            block.xx = not block.xx
    _add_row(view, row, out)


def _add_row(view: "View", row: list[tuple[Block, int]], out: "Sink") -> None:
    """Add several blocks as one file."""
    if len(row) > 1:
        whole = (data for block, stop in row for data in contents(view, block, stop))
        out.add(whole, row[0][0].names())


DECODER = Decoder("uuencode", (PLAIN,), unpack)


def has_uu(blob: "Blob") -> bool:
    """Whether there is a "begin" line in the text of `blob`."""
    view = blob.view()
    return find(view, 0, len(view)) is not None


def decode(view: "View", start: int, end: int, chunk: int = coding.CHUNK) -> "Iterator[bytes]":
    """The contents of all blocks in view[start:end]; without any, of its lines, or the bytes as they are."""
    if find(view, start, end) is None:
        bare = Block(b"", start, start, False)
        data = _is_data(view, bare, end)
        yield from contents(view, bare, end, chunk) if data else coding.pieces(view, start, end, chunk)
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
    at = view.find(b"begin", start, end)
    while at >= 0:
        indent = _indent(view, start, at)
        if indent is not None:
            stop = line_end(view, at, min(at + _LINE_MAX, end))
            after = stop + (2 if view[stop : stop + 2] == b"\r\n" else 1)
            block = _block(view[at:stop], at - len(indent), min(after, end), indent)
            if block is not None and _is_sound(view, block, end):
                return block
        at = view.find(b"begin", at + 5, end)
    return None


def contents(view: "View", block: Block, end: int, chunk: int = coding.CHUNK) -> "Iterator[bytes]":
    """The decoded bytes of `block`, whose lines end at `end` at the latest."""
    if block.base64:
        marks = (view.find(mark + b"====", max(block.start - 1, 0), end) for mark in _LINE_ENDS)
        stop = min((mark for mark in marks if mark >= 0), default=end)
        block.ended = stop < end
        yield from coding.decode(view, block.start, stop, b"base64", chunk)
        return
    line_of = _xx_line if block.xx else _line
    long = False
    for raw in runs(view, block.start, end, chunk):
        lines = unix(raw).split(b"\n")
        if long:  # a line longer than a chunk is no data, nor is the rest of it
            lines[0] = b""
        long = len(raw) >= chunk - 1 and len(lines) == 1
        data, over = _lines(lines, block.indent, line_of)
        if data and not long:
            yield data
        if over:
            block.ended = True
            return


def _indent(view: "View", start: int, at: int) -> bytes | None:
    """What stands on the line before `at`, if that is nothing, or little and only blanks and quote marks."""
    if at == start or view[at - 1 : at] in _LINE_ENDS:
        return b""
    if view[at - 1 : at] not in (b" ", b"\t", b">", b"|"):
        return None
    before = view[max(start, at - _INDENT_MAX - 1) : at]
    indent = before[max(before.rfind(b"\n"), before.rfind(b"\r")) + 1 :]
    if indent.strip(_BEFORE) or len(indent) > _INDENT_MAX:
        return None
    return indent


def _block(line: bytes, begin: int, start: int, indent: bytes) -> Block | None:
    """What a "begin" line begins, if it is one: `begin 644 name`, `begin-base64 644 name`.

    A mode that is none makes it doubtful: its name is kept, and Block.both is set for _is_sound.
    """
    word, *rest = line.split(None, 2)
    if word not in (b"begin", b"begin-base64") or not rest or rest[0][:1] not in _DIGITS:
        return None
    name = rest[1].strip()[:NAME_MAX] if len(rest) > 1 else b""
    block = Block(name, begin, start, word == b"begin-base64", indent)
    block.both = not 3 <= len(rest[0]) <= 6 or bool(rest[0].translate(None, _OCTAL))
    return block


def _is_sound(view: "View", block: Block, end: int) -> bool:
    """Whether what follows a doubtful "begin" line is data; finds out the alphabet of each block."""
    doubtful, block.both = block.both, False
    if block.base64:
        return not doubtful
    return _is_data(view, block, end) or not doubtful


def _is_data(view: "View", block: Block, end: int) -> bool:
    """Whether any of the first lines of a block is data; sets the alphabet."""
    uu = xx = 0
    at = block.start
    for _ in range(_SAMPLE):
        if view[at : at + 5] == b"begin":
            break
        stop = line_end(view, at, min(at + _LONGEST, end))
        bare = _bare(view[at:stop], block.indent)
        if bare[:5] == b"begin" or bare.rstrip() == b"end" or at >= end:
            break
        uu += _is_uu(bare)
        xx += _is_xx(bare)
        at = stop + 1
    block.xx = xx > uu
    block.both = bool(xx and uu)
    return bool(xx or uu)


def _is_uu(line: bytes) -> bool:
    """Whether a line has as many characters as its first says, or one more."""
    if len(line) < 5 or not 33 <= line[0] < 96:
        return False
    wanted = 1 + (line[0] - 30) // 3 * 4
    return 0 <= len(line) - wanted <= 1 and not line.translate(None, _UU)


def _is_xx(line: bytes) -> bool:
    line = line.rstrip()
    count = _XX.find(line[:1]) if line else -1
    return count > 0 and 0 <= len(line) - 1 - (count + 2) // 3 * 4 <= 1 and not line.translate(None, _XX)


def _bare(line: bytes, indent: bytes) -> bytes:
    return line[len(indent) :] if indent and line.startswith(indent) else line


def _lines(lines: list[bytes], indent: bytes, line_of: "Callable[[bytes], bytes]") -> tuple[bytes, bool]:
    """The data of these lines, and whether the block is over."""
    decoded: list[bytes] = []
    for line in lines:
        bare = _bare(line, indent) if indent else line
        if bare[:3] == b"end" and bare.rstrip() == b"end":
            return b"".join(decoded), True
        if bare:
            decoded.append(line_of(bare))
    return b"".join(decoded), False


def _line(line: bytes) -> bytes:
    """The bytes of one uuencoded line; empty if it can't be one."""
    if not 32 < line[0] < 96:
        return b""
    try:
        return a2b_uu(line)
    except Error:
        pass
    try:
        # some encoders put a checksum, or rubbish, behind the characters that count
        return a2b_uu(line[: 1 + ((line[0] - 32 & 63) * 4 + 2) // 3])
    except Error:
        return b""


def _xx_line(line: bytes) -> bytes:
    """The bytes of one xxencoded line; empty if it can't be one."""
    count = _XX.find(line[:1])
    text = line[1:].rstrip()[: (count + 2) // 3 * 4]
    if count <= 0 or text.translate(None, _XX) or len(text) < 2:
        return b""
    text += b"+" * (-len(text) % 4)
    return a2b_base64(text.translate(_TO_BASE64))[:count]
