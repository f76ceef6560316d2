"""What a checker is shown: the mail as it came, below the lines that tell of its envelope.

Return-Path gives the sender, where SpamAssassin looks for it first. A Received line is put there only if the
mail's own topmost one isn't this host's already: Postfix adds its own before a filter sees the mail, but
header_checks may have removed it, and a mail tried by hand has none. It has Postfix's form, the one that
SpamAssassin reads HELO, name and address from (Mail::SpamAssassin::Message::Metadata::Received). All other
fields stay as they came, Authentication-Results of the MTA in front and foreign X-Spam ones, too (checkers
overlook those, and a signature may cover them). Nothing of this is ever written back to the mail.
"""

import posix
from time import gmtime, time

from amavis_pipe.forward import FIRST_LINE, added

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope

STEP = 1 << 17
LINE_END = 4096
"""Bytes before the end of a head in which a line's end is looked for."""
LONGEST = 1000
"""Bytes of one value of the envelope that are passed on."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ADDRESS = b"0123456789abcdefABCDEF.:"
_HOST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:[]"
_WORD = bytes(byte if byte > 32 and byte != 127 and byte not in b"<>" else ord("?") for byte in range(256))
_VISIBLE = bytes(byte if byte >= 32 and byte != 127 else ord("?") for byte in range(256))
_NAME = bytes(byte if byte in _HOST else ord("?") for byte in range(256))


class Given:
    """A mail as a checker gets it: `size` bytes, put together each time they are asked for."""

    __slots__ = ("_end", "_mail", "_start", "_top", "size")

    def __init__(self, mail: "Mail", envelope: "Envelope", most: int) -> None:
        """Of a mail larger than `most` bytes, its first lines up to that; those on top come in addition."""
        head = mail.raw.head(FIRST_LINE)
        self._mail = mail
        self._start = head.find(b"\n") + 1 if head.startswith(b"From ") else 0  # mbox: no part of the mail
        self._end = mail.raw.size if mail.raw.size <= most else _cut(mail, most)
        self._top = added(top(mail, envelope), head[self._start :])
        self.size = len(self._top) + max(self._end - self._start, 0)

    def chunks(self) -> "Iterator[bytes]":
        """The bytes in order."""
        yield self._top
        for at in range(self._start, self._end, STEP):
            yield self._mail.raw.at(at, min(STEP, self._end - at))


def top(mail: "Mail", envelope: "Envelope") -> list[bytes]:
    """The lines that go on top, without line ends; a fold within one is b"\\n\\t"."""
    lines = [b"Return-Path: <%s>" % word(envelope.sender)]
    if address(envelope) and not _has_own(mail, envelope):
        lines.append(_received(envelope))
    return lines


def word(value: bytes) -> bytes:
    """An address or a name from outside: blanks, controls and angle brackets as "?"."""
    # not left out, nor an error: who sends such things must not get by unchecked
    return value[:LONGEST].translate(_WORD)


def visible(value: bytes) -> bytes:
    """A value from outside for one line: controls as "?"."""
    return value[:LONGEST].translate(_VISIBLE)


def address(envelope: "Envelope") -> bytes:
    """The client's IP address, or b"" where there is none."""
    found = envelope.client_address
    return b"" if len(found) > 45 or not found or found.translate(None, _ADDRESS) else found


def _has_own(mail: "Mail", envelope: "Envelope") -> bool:
    """Whether the topmost Received line is that of the Postfix which calls us: it holds the queue id.

    Without one, as by hand: whether it holds the client's address.
    """
    value = mail.head.first(b"received")
    if value is None:
        return False
    if envelope.queue_id:
        return any(word.rstrip(b";") == envelope.queue_id for word in _after_id(value.split()))
    client = address(envelope)
    return b"[%s]" % client in value or b"[IPv6:%s]" % client in value


def _after_id(words: list[bytes]) -> list[bytes]:
    return [words[place] for place in range(1, len(words)) if words[place - 1] == b"id"]


def _received(envelope: "Envelope") -> bytes:
    client = address(envelope)
    shown = b"IPv6:" + client if b":" in client else client
    name = _host(envelope.client_name) or b"unknown"
    how = b"ESMTPA" if envelope.sasl_username else b"ESMTP"
    lines = [
        b"Received: from %s (%s [%s])" % (_host(envelope.helo) or b"unknown", name, shown),
        b"by %s (Postfix) with %s id %s" % (_own_name(), how, _host(envelope.queue_id) or b"none"),
    ]
    if len(envelope.recipients) == 1:
        lines.append(b"for <%s>" % word(envelope.recipients[0]))
    return b"\n\t".join(lines) + b"; " + _now()


def _host(name: bytes) -> bytes:
    return name[:255].translate(_NAME)


def _own_name() -> bytes:
    return _host(posix.uname().nodename.encode("utf-8", "surrogateescape")) or b"localhost"


def _now() -> bytes:
    """The time as RFC 5322 3.3 writes it; strftime would use the words of the locale."""
    now = gmtime(time())
    day, month = _DAYS[now.tm_wday], _MONTHS[now.tm_mon - 1]
    clock = f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}"
    # with the zone's name, as Postfix has it: rspamd takes a line without for a forged one
    return f"{day}, {now.tm_mday:2} {month} {now.tm_year} {clock} +0000 (UTC)".encode()


def _cut(mail: "Mail", most: int) -> int:
    """The offset after the last whole line within `most` bytes; `most` if a very long line is there."""
    before = max(most - LINE_END, 0)
    end = mail.raw.at(before, most - before).rfind(b"\n") + 1
    return before + end if end else most
