"""Waiting for something to become true, by looking again and again until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

PAUSE = 0.02


def wait_for(look: Callable[[], Seen], what: str, seconds: float = 30) -> Seen:
    """The first true answer of `look`; AssertionError, naming `what`, if none comes in time."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(PAUSE)
