"""clamd as a scanner: what its answers depend on, and asking it (session.py, loaded when it is asked).

The stamp of an answer is made of what can be seen on disk, where that is enough, so that a remembered
mail makes no connection (contrib/design/0002).
"""

import posix
from time import time

from amavis_pipe.model import ScannerTrouble, Stamp
from amavis_pipe.settings import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from amavis_pipe.cache import Cache
    from amavis_pipe.model import Finding
    from amavis_pipe.session import Asked
    from amavis_pipe.settings import Identity, Row

    Known = list[tuple[bytes, Identity]]
    T = TypeVar("T")

FOREVER = float("inf")


class Scanner:
    """clamd as one row of the settings describes it.

    version  what it said of itself when it was last asked, "" before
    steady   whether it said the same after the last scan as before it
    """

    def __init__(self, row: "Row", folder: bytes, settle: int, cache: "Cache | None" = None) -> None:
        self.row = row
        self._cache = cache
        self.version = ""
        self.steady = True
        self.said: dict[str, list[Finding]] = {}
        self._stamped = ""
        self._folder = folder
        self._settle = settle

    def stamp(self, until: float = FOREVER) -> "Stamp":
        """What its answers depend on at this moment; asks it only where the disk doesn't tell."""
        stamp = disk_stamp(self.row, self._settle)
        if stamp is None:
            self._stamped = self.version = ask(self.row, self._at(until), until, self._cache)
            stamp = self._version_stamp()
        return stamp

    def _version_stamp(self) -> Stamp:
        """From its VERSION, and its signatures on disk if they can be seen."""
        seen = _signatures(self.row)
        text = repr((self.row.pool, self.row.largest, self.version, seen and seen[0])).encode()
        return Stamp(text, seen is None or _is_old(seen[1], self.row, self._settle))

    def scan(self, items: "list[Asked]", until: float = FOREVER) -> "dict[str, list[Finding]]":
        """What it says of each (path, blob), by path, "" being the whole mail; ScannerTrouble.

        `until` is the monotonic time at which all must have been said.
        """
        from amavis_pipe.session import Session

        def scan_at(at: str) -> "dict[str, list[Finding]]":
            session = Session(self.row, at, self._folder, until)
            try:
                self.said = {}
                before = session.scan(items, self.said)
                self.version = session.version()
            finally:
                session.close()
            # of several, the one that was asked must be as the one was that the stamp is made of
            self.steady = self.version == before and self._stamped in ("", before)
            return self.said

        return ask(self.row, scan_at, until, self._cache)

    def _at(self, until: float) -> "Callable[[str], str]":
        """A function: the version of the one at an address."""

        def version_at(at: str) -> str:
            from amavis_pipe.session import Session

            session = Session(self.row, at, self._folder, until)
            try:
                return session.version()
            finally:
                session.close()

        return version_at


def ask(row: "Row", question: "Callable[[str], T]", until: float, cache: "Cache | None") -> "T":
    """What `question` gives for the row's address, or one of its pool; ScannerTrouble.

    One that is not there, or hangs up, is asked again for as long as the row allows.
    """
    away = None
    if len(row.pool) < 2:
        try:
            return question(row.at)
        except ScannerTrouble as error:
            if error.kind != "away":
                raise
            away = error
    from amavis_pipe.scan.pool import ask_any

    return ask_any(row, question, until, cache, away)


def disk_stamp(row: "Row", settle: int) -> "Stamp | None":
    """The stamp from what can be seen on disk, without asking clamd; None if that isn't enough.

    It is enough when clamd listens on a unix socket of this machine and its signature folder can be
    listed: the socket's identity changes with a restart, size and times of each signature file with
    each update, third-party and hand-written ones included (VERSION tells of neither), those of
    clamd and its options with an upgrade. Signatures count as loaded (`settled`) when the socket is
    younger than all of them by `settle` seconds (clamd makes it after loading, which takes a while), or
    when clamd's own check interval and as long again as `settle` have passed.
    """
    alone = row.at.startswith("/") and len(row.pool) == 1
    socket_file = identity(row.at.encode()) if alone else None
    seen = _signatures(row)
    if socket_file is None or seen is None:
        return None
    known, newest = seen
    settled = newest + settle < socket_file[4] / 1e9 or _is_old(newest, row, settle)
    return Stamp(repr((row.at, row.how, row.largest, socket_file, known)).encode(), settled)


def _signatures(row: "Row") -> "tuple[Known, float] | None":
    """What tells one state of signatures, engine and options from another, and the time of the last change.

    None if they can't be listed here. Times are ctimes, which can't be set back; the folder's own
    tells of a file that was removed, or renamed into place.
    """
    folder = identity(row.databases) if row.databases else None
    if folder is None:
        return None
    try:
        names = sorted(posix.listdir(row.databases))
    except OSError:
        return None
    watched = [row.databases + b"/" + name for name in names] + list(row.watched)
    known = [(path, identity(path)) for path in watched]
    return known, max([folder[4], *(seen[4] for _, seen in known if seen)]) / 1e9


def _is_old(newest: float, row: "Row", settle: int) -> bool:
    """Whether the scanner's own check has come since, with time to load."""
    return newest + settle + row.self_check < time()
