#!/usr/bin/env python3
"""What the cache's store costs and survives: amavis_pipe.cache against plain files, SQLite and LMDB.

    /usr/bin/python3 contrib/bench/stores.py [--entries 10000,100000,1000000] [STORE...]

Stores: shelf (this checkout's cache.py), files, sqlite, lmdb (if it can be imported; PYTHONPATH may say
from where). Entries are as the filter makes them: most of 60 to 300 bytes, some of 1 to 4 KB. The first
half of them is put as older than the cache keeps, and prune removes that half. Root also fills a small
disk. With a million plain files it takes six minutes and more, and 5 GB below /var/tmp; half a minute
without. Progress goes to stderr.
"""

import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
sys.path[:0] = [str(CHECKOUT), str(Path(__file__).parent)]

from kept import Files, Lmdb, Sqlite  # noqa: E402

from amavis_pipe.cache import PREVIOUS, Cache, digest  # noqa: E402

STORES: "dict[str, Any]" = {"shelf": Cache, "files": Files, "sqlite": Sqlite, "lmdb": Lmdb}
ROOM = 700
"""Bytes of cache for an entry, so that two generations of the shelf hold all."""
DAYS, OLD = 7, 8 * 86400
RUNS, LOOKUPS, WRITERS, PUTS, KILLS, WOUNDS = 40, 3000, 32, 300, 20, 60
RIGHT, WRONG, RAISED, STUCK = 0, 1, 2, 3
ONE_MAIL = """
import posix, sys
sys.path[:0] = {paths!r}
from {module} import {name}
from _blake2 import blake2b
store = {name}({folder!r}, 7, {size})
key = lambda number: blake2b(b"{kind} %d" % number, digest_size=20).digest()
if {known}:
    assert store.get(key(3))
else:
    assert store.get(key(1)) is store.get(key(2)) is None
    assert store.put(key(1), bytes(120)) and store.put(key(2), bytes(120)) and store.put(key(3), bytes(2000))
posix._exit(0)
"""


class Site(NamedTuple):
    """One store in a folder of its own."""

    name: str
    folder: Path
    size: int

    def opened(self) -> Any:
        """The store, opened."""
        return STORES[self.name](os.fsencode(self.folder), DAYS, self.size)

    def fill(self, entries: int) -> int:
        """Put entries into it."""
        store = self.opened()
        for number in range(entries):
            key = key_of(number)
            store.put(key, payload_of(key))
        return RIGHT


def key_of(number: int) -> bytes:
    """The key of an entry."""
    return digest(b"%d" % number)


