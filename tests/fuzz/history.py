"""Fuzzes what reads the journal: lines that a crash tore, records of other versions or of nobody's.

What must hold: nothing is raised; every whole record is counted once, whatever stands beside it; what is shown
of it has nothing that a terminal would obey; the digest's tally takes it.
"""

import json
import os
import random
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from time import gmtime, strftime, time
from typing import Any

from stand_in import journals

from amavis_pipe import history
from amavis_pipe import settings as hot
from amavis_pipe.config import load
from amavis_pipe.desk import explain, layout, report
from amavis_pipe.desk.figures import figures
from amavis_pipe.history import base
from amavis_pipe.history.count import HOUR
from amavis_pipe.history.folding import _Batch
from amavis_pipe.history.lines import Line, parsed
from amavis_pipe.notices.tally import Tallies
from amavis_pipe.notices.window import Window
from fuzz import driver
from fuzz.mutants import bent, changed

WORDS = [
    b"\n", b'{"schema": ', b'{"schema": 1}', b"{", b"}", b"[", b'"', b"\\", b"\\ud800", b"\\u0000", b"null", b"1e999", b"NaN", b"-1",
    b"9" * 400, b"9" * 5000, b'"time": "', b'"time": 5', b"[" * 3000, b"\xff", b"\0", b"[]", b"{}", b"\n\n", b'"verdict": "infected"',
]  # fmt: skip


@cache
def _state() -> Path:
    return driver.scratch() / "state"


@cache
def _settings() -> hot.Settings:
    tree = {
        "state": str(_state()), "scanners": ["builtin"], "local": ["example.net"],
        "infected": {"admin": "a@example.org"}, "notices": {"digest_recipients": True},
    }  # fmt: skip
    return hot.Settings(load.read(tree, "x", "")[0])


def fuzz(source: random.Random) -> None:
    """Read a few lines, of which some are damaged."""
    if source.randrange(12) == 0:
        _check_files(source)
        return
    record = bent(journals.record(source.randrange(200), time()), source, 30)
    _check_record(record)
    line = json.dumps(record).encode() + b"\n"
    for made in (line, changed(line, [line], WORDS, source, 3)):
        begins, found = parsed(made)
        assert 0 <= begins < max(len(made), 1)
        if found is not None:
            _check_record(found)
    _check_batch(line, source)


def _check_record(record: Any) -> None:
    """One record, told to people."""
    if not isinstance(record, dict):
        return
    told = layout.outline([explain._mail(record, now=False)])
    assert all(line.isprintable() for line in told.split("\n")), told
    tallies = Tallies(_settings())
    tallies.add(record)
    for tally in (*tallies.admins.values(), *tallies.people.values()):
        _check_words(tally.values())


def _check_words(value: Any) -> None:
    """What templates are given is printable, and bounded."""
    if isinstance(value, dict):
        for one in value.values():
            _check_words(one)
    elif isinstance(value, list):
        assert len(value) <= 1000
        for one in value:
            _check_words(one)
    elif isinstance(value, str):
        assert value.isprintable() and len(value) < 5000, value[:200]


def _check_batch(line: bytes, source: random.Random) -> None:
    """A line put into the base, in memory."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.executescript(base._TABLES)
        batch = _Batch(base.Day("2026-11-25"))
        hurt = changed(line, [line], WORDS, source, 2)
        at = 0
        for made in hurt.splitlines(keepends=True) if source.randrange(2) else [line]:
            batch.add(Line(at, made, made.endswith(b"\n")))
            at += len(made)
        day = batch.put(db)
        assert day.folded == at and day.records == db.execute("SELECT count(*) FROM mail").fetchone()[0]
    finally:
        db.close()


def _check_files(source: random.Random) -> None:
    """Whole records among rubbish in the journal's files: each is found, and counted once."""
    state = _state()
    shutil.rmtree(state, ignore_errors=True)
    (state / "journal").mkdir(parents=True)
    state.chmod(0o700)
    now = time()
    whole = []
    for age in (0, 3):
        day = strftime("%Y-%m-%d", gmtime(now - age * 86400))
        pieces = []
        for _ in range(source.randint(0, 6)):
            line = json.dumps(journals.record(source.randrange(10**9), now - age * 86400)).encode() + b"\n"
            if source.randrange(3):
                whole.append(line)
                pieces.append(line)
            else:
                hurt = changed(line, [line], WORDS, source, 2).replace(b'"id": "', b'"id": "damaged ')
                pieces.append(hurt.replace(b"\n{", b"\n {") + source.choice((b"", b"\n")))
        file = state / "journal" / f"{day}.jsonl"
        file.write_bytes(b"".join(pieces))
        if age:
            os.utime(file, (now - 7200,) * 2)
    _find(whole)
    history.fold(os.fsencode(state), 30, 1 << 40)
    _find(whole)
    history.fold(os.fsencode(state), 30, 1 << 40)
    end = int(now) // HOUR * HOUR + HOUR
    made = figures(
        history.load(os.fsencode(state), end - 7 * 24 * HOUR, end), end - 7 * 24 * HOUR, end, "day", 10
    )
    assert all(line.isprintable() for line in layout.as_text(report.sections(made)).split("\n"))
    window = Window(os.fsencode(state / "journal"), {}, "2026-01-01")
    assert all(isinstance(one, dict) for one in window.records())


def _find(lines: list[bytes]) -> None:
    told = [
        json.dumps(one, sort_keys=True) for one in history.records(os.fsencode(_state()), 0, time() + 86400)
    ]
    for line in lines:
        record = json.loads(line)
        assert told.count(json.dumps(record, sort_keys=True)) == lines.count(line), record["id"]
        found = history.find(os.fsencode(_state()), record["id"])
        assert record in found, record["id"]
