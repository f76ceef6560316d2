#!/usr/bin/env python3
"""Mails to measure with, made up: the same from the same seed, every one different from the others.

    python3 contrib/bench/corpus.py FOLDER [NUMBER [SEED]]

S  text alone, 5 KB
M  what offices send: text and HTML; two of five with 150 KB like a PDF, three of ten with a document of
   40 KB (a zip), two of five with one to three small pictures
A  an archive: a zip of 20 files, or in every second mail a zip with a zip and a tar.gz of 10 files in it
R  the same two attachments, 150 KB and 40 KB, in mails that differ otherwise
D  one mail of that kind, again and again

`infected` is one to see by that a filter does scan. Lines end by LF, as pipe(8) gives them.
"""

import io
import random
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

CORPORA = "SMARD"
EICAR = b"-".join((rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST", b"FILE!$H+H*"))
"""Joined here: neither this file nor its byte code may hold it in one piece."""
VOCABULARY = (
    "a about after all and answer are as at attached be budget by can contract customer date deadline "
    "delivery department draft for from group have if in invoice is it its meeting month next not of on "
    "one order our please project quarter question regards report review schedule server some team "
    "thanks that the their there they this to two update version was we week were which will with you"
)
WORDS = VOCABULARY.split()
POLICY = SMTP.clone(linesep="\n", max_line_length=78)
DOCUMENT = "vnd.openxmlformats-officedocument.wordprocessingml.document"
STAMP = (2026, 3, 2, 10, 0, 0)


def mails(kind: str, seed: int = 1, salt: str = "") -> Iterator[bytes]:
    """The mails of a corpus, without end.

    With another salt they are of the same shapes and sizes, but nothing in them was ever seen.
    """
    shape = random.Random(f"{seed} {kind}")  # noqa: S311 - the same each time
    chance = random.Random(f"{seed} {kind} {salt}")  # noqa: S311 - the same each time
    shared = random.Random(f"{seed} shared {salt}")  # noqa: S311 - the same each time
    kept = _paper(shared), _document(shared)
    make: dict[str, Callable[[EmailMessage, int], None]] = {
        "S": lambda mail, _: mail.set_content(text(chance, 4600), cte="7bit"),
        "M": lambda mail, _: _usual(mail, chance, shape),
        "A": lambda mail, number: _packed(mail, chance, shape, number),
        "R": lambda mail, _: _repeated(mail, chance, *kept),
        "D": lambda mail, _: _repeated(mail, chance, *kept),
    }
    number = 0
    while True:
        mail = headed(chance, number, kind)
        make[kind](mail, number)
        data = finished(mail, chance)
        yield data
        while kind == "D":
            yield data
        number += 1


def infected(seed: int = 1) -> bytes:
    """A mail with the EICAR test file in it."""
    chance = random.Random(f"{seed} infected")  # noqa: S311 - the same each time
    mail = headed(chance, 0, "infected")
    mail.set_content(text(chance, 1000), cte="7bit")
    attach(mail, EICAR, "octet-stream", "test.com")
    return finished(mail, chance)


def headed(chance: random.Random, number: int, kind: str) -> EmailMessage:
    """A mail with nothing but its header."""
    mail = EmailMessage(policy=POLICY)
    mail["From"] = f"sender{number % 17}@sender.example"
    mail["To"] = f"user{number % 101}@site.example"
    mail["Subject"] = " ".join(chance.choices(WORDS, k=6))
    mail["Date"] = f"Mon, 02 Mar 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000"
    mail["Message-ID"] = f"<{kind}.{number}.{chance.getrandbits(48):x}@sender.example>"
    return mail


def finished(mail: EmailMessage, chance: random.Random) -> bytes:
    """Its bytes; boundaries come from the seed, too."""
    for part in mail.walk():
        if part.is_multipart():
            part.set_boundary(f"=_{chance.getrandbits(80):020x}")
    return mail.as_bytes()


def attach(mail: EmailMessage, data: bytes, subtype: str, name: str, maintype: str = "application") -> None:
    """Add an attachment in base64."""
    mail.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)


def text(chance: random.Random, size: int) -> str:
    """Words in lines, at least `size` characters."""
    lines, made = [], 0
    while made < size:
        line = " ".join(chance.choices(WORDS, k=11))[:76].rstrip()
        lines.append(line)
        made += len(line) + 1
    return "\n".join([*lines, ""])


def zipped(files: list[tuple[str, bytes]]) -> bytes:
    """A zip of these."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _tarred(files: list[tuple[str, bytes]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()[:4] + bytes(4) + made.getvalue()[8:]  # without the time


def _files(chance: random.Random, shape: random.Random, number: int) -> list[tuple[str, bytes]]:
    return [
        (f"folder/file{turn:02}.txt", text(chance, shape.randint(2000, 8000)).encode())
        for turn in range(number)
    ]


def _paper(chance: random.Random) -> bytes:
    """150 KB that begin and end as a PDF does."""
    head, end = (
        b"%PDF-1.5\n1 0 obj\n<</Length 153600>>\nstream\n",
        b"\nendstream\nendobj\ntrailer<<>>\n%%EOF\n",
    )
    return head + chance.randbytes(150 * 1024) + end


def _document(chance: random.Random) -> bytes:
    """40 KB: the parts that each document of an office has, and a picture."""
    return zipped(
        [
            ("[Content_Types].xml", b'<?xml version="1.0"?><Types/>'),
            ("_rels/.rels", b'<?xml version="1.0"?><Relationships/>'),
            ("word/document.xml", b"<w:document><w:t>%b</w:t></w:document>" % text(chance, 24_000).encode()),
            ("word/styles.xml", text(chance, 6000).encode()),
            ("word/media/image1.png", _picture(chance, 32_000)),
            ("docProps/core.xml", b"<cp:coreProperties/>"),
        ]
    )


def _picture(chance: random.Random, size: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\6\0\0\0" + chance.randbytes(size)


def _twice(mail: EmailMessage, chance: random.Random) -> None:
    """The same as text and as HTML."""
    plain = text(chance, 1800)
    paragraphs = "".join(f"<p>{line}</p>\n" for line in plain.split("\n"))
    mail.set_content(plain, cte="7bit")
    mail.add_alternative(f"<html><body>{paragraphs}</body></html>\n", subtype="html", cte="quoted-printable")


def _usual(mail: EmailMessage, chance: random.Random, shape: random.Random) -> None:
    _twice(mail, chance)
    paper, document, pictures = (shape.random() for _ in range(3))
    if paper < 0.4:
        attach(mail, _paper(chance), "pdf", "report.pdf")
    if document < 0.3:
        attach(mail, _document(chance), DOCUMENT, "letter.docx")
    if pictures < 0.4:
        for number in range(shape.randint(1, 3)):
            attach(mail, _picture(chance, shape.randint(3000, 12_000)), "png", f"{number}.png", "image")


def _packed(mail: EmailMessage, chance: random.Random, shape: random.Random, number: int) -> None:
    mail.set_content(text(chance, 1200), cte="7bit")
    if number % 2:
        archive = zipped(
            [
                ("readme.txt", text(chance, 3000).encode()),
                ("data.tar.gz", _tarred(_files(chance, shape, 10))),
                ("more.zip", zipped(_files(chance, shape, 5))),
            ]
        )
    else:
        archive = zipped(_files(chance, shape, 20))
    attach(mail, archive, "zip", f"files{number}.zip")


def _repeated(mail: EmailMessage, chance: random.Random, paper: bytes, document: bytes) -> None:
    _twice(mail, chance)
    attach(mail, paper, "pdf", "brochure.pdf")
    attach(mail, document, DOCUMENT, "terms.docx")


def main(folder: str, number: int = 100, seed: int = 1) -> None:
    """Write the corpora below a folder."""
    for kind in CORPORA:
        made, size = mails(kind, seed), 0
        Path(folder, kind).mkdir(parents=True)
        for place in range(number):
            data = next(made)
            Path(folder, kind, f"{place:05}.eml").write_bytes(data)
            size += len(data)
        print(f"{kind}: {number} mails, {size / number / 1024:.1f} KiB each in the mean")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
