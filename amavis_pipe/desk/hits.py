"""How many mails the cache answered, counted from the journal's records (record.schema.json).

Lines are read one by one, and never more than LONGEST bytes of one; what is torn, or no record, is
skipped, as the journal promises to its readers.
"""

import json
import os
from collections.abc import Iterator
from time import gmtime, strftime
from typing import BinaryIO, NamedTuple

from amavis_pipe.desk import store

LONGEST = 16 << 20
"""Bytes of a line; a record of the most parts that the limits allow is smaller."""


class Hits(NamedTuple):
    """Mails with a record; those whose facts were remembered; others of which all scanners knew all parts."""

    mails: int
    hits: int
    parts: int


def count(journal: bytes, since: float) -> Hits | None:
    """The hits in the journal's files from the day of `since` (seconds) on; None if there is no such file."""
    first = strftime("%Y-%m-%d", gmtime(since))
    mails = facts = parts = days = 0
    try:
        with store.opened(journal) as folder:
            for kept in store.files(folder):
                if store.RECORDS.fullmatch(kept.name) and kept.name[:10] >= first:
                    days += 1
                    for hit, known in _read(kept):
                        mails, facts, parts = mails + 1, facts + hit, parts + (known and not hit)
    except OSError:
        return None
    return Hits(mails, facts, parts) if days else None


def _read(kept: store.Kept) -> Iterator[tuple[bool, bool]]:
    """For each record of a file: whether it was a hit, and whether all of its scanners' answers were."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(kept.name, flags, dir_fd=kept.folder), "rb") as file:
        for line in _lines(file):
            try:
                record = json.loads(line)
                hit = record["cache"] == "hit"
                answers = [scanner["cached"] is True for scanner in record["scanners"]]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            yield hit, bool(answers) and all(answers)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The whole lines that are not too long."""
    whole = True
    while line := file.readline(LONGEST):
        ends = line.endswith(b"\n")
        if whole and ends:
            yield line
        whole = ends
