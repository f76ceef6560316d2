"""What AutoIt 3 puts behind its interpreter, or into a file of its own (.a3x): the script and files.

Promises: each file with the path it was made from; the script of newer versions, which is kept in
tokens, as text. Checksums are not looked at. The structures are not published; these are as seen in what
versions 3.2 to 3.3 make, of the kinds EA05 and EA06.
"""

from amavis_pipe.decompose.streams import STEP, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

MAGIC = b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d"
_MARK = b"AU3!EA0"
_FILES = 1 << 12
_NAME = 1024
_WINDOW = 1 << 15
_LONG = ((2, 3, 3), (3, 7, 10), (5, 31, 41), (8, 255, 296))
"""Lengths of copies: bits, the value that says that more follow, what is added then."""
_TOKENS = (
    b", = > < <> >= <= ( ) + - / * & [ ] == ^ += -= /= *= &= ? :".split()  # from 0x40 on
)
_PREFIXES = {0x32: b"@", 0x33: b"$", 0x35: b"."}
_NUMBERS = {0x05: "<i", 0x10: "<q", 0x20: "<d"}


class _Kind:
    """The numbers that one kind mixes in.

    file    how each entry begins
    keys    of: size of the source's name, that name, size of the path, path, sizes, content
    width   bytes of a character in names
    """

    __slots__ = ("cipher", "file", "keys", "literal", "width")

    def __init__(
        self,
        cipher: "Callable[[int], Iterator[int]]",
        file: bytes,
        keys: tuple[int, int, int, int, int, int],
        width: int,
        literal: int,
    ) -> None:
        self.cipher = cipher
        self.file = file
        self.keys = keys
        self.width = width
        self.literal = literal


def unpack(view: "View", sink: "Sink") -> bool | None:
    """Add all that is in the scripts found; whether they were whole, None if there is none."""
    whole, room = None, 2 * len(view)
    at = view.find(MAGIC)
    while at >= 0:
        sink.tick()
        kind = _KINDS.get(view[at + 16 : at + 24])
        if kind is not None:
            read = _Entries(view, kind, room, sink)
            whole = read.all(at + 24) and whole is not False
            room = read.room
        at = view.find(MAGIC, at + 1)
    return whole


class _Entries:
    """The entries behind one head.

    room  bytes of contents that may still be deciphered: heads within one another would have the same ones
          read over and over, at a microsecond each
    """

    __slots__ = ("_kind", "_sink", "_view", "room")

    def __init__(self, view: "View", kind: _Kind, room: int, sink: "Sink") -> None:
        self._view = view
        self._kind = kind
        self._sink = sink
        self.room = room

    def all(self, at: int) -> bool:
        """Add each entry; whether all were whole."""
        view, kind = self._view, self._kind
        salt = sum(view[at : at + 16]) if kind.width == 1 else 0
        at += 16
        for _ in range(_FILES):
            self._sink.tick()
            if view[at : at + 4] != kind.file:
                return at <= len(view) - 4
            source, at = _name(view, at + 4, kind, 0)
            path, at = _name(view, at, kind, 2)
            fixed = view[at : at + 13]
            packed, size = (_number(fixed[place : place + 4]) ^ kind.keys[4] for place in (1, 5))
            at += 29  # with two times
            self.room -= max(min(packed, len(view) - at), 0)
            if len(fixed) < 13 or self.room < 0:
                return False
            try:
                self._entry((source, path), fixed[0] != 0, size, self._content(at, at + packed, salt))
            except Broken:
                return False
            at += packed
            if at > len(view):
                return False
        return False

    def _entry(self, names: tuple[bytes, bytes], packed: bool, size: int, data: bytes) -> None:
        """Add one file; `size` is what it says to have."""
        is_script = names[0].startswith(b">")
        chunks = _inflated(data, self._kind, self._sink) if packed else iter((data,))
        if is_script and self._kind.width == 2 and size < 1 << 26:
            chunks = _text(chunks)
        shown = (b"script.au3",) if is_script else tuple(dict.fromkeys(names))
        self._sink.add(chunks, tuple(name for name in shown if name))

    def _content(self, start: int, end: int, salt: int) -> bytes:
        masks = self._kind.cipher(self._kind.keys[5] + salt)
        end = min(end, len(self._view))
        clear = bytearray()
        for at in range(start, end, STEP):
            self._sink.tick()
            data = self._view[at : min(at + STEP, end)]
            clear += bytes([byte ^ next(masks) for byte in data])
        return bytes(clear)


def _name(view: "View", at: int, kind: _Kind, key: int) -> tuple[bytes, int]:
    """The name at `at`, and where it ends."""
    size = _number(view[at : at + 4]) ^ kind.keys[key]
    raw = _clear(view[at + 4 : at + 4 + min(size, _NAME) * kind.width], kind, size + kind.keys[key + 1])
    name = raw.decode("utf-16-le", "replace").encode("utf-8", "replace") if kind.width == 2 else raw
    return name[:_NAME], at + 4 + size * kind.width


