"""The filter form's and the trial form's arguments (interface.md, Forms 1 and 2).

`[--config FILE] [--queue-id ID] [--client-address A] … -f SENDER -- RECIPIENT…`. Values may follow in
the next argument or after "="; `-f` takes the next one verbatim, whatever it begins with. Arguments are
bytes: Postfix passes on what remote clients said.
"""

import sys

from amavis_pipe.model import Envelope
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = (
    b"--config",
    b"--queue-id",
    b"--client-address",
    b"--client-name",
    b"--helo",
    b"--sasl-username",
    b"--size",
)
SWITCHES = (b"--dry-run", b"--json", b"--debug", b"--no-cache")
TRIAL = frozenset((b"dry-run", b"json", b"debug", b"no-cache"))
"""Switches that make it the trial form, whatever else is given."""
ONE_LINE_LIMIT = 8192
"""A longer argument is refused: no address or name is that long (RFC 5321 4.5.3)."""


class UsageError(Exception):
    """The arguments are no complete form; the text says what is wrong, printable."""


class Arguments:
    """The parsed arguments.

    options   value by name without dashes: b"config", b"queue-id" …
    switches  names without dashes
    envelope  sender and recipients, or None without -f
    """

    __slots__ = ("envelope", "options", "switches")

    def __init__(self) -> None:
        self.options: dict[bytes, bytes] = {}
        self.switches: set[bytes] = set()
        self.envelope: Envelope | None = None


def given() -> list[bytes]:
    """The process's arguments as the bytes they were."""
    encoding = sys.getfilesystemencoding()
    return [word.encode(encoding, "surrogateescape") for word in sys.argv[1:]]


def parse(words: list[bytes]) -> Arguments:
    """The arguments; UsageError if they are none of the two forms."""
    found, sender, recipients = Arguments(), None, None
    rest = iter(words)
    for word in rest:
        if word == b"--":
            recipients = tuple(rest)
        elif word == b"-f":
            sender = _next(rest, word)
        elif word in SWITCHES:
            found.switches.add(word[2:])
        else:
            _option(found, word, rest)
    if (sender is None) != (recipients is None) or recipients == ():
        raise UsageError("wants -f SENDER -- RECIPIENT... (both, or neither)")
    if sender is not None and recipients is not None:
        found.envelope = _envelope(sender, recipients, found.options)
    return found


def _option(found: Arguments, word: bytes, rest: "Iterator[bytes]") -> None:
    name, equals, value = word.partition(b"=")
    if name not in VALUES:
        raise UsageError("unknown argument: " + ascii_of(word))
    found.options[name[2:]] = value if equals else _next(rest, name)


def _next(rest: "Iterator[bytes]", name: bytes) -> bytes:
    value = next(rest, None)
    if value is None:
        raise UsageError(f"{ascii_of(name)} wants a value")
    return value


def _envelope(sender: bytes, recipients: tuple[bytes, ...], options: dict[bytes, bytes]) -> Envelope:
    for word in (sender, *recipients, *options.values()):
        if len(word) > ONE_LINE_LIMIT or b"\n" in word or b"\r" in word or b"\0" in word:
            raise UsageError("an argument with a line break, or too long: " + ascii_of(word))
    if b"" in recipients:
        raise UsageError("an empty recipient")
    return Envelope(
        sender,
        recipients,
        options.get(b"queue-id", b""),
        options.get(b"client-address", b""),
        options.get(b"client-name", b""),
        options.get(b"helo", b""),
        options.get(b"sasl-username", b""),
    )
