"""Fuzzes the decoder of OneNote; see mutants.py."""

import random

from built.onenote import STORE, STORE_END, header, named, pack, store

from amavis_pipe.decompose.formats.onenote import DECODER
from fuzz.mutants import changed, judge

SAMPLES = [pack(b"a file"), header() + named("a") * 3 + named("b") + store(b"one") + store(b"two" * 99)]
WORDS = [
    STORE,
    STORE_END,
    b"\x9c\x1d\x00\x1c",
    b"\5\0",
    b"\0\0\0\x40",
    b"\0\0\0\x1c",
    named("ccc"),
    b"\xff" * 8,
]


def fuzz(source: random.Random) -> None:
    """Take one hostile section apart."""
    judge(DECODER, changed(source.choice(SAMPLES), SAMPLES, WORDS, source))
