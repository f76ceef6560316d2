"""Cache and journal as they grow, and many processes at them at once; a part of scale.py."""

import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time, time

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "tests")]

import chart  # noqa: E402
import results  # noqa: E402
from run import PYTHON, installed  # noqa: E402
from stand_in import journals  # noqa: E402
from stores import ROOM, key_of, on_disk, payload_of  # noqa: E402

from amavis_pipe import history  # noqa: E402
from amavis_pipe.cache import PREVIOUS, Cache, digest  # noqa: E402
from amavis_pipe.journal import append  # noqa: E402

SIZES = (10_000, 100_000, 1_000_000)
CROWDS = (1, 2, 4, 8, 16, 32)
TURNS, BATCH, COUNTED = 9, 100, 100
"""Little enough that what is looked for, of the last quarter, is not moved out by what is put."""
RECORDS = 5
"""Appended records are that many different ones."""
OPS = """
import sys
sys.path.insert(0, {package!r})
from amavis_pipe.cache import Cache, digest
store = Cache({folder!r}, 7, {size})
keys = [digest(b"%d" % number) for number in {numbers!r}]
for key in keys[:{counted}]:
    {what}
import posix
posix._exit(0)
"""
WHAT = {
    "hit": "assert store.get(key)",
    "miss": "store.get(key[::-1])",
    "put": "store.put(key[::-1], bytes(150))",
}


