"""The command `prune`: removes what is old or too much below the state folder, while mail flows.

No lock is waited for that a filter takes: every file is whole or temporary, and only temporaries older than
an hour are taken, so nothing that a filter is using goes away. A removed cache entry is a miss. What goes of
mail that is held back is said in held/bounds.py; the journal is folded into the history (amavis_pipe.history)
before its old days go, and digests are sent of it. Silent unless something is wrong, as cron wants it.
"""

import fcntl
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from time import time

from amavis_pipe import history
from amavis_pipe.desk import digest, metrics, progress, site, store
from amavis_pipe.desk.held import bounds
from amavis_pipe.desk.held.bounds import LEFTOVER
from amavis_pipe.desk.held.places import places
from amavis_pipe.desk.table import amount, counted
from amavis_pipe.model import SpoolTrouble, Trouble
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

DEEPEST = 50
STEPS = 100
"""Of the progress bar, for each stage."""
_TEMPORARY = re.compile(r"(?:(?:settings|rules)-[0-9a-f]+|journal\.key)\.\d+")

Work = Callable[[], tuple[int, int]]
"""Removes something; how many files, and their bytes."""


def run(config: bytes | None, verbose: bool, only: str = "") -> int:
    """Remove what may go; 0, or 2 if something could not be looked at."""
    site.become_filter_user(config)
    here = site.find(config)
    for note in here.notes[:1] if verbose else ():
        print(note)
    if here.folder is None:
        raise SpoolTrouble(f"no state: {readable(here.settings.state)} can't be used by this user")
    return Pruning(here.settings, here.folder, verbose).run(only)


