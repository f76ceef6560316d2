"""The filters of streams in a PDF that are undone for what it embeds (ISO 32000-1, 7.4).

Those of pictures are left in place, for what they give is no file. What is damaged is given up to
there. One chunk goes through all filters before the next; memory is small.
"""

from amavis_pipe.decompose.streams import Broken, Inflate, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.walk import Sink

    Chunks = Iterator[bytes]
    Filter = Callable[[Chunks, dict[str, int], Sink], Chunks]

_SPACE = b"\0\t\n\f\r "
_HEX = b"0123456789abcdefABCDEF"
_NOT_HEX = bytes(set(range(256)) - set(_HEX + b">"))
_NOT_85 = bytes(set(range(256)) - set(range(33, 118)) - set(b"z~"))
_BASE_85 = 33 * (85**4 + 85**3 + 85**2 + 85 + 1)
_FILTERS_MOST = 12
_OUTPUT = 1 << 16
_ROW = 1 << 20


def decoded(chunks: "Chunks", filters: list[tuple[str, dict[str, int]]], sink: "Sink") -> "Chunks":
    """The chunks with the filters undone, in order, up to the first that is not known here."""
    if len(filters) > _FILTERS_MOST:
        raise Broken("too many filters")
    for name, numbers in filters:
        undo = _FILTERS.get(name)
        if undo is None:
            break
        chunks = undo(chunks, numbers, sink)
    return chunks


