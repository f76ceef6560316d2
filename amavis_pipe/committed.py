"""Remembers for whom a mail was handed on, so that a retry does not double it.

Postfix tries a whole delivery again when we died after a commit, or when only some of several
submissions went through. Each recipient that was served is noted by a digest over queue id, content,
sender and recipient: never by queue id alone, for Postfix uses short ones again. A digest that is there
means *sent*, so what is damaged, old or overwritten counts as not sent: that may double a mail, and
never loses one.

One file of fixed size, `state/sent`: SLOTS of 24 bytes of BLAKE2b and 8 of time, a digest's place being
its first four bytes. Nothing is locked or pruned; a later digest in the same place replaces the one
before. A machine that crashes may forget the last notes.
"""

import posix
from _blake2 import blake2b
from _stat import S_ISREG
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope

SLOTS = 1 << 18
"""8 MiB at the most. At two million recipients a week, one note in ninety is overwritten within a quarter
of an hour."""
SLOT = 32
LASTS = 7 * 86400
"""Seconds after which a note is not believed any more: Postfix gives a mail up after five days."""


class Committed:
    """What is noted of one mail below the folder `state`; a mail without a queue id is never noted."""

    __slots__ = ("_fd", "_path", "_prefix")

    def __init__(self, state: bytes, mail: "Mail", envelope: "Envelope") -> None:
        self._path = state + b"/sent"
        self._fd = -1
        self._prefix = b""
        if envelope.queue_id:
            fields = (envelope.queue_id, mail.sha256.encode(), envelope.sender)
            self._prefix = b"".join(b"%d:%s" % (len(field), field) for field in fields)

    def left(self, recipients: tuple[bytes, ...], what: bytes = b"mail") -> tuple[bytes, ...]:
        """Those of the recipients for whom `what` was not handed on yet."""
        return tuple(address for address in recipients if not self._is_noted(self._digest(what, address)))

    def note(self, recipients: tuple[bytes, ...], what: bytes = b"mail") -> None:
        """Note that `what` was handed on for them; never fails: the mail is committed."""
        stamp = int(time()).to_bytes(8, "big")
        for address in recipients:
            digest = self._digest(what, address)
            if digest:
                try:
                    posix.pwrite(self._file(), digest + stamp, _place(digest))
                except OSError:
                    return

    def _digest(self, what: bytes, address: bytes) -> bytes:
        if not self._prefix:
            return b""
        return blake2b(b"%s %s %s" % (what, self._prefix, address), digest_size=24).digest()

    def _is_noted(self, digest: bytes) -> bool:
        if not digest:
            return False
        try:
            found = posix.pread(self._file(), SLOT, _place(digest))
        except OSError:
            return False
        age = time() - int.from_bytes(found[24:], "big")
        return len(found) == SLOT and found[:24] == digest and -60 < age < LASTS

    def _file(self) -> int:
        """The file's descriptor; OSError if it can't be used. It stays open: the process is short."""
        if self._fd < 0:
            flags = posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
            fd = posix.open(self._path, flags, 0o600)
            if not S_ISREG(posix.fstat(fd).st_mode):
                posix.close(fd)
                raise OSError
            self._fd = fd
        return self._fd


def _place(digest: bytes) -> int:
    return int.from_bytes(digest[:4], "big") % SLOTS * SLOT
