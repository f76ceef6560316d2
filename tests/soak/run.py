"""One soak: senders at the door, the disturbances, the sink emptied into the ledger, and the queue run dry."""

import threading
from time import monotonic

from harness.site import ALICE, USER, Site
from harness.smtp import Refused
from harness.waiting import wait_for
from soak.disturb import Disturbance
from soak.ledger import Ledger
from soak.mixed import Made, made
from soak.watch import Watch

SENDERS = 4
WAITING = 12
"""Clean mails that are on their way at the most, for each filter that may run at a time."""
BETWEEN = 15.0
"""Seconds between two lines of progress."""
DRY = 600.0
"""Seconds that the queue may take to run dry."""
BACKOFF = ("queue_run_delay = 5s", "minimal_backoff_time = 5s", "maximal_backoff_time = 10s")
"""Deferred mail is tried again soon."""


class Run:
    """A soak of `site` for so many seconds with so many filters at once.

    ledger       who sent what, and what became of it
    disturbance  what happens meanwhile
    watch        the filters' memory
    dry          seconds that the queue took to run dry in the end
    """

    def __init__(self, site: Site, filters: int, seconds: float) -> None:
        self.site, self.filters, self.seconds = site, filters, seconds
        self.ledger = Ledger()
        self.disturbance = Disturbance(site, self.ledger, self.send)
        self.dry = 0.0
        self._done = threading.Event()

    def go(self) -> None:
        """Send for that time, then let the queue run dry."""
        self._prepare()
        self.watch = Watch(USER, self.site.program)
        threads = [threading.Thread(target=self._send, name="sender") for _ in range(SENDERS)]
        try:
            self.disturbance.start()
            for thread in threads:
                thread.start()
            self._progress()
        finally:
            self._done.set()
            for thread in threads:
                thread.join()
            self.disturbance.close()
            self.watch.close()
        begun = monotonic()
        wait_for(self._is_dry, "the queue to run dry", DRY)
        self.dry = monotonic() - begun

    def send(self, mail: Made) -> bool:
        """Send one mail; whether Postfix has taken it."""
        self.ledger.offer(mail)
        try:
            self.site.send(mail.data, ALICE, mail.recipients)
        except ConnectionRefusedError:
            self.ledger.withdraw(mail)
            return False
        except (OSError, Refused):
            self.ledger.took(mail, is_certain=False)
            return False
        self.ledger.took(mail, is_certain=True)
        return True

    def _prepare(self) -> None:
        postfix = self.site.postfix
        postfix.postconf("-e", *BACKOFF, f"amavis_destination_concurrency_limit = {self.filters}")
        postfix.postconf("-F", f"amavis/unix/process_limit={self.filters}")
        postfix.reload()

    def _send(self) -> None:
        """One mail after the other, as long as not too many wait."""
        while not self._done.is_set():
            if self.ledger.waiting >= WAITING * self.filters:
                self._done.wait(0.05)
            elif not self.send(made(self.ledger.number())):
                self._done.wait(0.5)  # Postfix is away

    def _progress(self) -> None:
        begun, said = monotonic(), 0.0
        while (now := monotonic() - begun) < self.seconds:
            self._collect()
            if now - said >= BETWEEN:
                said = now
                say(
                    f"{now:5.0f} s: {len(self.ledger.sent):,} sent, {len(self.ledger.copies):,} arrived, "
                    f"{self.ledger.waiting} on their way, {self.disturbance.counts.total()} disturbances, "
                    f"{len(self.ledger.wrong)} wrong"
                )
            self._done.wait(0.05)

    def _collect(self) -> None:
        """Count what is at the sink, and keep none of it."""
        while self.site.sink.mails:
            self.ledger.arrived(self.site.sink.mails.pop())

    def _is_dry(self) -> bool:
        self._collect()
        if self.site.postfix.is_empty():
            self._collect()
            return True
        self.site.postfix.flush()
        self._done.clear()
        self._done.wait(1)
        return False


def say(line: str) -> None:
    """Tell whoever looks on."""
    print(line, flush=True)
