"""A progress bar on a terminal; nothing elsewhere, so that cron and pipes see no trace of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CLEAR = "\r\x1b[K"
"""Takes the bar off the line on which something else is to be written."""


@contextmanager
def bar(total: int, label: str) -> Iterator[Callable[..., None]]:
    """Gives a function to be called for each of the `total` steps, or with a number of them."""
    if total < 2 or not sys.stderr.isatty():
        yield _nothing
        return
    import click

    with click.progressbar(length=total, label=label, file=sys.stderr) as shown:
        yield lambda steps=1: shown.update(steps)


def clear() -> None:
    """Make room for a line on a terminal that may show a bar."""
    if sys.stderr.isatty():
        print(end=CLEAR, file=sys.stderr, flush=True)


def _nothing(_: int = 1) -> None:
    """Shows nothing."""
