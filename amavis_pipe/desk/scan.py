"""The command `scan`: examines files and mails, and says which are not clean.

Each is examined in a process of its own, as each mail is by the filter: what one does to it can't
reach the next, and its memory, descriptors and temporary files go with it.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any

from amavis_pipe import intake
from amavis_pipe.desk import files, progress, site
from amavis_pipe.desk.files import Opened
from amavis_pipe.desk.table import amount, counted
from amavis_pipe.desk.trial import judged
from amavis_pipe.examine import Examination, examine, examine_file
from amavis_pipe.kinds import CONTAINERS, EMPTY, HEAD, MAIL, OCTETS, Formats
from amavis_pipe.mime import header
from amavis_pipe.model import AmavisPipeError, Envelope, Finding, SpoolTrouble
from amavis_pipe.policy import names_of
from amavis_pipe.record import to_json
from amavis_pipe.spool import Blob
from amavis_pipe.text import readable

AS_MAIL, AS_FILE, BOTH = "mail", "file", "both"
MAILDIR = (b"cur", b"new")
LARGEST = 4 << 30
"""Bytes of a file that is examined: a copy of it is made first."""
SHOWN = {"infected": ("virus", "suspect"), "unchecked": ("unchecked",)}
"""Grades of the findings that are named with a label; of other labels, all."""


def run(paths: list[bytes], config: bytes | None, reading: str, as_json: bool, use_cache: bool) -> int:
    """Examine the files at `paths`: 0 all clean, 1 something found, 2 not all could be examined.

    `reading` is "mail" or "file" for all of them, or "" to find out.
    """
    inputs = files.Inputs(paths)
    site.become_filter_user(config)
    here = site.find(config, use_cache)
    for note in here.notes:
        print(note, file=sys.stderr)
    told = Told(as_json)
    with progress.bar(inputs.total, "scanning") as step:
        for found in inputs:
            told.add(found.path, *examined(found, here, reading))
            step()
    return told.end()


class Told:
    """What was said so far: a line or record for each file that deserves one, and the numbers."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._labels: Counter[str] = Counter()
        self._failed = 0

    def add(self, path: bytes, record: str, trouble: str) -> None:
        """A file's record as JSON, or why there is none."""
        progress.clear()
        entry: dict[str, Any] = json.loads(record) if record else {"trouble": [trouble]}
        if record and self._json:
            print(record, flush=True)
        if entry["trouble"]:
            self._failed += 1
            print(f"{readable(path)}: not examined: {'; '.join(entry['trouble'])}", file=sys.stderr)
            return
        label = entry["verdict"]
        self._labels[label] += 1
        if label != "clean" and not self._json:
            grades = SHOWN.get(label)
            named = [found for found in entry["findings"] if not grades or found["grade"] in grades]
            names = names_of([Finding(found["grade"], found["name"]) for found in named])
            print(f"{readable(path)}: {label} {names}", flush=True)

    def end(self) -> int:
        """Print the numbers; the status."""
        progress.clear()
        clean = self._labels.pop("clean", 0)
        found = self._labels.total()
        if not self._json:
            words = [f"{number:,} {label}" for label, number in sorted(self._labels.items())]
            words += [f"{clean:,} clean"] + ([f"{self._failed:,} not examined"] if self._failed else [])
            print(f"{counted(clean + found + self._failed, 'file')}: {', '.join(words)}")
        return 2 if self._failed else 1 if found else 0


def examined(found: Opened, here: site.Site, reading: str) -> tuple[str, str]:
    """The record of a file and "", or "" and why there is none. Closes its descriptor."""
    if found.fd < 0:
        return "", found.trouble
    try:
        return in_child(lambda: _record(found, here, reading), here.settings.hard_seconds)
    finally:
        os.close(found.fd)


def _record(found: Opened, here: site.Site, reading: str) -> str:
    begun, settings = perf_counter(), here.settings
    if os.fstat(found.fd).st_size > LARGEST:
        raise SpoolTrouble(f"larger than {amount(LARGEST)}")
    raw = intake.take(found.fd, settings.work)
    mail = None
    name = os.path.basename(found.path) if found.path != files.STDIN else b""
    reading = reading_of(found, raw, reading, settings.formats)
    if reading != AS_FILE:
        mail = intake.Mail(raw, raw.sha256(), settings.work)

    def look() -> Examination:
        if mail is not None and reading == AS_MAIL:
            return examine(mail, settings, here.cache)
        return examine_file(raw, (name,) if name else (), mail, settings, here.cache)

    source = readable(found.path) if found.path != files.STDIN else "stdin"
    return to_json(judged(source, raw, look, Envelope(), here, begun, mail)[0])


def reading_of(found: Opened, raw: Blob, wanted: str, formats: Formats) -> str:
    """How a file is to be read: as a mail, as a file, or both ways.

    Where neither the user nor its place tells, the content does: by the beginning of a known format
    without any header field it is a file, with several known fields a mail, else it may be either.
    """
    if not raw.size:
        return AS_FILE
    if wanted:
        return wanted
    path = found.path
    if path == files.STDIN or path.lower().endswith(b".eml") or found.folder in MAILDIR:
        return AS_MAIL
    kind = formats.kind_of(raw, b"", (os.path.basename(path),))
    if kind == MAIL:
        return AS_MAIL
    known = kind in CONTAINERS or not (kind in (OCTETS, EMPTY) or kind.startswith("text/"))
    return AS_FILE if known and not header.read(raw.head(HEAD), 0, min(HEAD, raw.size)).fields else BOTH


def in_child(work: Callable[[], str], seconds: int) -> tuple[str, str]:
    """What `work` gives in a process of its own, and ""; or "" and the trouble that it met."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(work, seconds, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        return said, ""
    if status == -signal.SIGALRM:
        return "", f"took more than {seconds} s"
    return "", said or f"ended with status {status}"


def _work(work: Callable[[], str], seconds: int, writing: int) -> None:
    """The child's side; never returns. Status 1 is trouble, 2 a bug, of which a traceback tells."""
    status = 2
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        try:
            said, status = work(), 0
        except AmavisPipeError as trouble:
            said, status = str(trouble), 1
        with open(writing, "wb") as pipe:
            pipe.write(said.encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 2
    finally:
        sys.stderr.flush()
        os._exit(status)
