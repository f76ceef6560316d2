"""Compressed RTF, as Outlook stores the text of a message ([MS-OXRTFCP] 3.1)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = 16
STEP = 1 << 16
_LZFU, _MELA = b"LZFu", b"MELA"
_WINDOW = 4096
_PRELOAD = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0"
    b"\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
assert len(_PRELOAD) == 207


def expanded(pieces: "Iterator[bytes]") -> "Iterator[bytes]":
    """The text that `pieces` hold; the bytes as they are if they aren't compressed RTF."""
    head = b""
    while len(head) < HEADER:
        piece = next(pieces, b"")
        if not piece:
            break
        head += piece
    kind = head[8:12]
    if kind == _LZFU:
        yield from _unpacked(head[HEADER:] + b"".join(pieces))
        return
    yield head[HEADER:] if kind == _MELA else head
    yield from pieces


def _unpacked(packed: bytes) -> "Iterator[bytes]":
    out = bytearray(_PRELOAD)  # what was written is the window itself
    sent = len(_PRELOAD)
    at = 0
    while at < len(packed):
        flags, at = packed[at], at + 1
        for bit in range(8):
            if not flags >> bit & 1:
                out += packed[at : at + 1]
                at += 1
                continue
            token, at = int.from_bytes(packed[at : at + 2], "big"), at + 2
            if at > len(packed) or token >> 4 == len(out) % _WINDOW:
                at = len(packed)
                break
            back = (len(out) - (token >> 4)) % _WINDOW
            for _ in range((token & 15) + 2):  # byte by byte: it may run into what it writes
                out.append(out[-back] if back <= len(out) else 0)
        if len(out) - sent >= STEP:
            yield bytes(out[sent:])
            del out[: (len(out) - _WINDOW) // _WINDOW * _WINDOW]
            sent = len(out)
    yield bytes(out[sent:])
