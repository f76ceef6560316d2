"""Removes whole days from journal and base: those that are too old, then the oldest that are too much.

The base forgets a day first and its files go then: killed in between, the next run finds files of a day
that is too old, and removes them. Today's file is never removed for its size.
"""

import os
from sqlite3 import Connection
from time import gmtime, strftime

from amavis_pipe.history import base, files
from amavis_pipe.history.lines import start_of

_ALL = ("", files.PACKED, files.UNFINISHED)


def expire(db: Connection, state: bytes, folder: int, oldest: str, size: int) -> tuple[int, int]:
    """Remove the days before `oldest`, and as many as it takes to be at most `size` bytes: files, bytes."""
    start = max(oldest, _affordable(db, state, folder, size))
    if db.execute("SELECT 1 FROM day WHERE day < ? LIMIT 1", (start,)).fetchone():
        with base.transaction(db):
            _forget(db, start)
        db.executescript("PRAGMA incremental_vacuum;")  # execute() would free a single page
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return _remove(folder, start)


def everything(state: bytes, folder: int) -> tuple[int, int]:
    """Remove all there is, and the base: files, bytes."""
    number, size = _remove(folder, "9999-99-99")
    for ending in (b"", b"-wal", b"-shm"):
        try:
            os.unlink(state + base.NAME + ending)
        except FileNotFoundError:
            continue
    return number, size


def _affordable(db: Connection, state: bytes, folder: int, size: int) -> str:
    """The first day that may stay for all to be at most `size` bytes, a record with its share of the base."""
    sizes = files.sizes(folder)
    records = dict(db.execute("SELECT day, records FROM day"))
    each = os.stat(state + base.NAME).st_size / max(1, sum(records.values()))
    total = 0.0
    today = strftime("%Y-%m-%d", gmtime())
    first = today
    for day in sorted({*sizes, *records}, reverse=True):
        total += sizes.get(day, 0) + each * records.get(day, 0)
        if day < today and total > size:
            break
        first = min(first, day)
    else:
        return ""
    return first


def _forget(db: Connection, start: str) -> None:
    """Take out of the base what is of days before `start`."""
    for table in ("recipient", "content", "finding"):
        db.execute(f"DELETE FROM {table} WHERE mail IN (SELECT id FROM mail WHERE day < ?)", (start,))  # noqa: S608 - our names
    for table in ("mail", "member", "day"):
        db.execute(f"DELETE FROM {table} WHERE day < ?", (start,))  # noqa: S608 - the same
    db.execute("DELETE FROM minute WHERE minute < ?", (start_of(start),))
    db.execute("DELETE FROM tally WHERE hour < ?", (start_of(start),))


def _remove(folder: int, start: str) -> tuple[int, int]:
    number = size = 0
    for day in files.listed(folder):
        if day < start:
            more = files.remove(folder, day, *_ALL)
            number, size = number + more[0], size + more[1]
    return number, size
