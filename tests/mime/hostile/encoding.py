"""How the file is encoded: what the transfer encoding says, where it says so, and what is really there."""

import base64
import binascii
import gzip
import zlib
from collections.abc import Callable

from hostile import (
    CLAM,
    CRISPIN,
    FUZZED,
    INBOX,
    NOXXI,
    TOOLS,
    Draft,
    Technique,
    delimited,
    plain_head,
    unencoded,
)

NAME = b"Content-Transfer-Encoding: "

# name, who opens it, source, the values of the fields (one each line); the body is base64
BASE64: tuple[tuple[str, str, str, bytes], ...] = (
    ("two, the first counts", "outlook thunderbird python clamd email-mime mailparser mblaze mime-tools postal-mime", INBOX, b"base64\n7bit"),
    ("two, the last counts", "php apple clamd munpack ripmime", INBOX, b"7bit\nbase64"),
    ("two, quoted-printable first", "apple clamd munpack ripmime", INBOX, b"quoted-printable\nbase64"),
    ("two, quoted-printable last", "outlook python clamd email-mime mailparser mblaze mime-tools postal-mime", INBOX, b"base64\nquoted-printable"),
    ("two, unknown first", "apple clamd munpack ripmime", INBOX, b"xxxxxx\nbase64"),
    ("two, uuencode first", "clamd munpack ripmime", INBOX, b"x-uuencode\nbase64"),
    ("three, the middle one", "clamd", INBOX, b"8bit\nbase64\nbinary"),
    ("three, the last two", "php clamd munpack ripmime", INBOX, b"quoted-printable\nbase64\nbase64"),
    ("list, the first counts", "outlook gmail clamd mblaze postal-mime ripmime", INBOX, b"base64, 7bit"),
    ("list, the last counts", "clamd ripmime", INBOX, b"7bit, base64"),
    ("list with quotes", "clamd ripmime", INBOX, b'"7bit", base64'),
    ("list without comma", "outlook clamd mblaze mime-tools munpack postal-mime ripmime", INBOX, b"base64 7bit"),
    ("list without comma, the last counts", "clamd rspamd ripmime", INBOX, b"quoted-printable base64"),
    ("comment before", "thunderbird mutt mimekit clamd mailparser mime-tools munpack postal-mime ripmime", CRISPIN, b"(x) base64"),
    ("comment behind", "thunderbird mutt javamail clamd mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, b"base64 (x)"),
    ("comment behind, no blank", "thunderbird exim clamd mailparser mblaze munpack postal-mime ripmime", INBOX, b"base64(x)"),
    ("comment inside", "mimekit exim clamd mailparser postal-mime ripmime", INBOX, b"bas(x)e64"),
    ("comment inside, folded", "mimekit exim clamd mailparser postal-mime ripmime", INBOX, b"bas(com\n ment)e64"),
    ("nested comment", "thunderbird mimekit clamd mailparser munpack postal-mime ripmime", INBOX, b"((a) b) base64"),
    ("comment with another encoding", "thunderbird mimekit clamd mailparser mblaze mime-tools munpack postal-mime ripmime", INBOX, b"base64 (quoted-printable)"),
    ("comment with this encoding", "clamd", INBOX, b"(base64) 7bit"),
    ("comment opened only", "outlook clamd mblaze mime-tools munpack postal-mime ripmime", INBOX, b"base64 (x"),
    ("comment opened before", "ripmime", INBOX, b"(x base64"),
    ("comment opened, another field behind", "clamd outlook munpack ripmime", INBOX, b"(base64\nbase64"),
    ("comment closed only", "outlook clamd mblaze postal-mime ripmime", INBOX, b"base64)"),
    ("quotes", "outlook gmail clamd postal-mime ripmime", INBOX, b'"base64"'),
    ("single quotes", "clamd php postal-mime ripmime", INBOX, b"'base64'"),
    ("quote before", "outlook clamd postal-mime ripmime", INBOX, b'"base64'),
    ("quote behind", "outlook clamd mblaze postal-mime ripmime", INBOX, b'base64"'),
    ("quotes inside", "mimekit clamd", INBOX, b'bas"e64"'),
    ("quoted pair", "mimekit clamd", INBOX, b'"bas\\e64"'),
    ("semicolon behind", "outlook thunderbird javamail clamd mblaze mime-tools postal-mime ripmime", INBOX, b"base64;"),
    ("semicolon before", "clamd postal-mime", INBOX, b";base64"),
    ("parameter behind", "outlook thunderbird javamail clamd email-mime mblaze mime-tools postal-mime ripmime", INBOX, b"base64; charset=utf-8"),
    ("dot behind", "outlook clamd mblaze postal-mime ripmime", INBOX, b"base64."),
    ("comma behind", "outlook clamd mblaze postal-mime ripmime", INBOX, b"base64,"),
    ("letters behind", "outlook clamd php mblaze postal-mime ripmime", NOXXI, b"base64encoded"),
    ("digits behind", "outlook clamd mblaze postal-mime ripmime", NOXXI, b"base640"),
    ("x- before", "clamd postal-mime ripmime", NOXXI, b"x-base64"),
    ("dash inside", "clamd", NOXXI, b"base-64"),
    ("blank inside", "clamd", NOXXI, b"base 64"),
    ("underscore inside", "clamd", NOXXI, b"base_64"),
    ("fold inside", "outlook gmail clamd", INBOX, b"bas\n e64"),
    ("colon before", "clamd postal-mime ripmime", INBOX, b": base64"),
    ("equals sign before", "clamd postal-mime ripmime", INBOX, b"=base64"),
    ("angle brackets", "clamd postal-mime ripmime", INBOX, b"<base64>"),
    ("NUL behind", "outlook clamd thunderbird mblaze mime-tools postal-mime ripmime", INBOX, b"base64\0"),
    ("NUL and more behind", "outlook clamd thunderbird mblaze mime-tools postal-mime ripmime", INBOX, b"base64\0 7bit"),
    ("NUL before", "gmail clamd mblaze postal-mime ripmime", INBOX, b"\0base64"),
    ("NUL inside", "gmail php clamd", INBOX, b"bas\0e64"),
    ("8-bit behind", "outlook clamd email-mime mailparser mblaze mime-tools postal-mime ripmime", NOXXI, b"base64\xa0"),
    ("VT around", "php clamd email-mime mailparser mime-tools munpack postal-mime ripmime", NOXXI, b"\vbase64\v"),
    ("encoded word", "gmail clamd email-mime python ripmime", INBOX, b"=?us-ascii?Q?base64?="),
    ("encoded word with escapes", "gmail clamd email-mime python ripmime", INBOX, b"=?us-ascii?Q?base=364?="),
    ("encoded word in base64", "gmail clamd email-mime python ripmime", INBOX, b"=?us-ascii?B?YmFzZTY0?="),
    ("encoded word in part", "gmail clamd email-mime python ripmime", INBOX, b"ba=?us-ascii?Q?se64?="),
    ("field's name twice", "clamd ripmime", INBOX, b"Content-Transfer-Encoding: base64"),
    ("upper case", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, b"BASE64"),
    ("mixed case", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, b"BaSe64"),
    ("blanks around", "thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, b" \t base64 \t "),
    ("empty", "rspamd", NOXXI, b""),
    ("unknown", "clamd rspamd outlook", INBOX, b"x-unknown"),
    ("utf-7", "clamd", INBOX, b"utf-7"),
    ("7bit", "clamd rspamd", NOXXI, b"7bit"),
    ("8bit", "rspamd", NOXXI, b"8bit"),
    ("binary", "rspamd", NOXXI, b"binary"),
    ("quoted-printable in quotes, and base64", "clamd ripmime", INBOX, b'"quoted-printable", base64'),
    ("mac-binhex40 said", "clamd", NOXXI, b"mac-binhex40"),
)  # fmt: skip


def _said(name: str, opens: str, source: str, values: bytes) -> Technique:
    lines = [NAME + values] if b"\n " in values else [NAME + value for value in values.split(b"\n")]

    def change(draft: Draft) -> None:
        draft.encoding = lines

    return Technique("base64: " + name, "encoding", opens, source, change)


def quoted_printable(data: bytes, lower: bool = False, soft: bytes = b"=\n") -> bytes:
    """All but letters, digits and blanks as =XX: good for any bytes."""
    form = "=%02x" if lower else "=%02X"
    coded = [chr(code) if chr(code).isalnum() and code < 128 else form % code for code in data]
    lines = ["".join(coded[at : at + 24]).encode() for at in range(0, len(coded), 24)]
    return soft.join(lines) + soft


def uuencode(
    data: bytes, name: bytes, backtick: bool = True, end: bytes = b"`\nend\n", tail: bytes = b""
) -> bytes:
    """The historical form; `tail` stands at the end of every line."""
    lines = [binascii.b2a_uu(data[at : at + 45], backtick=backtick) for at in range(0, len(data), 45)]
    return b"begin 644 %s\n" % name + b"".join(line[:-1] + tail + b"\n" for line in lines) + end


def _with_begin_amid(data: bytes, name: bytes) -> bytes:
    """The begin line again, between two lines of data: rubbish to some, another file to others."""
    lines = uuencode(data, name).splitlines(keepends=True)
    return b"".join([*lines[:5], lines[0], *lines[5:]])


def yenc_lines(data: bytes, width: int = 128) -> bytes:
    coded = bytearray()
    lines, count = [], 0
    for code in data:
        byte = code + 42 & 255
        if byte in b"\0\n\r=.\t " or byte == 0x2D:
            coded += b"=%c" % (byte + 64 & 255)
        else:
            coded.append(byte)
        count += 1
        if count == width:
            lines.append(bytes(coded))
            coded.clear()
            count = 0
    return b"".join(line + b"\n" for line in [*lines, bytes(coded)] if line)


def yenc(data: bytes, name: bytes, tail: bool = True) -> bytes:
    crc = zlib.crc32(data)
    head = b"=ybegin line=128 size=%d name=%s\n" % (len(data), name)
    return head + yenc_lines(data) + (b"=yend size=%d crc32=%08x\n" % (len(data), crc) if tail else b"")


def yenc_parts(data: bytes, name: bytes) -> list[bytes]:
    """Two yEnc parts of one file."""
    half = len(data) // 2
    parts = []
    for number, (start, stop) in enumerate(((0, half), (half, len(data))), 1):
        piece = data[start:stop]
        parts.append(
            b"=ybegin part=%d total=2 line=128 size=%d name=%s\n=ypart begin=%d end=%d\n"
            % (number, len(data), name, start + 1, stop)
            + yenc_lines(piece)
            + b"=yend size=%d part=%d pcrc32=%08x\n" % (len(piece), number, zlib.crc32(piece))
        )
    return parts


_HQX = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"


def binhex(data: bytes, name: bytes) -> bytes:
    """BinHex 4.0 (RFC 1741) with `data` as the data fork."""
    head = bytes([len(name)]) + name + b"\0" + b"TEXTtest" + b"\0\0" + len(data).to_bytes(4, "big") + bytes(4)
    raw = b"".join(piece + binascii.crc_hqx(piece, 0).to_bytes(2, "big") for piece in (head, data, b""))
    packed = raw.replace(b"\x90", b"\x90\x00")
    bits = "".join(f"{code:08b}" for code in packed)
    bits += "0" * (-len(bits) % 6)
    coded = bytes(_HQX[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))
    text = b":" + coded + b":"
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"(This file must be converted with BinHex 4.0)\n\n" + b"\n".join(lines) + b"\n"


def _coded(kind: bytes, value: bytes, body: Callable[[bytes, bytes], bytes]) -> Callable[[Draft], None]:
    """A change to another encoding: the file's type (b"" leaves it), the field's value, the body."""

    def change(draft: Draft) -> None:
        draft.encoding = [NAME + value] if value else []
        draft.body = body(draft.payload, draft.filename)
        if kind:
            draft.file_kind, draft.disposition = [b"Content-Type: " + kind], []

    return change


def _in_text(body: Callable[[bytes, bytes], bytes], kind: bytes = b"text/plain") -> Callable[[Draft], None]:
    return _coded(
        kind, b"7bit", lambda data, name: b"Hello,\nhere it is:\n\n" + body(data, name) + b"\nBye\n"
    )


def _absent(draft: Draft) -> None:
    draft.encoding = []


def _below(draft: Draft) -> None:
    """The transfer encoding is written below the empty line."""
    below = draft.encoding
    draft.encoding = []
    draft.body = plain_head(below) + draft.body


def _on_multipart(encode: Callable[[bytes], bytes], value: bytes) -> Callable[[Draft], None]:
    """The whole body of the multipart is encoded, as its own field says."""

    def change(draft: Draft) -> None:
        arrange = draft.arrange
        draft.top = [*draft.top, NAME + value]
        draft.arrange = lambda draft: encode(arrange(draft))

    return change


def _on_inner(draft: Draft) -> None:
    """The same on a multipart inside."""
    inner = delimited(b"inner", draft.file())
    draft.file_kind, draft.disposition = [b"Content-Type: multipart/mixed; boundary=inner"], []
    draft.body = base64.encodebytes(inner)


def _said_of_multipart(draft: Draft) -> None:
    """Base64 is said of a multipart whose body is none."""
    draft.top = [*draft.top, NAME + b"base64"]


def _single(draft: Draft) -> None:
    """No multipart: the mail is the file."""
    draft.kind = [*draft.file_kind, *draft.encoding, *draft.disposition]
    draft.arrange = lambda draft: draft.body


def _single_text(encode: Callable[[bytes, bytes], bytes]) -> Callable[[Draft], None]:
    """No MIME at all: the mail is a text with the file in it."""

    def change(draft: Draft) -> None:
        draft.top, draft.kind = draft.top[:3], []
        draft.arrange = lambda draft: b"Hello,\n\n" + encode(draft.payload, draft.filename) + b"\nBye\n"

    return change


def _two_yenc_parts(draft: Draft) -> None:
    first, second = yenc_parts(draft.payload, draft.filename)
    draft.file_kind, draft.encoding, draft.disposition = [b"Content-Type: text/plain"], [NAME + b"8bit"], []
    draft.body = first + b"\n" + second


def _text_in_base64(encode: Callable[[bytes, bytes], bytes]) -> Callable[[Draft], None]:
    return _coded(
        b"text/plain", b"base64", lambda data, name: base64.encodebytes(b"Hi\n" + encode(data, name))
    )


# name, who opens it, source, change
OTHERS: tuple[tuple[str, str, str, Callable[[Draft], None]], ...] = (
    ("none said, base64 there", "rspamd", NOXXI, _absent),
    ("said below the empty line", "outlook clamd ripmime", INBOX, _below),
    ("base64 of a multipart, true", "thunderbird outlook mime-tools", NOXXI, _on_multipart(base64.encodebytes, b"base64")),
    ("quoted-printable of a multipart, true", "thunderbird outlook mime-tools clamd", NOXXI, _on_multipart(lambda data: data.replace(b"=", b"=3D"), b"quoted-printable")),
    ("base64 of an inner multipart, true", "thunderbird outlook mime-tools", NOXXI, _on_inner),
    ("base64 of a multipart, untrue", "python outlook gmail mutt clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _said_of_multipart),
    ("the mail is the file", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _single),
    ("quoted-printable", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data))),
    ("quoted-printable, lower-case hex", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data, lower=True))),
    ("quoted-printable, blanks before the soft breaks' ends", "outlook thunderbird mimekit email-mime mailparser mime-tools ripmime", NOXXI, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data, soft=b"= \t \n"))),
    ("quoted-printable, bare CR in the soft breaks", "outlook thunderbird clamd ripmime", NOXXI, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data, soft=b"=\r"))),
    ("quoted-printable, CR CR LF in the soft breaks", "outlook thunderbird postal-mime python", NOXXI, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data, soft=b"=\r\r\n"))),
    ("quoted-printable, no soft breaks", "python thunderbird gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", NOXXI, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data, soft=b"") + b"=\n")),
    ("quoted-printable, every byte escaped", "python thunderbird outlook gmail clamd email-mime mailparser mblaze mime-tools munpack postal-mime ripmime", CRISPIN, _coded(b"", b"quoted-printable", lambda data, name: b"".join(b"=%02X" % code + b"=\n" * (at % 20 == 19) for at, code in enumerate(data)) + b"=\n")),
    ("quoted-printable, NULs between", "gmail clamd ripmime", INBOX, _coded(b"", b"quoted-printable", lambda data, name: quoted_printable(data, soft=b"=\0\n"))),
    ("quoted-printable in quotes", "outlook gmail clamd postal-mime ripmime", INBOX, _coded(b"", b'"quoted-printable"', lambda data, name: quoted_printable(data))),
    ("quoted-printable with a suffix", "outlook clamd mblaze mime-tools postal-mime ripmime", INBOX, _coded(b"", b"quoted-printable;", lambda data, name: quoted_printable(data))),
    ("quoted-printable with a comment", "thunderbird mimekit clamd mailparser postal-mime ripmime", INBOX, _coded(b"", b"quoted-(x)printable", lambda data, name: quoted_printable(data))),
    ("quoted-printable and 7bit", "outlook python clamd email-mime mailparser mblaze mime-tools postal-mime", INBOX, _coded(b"", b"quoted-printable\nContent-Transfer-Encoding: 7bit", lambda data, name: quoted_printable(data))),
    ("7bit and quoted-printable", "php clamd munpack ripmime", INBOX, _coded(b"", b"7bit\nContent-Transfer-Encoding: quoted-printable", lambda data, name: quoted_printable(data))),
    ("base64 and quoted-printable, the latter there", "php clamd munpack ripmime", INBOX, _coded(b"", b"base64\nContent-Transfer-Encoding: quoted-printable", lambda data, name: quoted_printable(data))),
    ("x-uuencode", "python thunderbird mime-tools clamd ripmime", NOXXI, _coded(b"", b"x-uuencode", uuencode)),
    ("uuencode", "python thunderbird clamd ripmime", NOXXI, _coded(b"", b"uuencode", uuencode)),
    ("x-uue", "python thunderbird clamd ripmime", NOXXI, _coded(b"", b"x-uue", uuencode)),
    ("uue", "python clamd ripmime", NOXXI, _coded(b"", b"uue", uuencode)),
    ("x-uuencode without a begin line", "thunderbird", NOXXI, _coded(b"", b"x-uuencode", lambda data, name: uuencode(data, name).partition(b"\n")[2])),
    ("x-uuencode, text before", "python thunderbird clamd mime-tools ripmime", NOXXI, _coded(b"", b"x-uuencode", lambda data, name: b"some words\n\n" + uuencode(data, name))),
    ("x-uuencode in quotes", "clamd ripmime", INBOX, _coded(b"", b'"x-uuencode"', uuencode)),
    ("uuencode in a text part", "outlook thunderbird clamd mime-tools ripmime", NOXXI, _in_text(uuencode)),
    ("uuencode in a text part, blanks for zero", "outlook thunderbird clamd mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, name, False, b" \nend\n"))),
    ("uuencode in a text part, no end", "outlook clamd mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, name, end=b""))),
    ("uuencode in a text part, end at once", "outlook clamd mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, name, end=b"end\n"))),
    ("uuencode in a text part, no name", "mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, b""))),
    ("uuencode in a text part, name with blanks", "outlook clamd mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, b"a b " + name))),
    ("uuencode in a text part, two files", "outlook thunderbird clamd mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(b"first", b"a.txt") + b"\n" + uuencode(data, name))),
    ("uuencode in a text part, the first without an end", "outlook mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(b"first", b"a.txt", end=b"") + uuencode(data, name))),
    ("uuencode in a text part, mode of four digits", "outlook mime-tools ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, name).replace(b" 644 ", b" 0644 ", 1))),
    ("uuencode in a text part, checksums", "clamd ripmime", NOXXI, _in_text(lambda data, name: uuencode(data, name, tail=b"x"))),
    ("uuencode in a text part, a begin line amid", "mime-tools", FUZZED, _in_text(_with_begin_amid)),
    ("uuencode in a text part, no such mode", "ripmime", FUZZED, _in_text(lambda data, name: uuencode(data, name).replace(b" 644 ", b" 6,44 ", 1))),
    ("x-uuencode, no such begin line", "ripmime thunderbird", FUZZED, _coded(b"", b"x-uuencode", lambda data, name: uuencode(data, name).replace(b"begin 644", b"BEGIN 64'4", 1))),
    ("uuencode in html", "outlook clamd ripmime", NOXXI, _in_text(uuencode, b"text/html")),
    ("uuencode in octets", "clamd ripmime", NOXXI, _in_text(uuencode, b"application/octet-stream")),
    ("uuencode in a mail without MIME", "outlook thunderbird clamd mime-tools ripmime", NOXXI, _single_text(uuencode)),
    ("uuencode in a text in base64", "outlook thunderbird", NOXXI, _text_in_base64(uuencode)),
    ("yEnc in a text part", "thunderbird", "yEnc 1.3", _coded(b"text/plain", b"8bit", yenc)),
    ("yEnc in a text part, no end", "thunderbird", "yEnc 1.3", _coded(b"text/plain", b"8bit", lambda data, name: yenc(data, name, tail=False))),
    ("yEnc in a mail without MIME", "thunderbird", "yEnc 1.3", _single_text(yenc)),
    ("yEnc in two parts", "thunderbird", "yEnc 1.3", _two_yenc_parts),
    ("x-yencode", "thunderbird clamd", "yEnc 1.3", _coded(b"", b"x-yencode", yenc)),
    ("x-yenc", "thunderbird clamd", "yEnc 1.3", _coded(b"", b"x-yenc", yenc)),
    ("yEnc in a text in base64", "thunderbird", "yEnc 1.3", _text_in_base64(yenc)),
    ("BinHex as mac-binhex40", "apple outlook mime-tools thunderbird clamd", "RFC 1741", _coded(b"application/mac-binhex40", b"7bit", binhex)),
    ("BinHex in a text part", "apple outlook", "RFC 1741", _in_text(binhex)),
    ("BinHex as transfer encoding", "mime-tools clamd", TOOLS, _coded(b"", b"binhex", binhex)),
    ("BinHex as transfer encoding binhex40", "mime-tools clamd", TOOLS, _coded(b"", b"x-binhex40", binhex)),
    ("BinHex in a mail without MIME", "apple outlook", "RFC 1741", _single_text(binhex)),
    ("BinHex in base64", "apple clamd", "RFC 1741", _coded(b"application/mac-binhex40", b"base64", lambda data, name: base64.encodebytes(binhex(data, name)))),
    ("x-gzip64", "mime-tools clamd", TOOLS, _coded(b"", b"x-gzip64", lambda data, name: base64.encodebytes(gzip.compress(data, mtime=0)))),
)  # fmt: skip

# name, who shows it as it is, source, the values of the fields (one each line); the body is the file itself
RAW: tuple[tuple[str, str, str, bytes], ...] = (
    ("7bit", "python thunderbird outlook gmail", CRISPIN, b"7bit"),
    ("8bit", "python thunderbird outlook gmail", CRISPIN, b"8bit"),
    ("binary", "python thunderbird outlook gmail", CRISPIN, b"binary"),
    ("unknown", "python thunderbird mutt", CRISPIN, b"x-unknown"),
    ("base64 that is none", "python", CLAM, b"base64"),
    ("base64 first, 7bit counts", "mailparser apple", INBOX, b"base64\n7bit"),
    ("base64 last, 7bit counts", "outlook python", INBOX, b"7bit\nbase64"),
    ("base64 in a list, unknown to some", "python mutt", INBOX, b"base64, 7bit"),
    ("base64 in quotes, unknown to some", "python mutt", INBOX, b'"base64"'),
    ("base64 with letters behind, unknown to some", "python mutt", INBOX, b"base64encoded"),
    ("base64 in a comment", "thunderbird mimekit", INBOX, b"(base64) 7bit"),
    ("quoted-printable last, 7bit counts", "outlook python", INBOX, b"7bit\nquoted-printable"),
    ("x-uuencode that is none", "python", CLAM, b"x-uuencode"),
    ("BinHex that is none", "python mutt", CLAM, b"mac-binhex40"),
    ("yEnc that is none", "python mutt", CLAM, b"x-yencode"),
)  # fmt: skip


def _raw(name: str, opens: str, source: str, values: bytes) -> Technique:
    def change(draft: Draft) -> None:
        unencoded(draft)
        draft.encoding = [NAME + value for value in values.split(b"\n")]

    return Technique("not encoded: " + name, "encoding", opens, source, change, alone=True, raw=True)


ALONE = ("base64 of a multipart", "quoted-printable of a multipart", "the mail is the file")

TECHNIQUES = [
    *(_said(*row) for row in BASE64),
    *(_raw(*row) for row in RAW),
    *(
        Technique(
            name,
            "encoding",
            opens,
            source,
            change,
            alone=any(name.startswith(one) for one in ALONE) or "without MIME" in name,
        )
        for name, opens, source, change in OTHERS
    ),
]
