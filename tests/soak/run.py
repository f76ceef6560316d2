"""One soak: senders at the door, the disturbances, the sink emptied into the ledger, and the queue run dry."""

import threading
from subprocess import CalledProcessError
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
        self._done, self._counted = threading.Event(), threading.Event()

    def go(self) -> None:
        """Send for that time, then let the queue run dry."""
        self._prepare()
        self.watch = Watch(USER, self.site.program)
        counting = threading.Thread(target=self._count, name="counting")
        senders = [threading.Thread(target=self._send, name="sender") for _ in range(SENDERS)]
        try:
            counting.start()
            self.disturbance.start()
            for thread in senders:
                thread.start()
            self._progress()
            self._end(senders)
            self._run_dry()
        finally:
            self._end(senders)
            self._counted.set()
            counting.join()

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
        end, ledger = monotonic() + self.seconds, self.ledger
        while (left := end - monotonic()) > 0:
            self._done.wait(min(BETWEEN, left))
            say(
                f"{self.seconds - max(end - monotonic(), 0):5.0f} s: {len(ledger.sent):,} sent, "
                f"{len(ledger.copies):,} arrived, {ledger.waiting} on their way, "
                f"{self.disturbance.counts.total()} disturbances, {len(ledger.wrong)} wrong"
            )

    def _count(self) -> None:
        """Count what comes to the sink, and keep none of it."""
        mails = self.site.sink.mails
        while mails or not self._counted.wait(0.05):
            while mails:
                self.ledger.arrived(mails.pop())

    def _end(self, senders: list[threading.Thread]) -> None:
        """No more is sent, and nothing happens any more; everything runs."""
        self._done.set()
        for thread in senders:
            if thread.ident:
                thread.join()
        self.disturbance.close()
        self.watch.close()

    def _run_dry(self) -> None:
        begun = monotonic()
        try:
            wait_for(self._is_dry, "the queue to run dry", DRY)
        except (AssertionError, CalledProcessError) as error:
            self.disturbance.failed.append(str(error))
        self.dry = monotonic() - begun

    def _is_dry(self) -> bool:
        if self.site.postfix.is_empty():
            return True
        self.site.postfix.flush()
        threading.Event().wait(1)  # a flush each second is enough
        return False


def say(line: str) -> None:
    """Tell whoever looks on."""
    print(line, flush=True)
