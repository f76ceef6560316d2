"""Fuzzes the decoders of compound files, RTF, ActiveMime, Office XML: `python tests/fuzz/ole.py [SECONDS] [SEED]`.

Files of the tests' builders are changed byte by byte, above all where tables, directories and lengths
stand, and taken apart. What must hold for each: nothing is raised; the work stays within PATIENCE; every
finding has a name that is known. A file that breaks this is written to /var/tmp/amavis-pipe-fuzz/.
"""

import random
import struct
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1] / "decompose")]

import office  # noqa: E402
from built import activemime, officexml, ole, rtf  # noqa: E402

from amavis_pipe.budget import Budget, Limits  # noqa: E402
from amavis_pipe.decompose import registry  # noqa: E402
from amavis_pipe.spool import Blob, Store  # noqa: E402
from amavis_pipe.walk import Walk  # noqa: E402

OUT = Path("/var/tmp/amavis-pipe-fuzz")
PATIENCE = 8.0
"""Seconds of CPU that one file may take: most of it is for passwords."""
KNOWN = ("ambiguous:", "broken:", "encrypted:", "external:", "limit:", "undecoded:")
WORDS = [
    b"{", b"}", b"{\\*\\a ", b"\\objdata ", b"\\objdata", b"\\bin9 ", b"\\bin99999999 ", b"\\'e7", b"\\pict ", b"\\*", b"\\",
    b"01050000", b"d0cf11e0a1b11ae1", b" ", b"\\datastore ", b"{\\object", b"\\objdata0 ", b"f", b"<!--", b"-->", b"<", b"&#10;", b"<w:binData>", b"]]>",
]  # fmt: skip
NUMBERS = [0, 1, 2, 3, 5, 9, 64, 0x1000, 0x2F, 0x1011, 0x7FFFFFFF, 0xFFFFFFFA, 0xFFFFFFFE, 0xFFFFFFFF]


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


def fault(data: bytes) -> str:
    """What is wrong with how a file is taken apart, or ""."""
    formats = registry.formats()
    walk = Walk(Budget.of(Limits(), len(data)), Store(b"/var/tmp"), registry.openers(formats), formats)
    begun = time.process_time()
    try:
        walk.file(Blob(data))
    except Exception as error:
        return f"raised {error!r}"
    took = time.process_time() - begun
    if took > PATIENCE:
        return f"took {took:.1f} s for {len(data)} bytes"
    unknown = [found.name for found in walk.findings if not found.name.startswith(KNOWN)]
    return f"said {unknown}" if unknown else ""


_SEEDS: list[bytes] = []


def fuzz(source: random.Random) -> None:
    """Take one hostile file apart; AssertionError if that goes wrong."""
    if not _SEEDS:
        _SEEDS.extend(seeds())
    data = changed(source.choice(_SEEDS), _SEEDS, source)
    said = fault(data)
    if said:
        OUT.mkdir(exist_ok=True)
        path = OUT / f"ole-{abs(hash(data)):x}.bin"
        path.write_bytes(data)
        raise AssertionError(f"{path}: {said}")


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    end, count, faults, slowest = time.monotonic() + seconds, 0, 0, 0.0
    while time.monotonic() < end:
        begun = time.process_time()
        try:
            fuzz(chance)
        except AssertionError as error:
            print(error, flush=True)
            faults += 1
        slowest = max(slowest, time.process_time() - begun)
        count += 1
    print(f"{count:,} files, the slowest {slowest:.2f} s", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
