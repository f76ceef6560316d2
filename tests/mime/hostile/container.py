"""What holds the file instead of a plain attachment: mails in mails, and formats that only mail has."""

import base64
import binascii
import struct
import zlib
from collections.abc import Callable
from urllib.parse import quote

from hostile import CHEN, CRISPIN, CVE2003, NOXXI, TEXT, Draft, Technique, attached, delimited, zipped
from hostile.encoding import quoted_printable, uuencode

HEAD = b"From: c@example.org\nSubject: outer\nMIME-Version: 1.0\n"
BASE64 = b"Content-Transfer-Encoding: base64\n"


def carrier(head: bytes, body: bytes) -> bytes:
    """A mail whose second part has this head (without the empty line) and this body."""
    outer = b'Content-Type: multipart/mixed; boundary="outer"\n\n'
    return HEAD + outer + delimited(b"outer", TEXT, head + b"\n" + body + b"\n")


def _carried(head: bytes, encode: Callable[[bytes], bytes] = bytes) -> Callable[[Draft], None]:
    """The mail is carried in another one, encoded."""

    def change(draft: Draft) -> None:
        draft.wraps.append(lambda mail, _: carrier(head, encode(mail)))

    return change


def _deep(levels: int, head: bytes, encode: Callable[[bytes], bytes] = bytes) -> Callable[[Draft], None]:
    def wrap(mail: bytes, draft: Draft) -> bytes:
        for _ in range(levels):
            mail = HEAD + head + b"\n" + encode(mail)
        return mail

    return lambda draft: draft.wraps.append(wrap)


def _digest(mail: bytes, draft: Draft) -> bytes:
    return HEAD + b"Content-Type: multipart/digest; boundary=outer\n\n" + delimited(b"outer", b"\n" + mail)


def _digest_encoded(mail: bytes, draft: Draft) -> bytes:
    part = BASE64 + b"\n" + base64.encodebytes(mail)
    return HEAD + b"Content-Type: multipart/digest; boundary=outer\n\n" + delimited(b"outer", part)


def _returned(mail: bytes, draft: Draft) -> bytes:
    status = b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\nAction: failed\n"
    head = b"Content-Type: multipart/report; report-type=delivery-status; boundary=outer\n\n"
    return HEAD + head + delimited(b"outer", TEXT, status, b"Content-Type: message/rfc822\n\n" + mail)


def _partial(mail: bytes, draft: Draft) -> bytes:
    return HEAD + b'Content-Type: message/partial; id="x@y"; number=1; total=1\n\n' + mail


def _partial_attached(mail: bytes, draft: Draft) -> bytes:
    return carrier(b'Content-Type: message/partial; id="x@y"; number=1; total=1\n', mail)


def partial_pieces(mail: bytes) -> bytes:
    """All pieces of one mail in one mail, cut in the middle of a line: to be put together by the reader."""
    half = len(mail) // 2
    pieces = [
        b'Content-Type: message/partial; id="x@y"; number=%d; total=2\n\n' % number + piece
        for number, piece in ((1, mail[:half] + b"\n"), (2, HEAD + b"\n" + mail[half:] + b"\n"))
    ]
    return HEAD + b"Content-Type: multipart/mixed; boundary=outer\n\n" + delimited(b"outer", *pieces)


def mbox(*mails: bytes) -> bytes:
    return b"".join(b"From x@example.org Sat Jan  1 00:00:00 2000\n" + mail + b"\n" for mail in mails)


def _in_mbox(mail: bytes) -> bytes:
    return mbox(HEAD + b"\nhello\n", mail)


def _held(
    kind: bytes, encode: Callable[[bytes, bytes], bytes], coded: bool = True
) -> Callable[[Draft], None]:
    """The file lies in a container in the place of the attachment; %n in `kind` is its name."""

    def change(draft: Draft) -> None:
        body = encode(draft.payload, draft.filename)
        fields = [b"Content-Type: " + kind]
        if coded:
            fields.append(BASE64[:-1])
            body = base64.encodebytes(body)
        attached(draft, fields, body)

    return change


