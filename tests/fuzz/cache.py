"""Fuzzes the cache's files: damaged anywhere, by whatever.

What must hold: nothing is raised; under a key is what was put there, or nothing; what is put afterwards is found,
unless it could not be written; entries that are listed are whole.
"""

import os
import random
import shutil
from functools import cache
from pathlib import Path

from amavis_pipe import generation
from amavis_pipe.budget import Budget
from amavis_pipe.cache import BUCKET, MAGIC, Cache, digest
from amavis_pipe.model import Part
from amavis_pipe.subtree import Memory
from fuzz import driver
from fuzz.mutants import changed

SIZE = 40_000
WORDS = [bytes(8), b"\xff" * 8, MAGIC, bytes(16), b"\0\0\0\1", bytes(512), b"\0\0\0\0\0\0\2\0", b"\xff" * 4]
BOX = Part("1", names=(b"a.zip",), kind="application/zip", size=9, sha256="b" * 64)
INNER = [
    Part("1.1", names=(b"a",), kind="text/plain", size=5, sha256="a" * 64),
    Part("1.2", size=3, sha256="c" * 64),
]


@cache
def _folder() -> Path:
    return driver.scratch() / "cache"


def fuzz(source: random.Random) -> None:
    """Fill a cache, damage it, use it on."""
    shutil.rmtree(_folder(), ignore_errors=True)
    _folder().mkdir(mode=0o700)
    kept = Cache(os.fsencode(_folder()), 7, SIZE)
    keys = [digest(b"%d" % source.getrandbits(30)) for _ in range(source.randint(1, 60))]
    for key in keys:
        kept.put(key, _payload(key))
    memory = Memory(kept, b"x", lambda sha256: True, 9)
    memory.remember([BOX], INNER, [])
    for file in sorted(_folder().iterdir()):
        if source.randrange(4):
            _damage(file, source)
    _look(kept, keys)
    parts = memory.recall([BOX], Budget(100, 9, 9, 1e12))
    assert parts is None or [part.row() for part in parts] == [part.row() for part in INNER]
    for key in keys[:10]:
        if kept.put(key, _payload(key)):
            assert kept.get(key) is not None, "what was put is not there"
    _look(kept, keys)
    _list()


def _payload(key: bytes) -> bytes:
    return digest(key) * (1 + key[0] % 25)


def _damage(file: Path, source: random.Random) -> None:
    data = file.read_bytes()
    kind = source.randrange(4)
    if kind == 0:
        hurt = bytearray(data)
        for _ in range(source.randint(1, 40)):
            at = source.randrange(len(hurt))
            hurt[at] = source.choice((0, 255, source.randrange(256)))
        data = bytes(hurt)
    elif kind == 1:
        data = data[: source.choice((0, 5, 40, BUCKET, source.randrange(len(data) + 1)))]
    elif kind == 2:
        data = changed(data, [data], WORDS, source, 3)
    else:
        at = source.randrange(len(data))
        data = data[:at] + bytes(len(data) - at)
    file.write_bytes(data)


def _look(kept: Cache, keys: list[bytes]) -> None:
    for key in [*keys, digest(b"other")]:
        found = kept.get(key)
        assert found is None or (found[1] == _payload(key) and 0 <= found[0] < 3600), key


def _list() -> None:
    for file in _folder().iterdir():
        fd = os.open(file, os.O_RDWR)
        try:
            birth, used = generation.contents(fd)
            assert birth >= 0 and used >= 0
            for offset, payload in generation.entries(fd):
                assert offset + len(payload) <= os.fstat(fd).st_size
        finally:
            os.close(fd)
