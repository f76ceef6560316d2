"""What processes used: CPU time of all that a group of processes started, and memory while they run.

CPU time is the kernel's own, of a control group (cgroup v2, which every Debian has; no controller is
needed), so that nothing short-lived escapes. Wants root.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


class Account:
    """A control group of ours; whatever is started while it is `billed`, and all its descendants, count."""

    def __init__(self, name: str) -> None:
        found = [root for root in ROOTS if (root / "cgroup.procs").exists()]
        if not found or os.geteuid() != 0:
            raise SystemExit("CPU is counted by control groups (cgroup v2), which wants root")
        line = next(
            one for one in Path("/proc/self/cgroup").read_text().splitlines() if one.startswith("0::")
        )
        self._home = found[0] / line[3:].lstrip("/") / "cgroup.procs"
        self._folder = found[0] / f"amavis-pipe-bench-{os.getpid()}-{name}"
        self._folder.mkdir()

    @contextlib.contextmanager
    def billed(self) -> Iterator[None]:
        """Processes that are started now count."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            self._home.write_text(str(os.getpid()))

    def used(self) -> float:
        """Milliseconds of CPU so far, user and system."""
        stat = dict(line.split() for line in (self._folder / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1000

    def processes(self) -> list[int]:
        """Who is in it now."""
        return [int(word) for word in (self._folder / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        """Take the group away; its processes must have ended."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            sleep(0.05)


def status(pid: int) -> dict[str, str]:
    """What /proc tells of a process; nothing if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def anonymous(pid: int) -> int:
    """KiB of a process's own memory, what is not a file's; of what several share, each has its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")), 0)


def trees(pids: list[int], user: int) -> dict[int, int]:
    """KiB of each process of a user that no other of them started, with what its descendants have."""
    told = {pid: status(pid) for pid in pids}
    own = {pid: int(one["PPid"]) for pid, one in told.items() if one and int(one["Uid"].split()[0]) == user}
    found: dict[int, int] = {}
    for pid in own:
        top = pid
        while own[top] in own:
            top = own[top]
        found[top] = found.get(top, 0) + anonymous(pid)
    return found


class Watch:
    """Looks every few milliseconds at how much memory the heaviest of some process trees has.

    top  only at the tree of this process, unless 0
    """

    def __init__(self, account: Account, user: int, top: int = 0, pause: float = 0.002) -> None:
        self.peak = 0
        self._look = account, user, top, pause
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        account, user, top, pause = self._look
        while not self._done.wait(pause):
            found = trees(account.processes(), user)
            self.peak = max(self.peak, found.get(top, 0) if top else max(found.values(), default=0))
