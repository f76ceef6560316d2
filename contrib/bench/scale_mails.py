"""What a mail costs by its size and by how many parts it has, and how many at once; a part of scale.py."""

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import chart
import corpus
import memory
import results
from run import BARE, NOBODY, cost, forget, site

SIZES = {"1 KB": 10**3, "10 KB": 10**4, "100 KB": 10**5, "1 MB": 10**6, "10 MB": 10**7, "100 MB": 10**8}
PARTS = (1, 10, 50, 100, 250, 500, 1000, 1490)
"""With what holds them together a mail has 1,500, as many as limits.files allows."""
CROWDS = (1, 2, 4, 8, 16, 32)
TURNS = {1000: 9, 10**7: 5, 10**9: 3}
"""Runs of mails up to so many bytes."""


def sizes() -> None:
    """CPU and memory of mails of 1 KB to 100 MB: text, an attachment, a zip."""
    kinds: dict[str, Callable[[int], bytes]] = {
        "text": memory.plain,
        "attachment": lambda size: memory.attached(size, packed=False),
        "zip": lambda size: memory.attached(size, packed=True),
    }
    rows = []
    with site() as (folder, command):
        cost(command, memory.plain(1000))  # makes the snapshot of the settings
        for label, size in SIZES.items():
            for kind, make in kinds.items():
                results.progress(f"{kind}, {label}")
                mail = make(size)
                turns = next(turns for most, turns in TURNS.items() if len(mail) <= most * 10)
                ms, bare = _over_bare(folder, command, mail, turns)
                peak = max(memory.fresh(folder, command, mail)[0] for _ in range(2))
                rows.append(
                    {"size": label, "kind": kind, "bytes": len(mail), "ms": ms, "bare_ms": bare, "mb": peak}
                )
                _emptied(folder)
        _unlimited(folder)
    fixed = {row["kind"]: row["ms"] for row in rows if row["size"] == next(iter(SIZES))}
    lines = [
        [
            row["size"],
            row["kind"],
            f"{row['ms']:.1f}",
            f"{row['ms'] / row['bare_ms']:.2f}",
            f"{(row['ms'] - fixed[row['kind']]) / row['bytes'] * 1e6:.1f}" if row["bytes"] > 50_000 else "",
            f"{row['mb']:.1f}",
        ]
        for row in rows
    ]
    head = ["size", "kind", "CPU ms", "of an interpreter", "ms for a MB, over 1 KB's", "RssAnon MB"]
    note = "New mail, built-in scanner, into a folder; medians, each run followed by a bare interpreter."
    text = results.table(head, lines)
    results.write("scale-sizes", "contrib/bench/scale.py sizes", [note, text], {"rows": rows})
    for what, unit, title in (
        ("ms", "ms", "CPU of the filter by the mail's size"),
        ("mb", "MB", "Memory of the filter by the mail's size (RssAnon, parent and child)"),
    ):
        series = {kind: [row[what] for row in rows if row["kind"] == kind] for kind in kinds}
        name = "scale-sizes.svg" if what == "ms" else "scale-memory.svg"
        chart.lines(results.FOLDER / name, title, list(SIZES), series, unit, "size of the mail", what == "ms")


def parts() -> None:
    """CPU of mails of 1 to 1,490 attachments, and of a zip with as many files."""
    kinds = {"attachments": attachments, "files in a zip": packed}
    rows = []
    with site() as (folder, command):
        cost(command, memory.plain(1000))
        for number in PARTS:
            for kind, make in kinds.items():
                results.progress(f"{number} {kind}")
                mails = make(number)
                ms, bare = _over_bare(folder, command, mails, 7)
                rows.append({"parts": number, "kind": kind, "ms": ms, "bare_ms": bare})
                _emptied(folder)
        _unlimited(folder)
    first = {kind: next(row["ms"] for row in rows if row["kind"] == kind) for kind in kinds}
    lines = [
        [
            row["parts"],
            row["kind"],
            f"{row['ms']:.1f}",
            f"{row['ms'] / row['bare_ms']:.2f}",
            f"{(row['ms'] - first[row['kind']]) * 1000 / (row['parts'] - 1):.0f}" if row["parts"] > 1 else "",
        ]
        for row in rows
    ]
    head = ["parts", "kind", "CPU ms", "of an interpreter", "us for each further part"]
    text = results.table(head, lines)
    note = "New mail, parts of 700 bytes, built-in scanner, into a folder; medians."
    results.write("scale-parts", "contrib/bench/scale.py parts", [note, text], {"rows": rows})
    series = {kind: [row["ms"] for row in rows if row["kind"] == kind] for kind in kinds}
    labels = [str(number) for number in PARTS]
    chart.lines(
        results.FOLDER / "scale-parts.svg",
        "CPU of the filter by the number of parts",
        labels,
        series,
        "ms",
        "parts",
    )


