"""A mail with an infected archive within an archive, always the same, on standard output.

letter.tar.gz holds a text and documents.zip, which holds a text and the EICAR test file: 68
harmless bytes that every virus scanner agrees to call infected (https://www.eicar.org). They are
put together at run time, so that no scanner objects to this file. Standard library only.
"""

import binascii
import gzip
import io
import sys
import tarfile
import zipfile

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
BOUNDARY = b"=_sample"


def mail(attachment: bytes, name: bytes = b"letter.tar.gz") -> bytes:
    """A multipart mail, LF line ends: a few words of text, and the attachment in base64."""
    return b"""\
From: Sample Sender <sender@example.org>
To: recipient@example.net
Subject: A letter, packed twice
Date: Mon, 6 Jan 2003 09:00:00 +0000
Message-ID: <sample@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="%(boundary)b"

--%(boundary)b
Content-Type: text/plain; charset=us-ascii

The papers you asked for are in the archive.

--%(boundary)b
Content-Type: application/gzip
Content-Disposition: attachment; filename="%(name)b"
Content-Transfer-Encoding: base64

%(body)b
--%(boundary)b--
""" % {b"boundary": BOUNDARY, b"name": name, b"body": _base64(attachment)}


def nested(content: bytes = EICAR) -> bytes:
    """`content` as eicar.com in documents.zip in a gzipped tar."""
    inner = zipped({"read me.txt": b"Nothing to see here.\n", "eicar.com": content})
    return gzip.compress(
        tarred({"letter.txt": b"Dear reader,\nsee documents.zip.\n", "documents.zip": inner}), mtime=0
    )


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive of deflated members, dated 1980-01-01."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    """A ustar archive, owned by nobody in particular, dated 1970-01-01."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _base64(data: bytes) -> bytes:
    lines = [binascii.b2a_base64(data[at : at + 57]) for at in range(0, len(data), 57)]
    return b"".join(lines)


if __name__ == "__main__":
    sys.stdout.buffer.write(mail(nested()))