def _clear(data: bytes, kind: _Kind, key: int) -> bytes:
    """The bytes with the stream of random numbers undone that begins with the key."""
    return bytes([byte ^ mask for byte, mask in zip(data, kind.cipher(key), strict=False)])


def _twister(seed: int) -> "Iterator[int]":
    """The second lowest bits of MT19937's numbers."""
    from _random import Random

    state = [seed & 0xFFFFFFFF]
    for index in range(1, 624):
        state.append(1812433253 * (state[-1] ^ state[-1] >> 30) + index & 0xFFFFFFFF)
    source = Random()
    source.setstate((*state, 624))
    while True:
        yield source.getrandbits(32) >> 1 & 255


def _rotating(seed: int) -> "Iterator[int]":
    """The highest bits of every second number of a generator that adds what it rotates."""
    state = []
    for _ in range(17):
        seed = 1 - seed * 0x53A9B4FB & 0xFFFFFFFF
        state.append(seed)
    left, right, turn = 0, 10, 0
    while True:
        one, two = state[left], state[right]
        value = (one << 9 | one >> 23) + (two << 13 | two >> 19) & 0xFFFFFFFF
        state[left] = value
        left, right = (left or 17) - 1, (right or 17) - 1
        turn += 1
        if turn > 9 and turn & 1:
            yield value >> 24


def _inflated(data: bytes, kind: _Kind, sink: "Sink") -> "Iterator[bytes]":
    """Content that is compressed: single bytes, and copies of what came before (LZSS)."""
    if data[:3] != b"EA0":
        raise Broken("no compressed content")
    left = int.from_bytes(data[4:8], "big")
    bits = _Bits(data)
    out = bytearray()
    kept = copy = back = 0
    while left > len(out) - kept and bits.at <= 8 * len(data):
        if copy:
            out.append(out[-back] if 0 < back <= len(out) else 0)
            copy -= 1
        elif bits.take(1) == kind.literal:
            out.append(bits.take(8))
        else:
            back = bits.take(15)
            copy = bits.length()
        if len(out) - kept >= STEP:
            sink.tick()
            yield bytes(out[kept:])
            left -= len(out) - kept
            del out[:-_WINDOW]
            kept = len(out)
    yield bytes(out[kept : kept + left])
    if left > len(out) - kept:
        raise Broken("cut off")


class _Bits:
    """Bits from the highest of each byte on; zeros behind the end."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 64

    def take(self, count: int) -> int:
        place, skip = self.at >> 3, self.at & 7
        self.at += count
        word = int.from_bytes(self.data[place : place + 3].ljust(3, b"\0"), "big")
        return word >> 24 - skip - count & (1 << count) - 1

    def length(self) -> int:
        """The length of a copy."""
        base = 0
        for count, more, added in _LONG:
            value = self.take(count)
            if value != more:
                return value + base + 3
            base = added
        while self.at <= 8 * len(self.data):
            value = self.take(8)
            if value != 255:
                return value + base + 3
            base += 255
        return 0


def _text(chunks: "Iterator[bytes]") -> "Iterator[bytes]":
    """A script as it was written, but for blanks and comments."""
    data = b"".join(chunks)
    at, line = 4, []
    while at < len(data):
        kind, at = data[at], at + 1
        word = b""
        if 0x30 <= kind <= 0x3F:
            count = _number(data[at : at + 4])
            word, at = _word(kind, data[at + 4 : at + 4 + 2 * count], count), at + 4 + 2 * count
        elif 0x40 <= kind < 0x40 + len(_TOKENS):
            word = _TOKENS[kind - 0x40]
        elif kind in _NUMBERS:
            word, at = _value(data, at, _NUMBERS[kind])
        elif kind < 0x02:
            at += 4
        line.append(word if kind != 0x7F else b"\r\n")
        if len(line) >= 1 << 12:
            yield b" ".join(line)
            line = []
    yield b" ".join(line)


def _word(kind: int, raw: bytes, count: int) -> bytes:
    """A name or a string, each character mixed with the length."""
    units = [_number(raw[at : at + 2]) ^ count & 0xFFFF for at in range(0, len(raw) - 1, 2)]
    text = b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "replace").encode()
    if kind == 0x36:
        return b'"' + text.replace(b'"', b'""') + b'"'
    return _PREFIXES.get(kind, b"") + text


def _value(data: bytes, at: int, form: str) -> tuple[bytes, int]:
    from struct import calcsize, unpack_from

    size = calcsize(form)
    if at + size > len(data):
        return b"", len(data)
    return str(unpack_from(form, data, at)[0]).encode(), at + size


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


_KINDS = {
    _MARK + b"5": _Kind(
        _twister, b"\xff\x6d\xb0\xce", (0x29BC, 0xA25E, 0x29AC, 0xF25E, 0x45AA, 0x22AF), 1, 0
    ),
    _MARK + b"6": _Kind(
        _rotating, b"\x6b\x43\xca\x52", (0xADBC, 0xB33F, 0xF820, 0xF479, 0x87BC, 0x2477), 2, 1
    ),
}
