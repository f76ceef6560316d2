"""How a scanner's signatures are updated, and what tells one state of them from another.

Nothing here prints or sends; signatures.py does. A job may run as root: it is given what root's own settings
say, and of its output only a bounded piece is kept.
"""

import hashlib
import os
import pwd
from time import gmtime, monotonic, strftime
from typing import NamedTuple

from amavis_pipe.desk import ages, mirror
from amavis_pipe.desk.table import amount, counted
from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import Trouble
from amavis_pipe.scan.run import Flood, Unended, installed, run
from amavis_pipe.scan.table import ROWS
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import ascii_of, readable

KEPT = 64 << 10
"""Bytes of an update's output that are kept: the last ones."""
FLOOD = 64 << 20
"""Bytes above which an update must have gone wrong."""
SHOWN = 300
"""Bytes of output that stand in a line."""
_LAST = 3
_HEAD = b"ClamAV-VDB:"
"""How a database of ClamAV begins; then the time, and the version."""


class Job(NamedTuple):
    """What is to be done: run a command, or copy from a mirror into a folder."""

    run: tuple[str, ...] = ()
    mirror: bytes = b""
    folder: bytes = b""

    def __str__(self) -> str:
        return (
            f"copied from {readable(self.mirror)}" if self.mirror else readable(" ".join(self.run).encode())
        )


class Done(NamedTuple):
    """How a job ended: why it failed, or ""; the end of what it printed."""

    trouble: str
    output: bytes = b""


class State(NamedTuple):
    """What tells one state of a scanner's signatures from another.

    version  what the scanner says of itself, "" if it can't be asked
    bases    the databases of ClamAV by their heads, "daily 27500, main 62": clamd loads new ones later
    files    how many files, how large, of when
    digest   of names, sizes and times of all files
    """

    version: str
    bases: str
    files: str
    digest: str


def job_of(row: Row) -> Job | None:
    """How the signatures of a configured scanner are updated; None if nothing is to be done for it.

    For a clamd elsewhere freshclam is not run here, unless its row says so.
    """
    more = row.more
    if more.get("mirror"):
        # as the settings say it, not as a process at clamd's socket might: root is to write there
        return Job(mirror=more["mirror"], folder=str(more.get("databases") or "").encode())
    words = tuple(more.get("update") or ())
    if not words or (row.via == "clamd" and not row.databases and words == ROWS["clamd"]["update"]):
        return None
    return Job(run=words)


def do(job: Job, settings: Settings) -> Done:
    """Do it, within the time that the settings give."""
    seconds = settings.values["signatures.seconds"]
    end = monotonic() + seconds
    if not job.mirror:
        return _run(job.run, settings.path, end, seconds)
    if not job.folder:
        return Done("a mirror wants `databases`, the folder to copy to")
    try:
        copied = mirror.copy(job.mirror, job.folder, end)
    except mirror.MirrorTrouble as error:
        return Done(str(error))
    except OSError as error:
        return Done(f"{readable(job.mirror)}: {error.strerror}")
    return Done("", b"".join(b"copied %s\n" % name for name in copied)[-KEPT:])


def _run(words: tuple[str, ...], path: str, end: float, seconds: int) -> Done:
    program = installed(words[:1], path)
    if not program:
        return Done(f"{readable(words[0].encode())}: not found in {path}")
    line = [program, *[os.fsencode(word) for word in words[1:]]]
    environment = {"PATH": path.encode(), "LC_ALL": b"C", "HOME": _home(), "TMPDIR": b"/tmp"}
    try:
        status, output = run(line, environment, end, FLOOD, KEPT)
    except Unended as error:
        why = "output without end" if isinstance(error, Flood) else f"no end in {seconds} s"
        return Done(f"{why}, last: {last_lines(error.output)}", error.output)
    except OSError as error:
        return Done(f"{readable(program)}: {error.strerror}")
    if not status:
        return Done("", output)
    how = f"exit status {status}" if status > 0 else "killed by a signal"
    return Done(f"{last_lines(output)} ({how})", output)


def _home() -> bytes:
    try:
        return os.fsencode(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return b"/"


def last_lines(output: bytes) -> str:
    """The end of what was printed, in one line, escaped and bounded."""
    lines = [line.strip() for line in output.replace(b"\r", b"\n").split(b"\n") if line.strip()]
    text = b" / ".join(lines[-_LAST:])
    return ascii_of(text[-SHOWN:], SHOWN) if text else "no output"


def state_of(row: Row, settings: Settings) -> State:
    """The state now; of a scanner that can't be asked, what its files tell."""
    scanner = scanner_of(row, settings)
    try:
        scanner.scan([])
        version = readable(scanner.version.encode(), 200)
    except Trouble:
        version = ""
    files = ages.files(row)
    known = [(path, found.st_size, found.st_mtime_ns) for path, found in files.items()]
    size, newest = sum(one[1] for one in known), max((one[2] for one in known), default=0)
    told = counted(len(known), "file")
    if known:
        told += f" of {amount(size)}, the newest of {strftime('%Y-%m-%d %H:%M:%S', gmtime(newest / 1e9))}"
    return State(version, _bases(list(files)), told, hashlib.sha256(repr(known).encode()).hexdigest())


def difference(before: State, after: State) -> tuple[str, str] | None:
    """The first thing that differs, before and after; None if nothing does."""
    for old, new in zip(before[:3], after[:3], strict=True):
        if old and new and old != new:
            return old, new
    if before.digest == after.digest:
        return None
    return f"{before.files} ({before.digest[:8]})", f"{after.files} ({after.digest[:8]})"


def _bases(paths: list[bytes]) -> str:
    found: dict[str, int] = {}
    for path in paths:
        name, _, kind = os.path.basename(path).rpartition(b".")
        if kind in (b"cvd", b"cld") and (version := _base(path)):
            found[ascii_of(name)] = max(version, found.get(ascii_of(name), 0))
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items())[:20])


def _base(path: bytes) -> int:
    """The version in the head of a database; 0 if it is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return 0
    fields = head.split(b":", 3)
    if not head.startswith(_HEAD) or len(fields) < 4 or not fields[2].isdigit() or len(fields[2]) > 9:
        return 0
    return int(fields[2])
