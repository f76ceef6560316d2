"""Fuzzes the decoders of all formats, as far as they are Python; see mutants.py.

Those that leave their files to a program of another's, or to libarchive, do without here: these run in the
sandbox, and what they say is fuzzed by wire.py and listings.py.
"""

import random
from functools import cache
from pathlib import Path

import archives

from amavis_pipe.decompose import libarchive, registry
from amavis_pipe.walk import Decoder
from fuzz.mutants import changed, judge

FILE = b"a file with some text, and some text again; " * 40
WORDS = [
    bytes(1),
    bytes(4),
    b"\xff" * 4,
    b"\1\0",
    b"\1\0\0\0",
    b"\xff\xff\xff\x7f",
    b"../",
    b"a\0b",
    b"PK\1\2",
    b"PK\5\6",
]
LARGEST = 100_000


@cache
def samples() -> list[tuple[Decoder, list[bytes]]]:
    """The decoders, each with its samples."""
    libarchive.places = lambda: ("/nowhere/libarchive.so.13",)
    found = []
    for name in registry.names():
        made = getattr(archives.BUILT.get(name), "SAMPLE", "")
        pack = archives.PACKERS.get(name)
        data = [Path(made).read_bytes()[:LARGEST]] if made else [pack(FILE), pack(b"")] if pack else []
        if data:
            found += [(decoder, data) for decoder in registry._decoders(registry._module(name))]
    return found


def fuzz(source: random.Random) -> None:
    """Take one hostile file apart."""
    decoder, data = source.choice(samples())
    others = source.choice(samples())[1]
    judge(decoder, changed(source.choice(data), others, WORDS, source)[:LARGEST])
