"""Fuzzes the readers of mail.

Mails of the tests are cut, joined, repeated and changed byte by byte, and taken apart. What must hold for
each: nothing is raised; the work takes PATIENCE seconds at most; every finding has a name that is known.
"""

import random
import time
from functools import cache

import hostile
from hostile import benign

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.mime.reader import MAIL, hot_openers
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk
from fuzz.mutants import changed

LARGEST = 200_000
PATIENCE = 2.0
"""Seconds of CPU that a mail of LARGEST bytes may take."""
KNOWN = ("ambiguous:", "broken:", "encrypted:", "external:", "limit:", "undecoded:")
WORDS = [
    b"Content-Type: ", b"Content-Transfer-Encoding: ", b"Content-Disposition: ", b"base64", b"quoted-printable",
    b"x-uuencode", b"multipart/mixed; boundary=", b"message/rfc822", b"text/html", b"--b1\n", b"--b1--\n", b"\n\n",
    b"\r\n", b"\r", b"\0", b"\n ", b'"', b"(", b")", b"\\", b";", b"=", b"=?utf-8?B?", b"?=", b"filename*0*=",
    b"begin 644 a\n", b"=ybegin line=128 size=9 name=a\n", b"data:;base64,", b"(This file must be converted with BinHex",
    b"From a b\n", b"BEGIN:VCALENDAR\n", b"ATTACH;ENCODING=BASE64:", b"-----BEGIN PGP MESSAGE-----\n", b"\xff\xfe",
    b"+AGE-", b"atob('", b"<script>", b"srcdoc='", b"UEsDBBQ",
]  # fmt: skip


@cache
def seeds() -> list[bytes]:
    """Mails to begin with: the hostile and the benign ones of the tests."""
    payload = b"a payload of some length, plain\n" * 9
    mails = [hostile.build(payload, b"report.exe", technique) for technique in hostile.techniques()]
    return mails + list(benign.mails().values())


def fuzz(source: random.Random) -> None:
    """Take one hostile mail apart."""
    mail = changed(source.choice(seeds()), seeds(), WORDS, source)
    if source.randrange(4) == 0:
        mail = mail.replace(b"\n", source.choice((b"\r\n", b"\r", b"\n\n")))
    mail = mail[:LARGEST]
    walk = Walk(Budget.of(Limits(), len(mail)), Store(b"/var/tmp"), hot_openers)
    begun = time.process_time()
    walk.mail(Blob(mail), MAIL)
    took = time.process_time() - begun
    assert took < PATIENCE, f"took {took:.1f} s for {len(mail)} bytes"
    unknown = [found.name for found in walk.findings if not found.name.startswith(KNOWN)]
    assert not unknown, unknown
    assert walk.parts, "no part"
