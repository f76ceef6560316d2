"""What stands between the characters of base64, and how readers go on after it."""

import base64
from collections.abc import Callable

from hostile import CHEN, CLAM, CRISPIN, INBOX, NOXXI, Draft, Technique


def lines_of(data: bytes, width: int) -> list[bytes]:
    text = base64.b64encode(data)
    return [text[at : at + width] for at in range(0, len(text), width)]


def _wide(width: int) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(lines_of(data, width)) + b"\n"


def _between(junk: bytes, width: int = 76) -> Callable[[bytes], bytes]:
    """Junk in the middle of each line."""
    return lambda data: b"".join(line[:30] + junk + line[30:] + b"\n" for line in lines_of(data, width))


def _every(junk: bytes) -> Callable[[bytes], bytes]:
    """Junk behind each character."""
    return lambda data: b"".join(bytes([code]) + junk for line in lines_of(data, 76) for code in line) + b"\n"


def _around(before: bytes = b"", behind: bytes = b"") -> Callable[[bytes], bytes]:
    return lambda data: before + base64.encodebytes(data) + behind


def _ends(end: bytes) -> Callable[[bytes], bytes]:
    return lambda data: end.join(lines_of(data, 76)) + b"\n"


def _starts(start: bytes) -> Callable[[bytes], bytes]:
    return lambda data: b"".join(start + line + b"\n" for line in lines_of(data, 72))


def _no_padding(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"=", b"")


def _pieces(size: int, join: bytes) -> Callable[[bytes], bytes]:
    """Each piece of `size` bytes (no multiple of 3) encoded by itself, with padding, one after the other."""

    def encode(data: bytes) -> bytes:
        return join.join(base64.b64encode(data[at : at + size]) for at in range(0, len(data), size)) + b"\n"

    return encode


def _extra_character(data: bytes) -> bytes:
    """A character too much on each line, which readers that take whole quads of a line drop."""
    return b"".join(line + b"A\n" for line in lines_of(data, 72))


def _padding_inside(data: bytes) -> bytes:
    """Equals signs between whole quads, which some readers skip."""
    return b"".join(line + b"=\n" for line in lines_of(data, 72))


def _url_safe(data: bytes) -> bytes:
    return base64.encodebytes(data).translate(bytes.maketrans(b"+/", b"-_"))


