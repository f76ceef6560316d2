"""Remembers which mails were being examined when a filter died, so that none can do that for ever.

A mail whose examination dies or runs out of time, again and again, would be tried by Postfix for days, hold
up others, and come back to its sender in the end. So each examination is noted when it begins, with the step
that it is in, and the note is taken away when it ends, well or by a trouble that is the machine's. A note
that is still there tells of a death. What died `limits.poison_tries` times in one step, other mail being
examined meanwhile, is no longer subjected to that step: the mail is *unchecked*, "poison", and goes by
policy. Without any other mail's success it takes four times as many, for then it may be the machine. That a
scanner gives no answer in time is counted only if it answers others meanwhile: one that hangs makes no mail
poison.

One file of fixed size, `state/tries`: SLOTS of 32 bytes, the first of which holds the times when a mail was
last taken apart, and last scanned. A mail's place is by its key; another one in the same place replaces it.
Whoever examines holds a lock (lockf(3)) on the place until its process ends, however it does. A note of which
the lock is held is of one that lives, such as a copy of the same newsletter: it is no death. Who can't have
the lock waits for nobody, and counts and notes nothing.
"""

import posix
from time import time

SLOTS = 1 << 14
SLOT = 32
LASTS = 7 * 86400
"""Seconds after which a note is not believed any more."""
_KEY = 21
_SEVERAL = 4
_HUNG = 4
"""Added to a step that has not ended in time, and is known not to have died."""
_SUCCESS = {1: 16, 2: 24}
"""Where the first slot has the time of a step's last success."""


class Tries:
    """The notes of one mail below the folder `state`; `most` deaths in a step are borne.

    skipped  the steps that are to be left out, as bits
    """

    DECOMPOSE, SCAN = 1, 2
    """Steps, as bits."""

    __slots__ = ("_count", "_fd", "_key", "_most", "_ours", "_place", "skipped")

    def __init__(self, state: bytes, key: bytes, most: int) -> None:
        self._most = min(most, 60) * _SEVERAL
        self._key = key[:_KEY]
        self._place = (1 + int.from_bytes(key[:4], "big") % (SLOTS - 1)) * SLOT
        self._count = 0
        self._ours = False
        self.skipped = 0
        flags = posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
        try:
            self._fd = posix.open(state + b"/tries", flags, 0o600)
        except OSError:
            self._fd = -1  # no guard is better than no mail

    def begin(self) -> None:
        """Note that the examination begins; `skipped` says what is to be left out of it."""
        self._ours = self._lock()  # before it is read: the note of one that ends meanwhile is none
        found, now = self._read(self._place), time()
        when = int.from_bytes(found[24:], "big") / 1000
        if found[:_KEY] == self._key and -60 < now - when < LASTS:
            self.skipped = found[_KEY]
            if self._ours:
                self._add(found[_KEY + 1], found[_KEY + 2], when)
        self.enter(self.DECOMPOSE)

    def enter(self, step: int) -> None:
        """Note the step that it is in."""
        self._write(self._key + bytes((self.skipped, self._count, step)))

    def hang(self, step: int) -> None:
        """Note that a step has not ended in time: this mail's doing if it ends for others."""
        self.enter(step | _HUNG)

    def end(self, well: bool, scanned: bool = True) -> None:
        """Note that it has ended: well, or by what is not this mail's doing.

        `scanned` says that every scanner was asked now, and has answered.
        """
        if well and not self.skipped:
            self._write(b"")
            self._put(_stamp() * (2 if scanned else 1), _SUCCESS[self.DECOMPOSE])
        else:
            self.enter(0)

    def _add(self, count: int, died_in: int, when: float) -> None:
        """Count a note that is still there: of a death then, in that step, after so many others."""
        self._count = count
        step = died_in & ~_HUNG
        if step in _SUCCESS:
            at = _SUCCESS[step]
            others = int.from_bytes(self._read(0)[at : at + 8], "big") / 1000 > when
            self._count += _SEVERAL if others else int(step == died_in)
        if self._count >= self._most:
            self.skipped |= step
            self._count = 0

    def _read(self, place: int) -> bytes:
        try:
            found = posix.pread(self._fd, SLOT, place)
        except OSError:
            found = b""
        return found.ljust(SLOT, b"\0")

    def _lock(self) -> bool:
        """Whether nobody else examines this mail now, or one of the same place."""
        try:
            posix.lseek(self._fd, self._place, 0)
            posix.lockf(self._fd, posix.F_TLOCK, SLOT)
        except OSError:
            return False
        return True

    def _write(self, head: bytes) -> None:
        if self._ours:
            self._put(head.ljust(24, b"\0") + _stamp(), self._place)

    def _put(self, data: bytes, at: int) -> None:
        try:
            posix.pwrite(self._fd, data, at)
        except OSError:
            pass


def _stamp() -> bytes:
    """The time in milliseconds, eight bytes."""
    return int(max(time(), 0) * 1000).to_bytes(8, "big")
