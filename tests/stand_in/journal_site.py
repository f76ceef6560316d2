"""A state folder with a journal, and what must be true of it whatever happened."""

import json
import os
import sqlite3
from collections import Counter
from pathlib import Path
from time import gmtime, strftime, time

from stand_in import journals

from amavis_pipe import history

DAY, HOUR = 86400, 3600
PLENTY = 1 << 40


class Journal:
    """The journal below `folder`, and the numbers of the mails that were written to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = os.fsencode(folder)
        self.days = folder / "journal"
        self.days.mkdir(parents=True)
        folder.chmod(0o700)
        self.written = 0

    def file(self, age: int) -> Path:
        """The plain file of so many days ago."""
        return self.days / strftime("%Y-%m-%d.jsonl", gmtime(time() - age * DAY))

    def packed(self, age: int) -> Path:
        """Its packed file."""
        return self.file(age).with_suffix(".jsonl.gz")

    def line(self, age: int = 0) -> bytes:
        """The line of the next mail."""
        self.written += 1
        return json.dumps(journals.record(self.written, time() - age * DAY)).encode() + b"\n"

    def add(self, age: int, number: int = 1) -> None:
        """Append so many records to the file of so many days ago."""
        with self.file(age).open("ab") as file:
            file.writelines(self.line(age) for _ in range(number))
        self.settle(age)

    def append(self, age: int, data: bytes) -> None:
        """Append bytes."""
        with self.file(age).open("ab") as file:
            file.write(data)
        self.settle(age)

    def settle(self, age: int) -> None:
        """Let a past day's file be one that nobody will write to."""
        if age:
            os.utime(self.file(age), (time() - 2 * HOUR,) * 2)

    def fold(self, days: int = 30, size: int = PLENTY) -> history.Folded:
        return history.fold(self.state, days, size)

    def base(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "history.db")

    def load(self) -> history.load:
        """All that is counted."""
        return history.load(self.state, 0, (int(time()) // HOUR + 48) * HOUR)

    def known(self) -> list[str]:
        """The queue ids in the base."""
        return sorted(row[0] for row in self.base().execute("SELECT queue_id FROM mail"))

    def read(self) -> list[str]:
        """The queue ids of all records, wherever they are kept."""
        return sorted(record["id"] for record in history.records(self.state, 0, time() + DAY))

    def counted(self) -> int:
        """How many mails are counted."""
        loaded = self.load()
        return sum(found.number for (what, _), found in loaded.sums.items() if what == "label")

    def is_whole(self, missing: "set[int] | None" = None) -> None:
        """Asserts that every record is there once: to be read, to be found, and counted."""
        wanted = ids(set(range(1, self.written + 1)) - (missing or set()))
        assert twice(self.read()) == []
        assert self.read() == wanted
        assert self.counted() == len(wanted)

    def is_folded(self, missing: "set[int] | None" = None) -> None:
        """The same, all of it in the base, and every place in it right."""
        self.is_whole(missing)
        assert self.known() == self.read()
        for queue_id in self.known():
            assert [record["id"] for record in history.find(self.state, queue_id)] == [queue_id]


def ids(numbers) -> list[str]:
    """The queue ids of these mails."""
    return sorted(journals.record(number, 0)["id"] for number in numbers)


def twice(found: list[str]) -> list[str]:
    """Those that are there more than once."""
    return [name for name, number in Counter(found).items() if number > 1]
