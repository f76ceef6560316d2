"""VBA projects ([MS-OVBA]): the source of modules, and what the project's directory says of them.

Promises: a module comes out with or without the directory; of what is damaged, all up to there.
Sources: [MS-OVBA] 2.3.4.2 (dir stream), 2.4.1 (compression).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.ole1 import Source

_CHUNK = 4096
_DIRECTORY = 4 << 20
"""Bytes that a directory may have."""
_CODEPAGE, _NAME, _WIDE_NAME, _STREAM, _WIDE_STREAM, _OFFSET, _VERSION = 3, 0x19, 0x47, 0x1A, 0x32, 0x31, 9
_PAGES = (*range(1250, 1259), 874, 932, 936, 949, 950)
"""Code pages in which ASCII is ASCII."""
_SIGN = b"\0Attribut"
"""What a packed module has at its fourth byte: no flag, and the first eight letters as they are."""
_STEP = 1 << 16
_MODULES = 4096


class Module:
    """A module in the directory: its name, that of its stream, and where in it the source begins."""

    __slots__ = ("name", "offset", "stream")

    def __init__(self) -> None:
        self.name = ""
        self.stream = ""
        self.offset = 0


def directory(source: "Source") -> tuple[list[Module], str]:
    """The modules that a dir stream lists, and the codec of their texts, "" if it is not known."""
    raw = bytearray()
    for piece in unpacked(source, 0):
        raw += piece
        if len(raw) > _DIRECTORY:
            break
    modules: list[Module] = []
    codec, at = "", 0
    while at + 6 <= len(raw):
        kind, size = _number(raw[at : at + 2]), _number(raw[at + 2 : at + 6])
        value = bytes(raw[at + 6 : at + 6 + size])
        if kind == _CODEPAGE:
            page = _number(value)
            codec = f"cp{page}" if page in _PAGES else ""
        elif kind == _NAME and len(modules) < _MODULES:
            modules.append(Module())
        if modules:
            _note(modules[-1], kind, value, codec)
        at += 6 + size + (2 if kind == _VERSION else 0)
    return modules, codec


def _note(module: Module, kind: int, value: bytes, codec: str) -> None:
    if kind == _NAME:
        module.name = value.decode(codec or "latin-1", "replace")
    elif kind == _WIDE_NAME:
        module.name = value.decode("utf-16-le", "replace")
    elif kind == _STREAM:
        module.stream = value.decode(codec or "latin-1", "replace")
    elif kind == _WIDE_STREAM:
        module.stream = value.decode("utf-16-le", "replace")
    elif kind == _OFFSET:
        module.offset = _number(value)


def begins(source: "Source", at: int) -> bool:
    """Whether packed text may begin at `at`."""
    head = source.read(at, 3)
    return len(head) == 3 and head[0] == 1 and head[2] & 0x70 == 0x30


def signs(source: "Source") -> "Iterator[int]":
    """Where packed modules begin, by what stands in them."""
    at, kept = 0, b""
    while at < source.size:
        piece = source.read(at, _STEP)
        if not piece:
            return
        text, start = kept + piece, at - len(kept)
        found = text.find(_SIGN)
        while found >= 0:
            if found >= 3 and text[found - 3] == 1 and text[found - 1] & 0x70 == 0x30:
                yield start + found - 3
            found = text.find(_SIGN, found + 1)
        kept = text[-len(_SIGN) - 2 :]
        at += len(piece)


def unpacked(source: "Source", at: int) -> "Iterator[bytes]":
    """The text that is packed from `at` on, chunk by chunk; it ends where one is no more."""
    at += 1
    while True:
        head = _number(source.read(at, 2))
        if head >> 12 & 7 != 3:
            return
        size = (head & 0xFFF) + 3
        data = source.read(at + 2, size - 2)
        if not data:
            return
        yield _chunk(data) if head & 0x8000 else data
        at += size


def _chunk(data: bytes) -> bytes:
    """One packed chunk ([MS-OVBA] 2.4.1.3.5)."""
    out = bytearray()
    at = 0
    while at < len(data) and len(out) < _CHUNK:
        flags, at = data[at], at + 1
        for bit in range(8):
            if at >= len(data) or len(out) >= _CHUNK:
                break
            if not flags >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            token, at = _number(data[at : at + 2]), at + 2
            if at > len(data) or not out:
                return bytes(out)
            bits = 16 - max(4, (len(out) - 1).bit_length())
            back, size = (token >> bits) + 1, (token & (1 << bits) - 1) + 3
            if back > len(out):
                return bytes(out)
            piece = out[-back:]
            out += (piece * (size // back + 1))[:size]
    return bytes(out)


def as_text(chunks: "Iterator[bytes]", codec: str) -> "Iterator[bytes]":
    """The chunks in UTF-8, or as they are if there is no codec."""
    if not codec:
        yield from chunks
        return
    from codecs import getincrementaldecoder

    decoder = getincrementaldecoder(codec)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", True).encode()


def _number(raw: bytes | bytearray) -> int:
    return int.from_bytes(raw, "little")
