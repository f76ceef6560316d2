"""The SQLite base `history.db` below the state folder: where each record is, and what was counted.

Tables: `day` and `member` say how far each of the journal's files is folded and packed; `mail` where each
record is, and what it is found by, with `recipient`, `content` and `finding`; `minute` and `tally` what
was counted (count.py). WAL, so that nobody who reads keeps `prune` waiting; every commit is on disk before
the next step, for a file is removed on its word.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from amavis_pipe.model import Trouble
from amavis_pipe.text import readable

NAME = b"/history.db"
VERSION = 1
PATIENCE = 30
"""Seconds that another connection may keep one waiting."""
CACHE = 64 << 10
"""KiB of pages that are kept in memory."""
_TABLES = """
CREATE TABLE day (day TEXT PRIMARY KEY, first BLOB NOT NULL, base INTEGER NOT NULL, folded INTEGER NOT NULL,
    packed INTEGER NOT NULL, length INTEGER NOT NULL, records INTEGER NOT NULL, torn INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE member (day TEXT NOT NULL, start INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL,
    PRIMARY KEY (day, start)) WITHOUT ROWID;
CREATE TABLE mail (id INTEGER PRIMARY KEY, day TEXT NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL,
    time INTEGER NOT NULL, queue_id TEXT, message_id TEXT, sender TEXT, verdict TEXT, action TEXT);
CREATE INDEX mail_day ON mail (day);
CREATE INDEX mail_queue_id ON mail (queue_id) WHERE queue_id IS NOT NULL;
CREATE INDEX mail_message_id ON mail (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX mail_sender ON mail (sender, time) WHERE sender IS NOT NULL;
CREATE TABLE recipient (address TEXT NOT NULL, time INTEGER NOT NULL, mail INTEGER NOT NULL,
    PRIMARY KEY (address, time, mail)) WITHOUT ROWID;
CREATE TABLE content (sha INTEGER NOT NULL, mail INTEGER NOT NULL, PRIMARY KEY (sha, mail)) WITHOUT ROWID;
CREATE TABLE finding (name TEXT NOT NULL, mail INTEGER NOT NULL, PRIMARY KEY (name, mail)) WITHOUT ROWID;
CREATE TABLE minute (minute INTEGER NOT NULL, what TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (minute, what)) WITHOUT ROWID;
CREATE TABLE tally (hour INTEGER NOT NULL, what TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL,
    total REAL NOT NULL, PRIMARY KEY (hour, what, key)) WITHOUT ROWID;
"""


class HistoryTrouble(Trouble):
    """The history or the journal can't be used."""


class Day(NamedTuple):
    """How far a day's file is. Its records are one stream: what is packed, then the plain file.

    first    digest of the plain file's first line, by which it is known again; b"" if there was none
    base     where in the stream the plain file begins
    folded   the stream is in the base up to here
    packed   and in the packed file up to here
    length   bytes of the packed file that hold it; behind them is what a crash left
    """

    day: str
    first: bytes = b""
    base: int = 0
    folded: int = 0
    packed: int = 0
    length: int = 0
    records: int = 0
    torn: int = 0


def exists(state: bytes) -> bool:
    """Whether there is a base."""
    return os.path.lexists(state + NAME)


@contextmanager
def reading(state: bytes) -> Iterator[sqlite3.Connection | None]:
    """The base, for questions; None if there is none yet. HistoryTrouble if it can't be used."""
    with told(state):
        base = _connected(state) if exists(state) else None
        if base is None:
            yield None
            return
        try:
            base.execute("PRAGMA query_only = ON")
            known = base.execute("PRAGMA user_version").fetchone()[0] == VERSION
            yield base if known else None
        finally:
            base.close()


@contextmanager
def writing(state: bytes) -> Iterator[sqlite3.Connection]:
    """The base, made if there is none. HistoryTrouble if it can't be used.

    A damaged one is put aside: the journal's files have all that was in it.
    """
    with told(state):
        try:
            base = _ready(state)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            _put_aside(state)
            base = _ready(state)
        try:
            yield base
        finally:
            base.close()


@contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        if base.in_transaction:
            base.execute("ROLLBACK")
        raise


def day_of(base: sqlite3.Connection | None, day: str) -> Day:
    """How far a day is; at its beginning if nothing is known."""
    row = base and base.execute("SELECT * FROM day WHERE day = ?", (day,)).fetchone()
    return Day(*row) if row else Day(day)


def put_day(base: sqlite3.Connection, day: Day) -> None:
    """Note how far a day is."""
    base.execute("INSERT OR REPLACE INTO day VALUES (?, ?, ?, ?, ?, ?, ?, ?)", day)


def sha_key(sha256: str) -> int:
    """What stands for a SHA-256 in an index: its first 64 bits; the record tells whether it is the one."""
    return int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True)


def _ready(state: bytes) -> sqlite3.Connection:
    base = _connected(state)
    try:
        version = base.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise HistoryTrouble(f"{readable(state + NAME)}: made by another version ({version})")
        if version == 0:
            base.execute("PRAGMA auto_vacuum = INCREMENTAL")
            base.execute("PRAGMA journal_mode = WAL")
            base.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except BaseException:
        base.close()
        raise
    return base


def _connected(state: bytes) -> sqlite3.Connection:
    """A connection to a regular file of ours, 0600; SQLite gives its companions the same mode."""
    path = state + NAME
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass  # never opened here: closing it would undo the locks of another connection in this process
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise OSError(0, "not a regular file of ours", path)
    base = sqlite3.connect(os.fsdecode(path), timeout=PATIENCE, isolation_level=None)
    base.execute("PRAGMA synchronous = FULL")
    base.execute(f"PRAGMA cache_size = -{CACHE}")
    base.execute("PRAGMA temp_store = FILE")
    return base


def _put_aside(state: bytes) -> None:
    os.rename(state + NAME, state + NAME + b".damaged")
    for companion in (b"-wal", b"-shm"):
        try:
            os.unlink(state + NAME + companion)
        except FileNotFoundError:
            continue


@contextmanager
def told(state: bytes) -> Iterator[None]:
    """Errors of SQLite and of the system as HistoryTrouble."""
    try:
        yield
    except sqlite3.Error as error:
        raise HistoryTrouble(f"{readable(state + NAME)}: {error}") from None
    except OSError as error:
        what = error.filename if isinstance(error.filename, bytes) else b""
        raise HistoryTrouble(f"{readable(what or state + NAME)}: {error.strerror or error}") from None
