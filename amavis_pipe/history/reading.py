"""Reads the history and what is not folded yet as one: all records of a time, or those of one mail."""

from collections.abc import Callable, Iterator
from itertools import groupby
from math import ceil
from sqlite3 import Connection
from time import gmtime, strftime
from typing import NamedTuple

from amavis_pipe.history import base, fields, files
from amavis_pipe.history.lines import Record, parsed, time_of
from amavis_pipe.record import to_json

MOST = 100
"""Records that are told of one mail, the newest."""
_TIME = b'"time": "'
"""Before the time of a record: in a string the quotes would be escaped."""
_DAY = 86400
_END = 253_402_300_799  # of the year 9999


def records(state: bytes, since: float, until: float) -> Iterator[Record]:
    """Every record made at `since` or later and before `until` (seconds), in the order they were written."""
    begin, end = (_stamp(when) for when in (since, until))
    with base.told(state), files.opened(state) as folder, base.reading(state) as db:
        for day in days_of(folder, since, until):
            with files.streams(db, folder, [day]) as (stream,):
                for line in stream.lines():
                    stamp = line.data[line.data.rfind(_TIME) + len(_TIME) :][: len(begin)]
                    if stamp.endswith(b"Z") and not begin <= stamp < end:
                        continue  # reading a day for an hour's records costs a tenth this way
                    record = parsed(line.data)[1]
                    if record is not None and since <= time_of(record, day) < until:
                        yield record


def _stamp(when: float) -> bytes:
    """The first whole second at that time or later, as it stands in a record."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(min(max(0, ceil(when)), _END))).encode()


def find(state: bytes, what: str) -> list[Record]:
    """The records of a queue id, a Message-ID, an address, or of the SHA-256 of a mail or part.

    Oldest first, at most MOST. An address is that of the sender or of a recipient, as the record has it.
    """
    wanted = (
        _by_sha256(what.lower())
        if fields.SHA256.fullmatch(what.lower())
        else _by_id(fields.text(what).strip("<>"))
    )
    with base.told(state), files.opened(state) as folder, base.reading(state) as db:
        found = [*_known(db, folder, wanted), *_new(db, folder, wanted)]
    return sorted(found, key=lambda one: fields.text(one.get("time")))[-MOST:]


class _Wanted(NamedTuple):
    """What is looked for: how it stands in a line, the base's query for it, and the test of a record."""

    bare: bytes
    query: str
    values: tuple[str | int, ...]
    is_in: Callable[[Record], bool]


def _by_sha256(sha256: str) -> _Wanted:
    query = "SELECT mail FROM content WHERE sha = ?"
    return _Wanted(
        sha256.encode(), query, (base.sha_key(sha256),), lambda record: sha256 in fields.digests(record)
    )


def _by_id(name: str) -> _Wanted:
    """By queue id, or by Message-ID, sender or recipient, with brackets or without."""
    forms = (name, f"<{name}>")
    query = "SELECT id FROM mail WHERE queue_id = ? UNION SELECT id FROM mail WHERE message_id IN (?, ?)"
    values: tuple[str, ...] = (name, *forms)
    if "@" in name:
        query += (
            " UNION SELECT id FROM mail WHERE sender = ? UNION SELECT mail FROM recipient WHERE address = ?"
        )
        values = (*values, name, name)
    return _Wanted(to_json(name)[1:-1].encode(), query, values, lambda record: _is_named(record, name, forms))


def _is_named(record: Record, name: str, forms: tuple[str, str]) -> bool:
    if record.get("id") == name or record.get("message_id") in forms:
        return True
    return "@" in name and (fields.sender(record) == name or name in fields.recipients(record))


def _known(db: Connection | None, folder: int, wanted: _Wanted) -> Iterator[Record]:
    """The newest of those that the base knows."""
    if db is None:
        return
    newest = f"SELECT * FROM ({wanted.query}) ORDER BY 1 DESC LIMIT {MOST}"  # noqa: S608 - ours
    places = f"SELECT day, at, length FROM mail WHERE id IN ({newest})"  # noqa: S608 - the same
    for day, found in groupby(db.execute(places, wanted.values).fetchall(), key=lambda place: place[0]):
        with files.streams(db, folder, [day]) as (stream,):
            for _, at, length in found:
                record = parsed(stream.at(at, length))[1]
                if record is not None and wanted.is_in(record):
                    yield record


def _new(db: Connection | None, folder: int, wanted: _Wanted) -> Iterator[Record]:
    """Those that are not folded yet."""
    for day in files.listed(folder):
        with files.streams(db, folder, [day]) as (stream,):
            for line in stream.lines(stream.day.folded):
                record = parsed(line.data)[1] if wanted.bare in line.data else None
                if record is not None and wanted.is_in(record):
                    yield record


def days_of(folder: int, since: float, until: float) -> Iterator[str]:
    """The days whose files may have records of a time: a mail may be written down after midnight."""
    first = strftime("%Y-%m-%d", gmtime(max(0, since - _DAY)))
    last = strftime("%Y-%m-%d", gmtime(min(until + _DAY, _END)))
    yield from (day for day in files.listed(folder) if first <= day <= last)
