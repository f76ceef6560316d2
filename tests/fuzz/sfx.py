"""Fuzzes what is taken out of programs: archives, and what InstallShield appends; see mutants.py."""

import random

from built.sfx import elf, entry, installed, pack, program, streamed
from test_carve import KINDS
from test_sfx import cabinet, written

from amavis_pipe.decompose.formats.sfx import DECODER
from fuzz.mutants import changed, judge

FILE = b"a file\n" * 300
CABINET = dict(
    zip(("data1.hdr", "data1.cab"), cabinet([(b"a", FILE, 4), (b"b", FILE, 6), (b"c", FILE, 0)]), strict=True)
)
SAMPLES = [
    pack(FILE),
    program(appended=installed(entry(b"a", FILE, 2), entry(b"b", FILE, 0), entry(b"c", FILE, packed=0))),
    program(appended=streamed("name", FILE)),
    program(appended=streamed("name", FILE, 4)),
    program(appended=written(*CABINET.items())),
    program(appended=written(*CABINET.items(), wide=True)),
    *(make(appended=data) for data, _ in KINDS.values() for make in (program, elf)),
]
WORDS = [b"InstallShield\0", b"ISSetupStream\0", b"ISc(", b"PE\0\0", b"1\0", b"99999999\0"] + [
    data[:end] for data, _ in KINDS.values() for end in (8, 30)
]


def fuzz(source: random.Random) -> None:
    """Take one hostile program apart."""
    judge(DECODER, changed(source.choice(SAMPLES), SAMPLES, WORDS, source))