class Pruning:
    """One run over the folder `state`."""

    def __init__(self, settings: Settings, state: bytes, verbose: bool) -> None:
        self._settings = settings
        self._state = state
        self._verbose = verbose
        self._troubles = 0
        self._now = time()
        self._step: Callable[..., None] = lambda _: None
        self._shown = 0

    def run(self, only: str) -> int:
        """Do all stages, or the one named."""
        stages = [
            ("cache", self._state + b"/cache", self._cache),
            ("journal", self._state + b"/journal", self._journal),
            ("work", self._state + b"/work", self._work),
            ("state", self._state, self._temporaries),
        ]
        chosen: list[tuple[str, bytes, Work]] = [
            (name, folder, partial(_in_folder, folder, work))
            for name, folder, work in stages
            if only in ("", name)
        ]
        if only in ("", "quarantine"):
            chosen[2:2] = self._quarantine()
        with progress.bar(len(chosen) * STEPS, "pruning") as self._step:
            if not only:
                self._digest()  # before days of the journal go
            for name, folder, work in chosen:
                self._shown = 0
                self._stage(name, folder, work)
                self._step(STEPS - self._shown)
            if not only:
                self._end()
        return 2 if self._troubles else 0

    def _stage(self, name: str, folder: bytes, work: Work) -> None:
        try:
            number, size = work()
        except FileNotFoundError:
            return  # nothing was kept there yet
        except (OSError, Trouble) as error:
            self._troubles += 1
            progress.clear()
            said = store.said(error, folder) if isinstance(error, OSError) else str(error)
            print(f"amavis-pipe: prune: {said}", file=sys.stderr)
            return
        if self._verbose:
            progress.clear()
            print(f"{name}: {counted(number, 'file')} removed, {amount(size)}")

    def _quarantine(self) -> list[tuple[str, bytes, Work]]:
        """A stage for each place where mail is held back."""
        limits = bounds.of(self._settings.values, self._now)
        return [
            (
                "quarantine" if number == 0 else f"quarantine {place.shown}",
                place.path,
                partial(bounds.prune, place, limits),
            )
            for number, place in enumerate(places(self._settings))
        ]

    def _cache(self, folder: int) -> tuple[int, int]:
        """Generations bound themselves: what goes is what was last written long ago, or is too large now."""
        values = self._settings.values
        start, half = self._now - values["cache.days"] * 86400, values["cache.size"] // 2

        def old() -> Iterator[store.Kept]:
            for kept in store.cache_files(folder):
                if store.is_temporary(kept.name):
                    if self._is_leftover(kept):
                        yield kept
                elif kept.time < start or kept.length > half:
                    yield kept
            yield from store.former_cache(folder)

        return _remove(old())

    def _digest(self) -> None:
        """Send the digests that are due; it says itself what it can't."""
        if digest.run(self._settings, self._now, quiet=not self._verbose):
            self._troubles += 1

    def _end(self) -> None:
        """Note that it is done, and write the numbers of that."""
        file = self._settings.values["metrics.file"]
        try:
            metrics.note_pruned(self._state, bool(self._troubles))
            if file:
                metrics.write(self._settings, file, self._now)
        except (OSError, Trouble) as error:
            self._troubles += 1
            progress.clear()
            said = store.said(error, self._state) if isinstance(error, OSError) else str(error)
            print(f"amavis-pipe: prune: {said}", file=sys.stderr)

    def _journal(self, _: int) -> tuple[int, int]:
        """What is new is folded, closed days are packed, whole days go by the day in their names."""
        values = self._settings.values
        size = values["journal.size"]
        step = self._part_of(history.waiting(self._state))
        folded = history.fold(self._state, self._settings.journal_days, size, step)
        if self._verbose and (folded.records or folded.torn or folded.packed):
            progress.clear()
            torn = f", {counted(folded.torn, 'torn line')} skipped" if folded.torn else ""
            print(f"history: {counted(folded.records, 'record')} folded{torn}, {folded.packed} packed")
        return folded.removed, folded.freed

    def _part_of(self, total: int) -> Callable[[int], None]:
        """Moves the bar within a stage: told of so many of `total` that are done."""
        done = 0

        def step(more: int) -> None:
            nonlocal done
            done += more
            due = min(STEPS, done * STEPS // max(1, total))
            self._step(due - self._shown)
            self._shown = due

        return step

    def _work(self, folder: int) -> tuple[int, int]:
        """Files and folders that no filter holds a lock on."""
        return _sweep(folder, self._now - LEFTOVER)

    def _temporaries(self, folder: int) -> tuple[int, int]:
        return _remove(
            kept
            for kept in store.files(folder)
            if _TEMPORARY.fullmatch(kept.name) and self._is_leftover(kept)
        )

    def _is_leftover(self, kept: store.Kept) -> bool:
        return kept.time < self._now - LEFTOVER


def _in_folder(folder: bytes, work: Callable[[int], tuple[int, int]]) -> tuple[int, int]:
    with store.opened(folder) as fd:
        return work(fd)


def _remove(chosen: Iterator[store.Kept]) -> tuple[int, int]:
    """Remove the files; how many there were, and their bytes."""
    number = size = 0
    for kept in chosen:
        if kept.remove():
            number, size = number + 1, size + kept.size
    return number, size


def _sweep(folder: int, before: float, depth: int = 0) -> tuple[int, int]:
    """Remove all of ours in an open folder that is older than `before` and not locked; then empty folders."""
    number = size = 0
    me = os.geteuid()
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if found.st_uid != me or (found.st_mtime >= before and not depth):
                continue
            if stat.S_ISDIR(found.st_mode):
                inner = _sweep_folder(folder, name, before, depth)
                number, size = number + inner[0], size + inner[1]
            elif _is_free(name, folder, found.st_mode):
                os.unlink(name, dir_fd=folder)
                number, size = number + 1, size + found.st_size
        except FileNotFoundError:
            continue
    return number, size


def _sweep_folder(folder: int, name: str, before: float, depth: int) -> tuple[int, int]:
    """The same for a folder in it, which goes, too, unless a filter holds its lock."""
    if depth >= DEEPEST:
        return 0, 0
    with store.opened(name, folder) as inner:
        if not _lock(inner):
            return 0, 0
        removed = _sweep(inner, before, depth + 1)
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return removed  # something in it is locked, or not ours
    return removed


def _is_free(name: str, folder: int, mode: int) -> bool:
    """Whether no filter holds a lock on a file; links, sockets and pipes can't be locked."""
    if not stat.S_ISREG(mode):
        return True
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return _lock(fd)
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
