"""Mails for the tests, built in code: bytes with CRLF, complete headers, nothing left to add."""

import base64
import io
import struct
import tarfile
import zipfile
import zlib

HEAD = (
    b"From: Alice <alice@sender.example>\r\nTo: Bob <bob@site.example>\r\n"
    b"Subject: %s\r\nDate: Mon, 23 Nov 2026 07:00:00 +0000\r\nMessage-ID: <%d@sender.example>\r\n"
)


def mail(body: bytes, fields: bytes = b"", subject: bytes = b"a mail") -> bytes:
    """A mail with this body and these further fields (each with its line end)."""
    number = zlib.crc32(subject + body)
    return HEAD % (subject, number) + fields + b"\r\n" + crlf(body)


def crlf(text: bytes) -> bytes:
    """The text with CRLF line ends, the last line ended."""
    text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def multipart(*parts: bytes, boundary: bytes = b"=_border", subject: bytes = b"with parts") -> bytes:
    """A mail with these entities."""
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary
    kind = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="%s"\r\n' % boundary
    return mail(body, kind, subject)


def text(words: bytes) -> bytes:
    """An entity of plain text."""
    return b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + crlf(words)


def attachment(name: bytes, data: bytes, kind: bytes = b"application/octet-stream") -> bytes:
    """An entity in base64."""
    return (
        b'Content-Type: %s\r\nContent-Disposition: attachment; filename="%s"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n%s"
    ) % (kind, name, crlf(base64.encodebytes(data)))


def enclosed(inner: bytes) -> bytes:
    """An entity that is a whole mail."""
    return b"Content-Type: message/rfc822\r\n\r\n" + inner


def with_attachment(name: bytes, data: bytes, subject: bytes = b"a file") -> bytes:
    """A mail of some text and one file."""
    return multipart(text(b"See the file."), attachment(name, data), subject=subject)


def lines(size: int, width: int = 76, seed: bytes = b"abcdefghij klmnopqrst uvwxyz ") -> bytes:
    """About `size` bytes of text in numbered lines of `width` bytes and CRLF."""
    fill = seed * (width // len(seed) + 1)
    return b"".join((b"%08d " % number + fill)[:width] + b"\r\n" for number in range(size // (width + 2)))


def zipped(name: str, data: bytes) -> bytes:
    """A zip archive with one member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def tar_gz(name: str, data: bytes) -> bytes:
    """A gzip'ed tar archive with one member."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def encrypted_zip(name: bytes, data: bytes, password: bytes) -> bytes:
    """A zip archive with one stored member, really encrypted (APPNOTE.TXT 6.1, "traditional")."""
    crc = zlib.crc32(data)
    sealed = _encrypted(bytes(11) + bytes((crc >> 24,)) + data, password)
    known = struct.pack("<HHHHHIIIHH", 20, 1, 0, 0, 0x5C21, crc, len(sealed), len(data), len(name), 0)
    local = b"PK\3\4" + known + name + sealed
    central = b"PK\1\2" + struct.pack("<H", 20) + known + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def _encrypted(data: bytes, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = _crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    sealed = bytearray()
    for byte in data:
        word = keys[2] | 2
        sealed.append(byte ^ ((word * (word ^ 1)) >> 8 & 0xFF))
        update(byte)
    return bytes(sealed)


def _crc(crc: int, byte: int) -> int:
    return zlib.crc32(bytes((byte,)), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
