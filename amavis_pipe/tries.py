"""Remembers which mails were being examined when a filter died, so that none can do that for ever.

A mail whose examination dies or runs out of time, again and again, would be tried by Postfix for days, hold
up others, and come back to its sender in the end. So each examination is noted when it begins, with the step
that it is in, and the note is taken away when it ends, well or by a trouble that is the machine's. A note
that is still there tells of a death. What died `limits.poison_tries` times in one step, other mail being
examined meanwhile, is no longer subjected to that step: the mail is *unchecked*, "poison", and goes by
policy. Without any other mail's success it takes four times as many, for then it may be the machine.

One file of fixed size, `state/tries`: SLOTS of 32 bytes, the first of which holds the time of the last
success. A mail's place is by its key; another one in the same place replaces it. Nothing is locked: a race
loses a count.
"""

import posix
from time import time

SLOTS = 1 << 14
SLOT = 32
LASTS = 7 * 86400
"""Seconds after which a note is not believed any more."""
_KEY = 21
_SEVERAL = 4


class Tries:
    """The notes of one mail below the folder `state`; `most` deaths in a step are borne.

    skipped  the steps that are to be left out, as bits
    """

    DECOMPOSE, SCAN = 1, 2
    """Steps, as bits."""

    __slots__ = ("_count", "_fd", "_key", "_most", "_place", "skipped")

    def __init__(self, state: bytes, key: bytes, most: int) -> None:
        self._most = min(most, 60) * _SEVERAL
        self._key = key[:_KEY]
        self._place = (1 + int.from_bytes(key[:4], "big") % (SLOTS - 1)) * SLOT
        self._count = 0
        self.skipped = 0
        flags = posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
        try:
            self._fd = posix.open(state + b"/tries", flags, 0o600)
        except OSError:
            self._fd = -1  # no guard is better than no mail

    def begin(self) -> None:
        """Note that the examination begins; `skipped` says what is to be left out of it."""
        found, now = self._read(self._place), time()
        when = int.from_bytes(found[24:], "big") / 1000
        if found[:_KEY] == self._key and -60 < now - when < LASTS:
            self.skipped, self._count, died_in = found[_KEY], found[_KEY + 1], found[_KEY + 2]
            if died_in:
                others = int.from_bytes(self._read(0)[24:], "big") / 1000 > when
                self._count += _SEVERAL if others else 1
            if self._count >= self._most:
                self.skipped |= died_in
                self._count = 0
        self.enter(self.DECOMPOSE)

    def enter(self, step: int) -> None:
        """Note the step that it is in."""
        self._write(self._place, self._key + bytes((self.skipped, self._count, step)))

    def end(self, well: bool) -> None:
        """Note that it has ended: well, or by what is not this mail's doing."""
        if well and not self.skipped:
            self._write(self._place, b"")
            self._write(0, b"")
        else:
            self.enter(0)

    def _read(self, place: int) -> bytes:
        try:
            found = posix.pread(self._fd, SLOT, place)
        except OSError:
            found = b""
        return found.ljust(SLOT, b"\0")

    def _write(self, place: int, head: bytes) -> None:
        try:
            posix.pwrite(self._fd, head.ljust(24, b"\0") + int(time() * 1000).to_bytes(8, "big"), place)
        except OSError:
            pass
