"""What `prune` removes of mail that is held back: what is too old, too much or too many, in one place each.

A mail goes with its record, mail first: a record without a mail is nothing to anybody, and goes an hour
later, as what a crash left does. Each subfolder is locked meanwhile, and left for another time where a filter
is just storing something; one that is empty is removed.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from amavis_pipe.desk import store
from amavis_pipe.desk.held import mailboxes
from amavis_pipe.desk.held.copy import NAME
from amavis_pipe.desk.held.folder import SUBFOLDER
from amavis_pipe.desk.held.places import Place
from amavis_pipe.kept import RECORD

LEFTOVER = 3600
"""Seconds after which a temporary file must be a crash's: a filter is killed long before."""
TICK = 5e-7
"""Seconds, about the smallest step of a time in a float."""
_RECORD = RECORD.decode()
_TEMPORARY = re.compile(r"\.(?:[a-z-]+-\d{8}-\d{6})?-[0-9A-Za-z_-]+(?:\.json)?\.\d+(?:-[0-9a-f]{8})?")
"""A copy's or record's name while it is written; without the last part as it was before."""

Sizes = list[tuple[float, int]]


class Bounds:
    """How much may stay: `days`, bytes, and mails, 0 for any number; `now` in seconds."""

    def __init__(self, days: int, size: int, count: int, now: float) -> None:
        self._oldest = now - days * 86400
        self._size = size
        self._count = count
        self.leftover = now - LEFTOVER

    def start(self, mails: Sizes) -> float:
        """The time before which mail must go; `mails` are times and sizes of all there are."""
        start, total = self._oldest, 0
        for number, (time, size) in enumerate(sorted(mails, reverse=True)):
            total += size
            if time < start:
                break
            if total > self._size or 0 < self._count <= number:
                return time + TICK
        return start


def of(values: dict[str, Any], now: float) -> Bounds:
    """The bounds that the settings name."""
    return Bounds(values["quarantine.days"], values["quarantine.size"], values["quarantine.count"], now)


def prune(place: Place, bounds: Bounds) -> tuple[int, int]:
    """Remove from a place what is beyond the bounds; how many files or mails, and their bytes."""
    if place.is_mailbox:
        return _prune_mailbox(place.path, bounds)
    with store.opened(place.path) as top:
        start = bounds.start([pair for folder, _ in _folders(top) for pair in _mails(folder)])
        number = size = 0
        for folder, name in _folders(top):
            removed = _prune_folder(folder, start, bounds.leftover)
            number, size = number + removed[0], size + removed[1]
            if name:
                _remove_empty(folder, top, name)
        return number, size


def _folders(top: int) -> Iterator[tuple[int, str]]:
    """The folder itself and its subfolders, opened, with their names."""
    yield top, ""
    for name in store.folders(top):
        if SUBFOLDER.fullmatch(name):
            try:
                with store.opened(name, top) as folder:
                    yield folder, name
            except FileNotFoundError:
                continue


def _mails(folder: int) -> Iterator[tuple[float, int]]:
    """Time and size of each mail, its record with it."""
    found = {file.name: file for file in store.files(folder)}
    for name, file in found.items():
        if NAME.fullmatch(name):
            beside = found.get(name + _RECORD)
            yield file.time, file.size + (beside.size if beside else 0)


def _prune_folder(folder: int, start: float, leftover: float) -> tuple[int, int]:
    """Remove mails older than `start`, and what crashes left."""
    if not _locked(folder):
        return 0, 0
    found = {file.name: file for file in store.files(folder)}
    gone: list[store.Kept] = []
    for name, file in found.items():
        if NAME.fullmatch(name):
            if file.time < start:
                gone += [file, *filter(None, [found.get(name + _RECORD)])]
        elif file.time < leftover and (_TEMPORARY.fullmatch(name) or _is_alone(name, found)):
            gone.append(file)
    removed = [file for file in gone if file.remove()]
    return len(removed), sum(file.size for file in removed)


def _is_alone(name: str, found: dict[str, store.Kept]) -> bool:
    """Whether it is a record without a mail."""
    mail = name.removesuffix(_RECORD)
    return mail != name and mail not in found and NAME.fullmatch(mail) is not None


def _remove_empty(folder: int, top: int, name: str) -> None:
    if _locked(folder):
        try:
            os.rmdir(name, dir_fd=top)
        except OSError:
            pass  # not empty, or of another owner


def _locked(folder: int) -> bool:
    """Whether nobody else holds the lock; it ends with the descriptor."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _prune_mailbox(path: bytes, bounds: Bounds) -> tuple[int, int]:
    """The same in a mailbox; by the time in each mail's name, and the order in the file."""
    _sweep_beside(path, bounds.leftover)

    def left(found: list[mailboxes.Extent]) -> list[mailboxes.Extent]:
        times = [_time(extent) + 2 * TICK * number for number, extent in enumerate(found)]
        start = bounds.start([(time, one.end - one.start) for time, one in zip(times, found, strict=True)])
        return [extent for time, extent in zip(times, found, strict=True) if time >= start]

    return mailboxes.rewrite(path, left, wait=False)


def _time(extent: mailboxes.Extent) -> float:
    found = NAME.fullmatch(extent.name)
    try:
        return datetime.strptime(found[2] + found[3] + "+0000", "%Y%m%d%H%M%S%z").timestamp() if found else 0
    except ValueError:
        return 0  # no day that there is: as old as can be


def _sweep_beside(path: bytes, leftover: float) -> None:
    """Remove what a crash left of making the mailbox smaller."""
    folder, _, name = os.fsdecode(path).rpartition("/")
    ours = re.compile(r"\." + re.escape(name) + r"\.\d+-[0-9a-f]{8}")
    with store.opened(folder or "/") as fd:
        for file in store.files(fd):
            if file.time < leftover and ours.fullmatch(file.name):
                file.remove()
