"""The lines of a journal file, with their offsets, and the records in them.

A line may be torn, by a crash or a full disk in the middle of a write. The next record ends it, or, if it was
written at the same time, is appended to the piece: that is lost, the record behind it is not.
"""

import json
from calendar import timegm
from collections.abc import Iterator
from functools import lru_cache
from time import strptime
from typing import IO, Any, NamedTuple

Record = dict[str, Any]

LONGEST = 16 << 20
"""Bytes of a line; a record of the most parts that the limits allow is smaller."""
_BEGINNING = b'{"schema": '
"""How a record begins. Within one it can't occur: quotes in strings are escaped."""


class Line(NamedTuple):
    """A line: offset, bytes, and whether its end has been written. Of one that is too long, the end."""

    at: int
    data: bytes
    ends: bool

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.at + len(self.data)


def lines(file: IO[bytes], at: int) -> Iterator[Line]:
    """The lines of a file from where it stands, which is called offset `at`."""
    last = b""
    while piece := file.readline(LONGEST):
        ends = piece.endswith(b"\n")
        if ends or len(piece) < LONGEST:
            yield Line(at, piece, ends)
        at += len(piece)
        last = piece
    if len(last) == LONGEST and not last.endswith(b"\n"):
        yield Line(at, b"", False)


def parsed(data: bytes) -> tuple[int, Record | None]:
    """The record in a line, and where in it the record begins; (0, None) if there is none."""
    made = _loaded(data)
    if made is not None:
        return 0, made
    begins = data.rfind(_BEGINNING)
    made = _loaded(data[begins:]) if begins > 0 else None
    return (begins, made) if made is not None else (0, None)


def time_of(record: Record, day: str) -> int:
    """When a record was made, in seconds; the beginning of its file's day if it doesn't say."""
    try:
        return _seconds(record["time"])
    except (KeyError, TypeError, ValueError):
        return start_of(day)


@lru_cache(64)
def _seconds(stamp: str) -> int:
    return timegm(strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))


def start_of(day: str) -> int:
    """The first second of a day like "2026-11-22", UTC."""
    return timegm(strptime(day, "%Y-%m-%d"))


def _loaded(data: bytes) -> Record | None:
    try:
        made = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) and "schema" in made else None
