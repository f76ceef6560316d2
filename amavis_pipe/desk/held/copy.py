"""One mail that is held back, whichever way: what is known of it, and what can be done with it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from amavis_pipe.desk.held.places import Place
from amavis_pipe.kept import ALERT, ORIGINAL, RECIPIENT, SENDER, addresses_in
from amavis_pipe.model import Envelope
from amavis_pipe.quarantine import PREFIX
from amavis_pipe.spool import Blob
from amavis_pipe.text import readable

NAME = re.compile(r"([a-z-]+)-(\d{8})-(\d{6})(?:-([0-9A-Za-z_]{1,32}))?-([0-9a-f]{12})")
"""Category, day, time, queue id, beginning of the mail's sha256."""
_SAID = re.compile(rb"size=(\d{1,18}) sha256=([0-9a-f]{64})\n\Z")
_LABELS = {prefix: label for label, prefix in PREFIX.items()}


@dataclass
class Known:
    """What is known of a mail that is held back.

    sender, recipients  its envelope, byte for byte
    names     what was found
    record    the one beside it, {} if there is none
    released  how it was sent on, one for each time: time, to, route, queue_id
    served    recipients who got the mail itself, the copy being one more
    trouble   why the mail itself can't be had, or ""
    """

    label: str
    time: str
    size: int = -1
    sha256: str = ""
    sender: bytes = b""
    recipients: tuple[bytes, ...] = ()
    alert: str = ""
    names: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    released: list[dict[str, Any]] = field(default_factory=list)
    served: frozenset[bytes] = frozenset()
    trouble: str = ""

    def envelope(self, queue_id: bytes = b"") -> Envelope:
        """The envelope it came with, and what was told of its client."""
        said = self.record.get("envelope", {})
        fields = ("client_address", "client_name", "helo", "sasl_username")
        told = [said.get(name) for name in fields]
        client = [one.encode("utf-8", "replace") if isinstance(one, str) else b"" for one in told]
        return Envelope(self.sender, self.recipients, queue_id, *client)

    def released_to(self) -> set[bytes]:
        """Everybody whom it was released to."""
        return {str(to).encode("latin-1", "replace") for one in self.released for to in one["to"]}


class Copy(ABC):
    """A mail in one of the places, by its name; `file` shows where it is."""

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name

    @property
    def when(self) -> str:
        """When it was kept, UTC, as its name says: YYYYMMDDHHMMSS."""
        found = NAME.fullmatch(self.name)
        return found[2] + found[3] if found else ""

    @property
    @abstractmethod
    def file(self) -> bytes:
        """The file that holds it."""

    @abstractmethod
    def known(self) -> Known:
        """What is known of it; OSError if it is gone."""

    @abstractmethod
    @contextmanager
    def original(self, work: bytes) -> Iterator[Blob]:
        """The mail as it came; a large one is spooled below `work`. SpoolTrouble unless it is whole."""
        yield Blob(b"")

    @abstractmethod
    def note_release(self, release: dict[str, Any]) -> None:
        """Put down how it was sent on; on disk when this returns."""

    @abstractmethod
    def remove(self) -> None:
        """Remove it, with all that is known of it."""


def of_name(name: str) -> Known:
    """What the name alone tells."""
    found = NAME.fullmatch(name)
    if not found:
        return Known("", "", trouble="an odd name")
    day, time = found[2], found[3]
    shown = f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z"
    return Known(_LABELS.get(found[1], found[1]), shown)


def read_head(known: Known, head: bytes) -> None:
    """Add what our lines at the top tell."""
    line = head.rpartition(b"\n" + ORIGINAL)[2]
    said = _SAID.fullmatch(line)
    if not said:
        known.trouble = "damaged: the lines of our own are not whole"
        return
    known.size, known.sha256 = int(said[1]), said[2].decode()
    known.sender = next(iter(addresses_in(head, SENDER)), b"")
    known.recipients = tuple(addresses_in(head, RECIPIENT))
    alert = head.partition(b"\n" + ALERT)[2].partition(b"\n")[0]
    known.alert = alert.decode("ascii", "replace")
    known.names = [word for word in known.alert.partition(" ")[2].split(", ") if word]


def read_record(known: Known, record: dict[str, Any]) -> None:
    """Add what the record tells, which is more than our lines."""
    known.record = record
    envelope = record["envelope"]
    known.sender = envelope["sender"].encode("latin-1")
    known.recipients = tuple(one.encode("latin-1") for one in envelope["recipients"])
    if isinstance(record.get("label"), str):
        known.label = record["label"]
    found = [one for one in dicts(record.get("findings")) if one.get("grade") != "note"]
    known.names = list(dict.fromkeys(str(one.get("name")) for one in found)) or known.names
    known.served = frozenset(
        one.encode("latin-1", "replace") for one in _list(record.get("served")) if isinstance(one, str)
    )
    known.released = [one for one in dicts(record.get("released")) if isinstance(one.get("to"), list)]


def dicts(value: Any) -> list[dict[str, Any]]:
    """The dicts in a list; none if it isn't one: records may be damaged."""
    return [one for one in _list(value) if isinstance(one, dict)]


def line(text: str, longest: int = 1024) -> str:
    """A text with words of a record in it, in a form that a terminal is safe with."""
    return readable(text.encode("utf-8", "backslashreplace"), longest)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
