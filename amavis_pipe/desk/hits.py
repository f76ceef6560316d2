"""How many mails the cache answered, by what is counted of the journal's records (history.count)."""

from time import time
from typing import NamedTuple

from amavis_pipe import history
from amavis_pipe.model import Trouble

DAY = 86400
KEYS = ("hit", "parts", "miss")


class Hits(NamedTuple):
    """Mails with a record; those whose facts were remembered; others of which all scanners knew all parts."""

    mails: int
    hits: int
    parts: int


def count(journal: bytes, since: float) -> Hits | None:
    """The hits in the journal from the day of `since` (seconds) on; None if nothing is known of them."""
    start, end = int(since) // DAY * DAY, int(time()) // DAY * DAY + DAY
    try:
        sums = history.load(journal.rpartition(b"/")[0], start, end, addresses=False).sums
    except Trouble:
        return None
    hit, parts, miss = (sums["cache", key].number if ("cache", key) in sums else 0 for key in KEYS)
    mails = hit + parts + miss
    return Hits(mails, hit, parts) if mails else None
