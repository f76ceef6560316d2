"""Fuzzes the small files of the state folder and of the package: damaged, they cost a note, never a mail.

What must hold: nothing is raised but OSError where that is told; a mail counts as handed on, or a step as left
out, only by the notes that say so; a digest's state is whole or empty; a damaged head of the bundle is no bundle.
"""

import json
import os
import random
from functools import cache
from pathlib import Path
from time import gmtime, strftime
from types import SimpleNamespace

from amavis_pipe import bundle, tries
from amavis_pipe.committed import Committed
from amavis_pipe.desk import bundle as desk_bundle
from amavis_pipe.desk import digest
from amavis_pipe.model import Envelope
from amavis_pipe.notices import rate
from amavis_pipe.veil import Veil
from fuzz import driver
from fuzz.mutants import bent, changed

DIGEST = {
    "schema": 1, "period": "2026-11-24", "until": 1_790_000_000, "files": {"2026-11-24.jsonl": 500},
    "begun": {"until": 1_790_000_100, "end": {"2026-11-24.jsonl": 700}, "told": ["digest-admin a@example.org"]},
}  # fmt: skip
WORDS = [
    bytes(8),
    b"\xff" * 8,
    b"null",
    b"[]",
    b"{",
    b"}",
    b'"',
    b"-1",
    b"9" * 400,
    b"[" * 3000,
    b"\xff",
    b"\n",
    b"1e400",
]


@cache
def _state() -> Path:
    return driver.scratch()


def fuzz(source: random.Random) -> None:
    """Damage one file, and have it used."""
    source.choice((_tries, _sent, _rate, _digest, _key, _bundle))(source)


def _tries(source: random.Random) -> None:
    file = _state() / "tries"
    file.unlink(missing_ok=True)
    key, state = source.randbytes(32), os.fsencode(_state())
    for _ in range(source.randrange(3)):
        _closed(tries.Tries(state, key, 2), "begin")
    if file.exists():
        data = bytearray(file.read_bytes())
        for _ in range(source.randint(1, 20)):
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        file.write_bytes(data[: source.choice((len(data), source.randrange(len(data) + 1)))])
    other = tries.Tries(state, key[::-1], 2)
    other.begin()
    assert other.skipped == 0 or other._place == tries.Tries(state, key, 2)._place, (
        "another mail's step is left out"
    )
    os.close(other._fd)
    _closed(tries.Tries(state, key, 2), "begin")


def _closed(one: tries.Tries, verb: str) -> None:
    getattr(one, verb)()
    os.close(one._fd)


def _sent(source: random.Random) -> None:
    file = _state() / "sent"
    file.unlink(missing_ok=True)
    mail = SimpleNamespace(sha256=source.randbytes(32).hex())
    envelope = Envelope(b"a@example.org", (b"b", b"c"), b"4b")
    first = Committed(os.fsencode(_state()), mail, envelope)
    first.note((b"b",))
    assert first.left((b"b", b"c")) == (b"c",)
    place = file.stat().st_size - 32
    with file.open("r+b") as data:
        data.seek(place)
        data.write(source.choice((bytes(32), source.randbytes(32), b"\xff" * 32)))
        if source.randrange(2):
            data.truncate(place + source.randrange(32))
    left = Committed(os.fsencode(_state()), mail, envelope).left((b"b", b"c"))
    assert left == (b"b", b"c"), "nobody got it as far as the file tells"
    os.close(first._fd)


def _rate(source: random.Random) -> None:
    file = _state() / "notices"
    file.write_bytes(changed(bytes(64), [bytes(64)], WORDS, source)[: source.choice((3, 64, 100))])
    now = source.choice((0.0, 1_790_000_000.0, 4e18))
    kind = source.choice(rate.KINDS)
    rate.may_send(os.fsencode(_state()), kind, source.choice((0, 1, 50)), now)
    held = rate.held(os.fsencode(_state()))
    assert all(0 < count <= rate.MOST for count in held.values())
    rate.tell(os.fsencode(_state()), held)


def _digest(source: random.Random) -> None:
    file = _state() / "digest"
    data = json.dumps(bent(DIGEST, source, 15)).encode()
    file.write_bytes(changed(data, [data], WORDS, source, 2) if source.randrange(2) else data)
    state = digest._state(os.fsencode(file))
    for until in (state["until"], (state["begun"] or {"until": 0})["until"]):
        strftime("%Y-%m-%d", gmtime(until))
    for files in (state["files"], (state["begun"] or {"end": None})["end"] or {}):
        assert all(isinstance(name, str) and size >= 0 for name, size in files.items())
        min(files, default="")


def _key(source: random.Random) -> None:
    file = _state() / "journal.key"
    file.write_bytes(source.randbytes(source.choice((0, 1, 31, 32, 500))))
    veil = Veil(os.fsencode(_state()))
    assert bool(veil.trouble) == (file.stat().st_size < 32)
    assert "person" not in veil.of("person@example.org")
    file.unlink()


@cache
def _whole_bundle() -> tuple[bytes, int]:
    """A bundle as the set-up script makes it, and where its head ends."""
    bundle.path = lambda which: str(_state() / f"{which}.bundle")
    desk_bundle.write()
    data = Path(bundle.path(bundle.HOT)).read_bytes()
    return data, bundle.START + int.from_bytes(data[:4], "big")


def _bundle(source: random.Random) -> None:
    whole, end = _whole_bundle()
    assert bundle.read() is not None or Path(bundle.path(bundle.HOT)).read_bytes() != whole
    hurt = bytearray(whole[:end])
    for _ in range(source.randint(1, 4)):
        hurt[source.randrange(end)] = source.choice((0, 255, source.randrange(256)))
    data = (bytes(hurt) + whole[end:])[
        : source.choice((len(whole), len(whole), source.randrange(len(whole))))
    ]
    Path(bundle.path(bundle.HOT)).write_bytes(data)
    finder = bundle.read()
    Path(bundle.path(bundle.HOT)).write_bytes(whole)
    assert (finder is None) == (data != whole), "a damaged bundle"
