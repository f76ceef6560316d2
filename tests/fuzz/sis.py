"""Fuzzes the decoder of Symbian's packages; see mutants.py."""

import random
import zlib

from built.sis import pack, sis

from amavis_pipe.decompose.formats.sis import DECODER, NEW
from fuzz.mutants import changed, judge

FILES = [("a", [b"one"]), ("b", [b"two", b"zwei"])]
SAMPLES = [
    pack(b"a file" * 50),
    sis(*FILES),
    sis(*FILES, options=8),
    sis(*FILES, release=5),
    NEW + bytes(12) + b"\1\0\0\0\4\0\0\0\0\0\0\0" + zlib.compress(b"file"),
]
WORDS = [b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0", b"\5\0\0\0", bytes(4), b"\xff" * 4, b"\x78\x9c", NEW]


def fuzz(source: random.Random) -> None:
    """Take one hostile package apart."""
    judge(DECODER, changed(source.choice(SAMPLES), SAMPLES, WORDS, source))