def _attribute(level: int, number: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, number, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


TNEF_HEAD = struct.pack("<IH", 0x223E9F78, 1) + _attribute(1, 0x00089006, struct.pack("<I", 0x10000))
_RENDERING = _attribute(2, 0x00069002, struct.pack("<HIHHI", 1, 0xFFFFFFFF, 0, 0, 0))


def tnef(data: bytes, name: bytes) -> bytes:
    """MS-OXTNEF with one attachment, its bytes in attAttachData."""
    return TNEF_HEAD + _RENDERING + _attribute(2, 0x00018010, name + b"\0") + _attribute(2, 0x0006800F, data)


def tnef_mapi(data: bytes, name: bytes) -> bytes:
    """The same with the bytes in PR_ATTACH_DATA_BIN of attAttachment."""

    def binary(number: int, kind: int, value: bytes) -> bytes:
        return struct.pack("<HHII", kind, number, 1, len(value)) + value + bytes(-len(value) % 4)

    properties = struct.pack("<I", 2) + binary(0x3701, 0x0102, data) + binary(0x3707, 0x001E, name + b"\0")
    return TNEF_HEAD + _RENDERING + _attribute(2, 0x00069005, properties)


def der(tag: int, *contents: bytes) -> bytes:
    data = b"".join(contents)
    size = len(data)
    if size < 128:
        return bytes((tag, size)) + data
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + data


PKCS7 = bytes.fromhex("2a864886f70d0107")
SIGNED, DATA = der(6, PKCS7 + b"\2"), der(6, PKCS7 + b"\1")
COMPRESSED = der(6, bytes.fromhex("2a864886f70d010910") + b"\1\x09")
ZLIB = der(6, bytes.fromhex("2a864886f70d010910") + b"\3\x08")


def _entity(data: bytes, name: bytes) -> bytes:
    head = b'Content-Type: application/octet-stream; name="%s"\n' % name
    return head + BASE64 + b"\n" + base64.encodebytes(data)


def opaque(data: bytes, name: bytes) -> bytes:
    """CMS SignedData (RFC 5652) without signers, DER, around an entity with the file."""
    inner = der(0x30, DATA, der(0xA0, der(4, _entity(data, name))))
    return der(0x30, SIGNED, der(0xA0, der(0x30, der(2, b"\1"), der(0x31), inner, der(0x31))))


def opaque_indefinite(data: bytes, name: bytes) -> bytes:
    """The same in BER: indefinite lengths, the content in pieces, as most mail programs write it."""
    end, entity = b"\0\0", _entity(data, name)
    pieces = b"".join(der(4, entity[at : at + 100]) for at in range(0, len(entity), 100))
    inner = b"\x30\x80" + DATA + b"\xa0\x80" + b"\x24\x80" + pieces + end + end + end
    signed = b"\x30\x80" + der(2, b"\1") + der(0x31) + inner + der(0x31) + end
    return b"\x30\x80" + SIGNED + b"\xa0\x80" + signed + end + end


def compressed(data: bytes, name: bytes) -> bytes:
    """CMS CompressedData (RFC 3274)."""
    inner = der(0x30, DATA, der(0xA0, der(4, zlib.compress(_entity(data, name)))))
    return der(0x30, COMPRESSED, der(0xA0, der(0x30, der(2, b"\0"), der(0x30, ZLIB), inner)))


def armoured(label: bytes, data: bytes) -> bytes:
    return b"-----BEGIN %s-----\n" % label + base64.encodebytes(data) + b"-----END %s-----\n" % label


def literal(data: bytes, name: bytes) -> bytes:
    """A literal data packet of OpenPGP (RFC 4880 5.9): signed by nobody, encrypted to nobody."""
    body = b"b" + bytes([len(name)]) + name + bytes(4) + data
    return b"\xcb\xff" + struct.pack(">I", len(body)) + body


def deflated(data: bytes, name: bytes) -> bytes:
    """The same in a compressed data packet (5.6), ZIP."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = b"\1" + packer.compress(literal(data, name)) + packer.flush()
    return b"\xc8\xff" + struct.pack(">I", len(body)) + body


def pgp_armoured(packet: Callable[[bytes, bytes], bytes]) -> Callable[[bytes, bytes], bytes]:
    def encode(data: bytes, name: bytes) -> bytes:
        text = base64.encodebytes(packet(data, name))
        return b"-----BEGIN PGP MESSAGE-----\nVersion: x\n\n" + text + b"-----END PGP MESSAGE-----\n"

    return encode


def folded(line: bytes) -> bytes:
    """A content line of iCalendar, folded (RFC 5545 3.1)."""
    return b"\n ".join(line[at : at + 73] for at in range(0, len(line), 73)) + b"\n"


def _calendar(attachment: bytes) -> bytes:
    lines = b"BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1\n"
    return lines + folded(attachment) + b"END:VEVENT\nEND:VCALENDAR\n"


def calendar(data: bytes, name: bytes) -> bytes:
    head = b"ATTACH;FMTTYPE=application/octet-stream;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=%s:" % name
    return _calendar(head + base64.b64encode(data))


def calendar_uri(data: bytes, name: bytes) -> bytes:
    return _calendar(
        b"ATTACH;FILENAME=%s:data:application/octet-stream;base64," % name + base64.b64encode(data)
    )


def card(data: bytes, name: bytes) -> bytes:
    head = b"BEGIN:VCARD\nVERSION:3.0\nFN:x\n"
    return head + folded(b"KEY;ENCODING=b;TYPE=X:" + base64.b64encode(data)) + b"END:VCARD\n"


def html(link: bytes) -> bytes:
    return b"<html><body><p>Hello</p>" + link + b"</body></html>\n"


def _uri(data: bytes, start: bytes = b"data:application/octet-stream;base64,") -> bytes:
    return start + base64.b64encode(data)


def link(data: bytes, name: bytes) -> bytes:
    return html(b'<a download="%s" href="%s">open</a>' % (name, _uri(data)))


def _entities(data: bytes, name: bytes) -> bytes:
    uri = b"&#100;ata&colon;application&sol;octet-stream;base64&comma;" + base64.b64encode(data)
    return html(b'<a download="%s" href="%s">open</a>' % (name, uri.replace(b"+", b"&#43;")))


def _escaped(data: bytes, name: bytes) -> bytes:
    return html(
        b"<a download=\"%s\" href='data:application/octet-stream,%s'>open</a>"
        % (name, quote(data, safe="").encode())
    )


def _half_escaped(data: bytes, name: bytes) -> bytes:
    text = base64.b64encode(data).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")
    return html(b'<a download="%s" href="data:application/octet-stream;base64,%s">open</a>' % (name, text))


def _broken_lines(data: bytes, name: bytes) -> bytes:
    return html(
        b'<a download="%s" href="data:application/octet-stream;base64,\n%s">open</a>'
        % (name, base64.encodebytes(data))
    )


def _upper(data: bytes, name: bytes) -> bytes:
    return html(
        b'<A DOWNLOAD="%s" HREF=%s>open</A>'
        % (name, _uri(data, b"DATA:application/octet-stream;charset=x;BASE64,"))
    )


def _style(data: bytes, name: bytes) -> bytes:
    return html(b"<div style=\"background:url('%s')\">x</div>" % _uri(data, b"data:image/x;base64,"))


def _drawing(data: bytes, name: bytes) -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg"><a href="%s"><text>x</text></a></svg>\n' % _uri(data)


def apple_single(data: bytes, name: bytes) -> bytes:
    """AppleSingle (RFC 1740): name and data fork."""
    at = 26 + 2 * 12
    entries = struct.pack(">III", 3, at, len(name)) + struct.pack(">III", 1, at + len(name), len(data))
    return struct.pack(">II16xH", 0x00051600, 0x00020000, 2) + entries + name + data


def mac_binary(data: bytes, name: bytes) -> bytes:
    """MacBinary II: a header of 128 bytes, the data fork."""
    head = bytearray(128)
    head[1] = len(name)
    head[2 : 2 + len(name)] = name
    head[65:73] = b"TEXTtest"
    head[83:87] = len(data).to_bytes(4, "big")
    head[122] = head[123] = 129
    head[124:126] = binascii.crc_hqx(bytes(head[:124]), 0).to_bytes(2, "big")
    return bytes(head) + data + bytes(-len(data) % 128)


def _simple(data: bytes, name: bytes) -> bytes:
    """An ordinary mail with the file."""
    fields = b'Content-Disposition: attachment; filename="%s"\n' % name
    return (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=in\n\n"
        + delimited(b"in", TEXT, fields + _entity(data, name))
    )


def _hostile(data: bytes, name: bytes) -> bytes:
    """A mail with two boundaries, of which the first counts."""
    return _simple(data, name).replace(b"boundary=in", b"boundary=in; boundary=out")


def _archive(data: bytes, name: bytes) -> bytes:
    """MHTML (RFC 2557), as browsers save it."""
    part = b"Content-Location: file:///c:/%s\n" % name + _entity(data, name)
    page = b"Content-Type: text/html\nContent-Location: http://example.org/\n\n" + html(b"")
    return b"From: <Saved>\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=in\n\n" + delimited(
        b"in", page, part
    )


def _zipped_mail(data: bytes, name: bytes) -> bytes:
    return zipped(_hostile(data, name), "mail.eml")


def _wraps(wrap: Callable[[bytes, Draft], bytes]) -> Callable[[Draft], None]:
    return lambda draft: draft.wraps.append(wrap)


RFC822 = b"Content-Type: message/rfc822\n"
OCTETS = b"application/octet-stream"
SMIME = b'application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"'
# name, who opens it, source, change
ROWS: tuple[tuple[str, str, str, Callable[[Draft], None]], ...] = (
    ("mail in a mail", "python thunderbird outlook gmail mime-tools clamd mblaze munpack postal-mime ripmime", CRISPIN, _carried(RFC822)),
    ("mail in base64", "outlook thunderbird gmail mime-tools clamd mblaze postal-mime ripmime", NOXXI, _carried(RFC822 + BASE64, base64.encodebytes)),
    ("mail in quoted-printable", "outlook thunderbird mime-tools clamd mblaze postal-mime", NOXXI, _carried(RFC822 + b"Content-Transfer-Encoding: quoted-printable\n", quoted_printable)),
    ("mail in x-uuencode", "thunderbird mime-tools clamd", NOXXI, _carried(RFC822 + b"Content-Transfer-Encoding: x-uuencode\n", lambda mail: uuencode(mail, b"a.eml"))),
    ("mail said to be in base64", "python mutt mime-tools munpack", NOXXI, _carried(RFC822 + BASE64)),
    ("mail as octets named .eml", "outlook thunderbird clamd ripmime", NOXXI, _carried(b'Content-Type: application/octet-stream; name="a.eml"\n' + BASE64, base64.encodebytes)),
    ("mail as text named .eml", "outlook thunderbird clamd ripmime", NOXXI, _carried(b'Content-Type: text/plain; name="a.eml"\n' + BASE64, base64.encodebytes)),
    ("mail as octets named .EML in the disposition", "outlook clamd ripmime", NOXXI, _carried(b'Content-Type: application/octet-stream\nContent-Disposition: attachment; filename="A.EML"\n' + BASE64, base64.encodebytes)),
    ("mail as message/global", "thunderbird gmime python clamd ripmime", "RFC 6532", _carried(b"Content-Type: message/global\n")),
    ("mail as message/news", "thunderbird clamd python ripmime", CRISPIN, _carried(b"Content-Type: message/news\n")),
    ("mail as an unknown message", "thunderbird python clamd ripmime", CHEN, _carried(b"Content-Type: message/x-thing\n")),
    ("mail behind a From line", "python thunderbird mutt clamd mblaze mime-tools postal-mime ripmime", CVE2003, _carried(RFC822, lambda mail: b"From x@example.org Sat Jan  1 00:00:00 2000\n" + mail)),
    ("mail behind an empty line", "outlook gmail clamd mblaze ripmime", NOXXI, _carried(RFC822, lambda mail: b"\n" + mail)),
    ("mail behind a BOM, in base64", "thunderbird clamd mblaze postal-mime ripmime", NOXXI, _carried(RFC822 + BASE64, lambda mail: base64.encodebytes(b"\xef\xbb\xbf" + mail))),
    ("mails 20 deep", "thunderbird outlook mime-tools mblaze munpack python ripmime", CRISPIN, _deep(20, RFC822)),
    ("mails in base64 five deep", "thunderbird outlook mime-tools mblaze postal-mime ripmime", NOXXI, _deep(5, RFC822 + BASE64, base64.encodebytes)),
    ("mail in a digest", "python thunderbird mutt mime-tools clamd email-mime mblaze munpack postal-mime ripmime", CRISPIN, _wraps(_digest)),
    ("mail in a digest, in base64", "thunderbird mime-tools clamd postal-mime ripmime", NOXXI, _wraps(_digest_encoded)),
    ("mail returned", "python thunderbird outlook gmail clamd mblaze mime-tools munpack ripmime", CRISPIN, _wraps(_returned)),
    ("partial mail, one of one", "outlook mime-tools python ripmime", NOXXI, _wraps(_partial)),
    ("partial mail attached", "outlook clamd mime-tools python ripmime", NOXXI, _wraps(_partial_attached)),
    ("external body", "python clamd mime-tools ripmime", CRISPIN, _carried(b'Content-Type: message/external-body; access-type=URL; URL="http://example.org/"\n')),
    ("mbox", "thunderbird mutt clamd ripmime", NOXXI, _carried(b'Content-Type: application/mbox; name="a.mbox"\n' + BASE64, lambda mail: base64.encodebytes(_in_mbox(mail)))),
    ("mbox as octets", "thunderbird mutt clamd ripmime", NOXXI, _carried(b'Content-Type: application/octet-stream; name="a.mbox"\n' + BASE64, lambda mail: base64.encodebytes(_in_mbox(mail)))),
    ("mbox as text", "mutt clamd ripmime", NOXXI, _carried(b'Content-Type: text/plain; name="mbox"\n', _in_mbox)),
    ("MHTML as octets", "outlook clamd ripmime", "RFC 2557", _held(b'application/octet-stream; name="a.mht"', _archive)),
    ("MHTML as multipart/related named .mhtml", "outlook clamd ripmime", "RFC 2557", _held(b'application/x-mimearchive; name="a.mhtml"', _archive)),
    ("MHTML without a name", "outlook clamd ripmime", "RFC 2557", _held(OCTETS, _archive)),
    ("TNEF", "outlook clamd mime-tools email-mime mailparser mblaze munpack postal-mime python ripmime", "MS-OXTNEF", _held(b'application/ms-tnef; name="winmail.dat"', tnef)),
    ("TNEF as octets", "outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", "MS-OXTNEF", _held(b'application/octet-stream; name="winmail.dat"', tnef)),
    ("TNEF under another name", "outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", "MS-OXTNEF", _held(b'application/vnd.ms-tnef; name="a.bin"', tnef)),
    ("TNEF as text", "clamd email-mime mailparser mime-tools munpack postal-mime python ripmime", "MS-OXTNEF", _held(b"text/plain", tnef)),
    ("TNEF with MAPI properties", "outlook clamd email-mime mailparser mblaze mime-tools munpack postal-mime python ripmime", "MS-OXTNEF", _held(b'application/ms-tnef; name="winmail.dat"', tnef_mapi)),
    ("opaque S/MIME", "outlook thunderbird apple gmail ripmime", "RFC 8551", _held(SMIME, opaque)),
    ("opaque S/MIME in BER", "outlook thunderbird apple gmail", "RFC 8551", _held(SMIME, opaque_indefinite)),
    ("opaque S/MIME of the old type", "outlook thunderbird apple ripmime", "RFC 8551", _held(b'application/x-pkcs7-mime; name="smime.p7m"', opaque)),
    ("opaque S/MIME as octets", "outlook ripmime", "RFC 8551", _held(b'application/octet-stream; name="smime.p7m"', opaque)),
    ("opaque S/MIME compressed", "mutt", "RFC 3274", _held(b'application/pkcs7-mime; smime-type=compressed-data; name="smime.p7z"', compressed)),
    ("opaque S/MIME, armoured", "mutt", "RFC 7468", _held(SMIME, lambda data, name: armoured(b"PKCS7", opaque(data, name)), coded=False)),
    ("OpenPGP, neither signed nor encrypted", "thunderbird mutt", "RFC 4880", _held(b"text/plain", pgp_armoured(literal), coded=False)),
    ("OpenPGP, compressed", "thunderbird mutt", "RFC 4880", _held(b"text/plain", pgp_armoured(deflated), coded=False)),
    ("OpenPGP, compressed, as octets", "thunderbird mutt", "RFC 4880", _held(b'application/octet-stream; name="a.pgp"', deflated)),
    ("calendar", "outlook apple gmail thunderbird", "RFC 5545", _held(b"text/calendar; method=REQUEST", calendar, coded=False)),
    ("calendar in base64", "outlook apple gmail thunderbird", "RFC 5545", _held(b"text/calendar; method=REQUEST", calendar)),
    ("calendar as octets", "outlook apple thunderbird", "RFC 5545", _held(b'application/octet-stream; name="invite.ics"', calendar)),
    ("calendar with a data: URI", "thunderbird apple", "RFC 5545", _held(b"text/calendar", calendar_uri, coded=False)),
    ("card", "outlook apple", "RFC 2426", _held(b"text/vcard", card, coded=False)),
    ("data: URI", "thunderbird outlook gmail clamd", "RFC 2397", _held(b"text/html", link, coded=False)),
    ("data: URI in base64", "thunderbird outlook gmail clamd", "RFC 2397", _held(b"text/html", link)),
    ("data: URI with escapes", "thunderbird apple clamd", "RFC 2397", _held(b"text/html", _escaped)),
    ("data: URI in base64 with escapes", "thunderbird apple clamd", "RFC 2397", _held(b"text/html", _half_escaped)),
    ("data: URI with entities", "thunderbird apple", "RFC 2397", _held(b"text/html", _entities)),
    ("data: URI on many lines", "thunderbird apple clamd", "RFC 2397", _held(b"text/html", _broken_lines)),
    ("data: URI in upper case", "thunderbird apple", "RFC 2397", _held(b"text/html", _upper)),
    ("data: URI in a style", "thunderbird apple", "RFC 2397", _held(b"text/html", _style)),
    ("data: URI in an attached page", "outlook thunderbird clamd", "RFC 2397", _held(b'application/octet-stream; name="a.html"', link)),
    ("data: URI in a drawing", "outlook thunderbird clamd", "RFC 2397", _held(b'image/svg+xml; name="a.svg"', _drawing)),
    ("AppleSingle", "apple clamd email-mime mailparser mime-tools munpack postal-mime python ripmime", "RFC 1740", _held(b"application/applefile", apple_single)),
    ("AppleSingle as octets", "apple clamd email-mime mailparser mime-tools munpack postal-mime python ripmime", "RFC 1740", _held(OCTETS, apple_single)),
    ("MacBinary", "apple clamd email-mime mailparser mime-tools munpack postal-mime python ripmime", "MacBinary II", _held(b"application/x-macbinary", mac_binary)),
    ("mail in a zip", "outlook thunderbird clamd", NOXXI, _held(b'application/zip; name="a.zip"', _zipped_mail)),
    ("TNEF in a mail in base64", "outlook clamd postal-mime ripmime", "MS-OXTNEF", _held(RFC822[14:-1], lambda data, name: HEAD + b"Content-Type: application/ms-tnef\n" + BASE64 + b"\n" + base64.encodebytes(tnef(data, name)))),
    ("opaque S/MIME around hostile MIME", "outlook thunderbird", "RFC 8551", _held(SMIME, lambda data, name: opaque(_hostile(data, name), b"a.eml"))),
)  # fmt: skip

TECHNIQUES = [Technique(name, "container", opens, source, change) for name, opens, source, change in ROWS]
