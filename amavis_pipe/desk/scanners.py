"""The command `scanners`: whether each configured scanner answers, what it is, how old its signatures are."""

import os
import sys
from time import time
from typing import NamedTuple

from amavis_pipe.desk import site
from amavis_pipe.desk.table import counted, table
from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.settings import Row, Settings

HEAD = ("NAME", "VIA", "AT", "FOUND", "VERSION", "SIGNATURES")
BUILT_IN = "this program"


class Seen(NamedTuple):
    """What a scanner said: version, or trouble; age of its newest signatures in seconds, None if unseen."""

    row: Row
    version: str
    trouble: str
    age: float | None


def run(config: bytes | None) -> int:
    """Print the table; 2 if a scanner does not answer."""
    site.become_filter_user(config)
    here = site.find(config, use_cache=False)
    for note in here.notes:
        print(note, file=sys.stderr)
    seen = [look(row, here.settings) for row in here.settings.rows]
    print(table(HEAD, [_words(one) for one in seen]))
    for one in seen:
        if one.trouble:
            print(f"amavis-pipe: {one.trouble}", file=sys.stderr)
    return 2 if any(one.trouble for one in seen) else 0


def look(row: Row, settings: Settings) -> Seen:
    """Ask one scanner who it is."""
    scanner, trouble = scanner_of(row, settings), ""
    try:
        scanner.scan([])
    except ScannerTrouble as error:
        trouble = str(error)
    return Seen(row, scanner.version, trouble, signature_age(row.databases))


def signature_age(folder: bytes) -> float | None:
    """Seconds since the newest file in a signature folder changed; None if that can't be seen."""
    if not folder:
        return None
    try:
        with os.scandir(folder) as entries:
            times = [entry.stat().st_mtime for entry in entries if entry.is_file()]
    except OSError:
        return None
    return max(0.0, time() - max(times)) if times else None


def age_in_words(seconds: float) -> str:
    """About how long: "5 minutes", "26 hours", "3 days"."""
    for length, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length:
            return counted(int(seconds / length), word)
    return counted(int(seconds), "second")


def _words(seen: Seen) -> tuple[str, ...]:
    row = seen.row
    age = "" if seen.age is None else age_in_words(seen.age) + " old"
    return (
        row.name,
        row.via,
        ", ".join(row.pool) or BUILT_IN,
        "no" if seen.trouble else "yes",
        seen.version,
        age,
    )
