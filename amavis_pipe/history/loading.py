"""What was counted of a time: what the base has, and what is counted now of the records not folded yet."""

from collections import Counter
from collections.abc import Iterator
from sqlite3 import Connection
from time import gmtime, strftime
from typing import NamedTuple

from amavis_pipe.history import base, fields, files
from amavis_pipe.history.count import HOUR, Counts, Sum
from amavis_pipe.history.lines import Record, parsed, time_of
from amavis_pipe.history.reading import days_of

CANDIDATES = 200
"""Senders and recipients that are looked at for the first few."""
MOST_ADDRESSES = 100_000
"""Different addresses that are held in memory; beyond, those that occurred once are dropped."""


class Loaded(NamedTuple):
    """What was counted.

    minutes     (minute, what) -> number; see count.FLOW
    sums        (what, key) -> how many, and the total of what was measured
    senders     (address, mails), the most frequent first
    recipients  likewise
    torn        pieces of lines that were skipped
    """

    minutes: dict[tuple[int, str], int]
    sums: dict[tuple[str, str], Sum]
    senders: list[tuple[str, int]]
    recipients: list[tuple[str, int]]
    torn: int


def load(state: bytes, since: int, until: int, addresses: bool = True) -> Loaded:
    """What was counted of records made at `since` or later and before `until`: whole hours, in seconds.

    Without `addresses` none are counted, which takes the most time.
    """
    if since % HOUR or until % HOUR:
        raise ValueError("wants whole hours")
    with base.told(state), files.opened(state) as folder, base.reading(state) as db:
        days = days_of(folder, since, until)
        with files.streams(db, folder, days) as streams:
            new, senders, recipients = Counts(), _Addresses(), _Addresses()
            for record, made in _unfolded(streams, since, until):
                new.add(record, made)
                if not addresses:
                    continue
                sender = fields.sender(record)
                senders.add([] if sender is None else [sender])
                recipients.add(fields.recipients(record))
            minutes, sums, torn = dict(new.minutes), _sums(new), 0
            if db is not None:
                _add_kept(db, since, until, minutes, sums)
                torn = _torn(db, since, until)
            if not addresses:
                return Loaded(minutes, sums, [], [], torn)
            first = senders.top(db, _SENDERS, since, until), recipients.top(db, _RECIPIENTS, since, until)
            return Loaded(minutes, sums, *first, torn)


def _unfolded(streams: list[files.Stream], since: int, until: int) -> Iterator[tuple[Record, int]]:
    """The records of a time that are not in the base yet, and when they were made."""
    for stream in streams:
        for line in stream.lines(stream.day.folded):
            record = parsed(line.data)[1]
            if record is not None and since <= (made := time_of(record, stream.day.day)) < until:
                yield record, made


class _Table(NamedTuple):
    name: str
    column: str


_SENDERS, _RECIPIENTS = _Table("mail", "sender"), _Table("recipient", "address")


class _Addresses:
    """Counts addresses of the records that are not folded yet, in bounded memory."""

    def __init__(self) -> None:
        self._counter: Counter[str] = Counter()

    def add(self, addresses: list[str]) -> None:
        """Count them."""
        self._counter.update(addresses)
        if len(self._counter) > MOST_ADDRESSES:
            self._counter = Counter({name: number for name, number in self._counter.items() if number > 1})
            if len(self._counter) > MOST_ADDRESSES:
                self._counter = Counter(dict(self._counter.most_common(MOST_ADDRESSES // 2)))

    def top(self, db: Connection | None, table: _Table, since: int, until: int) -> list[tuple[str, int]]:
        """The most frequent with those of the base, of which each that may be one of them is asked for."""
        found = dict(self._counter.most_common(CANDIDATES))
        if db is not None:
            where = f"FROM {table.name} WHERE time >= ? AND time < ? AND {table.column} IS NOT NULL"
            query = (
                f"SELECT {table.column}, count(*) AS number {where} GROUP BY 1"
                f" ORDER BY number DESC LIMIT {CANDIDATES}"
            )
            kept = dict(db.execute(query, (since, until)))
            for address in found.keys() - kept.keys():
                one = f"SELECT count(*) {where} AND {table.column} = ?"
                kept[address] = db.execute(one, (since, until, address)).fetchone()[0]
            found = {address: number + self._counter.get(address, 0) for address, number in kept.items()}
        return sorted(found.items(), key=lambda one: (-one[1], one[0]))[:CANDIDATES]


def _sums(counts: Counts) -> dict[tuple[str, str], Sum]:
    """What was counted by hour, all hours together."""
    sums: dict[tuple[str, str], Sum] = {}
    for (_, what, key), found in counts.hours.items():
        _add(sums, what, key, found)
    return sums


def _add(sums: dict[tuple[str, str], Sum], what: str, key: str, found: Sum) -> None:
    old = sums.get((what, key), Sum(0, 0.0))
    sums[what, key] = Sum(old.number + found.number, old.total + found.total)


def _add_kept(
    db: Connection,
    since: int,
    until: int,
    minutes: dict[tuple[int, str], int],
    sums: dict[tuple[str, str], Sum],
) -> None:
    """What the base has."""
    query = "SELECT minute, what, number FROM minute WHERE minute >= ? AND minute < ?"
    for minute, what, number in db.execute(query, (since, until)):
        minutes[minute, what] = minutes.get((minute, what), 0) + number
    query = "SELECT what, key, sum(number), sum(total) FROM tally WHERE hour >= ? AND hour < ? GROUP BY 1, 2"
    for what, key, number, total in db.execute(query, (since, until)):
        _add(sums, what, key, Sum(number, total))


def _torn(db: Connection, since: int, until: int) -> int:
    first, last = (strftime("%Y-%m-%d", gmtime(time)) for time in (since, until))
    query = "SELECT coalesce(sum(torn), 0) FROM day WHERE day BETWEEN ? AND ?"
    return int(db.execute(query, (first, last)).fetchone()[0])
