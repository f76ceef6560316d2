#!/usr/bin/env python3
"""Filters side by side, through a real Postfix: CPU time of the system for a mail, mails a second, memory.

    python3 contrib/bench/side.py [--mails 120] [--rounds 3] [--corpora SMARD] [--filters A;B] [--below DIR]

Root and Debian's postfix, clamav-daemon and clamav-testfiles are wanted; amavisd-new, libfile-libmagic-perl
and clamdscan are measured where they are installed. A private Postfix (127.0.0.1, high ports, in memory)
takes mail at one door for each filter, and gives it on to smtp-sink:

none       no filter at all
shell      the script of Postfix's FILTER_README: cat, sendmail
py-spawn   the least that Python can do: read the mail, start sendmail
clamdscan  the script, with clamdscan --fdpass in it
amavisd    Debian's settings; "tuned" has zip and kinds of files in the process, "nodec" takes nothing apart
ours       this checkout with its defaults, mail given back by sendmail or by smtp

CPU is what Postfix, filter and clamd used together, by control groups; who sends and who receives is left
out. Caches are empty when a corpus (corpus.py) begins, clamd's too: each filter sees mails of the same shapes
and sizes, with contents of their own. The order turns from round to round; figures are medians of the rounds.
Memory is what is not a file's, of a filter with all processes below it; pages that several share are counted
once. First each filter that scans must keep a virus back and let another mail pass, and of all mails every
one must arrive.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import account
import chart
import corpus
import load
import results
import servers

CONNECTIONS, WARM, WATCHED = 8, 12, 16
IDLE = 2.2
"""Seconds after which Postfix lets go of a daemon's children that it keeps connections to (2 s)."""
FLOOR, PEER = "py-spawn", "amavisd-tuned"
GOALS = {
    ("amavis-pipe, sendmail", FLOOR): {"S": 1.10, "M": 1.30, "A": 1.6, "R": 1.2, "D": 1.05},
    ("amavis-pipe, smtp", PEER): {"S": 0.90, "M": 0.90, "A": 0.40, "R": 0.75, "D": 0.80},
}
"""CPU of the first over that of the second, at most."""
Row = dict[str, Any]


def main(words: Sequence[str]) -> None:
    """Measure, print, keep."""
    asked = _asked(words)
    kinds = list(asked.corpora)
    with servers.servers(asked.filters.split(";"), asked.below) as there:
        prove(there)
        rows = [
            measured(there, name, kind, asked.mails, number)
            for number in range(asked.rounds)
            for kind in kinds
            for name in (list(there.doors) if number % 2 == 0 else list(there.doors)[::-1])
        ]
        for name in there.doors:
            for kind in kinds:
                peak = memory(there, name, kind)
                next(row for row in rows if row["filter"] == name and row["corpus"] == kind)["memory_mb"] = (
                    peak
                )
        absent = dict(there.absent)
    texts = report(rows, kinds, absent)
    command = " ".join(["contrib/bench/side.py", *words])
    results.write("side", command, texts, {"absent": absent, "rows": rows})
    draw(rows, kinds)


def prove(there: servers.Servers) -> None:
    """See that what is measured does what it is measured for; SystemExit if not."""
    clean = next(corpus.mails("S", 2))
    for name, door in there.doors.items():
        before = there.sink.count
        load.push(door.port, [corpus.infected(), clean], 1)
        wanted = before + (1 if name in servers.SCANNING else 2)
        arrived = there.sink.wait(wanted)
        there.rest()
        if not arrived or there.sink.wait(wanted + 1, 0.3):
            log = "\n".join(there.postfix.log().splitlines()[-20:])
            raise SystemExit(f"{name}: a virus passed, or a mail did not arrive\n{log}")


def measured(  # noqa: PLR0913, PLR0917
    there: servers.Servers, name: str, kind: str, wanted: int, number: int, known: int = 0
) -> Row:
    """One filter, so many mails of one corpus, one time; so many others of it came before."""
    made = corpus.mails(kind, salt=f"{name} {number}")
    before_them, mails = list(islice(made, known)), list(islice(made, wanted))
    pushed(there, name, list(islice(corpus.mails(kind, salt=f"warm {name} {number}"), WARM)))
    there.forget()
    if before_them:
        pushed(there, name, before_them)
    if there.doors[name].daemon:
        time.sleep(IDLE)
    before = there.used()
    seconds = pushed(there, name, mails)
    cpu = {what: (now - before[what]) / len(mails) for what, now in there.used().items()}
    row = {"filter": name, "corpus": kind, "round": number, "cpu_ms": sum(cpu.values()), "of": cpu}
    row["rate"] = len(mails) / seconds
    results.progress(f"{number} {kind} {name:<22} {row['cpu_ms']:7.2f} ms {row['rate']:7.1f}/s")
    return row


