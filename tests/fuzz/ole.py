"""Fuzzes the decoders of compound files, RTF, ActiveMime, Office XML.

Files of the tests' builders are changed byte by byte, above all where tables, directories and lengths
stand, and taken apart. What must hold for each: nothing is raised; the work stays within PATIENCE; every
finding has a name that is known.
"""

import random
import struct
import time
from functools import cache

import office
from built import activemime, officexml, ole, rtf

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.decompose import registry
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk

PATIENCE = 8.0
"""Seconds of CPU that one file may take: most of it is for passwords."""
KNOWN = ("ambiguous:", "broken:", "encrypted:", "external:", "limit:", "undecoded:")
WORDS = [
    b"{", b"}", b"{\\*\\a ", b"\\objdata ", b"\\objdata", b"\\bin9 ", b"\\bin99999999 ", b"\\'e7", b"\\pict ", b"\\*", b"\\",
    b"01050000", b"d0cf11e0a1b11ae1", b" ", b"\\datastore ", b"{\\object", b"\\objdata0 ", b"f", b"<!--", b"-->", b"<", b"&#10;", b"<w:binData>", b"]]>",
]  # fmt: skip
NUMBERS = [0, 1, 2, 3, 5, 9, 64, 0x1000, 0x2F, 0x1011, 0x7FFFFFFF, 0xFFFFFFFA, 0xFFFFFFFE, 0xFFFFFFFF]


@cache
def seeds() -> list[bytes]:
    """Files to begin with."""
    payload = b"MZ" + bytes(range(256)) * 30
    module = b'Attribute VB_Name = "M"\r\nSub A()\r\nEnd Sub\r\n' * 20
    inner = ole.compound({"x": payload})
    streams = {
        "\1Ole10Native": ole.sized(ole.packager(payload)), "CONTENTS": payload[:300],
        "VBA/dir": ole.vba_directory({"M": 5}), "VBA/M": b"12345" + ole.vba_packed(module),
        "__attach/__substg1.0_37010102": payload, "__attach/__substg1.0_3707001F": "a.exe".encode("utf-16-le"),
        "__substg1.0_1000001F": "text".encode("utf-16-le"), "PowerPoint Document": ole.slide_object(inner),
    }  # fmt: skip
    key, cipher = office.rc4()
    api_key, api = office.rc4_api()
    weak_key, weak = office.xor()
    records = [(0xE1, b"ab"), (0x85, office.SHEET), (0xFC, payload[:4000])]
    files = [
        ole.compound(streams),
        ole.compound(streams, 12),
        ole.pack(payload),
        rtf.pack(payload),
        rtf.pack(inner),
    ]
    files += [
        ole.compound({"Workbook": office.workbook(records, *one)})
        for one in ((key, cipher), (api_key, api), (weak_key, weak))
    ]
    files += [office.word(payload, key, cipher), office.slides(ole.slide_object(inner), api_key, api)]
    files += [
        office.agile(payload),
        activemime.pack(inner),
        officexml.pack(inner),
        rtf.document(rtf.embedded(rtf.ole1(inner))),
    ]
    return files


def changed(file: bytes, files: list[bytes], chance: random.Random) -> bytes:
    """The file after some changes."""
    data = bytearray(file)
    is_text = data.startswith((b"{\\rt", b"<"))
    for _ in range(chance.choice((1, 1, 2, 3, 8, 30))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(8)
        if kind < 3 and not is_text:
            at = chance.choice((at & ~3, chance.randrange(76), chance.randrange(512, 3000) & ~3))
            data[at : at + 4] = struct.pack("<I", chance.choice((*NUMBERS, chance.randrange(40))))
        elif kind < 3:
            data[at:at] = chance.choice(WORDS) * chance.choice((1, 1, 1, 50))
        elif kind == 3 and data:
            data[at % len(data)] = chance.randrange(256)
        elif kind == 4:
            data = data[: max(at, 600)] if chance.randrange(4) == 0 else data
        elif kind == 5:
            start = chance.randrange(len(data) + 1)
            piece = data[start : start + chance.choice((4, 64, 128, 512))]
            data[at : at + len(piece)] = piece
        elif kind == 6 and is_text:
            del data[at : at + chance.randint(1, 50)]
        elif kind == 7:
            other = chance.choice(files)
            place = at & ~511
            data[place : place + 512] = other[place : place + 512]
    return bytes(data)


def fuzz(source: random.Random) -> None:
    """Take one hostile file apart."""
    data = changed(source.choice(seeds()), seeds(), source)
    formats = registry.formats()
    walk = Walk(Budget.of(Limits(), len(data)), Store(b"/var/tmp"), registry.openers(formats), formats)
    begun = time.process_time()
    walk.file(Blob(data))
    took = time.process_time() - begun
    assert took < PATIENCE, f"took {took:.1f} s for {len(data)} bytes"
    unknown = [found.name for found in walk.findings if not found.name.startswith(KNOWN)]
    assert not unknown, unknown