def payload_of(key: bytes) -> bytes:
    """The payload that belongs to a key and to no other."""
    size = int.from_bytes(key[12:16], "big")
    size = 60 + size % 241 if key[16] < 218 else 1000 + size % 3001
    return (key * (size // len(key) + 1))[:size]


@contextmanager
def site(name: str, entries: int, filled: int = 0, base: str = "/var/tmp") -> Iterator[Site]:  # noqa: S108 - a name is made
    """A store for so many entries, with `filled` of them in it."""
    folder = Path(tempfile.mkdtemp(prefix="amavis-pipe-stores-", dir=base))
    try:
        made = Site(name, folder, max(entries * ROOM, 1 << 20))
        # in a child, since LMDB can't be opened on both sides of a fork
        if in_child(lambda: made.fill(filled)) != RIGHT:
            raise SystemExit(f"{name}: can't be filled")
        yield made
    finally:
        shutil.rmtree(folder)


def on_disk(folder: Path) -> tuple[int, int]:
    """Bytes and inodes below a folder."""
    found = [path.lstat() for path in folder.rglob("*")]
    return sum(one.st_blocks * 512 for one in found), len(found)


def lookups(store: Any, entries: int) -> tuple[float, float]:
    """Microseconds of one lookup that hits, and of one that does not; medians, all in memory."""
    chance = random.Random(1)  # noqa: S311 - no secret
    hits, misses = [], []
    for turn in range(LOOKUPS):
        for times, key in (
            (hits, key_of(chance.randrange(entries // 2, entries))),
            (misses, key_of(entries + turn)),
        ):
            begun = perf_counter()
            store.get(key)
            times.append((perf_counter() - begun) * 1e6)
    return statistics.median(hits), statistics.median(misses)


def at_size(name: str, entries: int) -> list[str]:
    """Time of a put, lookups, place on disk, time of pruning one half: the columns of a row."""
    with site(name, entries) as here:
        store, times = here.opened(), []
        for number in range(entries):
            key = key_of(number)
            payload, begun = payload_of(key), perf_counter()
            # the shelf goes by generations: its older half is what is in the previous one
            store.put(key, payload, 0 if name == "shelf" or number >= entries // 2 else OLD)
            times.append(perf_counter() - begun)
        put = statistics.median(times[entries // 2 :]) * 1e6
        hit, miss = lookups(store, entries)
        size, inodes = on_disk(here.folder)
        begun = perf_counter()
        if name == "shelf":
            os.unlink(os.fsencode(here.folder) + PREVIOUS)
        else:
            store.prune()
        pruned = (perf_counter() - begun) * 1000
        figures = f"{entries:,}|{put:.1f}|{hit:.1f}|{miss:.1f}|{size / entries:.0f}|{inodes:,}|{pruned:.2f}"
        return [name, *figures.split("|")]


def cpu(command: list[str]) -> float:
    """Milliseconds of CPU of a whole process."""
    child = os.posix_spawn(PYTHON, command, {"PATH": "/usr/bin:/bin", "LANG": "C"})
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"status {status}: {command[-1]}")
    return (used.ru_utime + used.ru_stime) * 1000


def per_mail(names: list[str]) -> list[list[str]]:
    """CPU of a process that does what one mail does, over the bare interpreter: rows."""
    with tempfile.TemporaryDirectory(prefix="amavis-pipe-stores-") as code:
        for module in (CHECKOUT / "amavis_pipe/cache.py", Path(__file__).parent / "kept.py"):
            shutil.copy(module, code)  # each alone, so that no package counts
        subprocess.run([PYTHON, "-m", "compileall", "-q", code], check=True)
        paths = [code]
        if "lmdb" in names:
            paths.append(str(Path(find_spec("lmdb").origin).parents[1]))  # type: ignore[union-attr, arg-type]
        folders = {name: site(name, 40_000, 30_000) for name in names}  # the shelf in its second generation
        sites = {name: made.__enter__() for name, made in folders.items()}
        times: dict[tuple[str, bool], list[float]] = {(n, k): [] for n in ["", *names] for k in (False, True)}
        for turn in range(RUNS):
            for (name, known), row in times.items():
                words = [PYTHON, "-I", "-S", "-c"]
                if not name:
                    row.append(cpu([*words, "import posix; posix._exit(0)"]))
                    continue
                here = sites[name]
                module = "cache" if name == "shelf" else "kept"
                row.append(
                    cpu(
                        [
                            *words,
                            ONE_MAIL.format(
                                paths=paths,
                                module=module,
                                name=STORES[name].__name__,
                                folder=os.fsencode(here.folder),
                                size=here.size,
                                kind=turn,
                                known=known,
                            ),
                        ]
                    )
                )
        for made in folders.values():
            made.__exit__(None, None, None)
    bare = statistics.median(times["", False] + times["", True])
    ratio = {what: statistics.median(row) / bare for what, row in times.items()}
    return [[name, f"{ratio[name, False]:.3f}", f"{ratio[name, True]:.3f}"] for name in names]


def in_child(work: Callable[[], int], seconds: int = 30) -> int:
    """How a forked child ended that did this: RIGHT, WRONG, RAISED, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
        try:
            os._exit(work())
        except BaseException:
            os._exit(RAISED)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives; None where it raises: the filter, too, would take that for a miss."""
    try:
        return call(*arguments)
    except Exception:
        return None


def verdict(store: Any, keys: list[bytes], extra: bytes) -> int:
    """WRONG if any answer is; STUCK if all are right or misses, but no new entry is taken; else RIGHT."""
    for key in keys:
        found = tried(store.get, key)
        if found is not None and found[1] != payload_of(key):
            return WRONG
    tried(store.put, extra, payload_of(extra))
    found = tried(store.get, extra)
    return RIGHT if found is not None and found[1] == payload_of(extra) else STUCK


def summed(results: list[int]) -> str:
    """Results of many children, as words: "60 right", or what went wrong."""
    names = {RIGHT: "right", WRONG: "WRONG", RAISED: "not opened", STUCK: "stuck"}
    words = [names.get(one) or signal.Signals(-one).name for one in results]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words, reverse=True)))


def many_writers(name: str) -> str:
    """Puts a second of all writers together; what was lost, and what failed."""
    context = get_context("fork")
    with site(name, 50_000, 1000) as here:
        gate, failed = context.Barrier(WRITERS), context.Value("i", 0)
        begun, ended = context.Array("d", WRITERS), context.Array("d", WRITERS)

        def work(writer: int) -> None:
            store = here.opened()
            gate.wait()
            begun[writer] = perf_counter()
            for number in range(PUTS):
                key = digest(b"%d of %d" % (number, writer))
                if not tried(store.put, key, payload_of(key)):
                    with failed.get_lock():
                        failed.value += 1
            ended[writer] = perf_counter()

        children = [context.Process(target=work, args=(writer,)) for writer in range(WRITERS)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        took = max(ended) - min(begun)
        store = here.opened()
        keys = [digest(b"%d of %d" % (number, writer)) for writer in range(WRITERS) for number in range(PUTS)]
        lost = sum(store.get(key) is None for key in keys) - failed.value
        return f"{len(keys) / took:,.0f}/s|{lost}|{failed.value}"


def killed(name: str) -> str:
    """How readers fared after a writer was killed, many times."""
    chance, results = random.Random(2), []  # noqa: S311 - no secret
    keys = [key_of(number) for number in range(2000)]
    with site(name, 50_000) as here:
        for turn in range(KILLS):
            child = os.fork()
            if child == 0:
                store = here.opened()
                while True:
                    for number in range(2000):
                        key = key_of(number)
                        store.put(key, payload_of(key))
            sleep(chance.uniform(0.005, 0.05))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            results.append(in_child(lambda turn=turn: verdict(here.opened(), keys, digest(b"%d" % turn))))
    return summed(results)


def wounded(name: str, cut: bool) -> str:
    """How readers fared whose files were cut off, or had bits flipped; open already in every second turn."""
    chance, results = random.Random(3), []  # noqa: S311 - no secret
    keys = [key_of(number) for number in range(1000)]
    with site(name, 2000, 1000) as whole:
        for turn in range(WOUNDS):
            folder = whole.folder.with_name(whole.folder.name + "-wounded")
            shutil.copytree(whole.folder, folder)
            here = whole._replace(folder=folder)

            def wound(folder: Path = folder) -> None:
                paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
                for path in paths if len(paths) < 10 else chance.sample(paths, 100):
                    size = path.stat().st_size
                    if cut:
                        os.truncate(path, chance.randrange(size))
                        continue
                    with path.open("r+b") as file:
                        for _ in range(min(100, size // 100 + 1)):
                            at = chance.randrange(size)
                            file.seek(at)
                            byte = file.read(1)[0]
                            file.seek(at)
                            file.write(bytes((byte ^ 1 << chance.randrange(8),)))

            def work(here: Site = here, late: bool = bool(turn % 2)) -> int:
                store = here.opened() if late else None
                if store:
                    store.get(keys[0])
                wound()
                return verdict(store or here.opened(), keys, digest(b"extra"))

            chance.seed(turn)
            results.append(in_child(work))
            shutil.rmtree(folder)
    return summed(results)


def full_disk(name: str) -> str:
    """How a writer and reader fared on a disk of 2 MiB that filled up."""
    if os.geteuid() != 0:
        return "wants root"
    with tempfile.TemporaryDirectory(prefix="amavis-pipe-stores-") as disk:
        subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
        try:
            folder = Path(disk, "store")
            folder.mkdir()
            here = Site(name, folder, 16 << 20)

            def work() -> int:
                store, kept = here.opened(), []
                for number in range(10_000):
                    key = key_of(number)
                    if tried(store.put, key, payload_of(key)):
                        kept.append(key)
                found = [(key, tried(store.get, key)) for key in kept]
                if any(entry and entry[1] != payload_of(key) for key, entry in found):
                    return WRONG
                return (
                    RIGHT if kept and sum(entry is None for _, entry in found) <= len(kept) // 100 else STUCK
                )

            return summed([in_child(work)])
        finally:
            subprocess.run(["/bin/umount", "-l", disk], check=True)


def table(head: str, rows: list[list[str]]) -> None:
    """Print rows below their heads."""
    lines = [head.split("|"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())
    print(flush=True)


def progress(text: str) -> None:
    """What is being done, to stderr."""
    print(text, file=sys.stderr, flush=True)


def main(words: list[str]) -> None:
    """Print all tables."""
    sizes = [10_000, 100_000, 1_000_000]
    if words[:1] == ["--entries"]:
        sizes = [int(word) for word in words[1].split(",")]
        words = words[2:]
    names = words or list(STORES)
    if "lmdb" in names and find_spec("lmdb") is None:
        progress("lmdb can't be imported: it is left out")
        names.remove("lmdb")
    progress(f"CPU per mail, {RUNS} runs")
    table("store|new mail|known mail", per_mail(names))
    rows = []
    for name in names:
        progress(f"{name}: {WRITERS} writers, kill, damage, full disk")
        harm = [killed(name), wounded(name, True), wounded(name, False), full_disk(name)]
        rows.append([name, *many_writers(name).split("|"), *harm])
    table(f"store|{WRITERS} writers|lost|failed|killed|cut off|bits flipped|disk full", rows)
    rows = []
    for entries in sizes:
        for name in names:
            progress(f"{name}: {entries:,} entries")
            rows.append(at_size(name, entries))
    table("store|entries|put us|hit us|miss us|bytes/entry|inodes|prune half ms", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