# name, who opens it, source, how the payload is encoded
ROWS: tuple[tuple[str, str, str, Callable[[bytes], bytes]], ...] = (
    ("exclamation marks between", "python thunderbird outlook mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"!!!")),
    ("dots between", "python thunderbird outlook mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"...")),
    ("dashes between", "python thunderbird mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"--")),
    ("underscores between", "python thunderbird mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"_")),
    ("8-bit between", "python thunderbird mime-tools clamd email-mime mailparser munpack postal-mime", NOXXI, _between(b"\xe9\xff")),
    ("NULs between", "python thunderbird mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"\0\0")),
    ("blanks between", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", CRISPIN, _between(b"   ")),
    ("tabs between", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", CRISPIN, _between(b"\t")),
    ("BOMs between", "python thunderbird mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"\xef\xbb\xbf")),
    ("parentheses between", "python mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"()")),
    ("angle brackets between", "python mime-tools thunderbird clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _between(b"<>")),
    ("a blank behind each character", "python thunderbird outlook clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _every(b" ")),
    ("a NUL behind each character", "python mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _every(b"\0")),
    ("a star behind each character", "python mime-tools thunderbird clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _every(b"*")),
    ("a line for each character", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _wide(1)),
    ("lines of three", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _wide(3)),
    ("lines of four", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _wide(4)),
    ("lines of seven", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _wide(7)),
    ("lines of 61", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _wide(61)),
    ("lines of 75", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _wide(75)),
    ("lines of 77", "python thunderbird outlook gmail clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, _wide(77)),
    ("one line", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _wide(1 << 20)),
    ("empty lines between", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _ends(b"\n\n")),
    ("lines of blanks between", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _ends(b" \n \n ")),
    ("a hundred empty lines before", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _around(b"\n" * 100)),
    ("bare CR as line ends", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _ends(b"\r")),
    ("CR CR LF as line ends", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _ends(b"\r\r\n")),
    ("VT and FF as line ends", "python mime-tools clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _ends(b"\v\f")),
    ("indented", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _starts(b"    ")),
    ("quoted like a reply", "python mime-tools thunderbird clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _starts(b"> ")),
    ("dots before each line", "python mime-tools thunderbird clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _starts(b".")),
    ("dashes line first", "python mime-tools thunderbird clamd email-mime mailparser mblaze munpack postal-mime ripmime", NOXXI, _around(b"----\n")),
    ("dashes line amid", "python mime-tools thunderbird clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _ends(b"\n-- \n")),
    ("stars line first", "python mime-tools thunderbird clamd email-mime mailparser mblaze munpack postal-mime ripmime", NOXXI, _around(b"****\n")),
    ("BOM first", "python mime-tools thunderbird clamd email-mime mailparser munpack postal-mime ripmime", NOXXI, _around(b"\xef\xbb\xbf")),
    ("equals signs first", "python clamd mailparser mblaze mime-tools postal-mime", INBOX, _around(b"====\n")),
    ("equals sign first", "mailparser clamd mime-tools postal-mime python", INBOX, _around(b"=\n")),
    ("no padding", "thunderbird outlook gmail mime-tools clamd email-mime mailparser postal-mime python", NOXXI, _no_padding),
    ("padding of four", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _around(behind=b"====\n")),
    ("text behind the padding", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _around(behind=b"\n_____\nA footer of the list, http://example.org/\n")),
    ("base64 behind the padding", "python thunderbird outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _around(behind=base64.encodebytes(b"something else"))),
    ("text behind, no padding", "outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", NOXXI, lambda data: base64.encodebytes(data + b" " * (-len(data) % 3)) + b"\n\n-- \nbye\n"),
    ("pieces with padding, one line", "thunderbird gmail mailparser mblaze postal-mime", NOXXI, _pieces(100, b"")),
    ("pieces with padding, a line each", "thunderbird gmail mailparser mblaze postal-mime", NOXXI, _pieces(50, b"\n")),
    ("pieces of one byte", "thunderbird gmail mailparser mblaze postal-mime", NOXXI, _pieces(1, b"\n")),
    ("pieces of four bytes, one line", "thunderbird gmail mailparser mblaze postal-mime", NOXXI, _pieces(4, b"")),
    ("pieces with junk between", "thunderbird gmail mailparser postal-mime", CLAM, _pieces(100, b"\n!\n")),
    ("equals signs between the quads", "clamd gmime mailparser mime-tools postal-mime python", INBOX, _padding_inside),
    ("a character too much on each line", "outlook", NOXXI, _extra_character),
    ("URL-safe", "mailparser postal-mime clamd email-mime mblaze mime-tools munpack python ripmime", CHEN, _url_safe),
    ("URL-safe, no padding", "mailparser clamd email-mime mime-tools postal-mime python", CHEN, lambda data: _url_safe(data).replace(b"=", b"")),
    ("a comment of XML first", "mime-tools python clamd email-mime mailparser mblaze munpack postal-mime ripmime", CHEN, _around(b"<!-- -->\n")),
    ("a lonely character behind", "thunderbird outlook mime-tools clamd email-mime mailparser mblaze munpack postal-mime ripmime", NOXXI, lambda data: base64.encodebytes(data + b" " * (-len(data) % 3)) + b"A\n"),
    ("no line end", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, lambda data: base64.b64encode(data) + b"\n"),
)  # fmt: skip


def _technique(name: str, opens: str, source: str, encode: Callable[[bytes], bytes]) -> Technique:
    def change(draft: Draft) -> None:
        draft.body = encode(draft.payload)

    return Technique(name, "base64", opens, source, change)


TECHNIQUES = [_technique(*row) for row in ROWS]
