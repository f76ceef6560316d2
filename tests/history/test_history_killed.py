"""kill -9 at every step of a fold, and a disk that is full in the middle of it: nothing lost, nothing twice."""

import ctypes
import gzip
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import time

import pytest
from stand_in import journals
from stand_in.journal_site import Journal

from amavis_pipe import history
from amavis_pipe.history import HistoryTrouble, base, folding, pack

TORN = b'{"schema": 1, "source": "pi'
LIBC = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT = 32


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small batches and members, so that a few records make several."""
    monkeypatch.setattr(folding, "BATCH", 8)
    monkeypatch.setattr(pack, "MEMBER", 10_000)


@pytest.fixture
def prepared(journal):
    """A journal of several days of which some is folded, packed, late, torn, too old."""
    journal.add(3, 12)
    journal.fold()
    journal.add(3, 9)
    journal.add(2, 20)
    journal.append(2, TORN + journal.line())
    journal.append(2, TORN)
    journal.add(0, 10)
    journal.append(40, TORN)
    return journal


class Killer:
    """Kills this process before the step with a number: a statement of SQLite, or a change of files."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._last = ""

    def statement(self, text: str) -> None:
        """Of the same for many rows, the first alone is a step."""
        if text[:24] != self._last:
            self.step()
        self._last = text[:24]

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Let all that changes something on disk be a step."""
        connected = base._connected

        def watched(state: bytes) -> sqlite3.Connection:
            connection = connected(state)
            connection.set_trace_callback(self.statement)
            return connection

        base._connected = watched
        for name in ("rename", "unlink", "fsync", "open"):
            setattr(os, name, self._before(getattr(os, name)))
        pack.gzip = self
        self.compress = self._before(gzip.compress)

    def _before(self, function):
        def stepped(*words, **named):
            self.step()
            return function(*words, **named)

        return stepped


def killed_at(step: int, journal: Journal) -> bool:
    """Fold in a child that is killed at this step; False if it was done before."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            Killer(step).watch()
            journal.fold()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def copied(journal: Journal, to: Path) -> Journal:
    shutil.copytree(journal.folder, to, copy_function=shutil.copy2)
    copy = object.__new__(Journal)
    copy.__dict__ |= journal.__dict__ | {"folder": to, "state": os.fsencode(to), "days": to / "journal"}
    return copy


def test_killed_at_any_step_everything_is_there_once_and_the_next_fold_completes_it(prepared, tmp_path):
    step = 0
    while True:
        step += 1
        copy = copied(prepared, tmp_path / str(step))
        if not killed_at(step, copy):
            break
        copy.is_whole()
        copy.fold()
        copy.is_folded()
        assert copy.load().torn == 2, step
        assert not list(copy.days.glob("*.new"))
        assert not copy.file(2).exists()
        shutil.rmtree(copy.folder)
    assert step > 60


def test_killed_again_and_again_while_mail_goes_on_everything_is_there_once(journal):
    for turn in range(60):
        journal.add(turn % 3, 3)
        killed_at(1 + turn * 7 % 61, journal)
        journal.is_whole()
    journal.fold()
    journal.is_folded()


def test_killed_in_the_middle_of_sqlites_own_writing_everything_is_there_once(journal):
    """The limit of a file's size kills in the middle of whichever write passes it."""
    journal.add(2, 300)
    sizes = range(4096, 400_000, 24_576)
    killed = 0
    for size in sizes:
        pid = os.fork()
        if pid == 0:
            try:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                journal.fold()
            finally:
                os._exit(0)
        killed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGXFSZ
        journal.is_whole()
    assert killed > 5
    journal.fold()
    journal.is_folded()


@contextmanager
def small_disk(folder, size):
    """A file system of our own on `folder`; gives a function that makes it larger."""
    if LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=%d,mode=0700" % size) != 0:
        raise OSError(ctypes.get_errno(), "mount")

    def larger(size):
        assert LIBC.mount(None, os.fsencode(folder), None, MS_REMOUNT, b"size=%d" % size) == 0

    try:
        yield larger
    finally:
        LIBC.umount2(os.fsencode(folder), 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk wants root")
@pytest.mark.parametrize("room", [8, 60, 200, 300, 420, 560])
def test_on_a_full_disk_what_was_done_stays_and_the_rest_is_done_when_there_is_room(tmp_path, room):
    folder = tmp_path / "state"
    folder.mkdir()
    with small_disk(folder, 64 << 20) as larger:
        journal = Journal(folder)
        journal.add(3, 120)
        journal.add(2, 120)
        journal.add(0, 20)
        used = sum(path.stat().st_blocks for path in journal.days.iterdir()) * 512
        larger(used + (room << 10))
        with pytest.raises(HistoryTrouble):
            journal.fold()
        assert journal.read() == sorted(journals.record(number, 0)["id"] for number in range(1, 261))
        larger(64 << 20)
        journal.is_whole()
        journal.fold()
        journal.is_folded()


def test_ten_thousand_records_are_folded_and_counted_in_bounded_memory(journal, monkeypatch):
    """The same with a million: contrib/bench/history.py."""
    monkeypatch.undo()
    journals.write(journal.days, 10_000, time(), 2.5)
    for age in (1, 2):
        journal.settle(age)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", MEASURED, str(journal.folder)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120)
    records, counted, before, after = map(int, done.stdout.split())
    assert (records, counted) == (10_000, 10_000)
    assert after - before < 64 << 10
    journal.written = 0
    assert len(set(journal.known())) == 10_000


MEASURED = """
import os, resource, sys
from time import time
from amavis_pipe import history
def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
state = os.fsencode(sys.argv[1])
before = most()
folded = history.fold(state, 30, 1 << 40)
loaded = history.load(state, 0, (int(time()) // 3600 + 1) * 3600)
counted = sum(found.number for (what, _), found in loaded.sums.items() if what == "label")
print(folded.records, counted, before, most())
"""


def test_what_is_asked_while_it_is_folded_is_one_moments_truth(prepared):
    with base.reading(prepared.state) as db:
        db.execute("BEGIN")
        known = db.execute("SELECT count(*) FROM mail").fetchone()
        prepared.fold()
        assert db.execute("SELECT count(*) FROM mail").fetchone() == known
    assert len(list(history.records(prepared.state, 0, time() + 1))) == prepared.written