@contextmanager
def folders(what: str) -> Iterator[Path]:
    """A new folder on disk, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"amavis-pipe-{what}-", dir="/var/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def cache() -> None:
    """Lookups, puts, a prune, and the place on disk, at each size: processor time, and instructions."""
    with folders("cache") as folder:
        package = folder / "package"
        package.mkdir()
        installed(package)
        stores = {}
        for entries in SIZES:
            results.progress(f"cache: {entries:,} entries")
            place = folder / str(entries)
            place.mkdir()
            stores[entries] = store = Cache(os.fsencode(place), 7, entries * ROOM)
            for number in range(entries):
                key = key_of(number)
                store.put(key, payload_of(key))
        disk = {entries: on_disk(folder / str(entries)) for entries in SIZES}
        times = _interleaved(stores)
        counts = {
            (entries, what): _instructions(package, folder / str(entries), entries, what)
            for entries in SIZES
            for what in WHAT
        }
        pruned = {entries: _pruned(folder / str(entries)) for entries in SIZES}
    lines, rows = [], []
    for entries in SIZES:
        row = {
            "entries": entries,
            "cpu_us": {what: times[entries, what] for what in WHAT},
            "instructions": {what: counts[entries, what] for what in WHAT},
            "bytes_per_entry": disk[entries][0] / entries,
            "files": disk[entries][1],
            "prune_ms": pruned[entries],
        }
        rows.append(row)
        told = [
            f"{times[entries, what]:.1f} ({times[entries, what] / times[SIZES[0], what]:.2f})"
            for what in WHAT
        ]
        told += [f"{counts[entries, what]:,}" for what in WHAT]
        lines.append(
            [
                f"{entries:,}",
                *told,
                f"{row['bytes_per_entry']:.0f}",
                disk[entries][1],
                f"{pruned[entries]:.1f}",
            ]
        )
    head = ["entries", *(f"{what} us" for what in WHAT), *(f"{what} instr." for what in WHAT)]
    text = results.table([*head, "bytes each", "files", "prune half ms"], lines)
    note = (
        "CPU time, medians taken in turn; in brackets the ratio to the first row. Instructions by valgrind."
    )
    results.write("scale-cache", "contrib/bench/scale.py cache", [note, text], {"rows": rows})
    labels = [f"{entries:,}" for entries in SIZES]
    series = {what: [times[entries, what] for entries in SIZES] for what in WHAT}
    chart.lines(results.FOLDER / "scale-cache.svg", "The cache as it grows", labels, series, "µs", "entries")


def _interleaved(stores: dict[int, Cache]) -> dict[tuple[int, str], float]:
    """Microseconds of CPU of a hit, a miss, a put; one size after the other, again and again."""
    chance = random.Random(1)  # noqa: S311 - the same each time
    found: dict[tuple[int, str], list[float]] = {(size, what): [] for size in stores for what in WHAT}
    for turn in range(TURNS):
        for entries, store in stores.items():
            known = [key_of(chance.randrange(entries * 3 // 4, entries)) for _ in range(BATCH)]
            new = [digest(b"%d %d" % (turn, number)) for number in range(BATCH)]
            work: dict[str, Callable[[], object]] = {
                "hit": lambda store=store, keys=known: [store.get(key) for key in keys],
                "miss": lambda store=store, keys=new: [store.get(key) for key in keys],
                "put": lambda store=store, keys=new: [store.put(key, payload_of(key)) for key in keys],
            }
            for what, do in work.items():
                begun = process_time()
                do()
                found[entries, what].append((process_time() - begun) * 1e6 / BATCH)
    return {what: statistics.median(one) for what, one in found.items()}


def _instructions(package: Path, folder: Path, entries: int, what: str) -> int:
    """Of one operation: the difference of doing it COUNTED times and not at all."""
    chance = random.Random(2)  # noqa: S311 - the same each time
    numbers = [chance.randrange(entries * 3 // 4, entries) for _ in range(COUNTED)]
    totals = []
    for counted in (COUNTED, 0):
        code = OPS.format(
            package=str(package),
            folder=os.fsencode(folder),
            size=entries * ROOM,
            numbers=numbers,
            counted=counted,
            what=WHAT[what],
        )
        words = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            PYTHON,
            "-I",
            "-S",
            "-c",
            code,
        ]
        done = subprocess.run(words, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
        told = re.search(rb"Collected : (\d+)", done.stderr)
        assert told, done.stderr
        totals.append(int(told[1]))
    return (totals[0] - totals[1]) // COUNTED


def _pruned(folder: Path) -> float:
    """Milliseconds in which the older half goes."""
    begun = process_time()
    os.unlink(os.fsencode(folder) + PREVIOUS)
    return (process_time() - begun) * 1000


def journal() -> None:
    """Appending, folding, finding, and the place on disk, at each size."""
    rows = []
    for records in SIZES:
        results.progress(f"journal: {records:,} records")
        with folders("journal") as folder:
            rows.append(_journal_of(folder, records))
    lines = [
        [
            f"{row['records']:,}",
            *(
                f"{row[what]:.0f} ({row[what] / rows[0][what]:.2f})"
                for what in ("append_us", "fold_us", "find_us")
            ),
            *(f"{row[what]:,.0f}" for what in ("raw_bytes", "kept_bytes", "fold_mb")),
        ]
        for row in rows
    ]
    head = ["records", "append us", "fold us each", "find us"]
    head += ["bytes each, a day old at most", "folded", "fold MB"]
    note = "CPU time; in brackets the ratio to the first row."
    text = results.table(head, lines)
    results.write("scale-journal", "contrib/bench/scale.py journal", [note, text], {"rows": rows})
    labels = [f"{row['records']:,}" for row in rows]
    series = {what: [row[f"{what}_us"] for row in rows] for what in ("append", "fold", "find")}
    chart.lines(
        results.FOLDER / "scale-journal.svg", "The journal as it grows", labels, series, "µs", "records", True
    )


def _journal_of(folder: Path, records: int) -> dict[str, float]:
    state, days = os.fsencode(folder), folder / "journal"
    days.mkdir()
    journals.write(days, records, time(), 6.9)
    for path in days.iterdir():
        path.chmod(0o600)
        os.utime(path, (time() - 7200, time() - 7200))
    raw = on_disk(folder)[0] / records
    seconds, memory = _in_child(lambda: history.fold(state, 30, 1 << 50))
    kept = on_disk(folder)[0] / records
    new = [json.dumps(journals.record(records + number, time())) for number in range(RECORDS)]
    appended = _each(lambda turn: append(os.fsencode(days), new[turn % RECORDS]), 1000)
    chance = random.Random(3)  # noqa: S311 - the same each time
    ids = [journals.record(chance.randrange(records), 0.0)["id"] for _ in range(100)]
    found = _each(lambda turn: history.find(state, ids[turn]), len(ids))
    return {
        "records": records,
        "append_us": appended,
        "fold_us": seconds * 1e6 / records,
        "find_us": found,
        "raw_bytes": raw,
        "kept_bytes": kept,
        "fold_mb": memory / 1024,
    }


def _each(work: Callable[[int], object], times: int) -> float:
    """Microseconds of CPU of doing it once, the median."""
    found = []
    for turn in range(times):
        begun = process_time()
        work(turn)
        found.append((process_time() - begun) * 1e6)
    return statistics.median(found)


def _in_child(work: Callable[[], object]) -> tuple[float, int]:
    """Seconds of CPU and the most KiB of memory, of doing it in a process of its own."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"a process ended with status {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss


def crowd(puts: int = 2000) -> None:
    """One cache and one journal, and 1 to 32 processes that look up, put and append at the same time."""
    rows = []
    for processes in CROWDS:
        results.progress(f"{processes} processes at once")
        with folders("crowd") as folder:
            for name in ("cache", "journal"):
                (folder / name).mkdir()
            store = Cache(os.fsencode(folder / "cache"), 7, 100_000 * ROOM)
            days, line = os.fsencode(folder / "journal"), json.dumps(journals.record(1, time()))
            work: dict[str, Callable[[bytes], object]] = {
                "look up and put": lambda key, store=store: store.get(key) or store.put(key, payload_of(key)),
                "append": lambda _, line=line, days=days: append(days, line),
            }
            row: dict[str, float] = {"processes": processes}
            for what, do in work.items():
                row[f"{what}, us"], row[f"{what}, /s"] = _together(processes, puts, do)
            wanted = processes * puts
            lost = sum(
                store.get(digest(b"%d %d" % (who, n))) is None
                for who in range(processes)
                for n in range(puts)
            )
            # an empty line comes of two that saw a third's record half written, and is for readers to skip
            written = [path.read_bytes().split(b"\n") for path in (folder / "journal").iterdir()]
            whole = sum(bool(json.loads(one)) for file in written for one in file if one)
            if whole != wanted:
                raise SystemExit(f"journal: {whole} records of {wanted}")
            rows.append(row | {"lost": lost})
    names = [name for name in rows[0] if name != "processes"]
    lines = [
        [
            row["processes"],
            *(f"{row[name]:,.0f}" if "us" not in name else f"{row[name]:.1f}" for name in names),
        ]
        for row in rows
    ]
    note = (
        "CPU time of one operation, and all together in a second; records are all there and whole; "
        "lost: cache entries that two processes put at the same place."
    )
    text = results.table(["processes", *names], lines)
    results.write("scale-crowd", "contrib/bench/scale.py crowd", [note, text], {"rows": rows})
    series = {what: [row[f"{what}, us"] for row in rows] for what in ("look up and put", "append")}
    labels = [str(processes) for processes in CROWDS]
    title = "Many processes at one cache and one journal: CPU time of an operation"
    chart.lines(results.FOLDER / "scale-crowd.svg", title, labels, series, "µs", "processes at once")


def _together(processes: int, times: int, work: Callable[[bytes], object]) -> tuple[float, float]:
    """Microseconds of CPU of one operation, and operations a second, of all processes at once."""
    context = get_context("fork")
    gate = context.Barrier(processes)
    cpu, begun, ended = (context.Array("d", processes) for _ in range(3))

    def one(who: int) -> None:
        keys = [digest(b"%d %d" % (who, number)) for number in range(times)]
        gate.wait()
        begun[who], start = perf_counter(), process_time()
        for key in keys:
            work(key)
        cpu[who], ended[who] = process_time() - start, perf_counter()

    children = [context.Process(target=one, args=(who,)) for who in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    done = processes * times
    return sum(cpu) * 1e6 / done, done / (max(ended) - min(begun))
