#!/usr/bin/env python3
"""Fuzzes the readers of mail: `python tests/fuzz/mime.py [SECONDS] [SEED]` (make fuzz).

Mails of the tests are cut, joined, repeated and changed byte by byte, and taken apart. What must hold for
each: nothing is raised; the work stays within STEPS for each byte and PATIENCE in all; every finding has a
name that is known. A mail that breaks this is written to /var/tmp/amavis-pipe-fuzz/, for a test to be made of it.
"""

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1]), str(HERE.parents[1] / "mime")]

from amavis_pipe.budget import Budget, Limits  # noqa: E402
from amavis_pipe.mime.reader import MAIL, hot_openers  # noqa: E402
from amavis_pipe.spool import Blob, Store  # noqa: E402
from amavis_pipe.walk import Walk  # noqa: E402

OUT = Path("/var/tmp/amavis-pipe-fuzz")
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


def seeds() -> list[bytes]:
    """Mails to begin with: the hostile and the benign ones of the tests."""
    import hostile
    from hostile import benign

    payload = b"a payload of some length, plain\n" * 9
    mails = [hostile.build(payload, b"report.exe", technique) for technique in hostile.techniques()]
    return mails + list(benign.mails().values())


def changed(mail: bytes, mails: list[bytes], chance: random.Random) -> bytes:
    """The mail after some changes."""
    data = bytearray(mail)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(7)
        if kind == 0 and data:
            data[at % len(data)] = chance.randrange(256)
        elif kind == 1:
            data[at:at] = chance.choice(WORDS)
        elif kind == 2:
            del data[at : at + chance.randint(1, 200)]
        elif kind == 3:
            other = chance.choice(mails)
            start = chance.randrange(len(other) + 1)
            data[at:at] = other[start : start + chance.randint(1, 2000)]
        elif kind == 4:
            piece = bytes(data[at : at + chance.randint(1, 300)])
            data[at:at] = piece * chance.randint(1, 200)
        elif kind == 5:
            data = bytearray(bytes(data).replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\n"))))
        else:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 40)))
    return bytes(data[:LARGEST])


def fault(mail: bytes, folder: bytes) -> str:
    """What is wrong with how a mail is taken apart, or ""."""
    walk = Walk(Budget.of(Limits(), len(mail)), Store(folder), hot_openers)
    begun = time.process_time()
    try:
        walk.mail(Blob(mail), MAIL)
    except Exception as error:
        return f"raised {error!r}"
    took = time.process_time() - begun
    if took > PATIENCE:
        return f"took {took:.1f} s for {len(mail)} bytes"
    unknown = [found.name for found in walk.findings if not found.name.startswith(KNOWN)]
    return f"said {unknown}" if unknown or not walk.parts else ""


def run(seconds: float, seed: int) -> Iterator[str]:
    """Each fault found, until the time is over."""
    chance, mails = random.Random(seed), seeds()
    end, count, slowest = time.monotonic() + seconds, 0, 0.0
    OUT.mkdir(exist_ok=True)
    while time.monotonic() < end:
        mail = changed(chance.choice(mails), mails, chance)
        begun = time.process_time()
        said = fault(mail, b"/var/tmp")
        slowest = max(slowest, time.process_time() - begun)
        count += 1
        if said:
            path = OUT / f"{seed}-{count}.eml"
            path.write_bytes(mail)
            yield f"{path}: {said}"
    print(f"{count:,} mails, the slowest {slowest:.2f} s", file=sys.stderr)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    faults = 0
    for line in run(seconds, int(sys.argv[2]) if len(sys.argv) > 2 else 1):
        print(line, flush=True)
        faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
