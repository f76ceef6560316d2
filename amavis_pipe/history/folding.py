"""Takes the journal's new records over into the base, packs what is closed, expires what is old.

Promises: a record is in the base once, whatever is killed when and however often it is tried again, for
rows and the offset behind them are one transaction. Mail takes no lock and is not kept waiting; of several
folds at the same time one works, the others leave. Memory is bounded: a batch of records at a time.
"""

import os
from collections.abc import Callable
from io import BytesIO
from sqlite3 import Connection
from time import gmtime, strftime, time
from typing import BinaryIO, NamedTuple

from amavis_pipe.history import base, expire, fields, files, pack
from amavis_pipe.history.base import Day
from amavis_pipe.history.count import Counts
from amavis_pipe.history.lines import Line, Record, lines, parsed, time_of

BATCH = 2000
"""Records of one transaction,"""
BATCH_BYTES = 8 << 20
"""or those of this many bytes."""
SETTLED = 3600
"""Seconds after its last change when no filter can still be about to append to the file of a past day."""

Step = Callable[[int], None]
"""Is told of so many bytes that are done."""


class Folded(NamedTuple):
    """What one fold did; nothing if another one was under way (`busy`).

    records  new in the base
    torn     pieces of lines that were skipped
    packed   plain files that were packed, and went
    removed  files that expired
    freed    their bytes
    """

    records: int = 0
    torn: int = 0
    packed: int = 0
    removed: int = 0
    freed: int = 0
    busy: bool = False


def fold(state: bytes, days: int, size: int, progress: Step | None = None) -> Folded:
    """Fold the journal below `state`, keeping `days` days of it, and at most `size` bytes with the base.

    HistoryTrouble if the base can't be used, or the disk is full: what was done until then stays done.
    `progress` is told of waiting() bytes in all.
    """
    with base.told(state), files.opened(state) as folder:
        if folder == files.NOWHERE:
            return Folded()
        if not files.locked(folder):
            return Folded(busy=True)
        if not days:
            return Folded(0, 0, 0, *expire.everything(state, folder))
        if not files.listed(folder) and not base.exists(state):
            return Folded()
        with base.writing(state) as db:
            folding = _Folding(db, folder, progress or _nobody)
            oldest = strftime("%Y-%m-%d", gmtime(time() - days * 86400))
            for day in files.listed(folder):
                if day >= oldest:
                    folding.day(day)
            removed, freed = expire.expire(db, state, folder, oldest, size)
            return Folded(folding.records, folding.torn, folding.packed, removed, freed)


def waiting(state: bytes) -> int:
    """About how many bytes of the journal are not folded yet."""
    total = 0
    with base.told(state), files.opened(state) as folder, base.reading(state) as db:
        for day in files.listed(folder):
            with files.streams(db, folder, [day]) as (stream,):
                total += stream.end - max(stream.day.folded, stream.day.base)
    return total


