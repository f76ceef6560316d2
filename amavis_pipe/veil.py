"""Addresses as the journal keeps them where the site wants nobody's name there: `journal.hash_addresses`.

The local part becomes twelve hex digits of a keyed BLAKE2b of the whole address, the domain stays, so that
one address is told from another, and reports count by domain. User names, client and HELO become such digits
as a whole. Hidden are the envelope, and every address in what other hosts answered and in troubles. Not
hidden are the Message-ID and the names of attachments, by which a mail is found, nor what is in the
quarantine: it keeps its envelope. The key, `state/journal.key`, is made once; without it no address can be
guessed by trying. Loaded only where it is wanted.
"""

import posix
from _blake2 import blake2b

from amavis_pipe.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.model import Envelope
    from amavis_pipe.record import Json

KEY = 32
"""Bytes."""
FILE = b"/journal.key"
BREAKS = ' \t<>(),;:[]"'
"""What does not belong to a local part without quotes."""
DOMAIN = ".-_"
LONGEST = 1024
"""Characters of a quoted local part."""
UNTOLD = ("", "unknown")
"""Names of clients that tell nothing: Postfix's own word."""


class Veil:
    """Hides who is in what is written down of one mail. Never fails: without a key nothing can be told apart.

    trouble  why there is no key, or ""
    """

    def __init__(self, state: bytes, make: bool = True) -> None:
        self.trouble = ""
        try:
            self._key = _key(state + FILE, make)
        except OSError as error:
            self._key = posix.urandom(KEY)
            self.trouble = f"{readable(state + FILE)}: {error.strerror or error}"

    def of(self, address: str) -> str:
        """The address, its local part being hidden; a name without a domain as a whole; "" stays."""
        local, at, domain = address.rpartition("@")
        if not address or (at and not local):
            return address
        hidden = self._hash(address)
        return hidden + at + domain if at else hidden

    def text(self, told: str) -> str:
        """What another host or a trouble says, with every address in it hidden."""
        made, done = "", 0
        at = told.find("@")
        while at >= 0:
            begin, end = _begin(told, at, done), _end(told, at + 1)
            if begin < at:
                made += told[done:begin] + self.of(told[begin:end])
                done = end
            at = told.find("@", max(at + 1, done))
        return made + told[done:]

    def envelope(self, envelope: "Envelope") -> "Envelope":
        """The envelope with all in it hidden that tells who."""

        def hidden(value: bytes) -> bytes:
            return self.of(readable(value)).encode()

        made = envelope.only(tuple(map(hidden, envelope.recipients)))
        made.sender = hidden(envelope.sender)
        made.sasl_username = hidden(envelope.sasl_username)
        return made

    def record(self, made: "dict[str, Json]") -> "dict[str, Json]":
        """The record with all in it hidden that tells who."""
        envelope = {key: self._named(key, value) for key, value in _mapping(made["envelope"]).items()}
        actions: list[Json] = [
            {**row, "recipients": self._each(row["recipients"])}
            for row in map(_mapping, _list(made["actions"]))
        ]
        told = {key: self._within(made[key]) for key in ("trouble", "sent", "told", "quarantined")}
        return {**made, "envelope": envelope, "actions": actions, **told}

    def _named(self, key: str, value: "Json") -> "Json":
        if isinstance(value, list):
            return self._each(value)
        name = str(value or "")
        if key in ("sender", "sasl_username"):
            return self.of(name)
        return name if name in UNTOLD else self._hash(name)

    def _each(self, addresses: "Json") -> "list[Json]":
        return [self.of(str(one)) for one in _list(addresses)]

    def _within(self, value: "Json", key: str = "") -> "Json":
        if isinstance(value, str):
            return self.of(value) if key == "recipient" else self.text(value)
        if isinstance(value, list):
            return [self._within(one) for one in value]
        return (
            {key: self._within(one, key) for key, one in value.items()} if isinstance(value, dict) else value
        )

    def _hash(self, name: str) -> str:
        data = name.lower().encode("utf-8", "backslashreplace")
        return blake2b(data, key=self._key, digest_size=6).hexdigest()


def _begin(told: str, at: int, done: int) -> int:
    """Where the local part before this "@" begins, no earlier than `done`; `at` if there is none."""
    if at - 1 > done and told[at - 1] == '"':
        first = max(done, at - LONGEST)
        opening = told.rfind('"', first, at - 1)
        while opening > first and told[opening - 1] == "\\":  # one within the local part
            opening = told.rfind('"', first, opening)
        return opening if opening >= 0 else at
    begin = at
    while begin > done and told[begin - 1] not in BREAKS:
        begin -= 1
    return begin


def _end(told: str, begin: int) -> int:
    """Where the domain ends that begins here."""
    end = begin
    while end < len(told) and (told[end].isalnum() or told[end] in DOMAIN):
        end += 1
    while end > begin and told[end - 1] in DOMAIN:
        end -= 1
    return end


def _mapping(value: "Json") -> "dict[str, Json]":
    return value if isinstance(value, dict) else {}


def _list(value: "Json") -> "list[Json]":
    return value if isinstance(value, list) else []


def _key(path: bytes, make: bool) -> bytes:
    """The key in the file; made whole by the first that wants one. OSError if there is none."""
    try:
        return _read(path)
    except FileNotFoundError:
        if not make:
            raise
    temporary = path + b".%d" % posix.getpid()
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC | posix.O_NOFOLLOW
    fd = posix.open(temporary, flags, 0o600)
    try:
        if posix.write(fd, posix.urandom(KEY)) == KEY:
            posix.fsync(fd)
            posix.link(temporary, path)
    except FileExistsError:
        pass  # of several at once one is the first
    finally:
        posix.close(fd)
        posix.unlink(temporary)
    return _read(path)


def _read(path: bytes) -> bytes:
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK)
    try:
        found = posix.read(fd, KEY)
    finally:
        posix.close(fd)
    if len(found) < KEY:
        raise OSError(f"wants {KEY} bytes; it can be removed")
    return found
