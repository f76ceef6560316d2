"""The journal of a large site: a million records folded, reported and explained while mail goes on.

Usage: python contrib/bench/history.py [RECORDS] [FOLDER]

Makes a journal of a week in a folder below FOLDER (default /var/tmp), some 1.8 KB for each record, lets
`prune` fold it while another process appends records as mail does, and measures time and memory of that, of
`report` and of `explain`. Leaves with 1 if a record is lost or there twice, if a fold takes more than 200 MB
of memory, or a report of the week more than 10 seconds. The tests do the same with ten thousand
(tests/history/test_history_killed.py).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep, time

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from stand_in import journals  # noqa: E402 (only there now)

from amavis_pipe import history  # noqa: E402
from amavis_pipe.journal import append  # noqa: E402

MOST_MEMORY = 200 << 10
"""KiB."""
LONGEST_REPORT = 10.0
LATE = 10_000_000
"""The number of the first record that is appended meanwhile."""
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from amavis_pipe.entry import main; main()"


def main(records: int, below: str) -> int:
    """Measure; the status."""
    folder = Path(tempfile.mkdtemp(prefix="amavis-pipe-history-", dir=below))
    try:
        return measured(folder, records)
    finally:
        shutil.rmtree(folder)


def measured(folder: Path, records: int) -> int:
    """Make the journal, use it, print the figures; the status."""
    state = os.fsencode(folder)
    days = folder / "journal"
    days.mkdir()
    timed("made", lambda: journals.write(days, records, time(), 6.9))
    print(f"  {records:,} records, {size_of(days) >> 20:,} MiB")
    for path in days.iterdir():
        os.utime(path, (time() - 7200, time() - 7200))
    stop, appended = os.pipe(), os.pipe()
    mail = child(lambda: os.write(appended[1], b"%d" % flow(os.fsencode(days), stop)))
    os.close(stop[0])
    folding = child(lambda: timed("folded", lambda: history.fold(state, 30, 1 << 50)))
    memory = ended(folding)
    os.close(stop[1])
    ended(mail)
    late = int(os.read(appended[0], 100))
    print(f"  at most {memory >> 10:,} MiB of memory, {late:,} records appended meanwhile")
    base = (folder / "history.db").stat().st_size
    print(f"  history.db {base >> 20:,} MiB, journal {size_of(days) >> 20:,} MiB")
    history.fold(state, 30, 1 << 50)
    end = (int(time()) // 3600 + 1) * 3600
    loaded = history.load(state, end - 7 * 86400, end, addresses=False)
    counted = sum(found.number for (what, _), found in loaded.sums.items() if what == "label")
    print(f"  {counted:,} counted of {records + late:,}")
    settings = folder / "settings.toml"
    settings.write_text(f'state = "{folder}"\n')
    for room in ("cache", "quarantine", "work"):
        (folder / room).mkdir(mode=0o700)
    give_away(folder)
    seconds = timed("report", lambda: command(settings, "report", "--text"))
    timed("report --html", lambda: command(settings, "report", "--html", "-"))
    timed("explain", lambda: command(settings, "explain", journals.record(records // 2, 0)["id"]))
    failed = counted != records + late or memory > MOST_MEMORY or seconds > LONGEST_REPORT
    return 1 if failed else 0


def flow(days: bytes, stop: tuple[int, int]) -> int:
    """Append records as mail does until nobody holds the other end of the pipe; how many."""
    os.close(stop[1])
    os.set_blocking(stop[0], False)
    number = 0
    while True:
        try:
            os.read(stop[0], 1)
            return number
        except BlockingIOError:
            sleep(0.01)  # the peak of the paper's campus: 57 mails a second
            number += append(days, json.dumps(journals.record(LATE + number, time())))


def child(work: Callable[[], object]) -> int:
    """Do it in a process of its own."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            sys.stdout.flush()
            status = 0
        finally:
            os._exit(status)
    return pid


def ended(pid: int) -> int:
    """The most memory that the process took, in KiB."""
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"a process ended with status {status}")
    return usage.ru_maxrss


def timed(what: str, work: Callable[[], object]) -> float:
    """Do it, say how long it took; seconds."""
    begun = perf_counter()
    work()
    seconds = perf_counter() - begun
    print(f"{what:16} {seconds:8.2f} s")
    return seconds


def command(settings: Path, *words: str) -> None:
    """Run a command as a person does."""
    subprocess.run(
        [sys.executable, "-c", START, *words, "-c", str(settings)], stdout=subprocess.DEVNULL, check=True
    )


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def give_away(folder: Path) -> None:
    """Let it belong to nobody: root does not look into it itself."""
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, 65534, 65534)
        for path in (ROOT, *ROOT.parents):
            if not path.stat().st_mode & 0o005:
                print(f"{path} can't be read by all: commands may fail")


if __name__ == "__main__":
    RECORDS, BELOW = [*sys.argv[1:], *("1000000", "/var/tmp")[len(sys.argv) - 1 :]]  # noqa: S108 - a name is made
    sys.exit(main(int(RECORDS), BELOW))