def attachments(number: int) -> bytes:
    """A mail with so many attachments."""
    chance = random.Random(number)  # noqa: S311 - the same each time
    mail = corpus.headed(chance, number, "parts")
    mail.set_content("parts\n")
    for turn in range(number):
        corpus.attach(mail, corpus.text(chance, 700).encode(), "octet-stream", f"file{turn}.txt")
    return corpus.finished(mail, chance)


def packed(number: int) -> bytes:
    """A mail with a zip of so many files."""
    chance = random.Random(number)  # noqa: S311 - the same each time
    mail = corpus.headed(chance, number, "packed")
    mail.set_content("parts\n")
    files = [(f"file{turn}.txt", corpus.text(chance, 700).encode()) for turn in range(number)]
    corpus.attach(mail, corpus.zipped(files), "zip", "files.zip")
    return corpus.finished(mail, chance)


def filters(mails: int = 96) -> None:
    """1 to 32 filters at once: CPU of one mail, and mails a second, without Postfix and a real scanner."""
    rows = []
    with site() as (folder, command):
        cost(command, memory.plain(1000))
        bare = statistics.median(cost(BARE, b"") for _ in range(15))
        for crowd in CROWDS:
            results.progress(f"{crowd} filters at once")
            ms, rate = _crowd(command, crowd, mails)
            rows.append({"filters": crowd, "ms": ms, "rate": rate, "bare_ms": bare})
            _emptied(folder)
        _unlimited(folder)
    lines = [
        [row["filters"], f"{row['ms']:.1f}", f"{row['ms'] / rows[0]['ms']:.2f}", f"{row['rate']:.1f}"]
        for row in rows
    ]
    text = results.table(["filters at once", "CPU ms", "of one alone", "mails/s"], lines)
    note = f"{mails} plain mails, {os.cpu_count()} processors, built-in scanner, into a folder."
    results.write("scale-filters", "contrib/bench/scale.py filters", [note, text], {"rows": rows})
    labels = [str(crowd) for crowd in CROWDS]
    series = {
        "CPU of one mail, ms": [row["ms"] for row in rows],
        "mails a second": [row["rate"] for row in rows],
    }
    chart.lines(
        results.FOLDER / "scale-filters.svg", "Filters at once", labels, series, "", "filters at once"
    )


def _crowd(command: list[str], crowd: int, mails: int) -> tuple[float, float]:
    """CPU ms of one mail, and mails a second, of so many filters at once until all mails are through."""
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    running: dict[int, subprocess.Popen[bytes]] = {}
    spent, begun = 0.0, perf_counter()
    left: Iterator[bytes] = (corpus_mail for corpus_mail in _small(mails, crowd))
    for _ in range(mails + crowd):
        mail = next(left, None) if len(running) < crowd else None
        while mail is not None:
            started = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LANG": "C"},
                **user,
            )
            assert started.stdin
            started.stdin.write(mail)
            started.stdin.close()
            running[started.pid] = started
            mail = next(left, None) if len(running) < crowd else None
        if not running:
            break
        pid, status, used = os.wait3(0)
        running.pop(pid).returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise SystemExit(f"status {status}")
        spent += used.ru_utime + used.ru_stime
    return spent * 1000 / mails, mails / (perf_counter() - begun)


def _small(mails: int, seed: int) -> Iterator[bytes]:
    made = corpus.mails("S", seed)
    for _ in range(mails):
        yield next(made)


def _over_bare(folder: Path, command: list[str], mail: bytes, turns: int) -> tuple[float, float]:
    """Medians of CPU ms: of the filter at a mail that it never saw, and of a bare interpreter."""
    ours, bare = [], []
    for _ in range(turns):
        forget(folder, command)
        ours.append(cost(command, mail))
        bare += [cost(BARE, b"") for _ in range(3)]
    return statistics.median(ours), statistics.median(bare)


def _emptied(folder: Path) -> None:
    for sent in (folder / "out").iterdir():
        sent.unlink()


def _unlimited(folder: Path) -> None:
    """SystemExit if a mail met a limit, so that less was done than was to be measured."""
    for path in (folder / "state/journal").iterdir():
        for line in path.open():
            record = json.loads(line)
            if record["limits"]["hit"] or record["verdict"] != "clean":
                raise SystemExit(f"{record['verdict']}: {record['limits']} {record['findings'][:1]}")
