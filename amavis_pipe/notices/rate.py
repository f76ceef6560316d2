"""How many notices of each kind go out in an hour, and how many were held back that nobody was told of yet.

One file of 64 bytes at most, `state/notices`: for each kind eight bytes of the time at which its hour began
(with its first notice), four of the notices in it, four of those held back. The file is locked while it is
read and written, for no longer. Where it can't be used, no notice goes out: a flood would hit others, while
of what is held back the journal and the digest tell.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from time import sleep

KINDS = ("sender", "recipients", "admin", "withheld")
"""In the order of the file."""
FILE = b"/notices"
HOUR = 3600
SLOT = 16
MOST = (1 << 32) - 1
TRIES = 50
WAIT = 0.01
"""Seconds between two tries to lock: the lock is held for a moment, unless its process was stopped."""


def may_send(state: bytes, kind: str, per_hour: int, now: float) -> bool:
    """Whether one more notice of this kind may go out now; it is counted either way.

    `now` is the time in seconds. OSError if the file can't be used.
    """
    with _opened(state) as fd:
        begun, sent, held = _read(fd, kind)
        if not 0 <= now - begun < HOUR:
            begun, sent = int(now), 0
        allowed = sent < per_hour
        _write(fd, kind, begun, sent + allowed, held + (not allowed))
    return allowed


def held(state: bytes) -> dict[str, int]:
    """By kind, the notices held back that nobody was told of; only kinds that have some."""
    with _opened(state) as fd:
        counts = {kind: _read(fd, kind)[2] for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}


def tell(state: bytes, counts: dict[str, int]) -> None:
    """Note that somebody was told of so many."""
    if not counts:
        return
    with _opened(state) as fd:
        for kind, count in counts.items():
            begun, sent, held_back = _read(fd, kind)
            _write(fd, kind, begun, sent, max(held_back - count, 0))


@contextmanager
def _opened(state: bytes) -> Iterator[int]:
    """The file, locked."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    fd = os.open(state + FILE, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "state/notices: no regular file")
        _lock(fd)
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int) -> None:
    for _ in range(TRIES):
        try:
            return flock(fd, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            sleep(WAIT)
    raise OSError(0, "state/notices: locked by another process")


def _read(fd: int, kind: str) -> tuple[int, int, int]:
    """When the hour began, the notices in it, and those held back; zeros for what was never written."""
    slot = os.pread(fd, SLOT, KINDS.index(kind) * SLOT).ljust(SLOT, b"\0")
    return (
        int.from_bytes(slot[:8], "big"),
        int.from_bytes(slot[8:12], "big"),
        int.from_bytes(slot[12:], "big"),
    )


def _write(fd: int, kind: str, begun: int, sent: int, held_back: int) -> None:
    slot = (
        begun.to_bytes(8, "big")
        + min(sent, MOST).to_bytes(4, "big")
        + min(held_back, MOST).to_bytes(4, "big")
    )
    os.pwrite(fd, slot, KINDS.index(kind) * SLOT)
