"""What filters leave on a machine: memory while they run, and processes, locks and files when all is done."""

import contextlib
import os
import pwd
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import monotonic

EVERY = 0.05
"""Seconds between two looks."""


class Watch:
    """Looks at the filters of `user`, whose program is `program`, until it is closed.

    most  processes of theirs at one time, sandboxed children among them
    """

    def __init__(self, user: str, program: Path) -> None:
        self._uid = pwd.getpwnam(user).pw_uid
        self._program = os.fsencode(program)
        self._begun = monotonic()
        self._peaks: dict[tuple[int, int], tuple[float, int]] = {}
        self.most = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch")
        self._thread.start()

    def close(self) -> None:
        self._done.set()
        self._thread.join()

    def peaks(self, start: float, end: float) -> list[int]:
        """The peak resident memory in KiB of each filter process that was seen between these seconds."""
        return [peak for when, peak in list(self._peaks.values()) if start <= when < end] or [0]

    def memory(self, start: float, end: float) -> tuple[int, int, int]:
        """Of them the median, what 95 % are within, and the most."""
        found = sorted(self.peaks(start, end))
        return int(median(found)), found[len(found) * 95 // 100], found[-1]

    def _look(self) -> None:
        while not self._done.wait(EVERY):
            now, number = monotonic() - self._begun, 0
            for pid in processes(self._uid):
                with contextlib.suppress(OSError, IndexError):
                    folder = Path(f"/proc/{pid}")
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    if self._program not in words[:3] or b"-f" not in words:
                        continue
                    number += 1
                    fields = (folder / "status").read_text()
                    peak = int(fields.partition("VmHWM:")[2].split()[0])
                    begun = int((folder / "stat").read_text().rpartition(")")[2].split()[19])
                    when = self._peaks.get((pid, begun), (now, 0))[0]
                    self._peaks[pid, begun] = when, peak
            self.most = max(self.most, number)


def processes(uid: int) -> Iterator[int]:
    """The processes of that user, those that have ended and wait to be reaped, too."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{name}").stat().st_uid == uid or _owner(name) == uid:
                    yield int(name)


def _owner(name: str) -> int:
    """Its effective user: /proc belongs to root where a process may not be dumped."""
    status = Path(f"/proc/{name}/status").read_text()
    return int(status.partition("Uid:")[2].split()[1])


def leftovers(user: str, state: Path) -> list[str]:
    """What should not be there when no filter runs: processes, locks, files of work and half-written ones."""
    found = []
    for pid in processes(pwd.getpwnam(user).pw_uid):
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            found.append(f"process {pid}, {stat}: {Path(f'/proc/{pid}/cmdline').read_bytes()!r}")
    found += [f"in work: {path.relative_to(state)}" for path in (state / "work").rglob("*")]
    inodes = {path.stat().st_ino: path for path in state.rglob("*")}
    for line in Path("/proc/locks").read_text().splitlines():
        inode = int(line.split()[-3].rpartition(":")[2])
        if inode in inodes:
            found.append(f"a lock on {inodes[inode].relative_to(state)}: {line}")
    found += [
        f"half-written: {path.relative_to(state)}"
        for path in inodes.values()
        if path.name.startswith(".") or path.suffix in (".new", ".tmp")
    ]
    return found
