"""Who has sent what and what became of it: each mail is counted at the door, at the sink, and in the quarantine.

A mail is known by its number, which stands in its Message-ID; what comes out is compared with what went in
byte by byte, by digests. Which copy of a doubled mail was doubled where is told by the field that Postfix
adds when the filter hands it back: two such fields, the filter (or who it spoke to) was cut off at the
commit; the same one twice, Postfix was, on its way to the sink.
"""

import hashlib
import re
import threading
from collections import defaultdict
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

from harness.smtp import Arrived, original
from soak.mixed import Made

NUMBER = re.compile(rb"(?im)^Message-ID: <soak\.(\d+)@sender\.example>")
BACK = re.compile(
    rb"\A(?:Return-Path:[^\n]*\n)?Received: [^\n]*\n\t[^;]*?\bid ([0-9A-Za-z]+)[^;]*;\s*([^\r\n]+)"
)


@dataclass(frozen=True)
class Sent:
    """What the door took; the bytes of mail that is to be kept, with LF, else nothing."""

    kind: str
    digest: bytes
    infected: bool
    recipients: tuple[bytes, ...]
    kept: bytes


@dataclass(frozen=True)
class Copy:
    """A mail at the sink: the queue id it had on its way back, when it came back, when it was here."""

    queue_id: bytes
    back: float
    here: float


class Ledger:
    """The books.

    sent       by number, what Postfix has said 250 to
    doubtful   numbers it may or may not have: it went away before it said so
    copies     by number and recipient, what arrived
    released   numbers that were let out of the quarantine
    wrong      what must not be, in words
    """

    def __init__(self) -> None:
        self.sent: dict[int, Sent] = {}
        self.doubtful: set[int] = set()
        self.copies: defaultdict[tuple[int, bytes], list[Copy]] = defaultdict(list)
        self.released: set[int] = set()
        self.wrong: list[str] = []
        self.bytes = 0
        self._offered: dict[int, Sent] = {}
        self._waiting: set[int] = set()
        self._lock = threading.Lock()
        self._next = 0

    def number(self) -> int:
        """A number that no mail has yet."""
        with self._lock:
            self._next += 1
            return self._next

    def offer(self, mail: Made) -> None:
        """Note a mail before it is sent: it may be at the sink before the door has answered."""
        kept = mail.data.replace(b"\r\n", b"\n") if mail.infected else b""
        digest = hashlib.sha256(mail.data).digest()
        self._offered[mail.number] = Sent(mail.kind, digest, mail.infected, mail.recipients, kept)
        if not mail.infected:
            self._waiting.add(mail.number)

    def withdraw(self, mail: Made) -> None:
        """Note that it was not sent: nobody was at the door."""
        del self._offered[mail.number]
        self._waiting.discard(mail.number)

    def took(self, mail: Made, is_certain: bool) -> None:
        """Note what the door has said of it."""
        with self._lock:
            if is_certain:
                self.sent[mail.number] = self._offered[mail.number]
                self.bytes += len(mail.data)
            else:
                self.doubtful.add(mail.number)
                self._waiting.discard(mail.number)

    @property
    def waiting(self) -> int:
        """How many clean mails were sent and have not arrived."""
        return len(self._waiting)

    def is_here(self, number: int) -> bool:
        """Whether a clean mail has arrived."""
        return number not in self._waiting

    def arrived(self, mail: Arrived) -> None:
        """Note a mail that came to the sink."""
        found = NUMBER.search(mail.head)
        sent = self._offered.get(int(found[1])) if found else None
        if not found or not sent:
            self.wrong.append(f"a mail that nobody sent: {mail.data[:600]!r}")
            return
        number = int(found[1])
        with self._lock:
            if sent.infected:
                whole = mail.data.replace(b"\r\n", b"\n").endswith(sent.kept)
                if number not in self.released:
                    self.wrong.append(f"{number}: infected ({sent.kind}), and delivered")
            else:
                whole = _is_whole(mail, sent.digest)
            if not whole:
                self.wrong.append(f"{number}: cut or changed: {mail.data[:600]!r} … {len(mail.data)} bytes")
            self._waiting.discard(number)
            for address in mail.recipients:
                self.copies[number, address].append(_copy(mail))

    def lost(self, kept: list[bytes]) -> list[int]:
        """Numbers that are neither at the sink nor, where they belong there, among the kept; notes what is wrong."""
        where: defaultdict[int, list[bytes]] = defaultdict(list)
        for data in kept:
            found = NUMBER.search(data)
            where[int(found[1]) if found else -1].append(data.replace(b"\r\n", b"\n"))
        missing = []
        for number, sent in self._offered.items():
            copies = where.pop(number, [])
            if not sent.infected:
                if copies:
                    self.wrong.append(
                        f"{number}: clean ({sent.kind}), and in the quarantine: {copies[0][:600]!r}"
                    )
                arrivals = [len(self.copies.get((number, address), ())) for address in sent.recipients]
                gone = 0 in arrivals if number in self.sent else 0 in arrivals and any(arrivals)
            else:
                if len(copies) > 1:
                    self.wrong.append(f"{number}: {len(copies)} times in the quarantine")
                self.wrong += [
                    f"{number}: cut or changed in the quarantine"
                    for one in copies
                    if not one.endswith(sent.kept)
                ]
                gone = number in self.sent and not copies
                if number in self.released and not self.copies.get((number, sent.recipients[0])):
                    self.wrong.append(f"{number}: released, and not arrived")
            if gone:
                missing.append(number)
        self.wrong += [f"{number}: in the quarantine, and never sent" for number in where]
        return missing

    def doubled(self) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
        """Numbers that came more than once, with the times of the copies: by the filter, by Postfix's way to the sink."""
        by_filter: dict[int, list[float]] = {}
        by_postfix: dict[int, list[float]] = {}
        for (number, _), copies in self.copies.items():
            if len({copy.queue_id for copy in copies}) > 1:
                by_filter[number] = [copy.back for copy in copies]
            elif len(copies) > 1:
                by_postfix[number] = [copy.here for copy in copies]
        return by_filter, by_postfix


def _is_whole(mail: Arrived, digest: bytes) -> bool:
    try:
        return hashlib.sha256(original(mail)).digest() == digest
    except AssertionError:
        return False


def _copy(mail: Arrived) -> Copy:
    found = BACK.match(mail.data)
    if not found:
        return Copy(b"", 0.0, time())
    return Copy(found[1], parsedate_to_datetime(found[2].decode()).timestamp(), time())
