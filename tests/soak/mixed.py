"""The mails of the soak: of each number one, always the same, in a mix of kinds; nothing here sends any."""

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from harness import mails
from harness.clamd import EICAR

BOB, CAROL = b"bob@site.example", b"carol@site.example"
MEGABYTE = 1 << 20
LINE = 57
"""Bytes that make one line of base64."""
POOL = random.Random(20261123).randbytes(4 * MEGABYTE)
"""What attachments are cut from: bytes that no packer makes smaller."""
HEAD = (
    b"From: Alice <alice@sender.example>\r\nTo: Bob <bob@site.example>\r\nSubject: %s\r\n"
    b"Date: Mon, 23 Nov 2026 07:00:00 +0000\r\nMessage-ID: <soak.%d@sender.example>\r\nMIME-Version: 1.0\r\n"
)


@dataclass(frozen=True)
class Made:
    """A mail with CRLF line ends.

    kind      what it is, for people
    infected  whether it must go into the quarantine
    """

    number: int
    kind: str
    data: bytes = field(repr=False)
    infected: bool = False
    recipients: tuple[bytes, ...] = (BOB,)


def made(number: int) -> Made:
    """The mail of that number: of twenty that follow each other one is infected, and one has some MB."""
    kind, make = MIX[number % len(MIX)]
    infected = kind.startswith("infected")
    recipients = (BOB, CAROL) if kind == "two recipients" else (BOB,)
    return Made(number, kind, make(number), infected, recipients)


def marked(number: int, marker: bytes, infected: bool) -> Made:
    """A mail with a text in its attachment that a signature will be for, the same for all numbers."""
    parts = mails.text(b"the marked file"), mails.attachment(b"marked.txt", b"see " + marker + b" here")
    return Made(number, "marked", _mail(number, b"marked", *parts), infected)


def _mail(number: int, subject: bytes, *parts: bytes) -> bytes:
    body = b"".join(b"--=_soak\r\n%s\r\n" % part for part in parts) + b"--=_soak--\r\n"
    return HEAD % (subject, number) + b'Content-Type: multipart/mixed; boundary="=_soak"\r\n\r\n' + body


def _plain(number: int) -> bytes:
    words = b"Letter %d\r\n.\r\n..\r\n>From here\r\n" % number + mails.lines(500 + number * 97 % 9000)
    return HEAD % (b"plain", number) + b"\r\n" + words


def _same(number: int) -> bytes:
    """One of three contents, as a newsletter's."""
    return HEAD % (b"a newsletter", number) + b"\r\n" + mails.lines(3000 + number // len(MIX) % 3)


def _file(number: int) -> bytes:
    return _mail(
        number, b"a file", mails.text(b"number %d" % number), _attached(number, 20_000 + number % 40_000)
    )


def _letter(number: int) -> bytes:
    html = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Number <b>%d</b></p>\r\n" % number
    return _mail(
        number, b"a letter", mails.text(b"number %d" % number), html, _attached(number, 9000, b"a.png")
    )


def _zip(number: int) -> bytes:
    packed = mails.zipped("list.csv", b"%d;" % number + mails.lines(60_000))
    return _mail(number, b"a zip", mails.text(b"the list"), mails.attachment(b"list.zip", packed))


def _nested(number: int, inner: bytes = b"") -> bytes:
    data = inner or b"number %d\n" % number + mails.lines(20_000)
    packed = mails.zipped("c.zip", mails.zipped("b.tar.gz", mails.tar_gz("a.txt", data)))
    forwarded = mails.enclosed(_mail(number, b"inner", mails.attachment(b"c.zip", packed)))
    return _mail(number, b"a nested archive", mails.text(b"forwarded"), forwarded)


def _large(number: int) -> bytes:
    size = (1 + number // len(MIX) % 3) * MEGABYTE
    return _mail(number, b"a large file", mails.text(b"number %d" % number), _attached(number, size))


def _infected(number: int) -> bytes:
    """Bare, in a zip, or in archives within a mail within the mail."""
    way = number // len(MIX) % 3
    if way == 2:
        return _nested(number, EICAR)
    name, data = (b"a.com", EICAR) if way == 0 else (b"a.zip", mails.zipped("a.com", EICAR))
    return _mail(number, b"infected", mails.text(b"number %d" % number), mails.attachment(name, data))


def _attached(number: int, size: int, name: bytes = b"data.bin") -> bytes:
    """An entity of so many bytes that no other number has."""
    start = number * 131 % (len(POOL) - size)
    data = (b"%d " % number).ljust(LINE) + POOL[start : start + size]
    kind = b"image/png" if name.endswith(b".png") else b"application/octet-stream"
    return (
        b"Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="%s"\r\n\r\n%s'
    ) % (kind, name, base64.encodebytes(data).replace(b"\n", b"\r\n"))


MIX: tuple[tuple[str, Callable[[int], bytes]], ...] = (
    ("plain", _plain),
    ("file", _file),
    ("newsletter", _same),
    ("plain", _plain),
    ("infected", _infected),
    ("letter", _letter),
    ("zip", _zip),
    ("plain", _plain),
    ("newsletter", _same),
    ("large", _large),
    ("plain", _plain),
    ("two recipients", _letter),
    ("file", _file),
    ("nested", _nested),
    ("plain", _plain),
    ("newsletter", _same),
    ("zip", _zip),
    ("plain", _plain),
    ("letter", _letter),
    ("plain", _plain),
)
