"""Texts in UTF-16, UTF-32 and UTF-7 in their UTF-8 form, so that they are looked at as others are.

Told by a byte order mark, by where NULs are, or by what is shifted in UTF-7; of what is none of these no
part is made. Promises: nothing raises but the limits of `out`; linear. Sources: RFC 2781, RFC 2152,
Unicode 3.10.
"""

import re
from _codecs import utf_16_be_decode, utf_16_le_decode, utf_32_be_decode, utf_32_le_decode
from binascii import a2b_base64

from amavis_pipe.kinds import HEAD, PLAIN
from amavis_pipe.mime import coding, escapes
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

    Decode = Callable[[bytes, str, bool], tuple[str, int]]

SIZE_MAX = 32 << 20
"""Bytes of a text in UTF-7 that are looked at; of a longer one it is said that the rest was not."""

_MARKS: "tuple[tuple[bytes, Decode], ...]" = (
    (b"\xff\xfe\0\0", utf_32_le_decode),
    (b"\0\0\xfe\xff", utf_32_be_decode),
    (b"\xff\xfe", utf_16_le_decode),
    (b"\xfe\xff", utf_16_be_decode),
)
RESOLVED_MIN = 100
"""One byte of so many, at least, belongs to what is resolved, unless that is UTF-7 for sure."""
SURE = 4
"""So many characters in ASCII in a row are no chance."""
_SHIFT = re.compile(rb"\+(?:([A-Za-z0-9+/]{2,})-?|-)")
_BASE64_ENDS = (b"\r", b"\n", b"=", b"")
_ASCII = re.compile(rb"\+A[A-H][A-Za-z0-9+/]")


def decoder(claimed: bytes) -> Decoder:
    """What puts the UTF-8 form of a text that is claimed to be of that type into a Sink."""

    def unpack(blob: "Blob", out: "Sink") -> None:
        view = blob.view()
        found = wide(view)
        if found is not None:
            mark, decode = found
            out.add(_utf8(view, mark, decode), out.names, claimed)
        elif _ASCII.search(view):
            if len(view) > SIZE_MAX:
                out.unchecked("limit:charset")
            text = view[:SIZE_MAX]
            plain = unshifted(text, out)
            if plain:
                out.add((plain,), out.names, claimed)

    return Decoder("charset", (PLAIN,), unpack)


def wide(view: "View") -> "tuple[int, Decode] | None":
    """The size of the mark, and what decodes the text, if its characters are two or four bytes wide."""
    head = view[:HEAD]
    for mark, decode in _MARKS:
        # the mark of UTF-32 may be that of UTF-16, and a NUL behind it
        if head.startswith(mark) and (len(mark) < 4 or _is_sound(head[4:], decode)):
            return len(mark), decode
    # of text in ASCII, and most other in alphabets, one byte of two or four is not NUL
    for width, filled, decode in (
        (4, 0, utf_32_le_decode),
        (4, 3, utf_32_be_decode),
        (2, 0, utf_16_le_decode),
        (2, 1, utf_16_be_decode),
    ):
        whole = len(head) // width
        if whole and _is_filled(head, width, filled, whole):
            return 0, decode
    return None


def _is_sound(head: bytes, decode: "Decode") -> bool:
    try:
        decode(head, "strict", False)
    except UnicodeDecodeError:
        return False
    return True


def _is_filled(head: bytes, width: int, filled: int, whole: int) -> bool:
    """Whether NULs are mostly where they should be in `whole` characters, and nowhere else."""
    for place in range(width):
        nuls = head[place::width].count(0)
        if nuls * 10 > whole if place == filled else nuls * 10 < whole * 4:
            return False
    return True


def _utf8(view: "View", start: int, decode: "Decode") -> "Iterator[bytes]":
    held = b""
    for raw in coding.pieces(view, start, len(view)):
        data = held + raw
        text, used = decode(data, "replace", False)
        held = data[used:]
        yield text.encode("utf-8", "replace")


def unshifted(text: bytes, out: "Sink") -> bytes:
    """The UTF-8 form of a text in UTF-7; what can't be one of its sequences stays.

    b"" if no sequence stands for ASCII alone, but for those that lines of base64 seem to have.
    """
    hidden, size = False, 0

    def resolved(match: "re.Match[bytes]") -> bytes:
        nonlocal hidden, size
        out.tick()
        digits = match[1]
        if digits is None:
            return b"+"
        whole = len(digits) * 6 // 16 * 2
        data = a2b_base64(digits + b"A" * (-len(digits) % 4))
        wide = utf_16_be_decode(data[:whole], "replace", True)[0]
        if wide and wide.isascii():
            hidden = hidden or match[0].endswith(b"-") or len(wide) >= SURE
            if not _is_in_base64(match):
                size += len(match[0])
        return wide.encode("utf-8", "replace") if wide else match[0]

    plain = escapes.replaced(_SHIFT, resolved, text)
    return plain if hidden or size * RESOLVED_MIN > len(text) else b""


def _is_in_base64(match: "re.Match[bytes]") -> bool:
    """Whether what seems shifted is the rest of a line of base64."""
    text, start, end = match.string, match.start(), match.end()
    before = text[start - 1 : start] if start else b""
    return text[end : end + 1] in _BASE64_ENDS and bool(before) and before in coding.ALPHABET
