"""What a soak has come to: figures, and whether all is as it must be."""

from harness.site import USER
from harness.waiting import wait_for
from soak.run import Run
from soak.watch import leftovers

BOUNCED, DEFERRED = "status=bounced", "status=deferred"
AROUND = 3.0
"""Seconds by which the time of a cut may be off: Postfix's fields tell whole ones."""
MORE_MEMORY = (("median", 1.15), ("95 %", 1.15), ("most", 1.5))
"""How much more a filter's peak may be in the last minute than in the first. The most is that of few: a run that
reads changed settings, in a minute in which there are some, needs more than others."""


class Figures:
    """The judgement of a run that has ended: `table` for people, `wrong` what must not be."""

    def __init__(self, run: Run) -> None:
        wait_for(lambda: not run.site.filters(), "the end of all filters")
        self._run, self._ledger = run, run.ledger
        self._log = run.site.postfix.log()
        self._kept = run.site.quarantined()
        self._missing = self._ledger.lost(self._kept)
        self._by_filter, self._by_postfix = self._ledger.doubled()
        self._elsewhere = [
            f"{number}: doubled at {copies}, and nothing was cut then"
            for number, copies in (self._by_filter | self._by_postfix).items()
            if not any(_in(when, run.disturbance.cuts) for when in copies)
        ]
        minute = min(60.0, run.seconds / 3)
        self._first = run.watch.memory(0, minute)
        self._last = run.watch.memory(run.seconds - minute, run.seconds)
        self._left = leftovers(USER, run.site.state)
        self.wrong = self._wrong()
        self.table = "\n".join(f"{name:44} {value}" for name, value in self._lines())

    def _wrong(self) -> list[str]:
        sent, bounced = self._ledger.sent, self._log.count(BOUNCED)
        return [
            *self._ledger.wrong,
            *(f"{number}: lost ({sent[number].kind})" for number in self._missing if number in sent),
            *(f"{number}: arrived in part" for number in self._missing if number not in sent),
            *self._elsewhere,
            *([f"{bounced} bounced"] if bounced else []),
            *self._left,
            *self._run.disturbance.failed,
            *(
                f"memory, {what}: {before} KiB, then {after} KiB"
                for (what, times), before, after in zip(MORE_MEMORY, self._first, self._last, strict=True)
                if after > before * times
            ),
        ]

    def _lines(self) -> list[tuple[str, object]]:
        run, ledger = self._run, self._ledger
        infected = sum(one.infected for one in ledger.sent.values())
        arrived = sum(len(copies) for copies in ledger.copies.values())
        return [
            ("filters at once; processes seen", f"{run.filters}; {run.watch.most}"),
            ("seconds; until the queue was dry", f"{run.seconds:.0f}; {run.dry:.0f}"),
            ("mails sent", f"{len(ledger.sent):,}"),
            ("megabytes sent", f"{ledger.bytes / 1e6:,.0f}"),
            ("mails a second", f"{len(ledger.sent) / (run.seconds + run.dry):.1f}"),
            ("cut off at the door", f"{len(ledger.doubtful):,}"),
            ("arrived, each recipient counted", f"{arrived:,}"),
            ("infected; in the quarantine", f"{infected:,}; {len(self._kept):,}"),
            *run.disturbance.counts.items(),
            ("deferred tries", f"{self._log.count(DEFERRED):,}"),
            ("bounced", self._log.count(BOUNCED)),
            ("lost", len(self._missing)),
            ("doubled at a commit that was cut", len(self._by_filter)),
            ("doubled by Postfix on the way to the sink", len(self._by_postfix)),
            ("doubled without a cut", len(self._elsewhere)),
            ("peak memory of a filter, first minute", _mib(self._first)),
            ("peak memory of a filter, last minute", _mib(self._last)),
            ("left behind", len(self._left)),
            ("wrong", len(self.wrong)),
        ]


def _mib(memory: tuple[int, ...]) -> str:
    return ", ".join(
        f"{what} {peak / 1024:.1f} MiB" for (what, _), peak in zip(MORE_MEMORY, memory, strict=True)
    )


def _in(when: float, cuts: list[tuple[float, float]]) -> bool:
    return any(begun - AROUND <= when <= end + AROUND for begun, end in cuts)
