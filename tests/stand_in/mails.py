"""Builders of mails and archives; the test virus is put together when it is asked for."""

import base64
import io
import zipfile

from amavis_pipe.scan.builtin import eicar

EICAR_NAME = "Eicar-Test-Signature"
"""What the built-in check calls it."""


def plain(body: bytes = b"hello\n", *fields: bytes) -> bytes:
    """A mail of one text part."""
    lines = (b"From: a@example.org", b"Subject: plain", *fields)
    return b"".join(line + b"\n" for line in lines) + b"\n" + body


def zipped(name: str, data: bytes) -> bytes:
    """A zip with one member."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def with_file(data: bytes, name: str = "a.bin", claimed: str = "application/octet-stream") -> bytes:
    """A mail with a text and an attached file."""
    return (
        b"From: a@example.org\nTo: b@example.org\nSubject: a file\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="b1"\n\n'
        b"--b1\nContent-Type: text/plain\n\nhere it is\n"
        b'--b1\nContent-Type: %s; name="%s"\nContent-Transfer-Encoding: base64\n\n%s--b1--\n'
        % (claimed.encode(), name.encode(), base64.encodebytes(data))
    )


def infected() -> bytes:
    """The test virus in a zip in a mail."""
    return with_file(zipped("eicar.com", eicar()), "a.zip", "application/zip")


def encrypted() -> bytes:
    """A mail with a zip whose member says that it is encrypted."""
    archive = bytearray(zipped("a.txt", b"secret" * 20))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        archive[archive.index(mark) + flags] |= 1
    return with_file(bytes(archive), "a.zip", "application/zip")
