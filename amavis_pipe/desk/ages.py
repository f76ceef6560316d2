"""How old a scanner's engine and signatures are, and whether that is too old.

Signatures are the files in the row's `databases` and those of its `stamp`; where none can be seen, the date
that clamd tells with its version. The engine is the program's file, which has the time when it was built.
"""

import glob
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from time import time

from amavis_pipe.config.clamav import ENGINE
from amavis_pipe.desk.table import counted
from amavis_pipe.scan.base import MOST_FILES
from amavis_pipe.scan.run import installed
from amavis_pipe.settings import Row, Settings

DAY = 86400
NO_SIGNATURES = ("freshclam.dat", "mirrors.dat")
"""What freshclam keeps beside signatures."""


class Old:
    """What of a scanner is too old: "signatures" or "engine", its age in seconds, the option that says so."""

    def __init__(self, what: str, age: float, option: str, days: int) -> None:
        self.what = what
        self.age = age
        self.option = option
        self.days = days

    def __str__(self) -> str:
        return f"{self.what} {in_words(self.age)} old ({self.option} = {self.days})"


def too_old(signatures: float | None, engine: float | None, settings: Settings) -> Iterator[Old]:
    """What is older than the settings want; an age that is not known is not."""
    for what, age, option in (
        ("signatures", signatures, "signatures.warn_days"),
        ("engine", engine, "signatures.engine_warn_days"),
    ):
        days = settings.values[option]
        if days and age is not None and age > days * DAY:
            yield Old(what, age, option, days)


def of_signatures(row: Row, version: str = "") -> float | None:
    """Seconds since the newest of a scanner's signatures changed; None if that can't be seen."""
    times = [found.st_mtime for found in files(row).values()]
    if times:
        return max(0.0, time() - max(times))
    return _of_date(version) if row.via == "clamd" else None


def of_engine(row: Row, settings: Settings) -> float | None:
    """Seconds since its program changed; None for one that is elsewhere, or unknown."""
    if row.via == "command":
        programs = [installed(row.more.get("programs", ()), settings.path)]
    else:
        programs = [path for path in row.watched if path in ENGINE]
    for path in programs:
        try:
            return max(0.0, time() - os.stat(path).st_mtime) if path else None
        except OSError:
            continue
    return None


def files(row: Row) -> dict[bytes, os.stat_result]:
    """Its files of signatures that can be seen, by path."""
    paths = _listed(row.databases) if row.databases else []
    for pattern in row.more.get("stamp", ()):
        paths += [os.fsencode(path) for path in glob.glob(pattern)]
    found = {}
    for path in sorted(set(paths))[:MOST_FILES]:
        try:
            seen = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(seen.st_mode) and not _is_other(path):
            found[path] = seen
    return found


def in_words(seconds: float) -> str:
    """About how long: "5 minutes", "26 hours", "3 days"."""
    for length, word in ((DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length:
            return counted(int(seconds / length), word)
    return counted(int(seconds), "second")


def _listed(folder: bytes) -> list[bytes]:
    try:
        return [folder + b"/" + name for name in os.listdir(folder)]
    except OSError:
        return []


def _is_other(path: bytes) -> bool:
    """Whether a file holds no signatures: what freshclam notes down, locks, what is being written."""
    name = os.fsdecode(os.path.basename(path))
    return name in NO_SIGNATURES or name.startswith(".") or name.endswith((".lock", ".tmp", ".part"))


def _of_date(version: str) -> float | None:
    """The age of the signatures by clamd's "ClamAV 1.4.6/27500/Mon Nov 23 08:00:00 2026"."""
    try:
        date = datetime.strptime(version.rpartition("/")[2], "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, time() - date.timestamp())