class _Folding:
    """One run: what it did so far."""

    def __init__(self, db: Connection, folder: int, step: Step) -> None:
        self._db = db
        self._folder = folder
        self._step = step
        self._today = strftime("%Y-%m-%d", gmtime())
        self.records = self.torn = self.packed = 0

    def day(self, name: str) -> None:
        """Fold a day's file, and pack it if nothing more will come."""
        files.remove(self._folder, name, files.UNFINISHED)
        day = base.day_of(self._db, name)
        if day == Day(name):
            day = self._adopted(day)
        file = files.plain(self._folder, name)
        if file is None:
            return
        with file:
            settled = name < self._today and os.fstat(file.fileno()).st_mtime < time() - SETTLED
            day = files.placed(day, file, settled)
            if day.packed - day.base < files.size_of(file):
                file.seek(max(0, day.folded - day.base))
                day = self._folded(day, file, max(day.folded, day.base), settled)
            if settled and day.folded == day.base + files.size_of(file):
                pack.pack(self._db, self._folder, day, file)
                self.packed += 1

    def _adopted(self, day: Day) -> Day:
        """A day of which the base knows nothing, with the records of its packed file taken over."""
        file = files.packed(self._folder, day.day)
        if file is None:
            return day
        with file:
            day, members = pack.found(file, day)
            batch = _Batch(day)
            with base.transaction(self._db):
                self._db.executemany(
                    "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?)", [(day.day, *one) for one in members]
                )
                base.put_day(self._db, day)
            for member in members:
                for line in lines(BytesIO(files.unpacked(file, member)), member.start):
                    batch.add(line)
                    if batch.is_full:
                        day, batch = self._put(batch)
            return self._put(batch)[0]

    def _folded(self, day: Day, file: BinaryIO, start: int, settled: bool) -> Day:
        """Put all lines from this offset on into the base; an unfinished one only if no more will come.

        Those that mail appends meanwhile are for the next time: it may be faster than we are.
        """
        batch, until = _Batch(day), day.base + files.size_of(file)
        for line in lines(file, start):
            if line.at >= until or (not line.ends and not settled):
                break
            batch.add(line)
            if batch.is_full:
                day, batch = self._put(batch)
        return self._put(batch)[0]

    def _put(self, batch: "_Batch") -> "tuple[Day, _Batch]":
        """Write a batch; how far the day is now, and the next batch."""
        if batch.end > batch.day.folded:
            with base.transaction(self._db):
                day = batch.put(self._db)
            self.records += day.records - batch.day.records
            self.torn += day.torn - batch.day.torn
            self._step(day.folded - max(batch.day.folded, batch.day.base))
            return day, _Batch(day)
        return batch.day, batch


class _Batch:
    """Records that go into the base together, with the offset behind them."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.end = day.folded
        self._records: list[tuple[int, int, int, Record]] = []
        self._torn = self._size = 0
        self._counts = Counts()

    @property
    def is_full(self) -> bool:
        """Whether it is to be written."""
        return len(self._records) >= BATCH or self._size >= BATCH_BYTES

    def add(self, line: Line) -> None:
        """Take a line."""
        self.end = line.end
        self._size += len(line.data)
        if line.data == b"\n":
            return  # of two records that both ended a torn one
        skipped, record = parsed(line.data)
        self._torn += record is None or skipped > 0
        if record is None:
            return
        made = time_of(record, self.day.day)
        self._counts.add(record, made)
        self._records.append((line.at + skipped, len(line.data) - skipped, made, record))

    def put(self, db: Connection) -> Day:
        """Write it, within a transaction; how far the day is then."""
        last = db.execute("SELECT coalesce(max(id), 0) FROM mail").fetchone()[0]
        mails, recipients, contents, findings = [], [], [], []
        for number, (at, length, made, record) in enumerate(self._records, last + 1):
            mails.append((number, self.day.day, at, length, made, *_found_by(record)))
            recipients += [(address, made, number) for address in fields.recipients(record)]
            contents += [(base.sha_key(sha256), number) for sha256 in fields.digests(record)]
            findings += [(name, number) for name in fields.names(record, *fields.GRADES)]
        db.executemany("INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", mails)
        db.executemany("INSERT OR IGNORE INTO recipient VALUES (?, ?, ?)", sorted(recipients))
        db.executemany("INSERT OR IGNORE INTO content VALUES (?, ?)", sorted(contents))
        db.executemany("INSERT OR IGNORE INTO finding VALUES (?, ?)", sorted(findings))
        self._put_counts(db)
        day = self.day._replace(
            folded=self.end,
            records=self.day.records + len(self._records),
            torn=self.day.torn + self._torn,
        )
        base.put_day(db, day)
        return day

    def _put_counts(self, db: Connection) -> None:
        db.executemany(
            "INSERT INTO minute VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
            [(*key, number) for key, number in self._counts.minutes.items()],
        )
        db.executemany(
            "INSERT INTO tally VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET number = number + excluded.number, total = total + excluded.total",
            [(*key, *found) for key, found in self._counts.hours.items()],
        )


def _found_by(record: Record) -> tuple[str | None, str | None, str | None, str | None, str]:
    """Queue id, Message-ID, sender, label, action."""
    return (
        fields.text(record.get("id")) or None,
        fields.text(record.get("message_id")) or None,
        fields.sender(record),
        fields.text(record.get("verdict")) or None,
        fields.strictest(record),
    )


def _nobody(_: int) -> None:
    """Shows nothing."""
