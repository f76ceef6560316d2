"""The checksum of ARC, ZOO and LHA: CRC-16 of x^16 + x^15 + x^2 + 1, lowest bit first, from 0."""

from amavis_pipe.decompose.streams import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_POLYNOMIAL = 0xA001


def _row(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(_row(value) for value in range(256))


def crc16(data: bytes, crc: int = 0) -> int:
    """The checksum of what had `crc` so far, and `data` after it."""
    table = _TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


def checked(chunks: "Iterable[bytes]", size: int, crc: int) -> "Iterator[bytes]":
    """The chunks; then Broken if they are not `size` bytes with this checksum."""
    given, found = 0, 0
    for chunk in chunks:
        given += len(chunk)
        found = crc16(chunk, found)
        yield chunk
    if (given, found) != (size, crc):
        raise Broken("checksum")
