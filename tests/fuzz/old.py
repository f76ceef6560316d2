"""Fuzzes the decoders of old compressions and archives, of LZMA and Flash; see mutants.py."""

import importlib
import random

from built import ace, alz, arc, compress, freeze, lzip, lzma, pack, swf, szdd, zoo

from fuzz.mutants import changed, judge

TEXT = b"a file with some text, and some text again; " * 30
FILES = [(b"one", TEXT), (b"two", random.Random(1).randbytes(300))]
PLAIN = swf.movie(TEXT, b"two")
SAMPLES = {
    "ace": [ace.ace(*(ace.member(*one) for one in FILES)), ace.ace(ace.member(b"a", TEXT, method=1, size=99))],
    "alz": [alz.alz(*FILES), alz.alz(*FILES, method=0, wide=8), alz.alz(*FILES, flags=1)],
    "arc": [arc.arc(*FILES, method=method) for method in range(1, 12)],
    "compress": [compress.compressed(TEXT), compress.compressed(TEXT, 12, clear=50), b"\x1f\xa0" + zoo.lh5(TEXT)],
    "freeze": [freeze.freeze(TEXT), freeze.freeze(TEXT, old=True)],
    "lzip": [lzip.pack(TEXT), lzip.member(TEXT) * 3],
    "lzma": [lzma.pack(TEXT)],
    "pack": [pack.packed(TEXT)],
    "swf": [PLAIN, swf.zlibbed(PLAIN), swf.lzmaed(PLAIN)],
    "szdd": [szdd.szdd(TEXT), szdd.basic(TEXT), szdd.kwaj(szdd.mszip(TEXT), 4), szdd.kwaj(szdd.lzss(TEXT), 2, 24, b"A\0B\0")],
    "zoo": [zoo.zoo(*FILES, method=method) for method in range(3)],
}  # fmt: skip
EVERY = [sample for samples in SAMPLES.values() for sample in samples]
WORDS = [b"\0", b"\xff" * 4, bytes(4), b"\x90\0", b"\x90\xff", zoo.TAG, b"BLZ\1", b"CLZ\2", b"\x1a\x08", b"**ACE**",
         b"\x1f\x9d\x90", b"LZIP\1", b"CK", b"\1\0", b"\x3f\x16"]  # fmt: skip
DECODERS = {
    name: importlib.import_module("amavis_pipe.decompose.formats." + name).DECODER for name in SAMPLES
}


LARGEST = 60_000
"""Bytes of an input: some of these formats make a thousand times as much of them, and the quota lets it pass."""


def fuzz(source: random.Random) -> None:
    """Take one hostile file apart."""
    name = source.choice([*SAMPLES])
    if name == "ace" and source.randrange(2):
        judge(DECODERS[name], _packed_ace(source))
        return
    sample = changed(source.choice(SAMPLES[name]), EVERY, WORDS, source)
    head = source.choice(SAMPLES[name])[: source.choice((0, 0, 0, 3, 20, 40))]
    judge(DECODERS[name], (head + sample[len(head) :])[:LARGEST])


def _packed_ace(source: random.Random) -> bytes:
    """An ACE of members whose headers are sound, and whose contents are noise."""
    members = []
    for _ in range(source.randint(1, 3)):
        noise = source.randbytes(source.choice((0, 4, 40, 400, 4000)))
        noise += bytes(source.choice((0, 100, 3000)))
        size = source.choice((0, 1, 100, 70_000, 1 << 20))
        members.append(
            ace.member(b"a", noise, source.choice((0, 0, 0x1000)), size, source.choice((1, 2, 2, 9)))
        )
    return ace.ace(*members, flags=source.choice((0, 0x800, 0x8000)))