def _flate(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    """Without a look at header and checksum, as readers do."""
    from zlib import error

    streams = Streams(_headless(chunks), sink, lambda: Inflate(-15), None, (error,))
    return _predicted(streams.output(), numbers, sink)


def _headless(chunks: "Chunks") -> "Chunks":
    """The chunks without the two bytes that begin a zlib stream, and the blanks some put before them."""
    head = next(chunks, b"")
    at = len(head) - len(head.lstrip(_SPACE))
    if at and head[at : at + 1] and head[at] & 15 == 8 and head[0] & 15 != 8:
        head = head[at:]
    yield head[2:]
    yield from chunks


def _lzw(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    return _predicted(_unlzw(chunks, numbers.get("EarlyChange", 1), sink), numbers, sink)


def _unlzw(chunks: "Chunks", early: int, sink: "Sink") -> "Chunks":
    """LZW with codes of 9 to 12 bits, the highest bit first; 256 begins anew, 257 ends."""
    singles = [bytes((byte,)) for byte in range(256)] + [b"", b""]
    table, last, width = list(singles), b"", 9
    held = bits = size = 0
    out: list[bytes] = []
    for chunk in chunks:
        for byte in chunk:
            held, bits = (held << 8 | byte) & 0xFFFFFF, bits + 8
            if bits < width:
                continue
            bits -= width
            code = held >> bits & (1 << width) - 1
            if code == 256:
                table, last, width = list(singles), b"", 9
                continue
            if code == 257:
                yield b"".join(out)
                return
            if code > len(table) or (code == len(table) and not last):
                yield b"".join(out)
                raise Broken("code")
            entry = table[code] if code < len(table) else last + last[:1]
            if last and len(table) < 4096:
                table.append(last + entry[:1])
            last = entry
            width = min(12, max(9, (len(table) + early).bit_length()))
            out.append(entry)
            size += len(entry)
            if size >= _OUTPUT:
                sink.tick()
                yield b"".join(out)
                out, size = [], 0
    yield b"".join(out)


def _hex(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    rest = b""
    for chunk in chunks:
        sink.tick()
        digits, end, _ = (rest + chunk.translate(None, _NOT_HEX)).partition(b">")
        odd = len(digits) & 1
        rest = digits[len(digits) - odd :]
        yield bytes.fromhex(digits[: len(digits) - odd].decode())
        if end:
            break
    if rest:
        yield bytes.fromhex((rest + b"0").decode())


def _base85(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    rest = b""
    for number, chunk in enumerate(chunks):
        sink.tick()
        chars = chunk.lstrip(_SPACE).removeprefix(b"<~") if not number else chunk
        digits, end, _ = (rest + chars.translate(None, _NOT_85).replace(b"z", b"!!!!!")).partition(b"~")
        whole = len(digits) // 5 * 5
        rest = digits[whole:]
        yield _groups(digits[:whole])
        if end:
            break
    if len(rest) > 1:
        yield _groups(rest + b"u" * (5 - len(rest)))[: len(rest) - 1]


def _groups(digits: bytes) -> bytes:
    """Four bytes for each five digits."""
    from struct import pack

    columns = (digits[place::5] for place in range(5))
    numbers = [
        ((((a * 85 + b) * 85 + c) * 85 + d) * 85 + e - _BASE_85) & 0xFFFFFFFF
        for a, b, c, d, e in zip(*columns, strict=True)
    ]
    return pack(f">{len(numbers)}I", *numbers)


def _runs(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    data = b""
    for chunk in chunks:
        sink.tick()
        data += chunk
        out: list[bytes] = []
        at = size = 0
        while at < len(data):
            count = data[at]
            if count == 128:
                yield b"".join(out)
                return
            step = count + 2 if count < 128 else 2
            if at + step > len(data):
                break
            out.append(data[at + 1 : at + step] if count < 128 else data[at + 1 : at + 2] * (257 - count))
            size += len(out[-1])
            at += step
            if size >= _OUTPUT:
                yield b"".join(out)
                out, size = [], 0
        yield b"".join(out)
        data = data[at:]
    if data:
        yield data[1:] if data[0] < 128 else b""


def _same(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    return chunks


def _predicted(chunks: "Chunks", numbers: dict[str, int], sink: "Sink") -> "Chunks":
    """The rows that a predictor made differences of (ISO 32000-1, 7.4.4.4)."""
    predictor = numbers.get("Predictor", 1)
    samples, depth = numbers.get("Colors", 1), numbers.get("BitsPerComponent", 8)
    row = (samples * depth * numbers.get("Columns", 1) + 7) // 8
    pixel = max(1, samples * depth // 8)
    if predictor < 2:
        yield from chunks
        return
    if not 0 < row <= _ROW or (predictor == 2 and depth != 8):
        yield from chunks
        raise Broken("a predictor that is not undone")
    mark = 1 if predictor >= 10 else 0
    above, rest = bytes(row), b""
    for chunk in chunks:
        data, out, at = rest + chunk, [], 0
        while at + row + mark <= len(data):
            kind = data[at] if mark else 1
            above = _row(kind, data[at + mark : at + mark + row], above, pixel)
            out.append(above)
            at += row + mark
        sink.tick()
        yield b"".join(out)
        rest = data[at:]
    if rest[mark:]:
        whole = rest[mark:] + bytes(row + mark - len(rest))
        yield _row(rest[0] if mark else 1, whole, above, pixel)[: len(rest) - mark]


def _row(kind: int, coded: bytes, above: bytes, pixel: int) -> bytes:
    """One row, as PNG has it (RFC 2083, 6)."""
    if kind == 2:
        return bytes([value + up & 255 for value, up in zip(coded, above, strict=True)])
    if kind not in (1, 3, 4):
        return coded
    row = bytearray(pixel) + coded
    corners = bytes(pixel) + above
    for at in range(len(coded)):
        left, up, corner = row[at], above[at], corners[at]
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) // 2
        else:
            guess = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
        row[at + pixel] = row[at + pixel] + guess & 255
    return bytes(row[pixel:])


_FILTERS: "dict[str, Filter]" = {
    "FlateDecode": _flate,
    "Fl": _flate,
    "LZWDecode": _lzw,
    "LZW": _lzw,
    "ASCIIHexDecode": _hex,
    "AHx": _hex,
    "ASCII85Decode": _base85,
    "A85": _base85,
    "RunLengthDecode": _runs,
    "RL": _runs,
    "Crypt": _same,
}
