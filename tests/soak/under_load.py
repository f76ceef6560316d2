"""Ten minutes of mixed mail through a real Postfix, with everything around the filter failing in turn (make soak).

Each mail arrives exactly once and whole, or is exactly once in the quarantine; filters leave nothing behind and
need no more memory in the end than in the beginning. pytest collects this file only where it is named.
SOAK_SECONDS sets another time; the figures are printed, and written to build/soak-*.txt.
"""

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests"), str(CHECKOUT / "tests/e2e")]

from harness.site import ALICE, USER, Site  # noqa: E402
from harness.smtp import Refused  # noqa: E402
from harness.waiting import wait_for  # noqa: E402
from soak.disturb import Disturbance  # noqa: E402
from soak.ledger import Ledger  # noqa: E402
from soak.mixed import Made, made  # noqa: E402
from soak.watch import Watch, leftovers  # noqa: E402

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SENDERS = 4
WAITING = 12
"""Clean mails that are on their way at the most, for each filter that may run at a time."""
BETWEEN = 15.0
"""Seconds between two lines of progress."""
DRY = 600.0
"""Seconds that the queue may take to run dry."""
AROUND = 3.0
"""Seconds by which the time of a cut may be off: Postfix's fields tell whole ones."""
MORE_MEMORY = (("median", 1.15), ("95 %", 1.15), ("most", 1.5))
"""How much more a filter's peak may be in the last minute than in the first. The most is that of few: a run that
reads changed settings, in a minute in which there are some, needs more than others."""
BACKOFF = ("queue_run_delay = 5s", "minimal_backoff_time = 5s", "maximal_backoff_time = 10s")


@pytest.fixture
def site() -> Iterator[Site]:
    """A site whose Postfix tries again soon what was deferred."""
    assert os.geteuid() == 0, "Postfix and the filter run as different users: this wants root"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="ap-soak-", dir="/var/tmp"))
    running = Site(folder, "smtp")
    try:
        running.start()
        yield running
    finally:
        running.close()
        shutil.rmtree(folder)


class Run:
    """A soak of `site` with so many filters at once.

    ledger       who sent what, and what became of it
    disturbance  what happens meanwhile
    watch        the filters' memory
    dry          seconds that the queue took to run dry in the end
    """

    def __init__(self, site: Site, filters: int) -> None:
        self.site, self.filters = site, filters
        self.ledger = Ledger()
        self.disturbance = Disturbance(site, self.ledger, self.send)
        self.dry = 0.0
        self._done = threading.Event()

    def go(self) -> None:
        """Send for SECONDS, then let the queue run dry."""
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
        while (now := monotonic() - begun) < SECONDS:
            self._collect()
            if now - said >= BETWEEN:
                said = now
                _say(
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


@pytest.mark.parametrize("filters", [8, 32], ids=["8-filters", "32-filters"])
def test_under_load_and_all_faults_in_turn_each_mail_arrives_once_and_nothing_is_left(
    site: Site, filters: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        _say(f"\n{filters} filters at once, {SECONDS:.0f} s, in {site.folder}")
        run = Run(site, filters)
        run.go()
        found = Found(run)
        _say(found.table)
    (CHECKOUT / "build").mkdir(exist_ok=True)
    (CHECKOUT / f"build/soak-{filters}.txt").write_text(found.table + "\n")
    assert not found.wrong, "\n".join(found.wrong[:50])


class Found:
    """The judgement of a run: `table` for people, `wrong` what must not be."""

    def __init__(self, run: Run) -> None:
        site, ledger = run.site, run.ledger
        wait_for(lambda: not site.filters(), "the end of all filters")
        log = site.postfix.log()
        kept = site.quarantined()
        missing = ledger.lost(kept)
        by_filter, by_postfix = ledger.doubled()
        bounced = log.count("status=bounced")
        minute = min(60.0, SECONDS / 3)
        first, last = run.watch.memory(0, minute), run.watch.memory(SECONDS - minute, SECONDS)
        left = leftovers(USER, site.state)
        elsewhere = [
            f"{number}: doubled at {copies}, and nothing was cut then"
            for number, copies in (by_filter | by_postfix).items()
            if not any(_in(when, run.disturbance.cuts) for when in copies)
        ]
        self.wrong = [
            *ledger.wrong,
            *(f"{number}: lost ({ledger.sent[number].kind})" for number in missing if number in ledger.sent),
            *(f"{number}: arrived in part" for number in missing if number not in ledger.sent),
            *elsewhere,
            *([f"{bounced} bounced"] if bounced else []),
            *left,
            *run.disturbance.failed,
            *(
                f"memory, {what}: {before} KiB, then {after} KiB"
                for (what, times), before, after in zip(MORE_MEMORY, first, last, strict=True)
                if after > before * times
            ),
        ]
        infected = sum(one.infected for one in ledger.sent.values())
        arrived = sum(len(copies) for copies in ledger.copies.values())
        lines: list[tuple[str, object]] = [
            ("filters at once, processes seen", f"{run.filters}, {run.watch.most}"),
            ("seconds, and until the queue was dry", f"{SECONDS:.0f}, {run.dry:.0f}"),
            ("mails sent", f"{len(ledger.sent):,}"),
            ("megabytes sent", f"{ledger.bytes / 1e6:,.0f}"),
            ("mails a second", f"{len(ledger.sent) / (SECONDS + run.dry):.1f}"),
            ("not known whether sent", len(ledger.doubtful)),
            ("arrived", f"{arrived:,}"),
            ("infected, in the quarantine", f"{infected:,}, {len(kept):,}"),
            ("released, arrived", len(ledger.released)),
            *((name, number) for name, number in run.disturbance.counts.items()),
            ("deferred tries", f"{log.count('status=deferred'):,}"),
            ("bounced", bounced),
            ("lost", len(missing)),
            ("doubled at a commit that was cut", len(by_filter)),
            ("doubled by Postfix on the way to the sink", len(by_postfix)),
            ("doubled without a cut", len(elsewhere)),
            ("peak memory of a filter, first minute", _mib(first)),
            ("peak memory of a filter, last minute", _mib(last)),
            ("left behind", len(left)),
            ("wrong", len(self.wrong)),
        ]
        self.table = "\n".join(f"{name:44} {value}" for name, value in lines)


def _mib(memory: tuple[int, ...]) -> str:
    return ", ".join(
        f"{what} {peak / 1024:.1f} MiB" for (what, _), peak in zip(MORE_MEMORY, memory, strict=True)
    )


def _in(when: float, cuts: list[tuple[float, float]]) -> bool:
    return any(begun - AROUND <= when <= end + AROUND for begun, end in cuts)


def _say(line: str) -> None:
    print(line, flush=True)
