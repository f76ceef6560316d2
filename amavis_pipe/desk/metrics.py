"""Numbers for Prometheus: OpenMetrics text for node_exporter's textfile collector.

Counters count from the first run on, whatever expires of the journal meanwhile: what was counted so far, and
up to when, stands in `state/metrics`, which is replaced after the text is; a crash between both costs
nothing, since the next run counts the same mails again from there. One run at a time does that. Source:
OpenMetrics 1.0, of which only what the collector takes: it refuses a file with a type that Prometheus's older
text format does not know (info, unknown, stateset).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import time

from amavis_pipe import __version__, history
from amavis_pipe.desk import ages, site, totals
from amavis_pipe.desk.held.places import places
from amavis_pipe.desk.totals import Key, Labels, Totals
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.settings import Settings
from amavis_pipe.text import ascii_of, readable

FILE, PRUNED = b"/metrics", b"/pruned"
SETTLED = 60
"""Seconds after which a record of that time must be in the journal."""
PREFIX = "amavis_pipe_"
COUNTERS = {
    "mails": "Mails by verdict and strictest action.",
    "bytes": "Bytes of mail.",
    "troubles": "Mails that could not be decided, and were deferred.",
    "cache_hits": "Mails whose facts were remembered.",
    "stage_seconds": "Time by stage.",
    "findings": "Findings by grade.",
    "scanner_answers": "Answers of scanners: asked, remembered, or failed.",
    "scanner_seconds": "Time that scanners took.",
    "quarantined": "Copies that were kept.",
    "told": "Notices and delivery reports, by whom they went to.",
}
PLAIN = ("bytes", "troubles", "cache_hits", "quarantined")
"""Counters without labels, which are there from the beginning: else their first step would be no increase."""
GAUGES = {
    "quarantine_files": "Mails in a place of the quarantine that is a folder.",
    "quarantine_bytes": "Their bytes.",
    "journal_waiting_bytes": "Journal that is not folded into the history yet.",
    "signatures_age_seconds": "Age of a scanner's newest signatures.",
    "counted_until_timestamp_seconds": "Time up to which mails are counted.",
    "pruned_timestamp_seconds": "When prune last ended.",
    "prune_failed": "Whether it met with trouble.",
    "build_info": "The program.",
}


def run(config: bytes | None, output: bytes | None) -> int:
    """Write the metrics to a file, as a whole, or to standard output; 0."""
    site.become_filter_user(config)
    here = site.find(config)
    if here.folder is None:
        raise SpoolTrouble(f"no state: {readable(here.settings.state)} can't be used by this user")
    if output is None:
        print(text(*_brought_up(here.settings, time())), end="")
        return 0
    write(here.settings, output, time())
    return 0


def write(settings: Settings, output: bytes, now: float) -> None:
    """Replace the file `output` by today's numbers, readable for all; SpoolTrouble if that fails."""
    try:
        with _locked(settings.state):
            counted, gauges = _brought_up(settings, now)
            _replace(output, text(counted, gauges).encode(), 0o644)
            _replace(settings.state + FILE, counted.packed(), 0o600)
    except OSError as error:
        raise SpoolTrouble(f"metrics: {readable(output)}: {error.strerror}") from None


def note_pruned(state: bytes, failed: bool) -> None:
    """Keep when prune ended, and how, for the gauges; OSError if that fails."""
    with _locked(state):
        _replace(state + PRUNED, b"failed\n" if failed else b"done\n", 0o600)


def text(counted: Totals, gauges: dict[Key, float]) -> str:
    """The exposition."""
    lines = []
    for kind, known, values in (("counter", COUNTERS, counted.values), ("gauge", GAUGES, gauges)):
        for name, meaning in known.items():
            end = "_total" if kind == "counter" else ""
            unit = name.rpartition("_")[2]
            lines.append(f"# TYPE {PREFIX}{name} {kind}")
            lines += [f"# UNIT {PREFIX}{name} {unit}"] if unit in ("bytes", "seconds") else []
            lines.append(f"# HELP {PREFIX}{name} {meaning}")
            for (one, labels), value in sorted(values.items()):
                if one == name:
                    lines.append(f"{PREFIX}{name}{end}{_labelled(labels)} {_shown(value)}")
    return "\n".join([*lines, "# EOF", ""])


def _brought_up(settings: Settings, now: float) -> tuple[Totals, dict[Key, float]]:
    """The totals with what has come since they were written, and the numbers of this moment."""
    counted = totals.read(settings.state + FILE, now)
    until = now - SETTLED
    if until > counted.until:
        for record in history.records(settings.state, counted.until, until):
            counted.take(record)
        counted.until = until
    for name in PLAIN:
        counted.add(name, 0)
    return counted, _gauges(settings, counted.until)


def _gauges(settings: Settings, until: float) -> dict[Key, float]:
    """The numbers of this moment."""
    gauges: dict[Key, float] = {("counted_until_timestamp_seconds", ()): until}
    gauges["build_info", (("version", __version__),)] = 1
    gauges["journal_waiting_bytes", ()] = history.waiting(settings.state)
    with suppress(FileNotFoundError), open(settings.state + PRUNED, "rb") as file:
        gauges["pruned_timestamp_seconds", ()] = int(os.fstat(file.fileno()).st_mtime)
        gauges["prune_failed", ()] = file.read(6) == b"failed"
    for place in places(settings):
        if not place.is_mailbox:
            number, size = _held(place.path)
            labels = (("place", ascii_of(place.shown.encode(), 60)),)
            gauges["quarantine_files", labels], gauges["quarantine_bytes", labels] = number, size
    for row in (*settings.rows, *settings.backups):
        with suppress(OSError):
            age = ages.of_signatures(row)
            if age is not None:
                gauges["signatures_age_seconds", (("scanner", row.name),)] = age
    return gauges


def _held(path: bytes) -> tuple[int, int]:
    number = size = 0
    with suppress(FileNotFoundError), os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner = _held(entry.path)
                number, size = number + inner[0], size + inner[1]
            elif not entry.name.endswith(b".json") and not entry.name.startswith(b"."):
                with suppress(FileNotFoundError):
                    number, size = number + 1, size + entry.stat(follow_symlinks=False).st_size
    return number, size


@contextmanager
def _locked(state: bytes) -> Iterator[None]:
    """One run at a time: of two that counted at once, the one with the older numbers might write last."""
    fd = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _replace(path: bytes, data: bytes, mode: int) -> None:
    """Put a file in the place of another as a whole. What a crash left of an earlier try goes first."""
    temporary = path + b".new"
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def _labelled(labels: Labels) -> str:
    shown = [f'{name}="{_escaped(value)}"' for name, value in labels]
    return "{" + ",".join(shown) + "}" if shown else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _shown(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}"
