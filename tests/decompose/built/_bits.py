"""What the builders of old formats share: bits into bytes, LZW, -lh5-, and their checksum."""


class High:
    """Bits, highest first."""

    def __init__(self) -> None:
        self._value = self._count = 0
        self._done = bytearray()

    def put(self, value: int, width: int) -> None:
        self._value = self._value << width | value
        self._count += width
        if self._count > 64:
            self._count, rest = self._count % 8, self._count // 8
            self._done += (self._value >> self._count).to_bytes(rest, "big")
            self._value &= (1 << self._count) - 1

    def bytes(self) -> bytes:
        size = (self._count + 7) // 8
        return bytes(self._done) + (self._value << size * 8 - self._count).to_bytes(size, "big")


class Low:
    """Bits, lowest first."""

    def __init__(self) -> None:
        self._value = self._count = 0
        self._done = bytearray()

    def put(self, value: int, width: int) -> None:
        self._value |= value << self._count
        self._count += width
        if self._count > 64:
            rest = self._count // 8
            self._done += (self._value & (1 << rest * 8) - 1).to_bytes(rest, "little")
            self._value >>= rest * 8
            self._count %= 8

    def bytes(self) -> bytes:
        return bytes(self._done) + self._value.to_bytes((self._count + 7) // 8, "little")


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def lzw(data: bytes, first: int, size: int, clear: int = 0) -> list[int]:
    """The codes for `data`: new strings from `first` on, `size` in all; a CLEAR after every `clear` codes."""
    codes: list[int] = []
    table = {bytes((byte,)): byte for byte in range(256)}
    text, free = b"", first
    for at in range(len(data)):
        longer = text + data[at : at + 1]
        if longer in table:
            text = longer
            continue
        codes.append(table[text])
        if free < size:
            table[longer] = free
            free += 1
        text = data[at : at + 1]
        if clear and len(codes) % clear == 0:
            codes.append(256)
            table, free = {bytes((byte,)): byte for byte in range(256)}, first
    return [*codes, table[text]] if text else codes


def grouped(codes: list[int], first: int, widest: int) -> bytes:
    """Codes as compress writes them."""
    out, width, count, group = bytearray(), 9, 0, Low()
    inside = 0

    def flush() -> None:
        nonlocal group, inside
        if inside:
            out.extend(group.bytes().ljust(width, b"\0"))
        group, inside = Low(), 0

    for code in codes:
        group.put(code, width)
        inside = (inside + 1) % 8
        if not inside:
            inside = 8
            flush()
        count += 1
        if code == 256 and first > 256:
            flush()
            width, count = 9, 0
        elif count == (1 << width) - first + 1 and width < widest:
            flush()
            width += 1
    return bytes(out) + group.bytes()


def in_a_row(codes: list[int], first: int, widest: int) -> bytes:
    """Codes as ZOO writes them."""
    bits, width, count = Low(), 9, 0
    for code in codes:
        bits.put(code, width)
        count += 1
        if code == 256:
            width, count = 9, 0
        elif count == (1 << width) - first + 1 and width < widest:
            width += 1
    return bits.bytes()


def matches(data: bytes, window: int, longest: int, shortest: int = 3) -> list[tuple[int, int]]:
    """Literals as (byte, 0), and matches as (size, distance)."""
    found, last, at = [], {}, 0
    while at < len(data):
        key = data[at : at + shortest]
        before = last.get(key, -1)
        size = 0
        if len(key) == shortest and before >= 0 and at - before <= window:
            size = shortest
            most = min(longest, len(data) - at)
            while size < most and data[before + size] == data[at + size]:
                size += 1
        last[key] = at
        found.append((size, at - before) if size else (data[at], 0))
        at += size or 1
    return found


def lh5(data: bytes, block: int = 30_000) -> bytes:
    """-lh5-, with codes of almost the same length for everything."""
    items, bits = matches(data, 8192, 256), High()
    for start in range(0, len(items), block):
        some = items[start : start + block]
        bits.put(len(some), 16)
        bits.put(12, 5)  # lengths of the codes of lengths: 10 and 11 have one bit each
        for code in range(12):
            bits.put(1 if code >= 10 else 0, 3)
            if code == 2:
                bits.put(0, 2)
        bits.put(510, 9)
        for symbol in range(510):
            bits.put(0 if symbol < 2 else 1, 1)
        bits.put(14, 4)
        for place in range(14):
            bits.put(3 if place < 2 else 4, 3)
        for value, back in some:
            symbol = value - 3 + 256 if back else value
            bits.put(symbol, 8) if symbol < 2 else bits.put(symbol + 2, 9)
            if back:
                place = (back - 1).bit_length()
                bits.put(place, 3) if place < 2 else bits.put(place + 2, 4)
                if place > 1:
                    bits.put(back - 1 - (1 << place - 1), place - 1)
    return bits.bytes()
