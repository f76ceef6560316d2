"""What a volume of RAR says of the others: whether it is one of several, and whether another one follows.

The blocks are walked by their headers, checksums and sizes: what stands at the end can be made up. Source:
the technotes of RAR 4 and 5.
"""

from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import Blob

_BLOCKS = 1 << 14
_HEAD = 64
"""Bytes of a block's header in which all that is looked at stands; of larger ones the checksum needs more."""
_LARGEST = 1 << 21


def goes_on(blob: "Blob") -> bool | None:
    """Whether its last block says that another volume follows; None if there is no such, or no way to it."""
    if blob.at(6, 2) == b"\1\0":
        return _goes_on(blob, 8, _block5, 5)
    return _goes_on(blob, 7, _block4, 0x7B) if blob.at(6, 1) == b"\0" else None


def _goes_on(blob: "Blob", at: int, block: "object", last: int) -> bool | None:
    for _ in range(_BLOCKS):
        found = block(blob, at)  # type: ignore[operator]
        if found is None:
            return None
        kind, flags, end = found
        if kind == last:
            return bool(flags & 1)
        at = end
    return None


def _block5(blob: "Blob", at: int) -> tuple[int, int, int] | None:
    """Kind, flags (of the last block its own), and where the next one begins; None if it is none."""
    head = blob.at(at, _HEAD)
    numbers: list[int] = []
    place = start = 4
    while len(numbers) < 6 and place < len(head):
        value = shift = 0
        while place < len(head) and shift < 63:
            byte = head[place]
            place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        numbers.append(value)
        if len(numbers) == 1:
            start = place
    if len(numbers) < 3 or numbers[0] > _LARGEST:
        return None
    size, kind, flags, *rest = [*numbers, 0, 0]
    body = blob.at(at + 4, start - 4 + size)
    if len(body) < start - 4 + size or crc32(body) != int.from_bytes(head[:4], "little"):
        return None
    more = rest[1 if flags & 1 else 0] if flags & 2 else 0
    return kind, rest[1 if flags & 1 else 0] if kind == 5 else flags, at + start + size + more


def _block4(blob: "Blob", at: int) -> tuple[int, int, int] | None:
    head = blob.at(at, 11)
    if len(head) < 7:
        return None
    kind, flags, size = head[2], int.from_bytes(head[3:5], "little"), int.from_bytes(head[5:7], "little")
    body = blob.at(at + 2, size - 2) if size >= 7 else b""
    if not body or crc32(body) & 0xFFFF != int.from_bytes(head[:2], "little"):
        return None
    more = int.from_bytes(head[7:11], "little") if flags & 0x8000 or kind == 0x74 else 0
    return kind, flags, at + size + more
