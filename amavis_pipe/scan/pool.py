"""One scanner at several addresses, or one that is just being restarted: whom to ask next, and when again."""

import posix
from time import monotonic, sleep

from amavis_pipe.cache import Cache
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.recent import Recent
from amavis_pipe.settings import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

DEAD_SECONDS = 60
"""For so long an address at which nobody answered is asked after all others."""
FIRST_PAUSE = 0.1


def ask_any(
    row: Row,
    question: "Callable[[str], T]",
    until: float,
    cache: Cache | None,
    away: ScannerTrouble | None = None,
) -> "T":
    """What the first address gives that is there; ScannerTrouble as soon as one that is has some.

    All of them are tried, in random order, and again for `row.retry` seconds, with growing pauses. `away`
    is what the first try came to, if there was one. `until` is the monotonic time at which that must end.
    """
    recent = None if cache is None else Recent(cache)
    end, pause = min(until, monotonic() + row.retry), FIRST_PAUSE
    while True:
        if away is not None:
            if monotonic() + pause > end:
                raise away
            sleep(pause)
            pause *= 2
        for at in _order(row, recent):
            try:
                return question(at)
            except ScannerTrouble as error:
                if error.kind != "away":
                    raise
                away = error
                if recent is not None and len(row.pool) > 1:
                    recent.note("dead", row.name, at)


def _order(row: Row, recent: Recent | None) -> list[str]:
    """The addresses at random, those last at which nobody was a short while ago."""
    pool = sorted(row.pool, key=lambda _: posix.urandom(4))
    if recent is None or len(pool) < 2:
        return pool
    return sorted(pool, key=lambda at: _is_dead(recent.age("dead", row.name, at)))


def _is_dead(age: float | None) -> bool:
    return age is not None and age < DEAD_SECONDS
