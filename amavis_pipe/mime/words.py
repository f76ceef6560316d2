"""Names in encoded form: parameters of RFC 2231, encoded words of RFC 2047; loaded only when met.

Promises: never raises, whatever the charset; only text codecs are used. What comes out is UTF-8; what
can't be decoded stays as the bytes it is. Sources: RFC 2231 3, 4 and 5; RFC 2047 2, 4 and 6.2.
"""

import codecs
from binascii import Error, unhexlify

from amavis_pipe.mime import coding

SECTIONS = 512
"""Pieces of one parameter that are put together."""
_CHARSET_MAX = 40
_CHARSET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+"
# no charsets of mails: slow on hostile input (the first two), full of warnings, or always an error
_NOT_OF_MAIL = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined")
_TRAILING = b" \t\r\n\v\f\xa0"
_CONTROLS = bytes((*range(32), 127))
_INVISIBLE = frozenset(
    map(chr, (*range(32), *range(127, 160), 0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F)))
) | frozenset(map(chr, (*range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080))))
_ENCODINGS = {b"b?": b"base64", b"q?": b"quoted-printable"}


def candidates(parameters: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """All readings of the parameter `name` (b"filename"), the best first.

    The order: extended values (RFC 2231), values with encoded words decoded, values as they are.
    """
    plain = [value for key, value in parameters if key == name]
    raw = [*_extended(parameters, name), *plain]
    words = [encoded_words(value) for value in raw if b"=?" in value]
    return [*raw[: len(raw) - len(plain)], *words, *plain]


def spread(name: bytes) -> list[bytes]:
    """The other names under which a file so named may be stored or shown.

    Up to a NUL and without it; without a path; without invisible and direction characters; without what
    follows a colon (an alternate stream); without dots and blanks at the end; percent signs undone.
    """
    found = [name, name.translate(None, b"\"'`"), name.partition(b"'")[2]]
    for text in (name.partition(b"\0")[0], name.replace(b"\0", b""), _percent(name)):
        found += [text, _visible(text)]
    found += [text.replace(b"\\", b"/").rpartition(b"/")[2] for text in found]
    found += [text.partition(b":")[0] for text in found if text.find(b":") > 1]
    found += [text.lstrip(_TRAILING).rstrip(_TRAILING + b".") for text in found]
    return [text for text in dict.fromkeys(found) if text and text != name]


def _visible(text: bytes) -> bytes:
    """The text without characters that show nothing but change how others are shown."""
    try:
        return "".join(char for char in text.decode() if char not in _INVISIBLE).encode()
    except UnicodeDecodeError:
        return text.translate(None, _CONTROLS)


def encoded_words(text: bytes) -> bytes:
    """`text` with its encoded words decoded: `=?iso-8859-1?q?a=E9?= b` gives the UTF-8 of "aé b"."""
    # (charset, bytes): adjacent words of one charset together, a character may be split between them
    runs: list[tuple[bytes | None, list[bytes]]] = []
    at, last = 0, text.rfind(b"?=")
    while 0 <= (start := text.find(b"=?", at)) < last:
        gap = text[at:start]
        word = _word(text, start)
        if word is None:
            runs.append((None, [gap, b"=?"]))
            at = start + 2
            continue
        if gap and not (runs and runs[-1][0] is not None and gap.isspace()):
            runs.append((None, [gap]))
        charset, data, at = word
        if not runs or runs[-1][0] != charset:
            runs.append((charset, []))
        runs[-1][1].append(data)
    decoded = [b"".join(run) if charset is None else to_utf8(b"".join(run), charset) for charset, run in runs]
    return b"".join(decoded) + text[at:]


def to_utf8(data: bytes, charset: bytes) -> bytes:
    """`data` in UTF-8; as it is if the charset is unknown or `data` is not of it."""
    name = charset.partition(b"*")[0]  # a language may follow: RFC 2231 5
    if not 0 < len(name) <= _CHARSET_MAX or name.translate(None, _CHARSET):
        return data
    try:
        codec = codecs.lookup(name.decode("ascii"))
        if not codec._is_text_encoding or codec.name in _NOT_OF_MAIL:
            return data
        return codec.decode(data, "strict")[0].encode("utf-8", "replace")
    except (LookupError, ValueError):
        return data


def _word(text: bytes, start: int) -> tuple[bytes, bytes, int] | None:
    """Charset, decoded bytes and end of the encoded word at `start`; None if there is none."""
    mark = text.find(b"?", start + 2, start + 2 + 2 * _CHARSET_MAX)
    encoding = _ENCODINGS.get(text[mark + 1 : mark + 3].lower())
    if mark < 0 or encoding is None:
        return None
    stop = text.find(b"?=", mark + 3)
    if stop < 0:
        return None
    body = text[mark + 3 : stop]
    if encoding == b"quoted-printable":
        body = body.replace(b"_", b" ")
    data = b"".join(coding.decode(body, 0, len(body), encoding))
    return text[start + 2 : mark].lower(), data, stop + 2


def _extended(parameters: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """The values of `name*`, and of `name*0`, `name*1*` … put together in the order of their numbers.

    And as they are written, with the last of two, and up to a gap, where that differs: some readers do so.
    """
    values: list[bytes] = []
    written: list[tuple[bytes, bool]] = []
    numbers: list[int] = []
    sections: dict[int, tuple[bytes, bool]] = {}
    for key, value in parameters:
        if key == name + b"*":
            values.append(_extended_value([(value, True)]))
        elif key.startswith(name + b"*"):
            number = key[len(name) + 1 :].removesuffix(b"*")
            if number.isdigit() and len(number) < 5 and len(written) < SECTIONS:
                written.append((value, key.endswith(b"*")))
                numbers.append(int(number))
                sections.setdefault(int(number), written[-1])
    if sections:
        in_order = [section for _, section in sorted(sections.items())]
        values.append(_extended_value(in_order))
        others = [written, list({**dict(zip(numbers, written, strict=True))}.values())]
        gap = _gap(sections)
        others.append([section for number, section in sorted(sections.items()) if number < gap])
        values += [_extended_value(other) for other in others if other and other != in_order]
    return list(dict.fromkeys(values))


def _gap(sections: dict[int, tuple[bytes, bool]]) -> int:
    """The first number that is missing: some readers stop there."""
    number = 0
    while number in sections:
        number += 1
    return number


def _extended_value(sections: list[tuple[bytes, bool]]) -> bytes:
    """Sections (text, is it percent-encoded) as one value; the first may begin `charset'language'`."""
    charset = b""
    first, encoded = sections[0]
    if encoded and first.count(b"'") > 1:
        charset, _, first = first.split(b"'", 2)
    data = [_percent(text) if coded else text for text, coded in [(first, encoded), *sections[1:]]]
    return to_utf8(b"".join(data), charset)


def _percent(text: bytes) -> bytes:
    first, *rest = text.split(b"%")
    decoded = [first]
    for piece in rest:
        try:
            decoded.append(unhexlify(piece[:2]) + piece[2:] if len(piece) > 1 else b"%" + piece)
        except Error:
            decoded.append(b"%" + piece)
    return b"".join(decoded)
