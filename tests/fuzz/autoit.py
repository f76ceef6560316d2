"""Fuzzes what is taken out of compiled scripts; see mutants.py."""

import random

from built.autoit import MAGIC, NEW, OLD, entry, script, squeezed
from test_autoit import token

from amavis_pipe.decompose.formats.autoit import DECODER
from fuzz.mutants import changed, judge

FILE = b"a file\n" * 50
SAMPLES = [
    *(script(kind, entry(kind, "a", squeezed(FILE, kind)), entry(kind, "b", FILE, 0)) for kind in (OLD, NEW)),
    script(
        NEW, entry(NEW, ">A<", squeezed(b"\1\0\0\0" + token(0x36, "abc") + b"\5\1\0\0\0\x10\x20\x7f", NEW))
    ),
]
WORDS = [MAGIC, MAGIC + b"AU3!EA05", MAGIC + b"AU3!EA06", OLD.file, NEW.file, b"\xff" * 40, bytes(4)]


def fuzz(source: random.Random) -> None:
    """Take one hostile script apart."""
    judge(DECODER, changed(source.choice(SAMPLES), SAMPLES, WORDS, source))
