"""Characters written in a roundabout way: HTML entities, percent signs, escapes of scripts.

Promises: nothing raises; linear; what is no escape stays. A character above 255 becomes UTF-8, one below
its byte, since files hide as bytes. Sources: HTML 13.2.5.72 (character references), RFC 3986 2.1,
ECMA-262 12.9.4.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 1 << 16

_ENTITY = re.compile(rb"&(?:#([xX]?)([0-9a-fA-F]{1,12});?|([A-Za-z]{2,8});?)")
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|([0-3][0-7]{2})|(\r?\n)|([/\"'`\\=+]))"
)
_WIDE_PERCENT = re.compile(rb"%u([0-9a-fA-F]{4})")
_NAMED = {
    b"amp": b"&",
    b"apos": b"'",
    b"colon": b":",
    b"comma": b",",
    b"equals": b"=",
    b"gt": b">",
    b"lpar": b"(",
    b"lt": b"<",
    b"NewLine": b"\n",
    b"num": b"#",
    b"percnt": b"%",
    b"period": b".",
    b"plus": b"+",
    b"quot": b'"',
    b"rpar": b")",
    b"semi": b";",
    b"sol": b"/",
    b"Tab": b"\t",
}


def entities(text: bytes) -> bytes:
    """`text` with HTML's character references resolved: all by number, and the names of ASCII signs."""
    return replaced(_ENTITY, _entity, text) if b"&" in text else text


def percent(text: bytes) -> bytes:
    """`text` with every %XX resolved."""
    return replaced(_PERCENT, _percent, text) if b"%" in text else text


def script(text: bytes) -> bytes:
    r"""`text` with \xXX, \uXXXX, \u{X}, \OOO, escaped signs and line ends resolved."""
    return replaced(_ESCAPE, _escape, text) if b"\\" in text else text


def wide_percent(text: bytes) -> bytes:
    """`text` with every %uXXXX resolved, two bytes each, the lower first: as unescape() is used."""
    return replaced(_WIDE_PERCENT, _wide, text) if b"%u" in text else text


def replaced(pattern: "re.Pattern[bytes]", new: "Callable[[re.Match[bytes]], bytes]", text: bytes) -> bytes:
    """As pattern.sub(new, text), which takes a hundred bytes of memory for each match."""
    if len(text) < SMALL:
        return pattern.sub(new, text)
    out, at = bytearray(), 0
    for match in pattern.finditer(text):
        out += text[at : match.start()]
        out += new(match)
        at = match.end()
    if not at:
        return text
    out += text[at:]
    return bytes(out)


def _percent(match: "re.Match[bytes]") -> bytes:
    return bytes.fromhex(match[1].decode())


def _entity(match: "re.Match[bytes]") -> bytes:
    if match[3]:
        return _NAMED.get(match[3], match[0])
    digits = match[2]
    if match[1]:
        return _character(int(digits, 16))
    return _character(int(digits)) if digits.isdigit() else match[0]


def _escape(match: "re.Match[bytes]") -> bytes:
    hexadecimal = match[1] or match[2] or match[3]
    if hexadecimal:
        return _character(int(hexadecimal, 16))
    return _character(int(match[4], 8)) if match[4] else match[6] or b""


def _wide(match: "re.Match[bytes]") -> bytes:
    return int(match[1], 16).to_bytes(2, "little")


def _character(number: int) -> bytes:
    if number < 256:
        return bytes((number,))
    return chr(number).encode("utf-8", "replace") if number < 0x110000 else b"?"
