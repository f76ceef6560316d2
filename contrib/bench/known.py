#!/usr/bin/env python3
"""Attachments that came before: neither unpacked nor scanned again, whatever that would cost.

    python3 contrib/bench/known.py [--mails 60] [--rounds 2] [--fill 0,50000,500000]

First counts: mails with the same two attachments (corpus R) go through the filter form of this checkout,
with a real clamd behind a relay that sees what it is shown, and a second scanner, a program that burns 50 ms
of CPU for each file and writes down what it got. strace counts the processes that take something apart.

Then CPU, as side.py measures it: with no, 50,000 and 500,000 patterns (and four times as many hashes) in
clamd's database, by this checkout with and without its cache, and by others. Wants root, clamd, strace.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import chart
import corpus
import results
import servers
import side
from run import NOBODY, PYTHON, site

FILTERS = ("clamdscan", "amavisd-tuned", "amavis-pipe, no cache", "amavis-pipe, smtp")
KNOWN = 12
"""Mails that bring the attachments before CPU is measured: the first ones come at the same time."""
SEEN = 8
"""Mails that are counted one by one."""
SLOW = """\
import os, sys, time
end = time.process_time()
for name in sys.argv[2:]:
    end += 0.05
    while time.process_time() < end:
        pass
    with open(sys.argv[1], "a") as seen:
        seen.write("%d\\n" % os.stat(name).st_size)
"""
ROWS = """\
scanners = ["clamd", "slow"]
[cache]
{settled}
[[scanner]]
name = "clamd"
at = "{relay}"
conf = "{conf}"
[[scanner]]
name = "slow"
run = "{python} -I -S {program} {seen} {{files}}"
clean = [0]
infected = [1]
stamp = ["{program}"]
"""


class Count(NamedTuple):
    """What one mail cost."""

    forks: int
    clamd_bytes: int
    clamd_asked: int
    slow_files: int
    slow_bytes: int


def counts() -> list[Count]:
    """What each of the first mails cost, in their order; the first one brings the attachments."""
    found = []
    with site() as (folder, command), tempfile.TemporaryDirectory(prefix="ap-known-", dir="/var/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        scanner = servers.clamd.Clamd(place / "clamd", servers.smtp.free_port())
        scanner.start()
        relay = servers.clamd.Relay(place / "relay", scanner.socket)
        relay.open()
        try:
            program, seen = place / "slow.py", place / "seen"
            program.write_text(SLOW)
            seen.touch()
            shutil.chown(seen, NOBODY)
            values = {"settled": servers.SETTLED, "relay": relay.path, "conf": scanner.conf, "python": PYTHON}
            rows = ROWS.format(**values, program=program, seen=seen)
            settings = folder / "settings.toml"
            settings.write_text(settings.read_text().replace('scanners = ["builtin"]\n', rows))
            for mail in islice(corpus.mails("R"), SEEN):
                shown, lines = len(relay.sizes), seen.read_text().split()
                forks = _traced(command, mail, place / "trace")
                new, files = relay.sizes[shown:], seen.read_text().split()[len(lines) :]
                found.append(Count(forks, sum(new), len(new), len(files), sum(map(int, files))))
        finally:
            relay.close()
            scanner.stop()
    return found


def _traced(command: list[str], mail: bytes, trace: Path) -> int:
    """Processes that the filter forked to take something apart; programs that it started don't count."""
    words = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=clone,clone3,fork,vfork,execve"]
    setpriv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = subprocess.run([*words, *setpriv, *command], input=mail, capture_output=True, check=False)
    if done.returncode or not done.stdout.startswith(b"passed clean"):
        raise SystemExit(f"status {done.returncode}: {done.stdout + done.stderr!r}")
    # neither a thread nor what becomes another program at once
    return sum(
        ("clone" in line or "fork(" in line)
        and not any(word in line for word in ("CLONE_THREAD", "CLONE_VFORK", "resumed"))
        for line in trace.read_text().splitlines()
    )


def costs(fill: int, mails: int, rounds: int) -> list[side.Row]:
    """CPU for a mail of corpus R with so many signatures, by each filter that is there."""
    with servers.servers(FILTERS, fill=fill) as there:
        side.prove(there)
        rows = [
            side.measured(there, name, "R", mails, turn, KNOWN)
            for turn in range(rounds)
            for name in there.doors
        ]
    return [row | {"fill": fill} for row in rows]


def main(words: Sequence[str]) -> None:
    """Count, measure, print, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mails", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--fill", default="0,50000,500000")
    asked = parser.parse_args(words)
    counted = counts()
    fills = [int(word) for word in asked.fill.split(",")]
    rows = [row for fill in fills for row in costs(fill, asked.mails, asked.rounds)]
    heads = [
        "mail",
        "decoders' processes",
        "bytes to clamd",
        "in pieces",
        "files to the second",
        "their bytes",
    ]
    lines = [[f"{place}", *one] for place, one in enumerate(counted, 1)]
    texts = ["Corpus R: each mail has the same two attachments.", results.table(heads, lines)]
    names = list(dict.fromkeys(row["filter"] for row in rows))
    for what, title in (
        ("scanner", "clamd's CPU, ms for a mail"),
        ("", "CPU of the whole system, ms for a mail"),
    ):
        table = [[name, *(f"{_middle(rows, name, fill, what):.2f}" for fill in fills)] for name in names]
        texts.append(results.table([f"{title}; patterns:", *(f"{fill:,}" for fill in fills)], table))
    command = " ".join(["contrib/bench/known.py", *words])
    results.write("known", command, texts, {"counts": [one._asdict() for one in counted], "rows": rows})
    series = {name: [_middle(rows, name, fill, "") for fill in fills] for name in names}
    labels = [f"{fill:,}" for fill in fills]
    title = "Known attachments: CPU of the whole system for a mail, by the size of clamd's database"
    chart.bars(results.FOLDER / "known.svg", title, labels, series, "ms")


def _middle(rows: list[side.Row], name: str, fill: int, what: str) -> Any:
    found = [row for row in rows if (row["filter"], row["fill"]) == (name, fill)]
    return statistics.median(row["of"][what] if what else row["cpu_ms"] for row in found)


if __name__ == "__main__":
    main(sys.argv[1:])
