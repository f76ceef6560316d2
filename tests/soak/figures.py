"""What a soak has come to: figures, and whether all is as it must be."""

from harness.site import USER
from harness.waiting import wait_for
from soak.run import Run
from soak.watch import leftovers

AROUND = 3.0
"""Seconds by which the time of a cut may be off: Postfix's fields tell whole ones."""
MORE_MEMORY = (("median", 1.15), ("95 %", 1.15), ("most", 1.5))
"""How much more a filter's peak may be in the last minute than in the first. The most is that of few: a run that
reads changed settings, in a minute in which there are some, needs more than others."""


class Figures:
    """The judgement of a run that has ended: `table` for people, `wrong` what must not be."""

    def __init__(self, run: Run) -> None:
        site, ledger = run.site, run.ledger
        wait_for(lambda: not site.filters(), "the end of all filters")
        log = site.postfix.log()
        kept = site.quarantined()
        missing = ledger.lost(kept)
        by_filter, by_postfix = ledger.doubled()
        bounced = log.count("status=bounced")
        minute = min(60.0, run.seconds / 3)
        first, last = run.watch.memory(0, minute), run.watch.memory(run.seconds - minute, run.seconds)
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
            ("seconds, and until the queue was dry", f"{run.seconds:.0f}, {run.dry:.0f}"),
            ("mails sent", f"{len(ledger.sent):,}"),
            ("megabytes sent", f"{ledger.bytes / 1e6:,.0f}"),
            ("mails a second", f"{len(ledger.sent) / (run.seconds + run.dry):.1f}"),
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
