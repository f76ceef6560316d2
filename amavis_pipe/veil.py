"""Addresses as the journal keeps them where the site wants nobody's name there: `journal.hash_addresses`.

The local part becomes twelve hex digits of a keyed BLAKE2b, the domain stays, so that one address is told
from another, and reports count by domain. The key, `state/journal.key`, is made once; without it no address
can be guessed by trying. Loaded only where it is wanted. What is in the quarantine keeps its envelope.
"""

import posix
from _blake2 import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.model import Envelope
    from amavis_pipe.record import Json

KEY = 32
"""Bytes."""


class Veil:
    """Veils what is written down of one mail; OSError if there is no key, and none can be made."""

    def __init__(self, state: bytes) -> None:
        self._key = _key(state + b"/journal.key")

    def of(self, address: bytes) -> bytes:
        """The address, its local part being veiled; the null sender and what has no local part as it is."""
        local, at, domain = address.rpartition(b"@")
        if not address or (at and not local):
            return address
        hidden = blake2b(local.lower() if at else domain, key=self._key, digest_size=6).hexdigest().encode()
        return hidden + at + domain if at else hidden

    def envelope(self, envelope: "Envelope") -> "Envelope":
        """The envelope with veiled addresses and user name."""
        veiled = envelope.only(tuple(map(self.of, envelope.recipients)))
        veiled.sender = self.of(envelope.sender)
        veiled.sasl_username = self.of(envelope.sasl_username)
        return veiled

    def record(self, made: "dict[str, Json]", envelope: "Envelope") -> "dict[str, Json]":
        """The record with every address of the envelope veiled, wherever it stands as a text."""
        from amavis_pipe.text import readable

        known = {
            readable(one): self.of(one).decode("ascii", "replace")
            for one in (envelope.sender, *envelope.recipients, envelope.sasl_username)
            if one
        }
        longest_first = sorted(known, key=len, reverse=True)

        def veiled(value: "Json") -> "Json":
            if isinstance(value, str):
                for one in longest_first if "@" in value or value in known else ():
                    value = value.replace(one, known[one])
                return value
            if isinstance(value, list):
                return [veiled(one) for one in value]
            return {key: veiled(one) for key, one in value.items()} if isinstance(value, dict) else value

        return {key: veiled(value) for key, value in made.items()}


def _key(path: bytes) -> bytes:
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    fd = posix.open(path, flags, 0o600)
    try:
        found = posix.pread(fd, KEY, 0)
        if len(found) < KEY:  # of several that make one at once the last wins, for those that come later
            found = posix.urandom(KEY)
            posix.pwrite(fd, found, 0)
            posix.fsync(fd)
        return found
    finally:
        posix.close(fd)
