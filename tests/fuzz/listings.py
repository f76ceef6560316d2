"""Fuzzes the readers of what helper programs list: 7zz, lsar and cabextract, which may be in somebody's hands.

What must hold: nothing is raised; a member's size is a number that a file may have, or told to be unknown; there
are not more than MEMBERS.
"""

import json
import random

from amavis_pipe.decompose import cabextract, seven_zip, unar
from amavis_pipe.decompose.ways import MEMBERS, Member
from fuzz.mutants import bent, changed

SEVEN = b"""
7-Zip (z) 24.09

--
Path = a.7z
Type = 7z
Physical Size = 162

----------
Path = folder
Folder = +
Size = 0

Path = one.txt
Size = 2000
Packed Size = 40
Attributes = A -rw-r--r--
Encrypted = +
CRC = 5A3D

Path = two
Size =
Alternate Stream = +
"""
CABINET = b"""Viewing cabinet: a.cab
 File size | Date       Time     | Name
-----------+---------------------+-------------
      1234 | 25.11.2026 07:00:00 | folder/one.txt
         0 | 25.11.2026 07:00:00 | two
All done, no errors.
"""
LSAR = {
    "lsarFormatVersion": 2, "lsarEncoding": "utf-8", "lsarFormatName": "StuffIt",
    "lsarContents": [
        {"XADFileName": "one", "XADFileSize": 5, "XADIndex": 0, "XADIsEncrypted": True},
        {"XADFileName": "folder", "XADIsDirectory": 1, "XADIndex": 1},
        {"XADFileName": "two", "XADCompressedSize": 9, "XADIndex": 2},
    ],
}  # fmt: skip
WORDS = [
    b"\n", b"\r\n", b"\n\n", b"Path = ", b"Size = ", b"9" * 30, b"9" * 5000, b"-1", b"----------\n", b"Folder = +\n", b" | ", b"|",
    b"\xff", b"\0", b"\n----------\n", b"[" * 3000, b"{", b"}", b"null", b"Type = ", "²".encode(), b'"', b"Path = a\nSize = 5\n\n" * 400,
]  # fmt: skip


def fuzz(source: random.Random) -> None:
    """Read one listing of each."""
    samples = [SEVEN, CABINET, json.dumps(bent(LSAR, source, 15)).encode()]
    seven, cabinet, lsar = (
        changed(one, samples, WORDS, source, 4) if source.randrange(5) else one for one in samples
    )
    kinds, members = seven_zip.read(seven)
    assert kinds
    _check(members)
    _check(cabextract.read(cabinet))
    members, is_locked, is_whole = unar.read(lsar)
    _check(members)
    assert not members or is_locked == any(member.locked for member in members)
    assert is_whole in (True, False)


def _check(members: list[Member]) -> None:
    assert len(members) <= MEMBERS
    for one in members:
        assert isinstance(one.name, bytes) and isinstance(one.word, bytes)
        assert -1 <= one.size < 1 << 63, one.size