def pushed(there: servers.Servers, name: str, mails: list[bytes]) -> float:
    """Send the mails through a filter; seconds until the last one came out."""
    wanted = there.sink.count + len(mails)
    begun = load.push(there.doors[name].port, mails, CONNECTIONS)
    if not there.sink.wait(wanted):
        raise SystemExit(f"{name}: {wanted - there.sink.count} mails did not arrive")
    seconds = time.monotonic() - begun
    there.rest()
    return seconds


def memory(there: servers.Servers, name: str, kind: str) -> float | None:
    """MB at the most, as above; None without a filter."""
    if name == "none":
        return None
    daemon = there.doors[name].daemon
    group = there.daemons if daemon else there.mail
    there.forget()
    mails = list(islice(corpus.mails(kind, salt=f"memory {name}"), WATCHED))
    with account.Watch(group, servers.user_of(name), daemon) as watch:
        pushed(there, name, mails)
    return watch.peak / 1024


def report(rows: list[Row], kinds: list[str], absent: dict[str, str]) -> list[str]:
    """The tables."""
    names = list(dict.fromkeys(row["filter"] for row in rows))
    runs = len({row["round"] for row in rows})
    texts = [f"{runs} rounds; the median of each. A shared machine: only ratios within one run hold."]
    texts += [f"{name}: left out, {why}" for name, why in absent.items()]
    for what, title, form in (
        ("cpu_ms", "CPU of the whole system, ms for a mail", "{:.2f}"),
        ("rate", "mails a second", "{:.1f}"),
        ("memory_mb", "memory at the most, MB", "{:.1f}"),
    ):
        lines = [
            [
                name,
                *(
                    "" if (one := middle(rows, name, kind, what)) is None else form.format(one)
                    for kind in kinds
                ),
            ]
            for name in names
        ]
        texts.append(results.table([title, *kinds], lines))
    ratios = []
    for (ours, other), most in GOALS.items():
        if {ours, other} <= set(names):
            for what, kind_of in (("cpu_ms", "CPU"), ("rate", "mails a second")):
                found = [middle(rows, ours, kind, what) / middle(rows, other, kind, what) for kind in kinds]
                ratios.append([f"{kind_of}: {ours} / {other}", *(f"{one:.2f}" for one in found)])
                if what == "cpu_ms":
                    ratios.append(["  goal, at most", *(f"{most[kind]:.2f}" for kind in kinds)])
    if ratios:
        texts.append(results.table(["ratios", *kinds], ratios))
    split = [
        [
            f"{name}, {kind}",
            *(
                f"{statistics.median(row['of'][who] for row in _of(rows, name, kind)):.2f}"
                for who in rows[0]["of"]
            ),
        ]
        for name in names
        for kind in kinds
    ]
    texts.append(results.table(["whose CPU, ms for a mail", "Postfix, filter", "clamd", "daemon"], split))
    return texts


def middle(rows: list[Row], name: str, kind: str, what: str) -> Any:
    """The median of a filter's rounds; None if there is none."""
    found = [row[what] for row in _of(rows, name, kind) if row.get(what) is not None]
    return statistics.median(found) if found else None


def draw(rows: list[Row], kinds: list[str]) -> None:
    """The chart: a group for each filter, a bar for each corpus."""
    names = list(dict.fromkeys(row["filter"] for row in rows))
    for what, file, title, unit in (
        ("cpu_ms", "side", "CPU of the whole system for a mail", "ms"),
        ("rate", "side-rate", "Mails a second", "mails/s"),
    ):
        series = {kind: [middle(rows, name, kind, what) for name in names] for kind in kinds}
        chart.bars(results.FOLDER / f"{file}.svg", title, names, series, unit)


def _of(rows: list[Row], name: str, kind: str) -> list[Row]:
    return [row for row in rows if (row["filter"], row["corpus"]) == (name, kind)]


def _asked(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mails", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corpora", default=corpus.CORPORA)
    parser.add_argument("--filters", default=";".join(servers.FILTERS), help="joined by semicolons")
    parser.add_argument("--below", default="", help="where the private servers live; default /dev/shm")
    return parser.parse_args(words)


if __name__ == "__main__":
    main(sys.argv[1:])
