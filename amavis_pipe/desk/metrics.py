"""Numbers for Prometheus: OpenMetrics text for node_exporter's textfile collector.

Counters count from the first run on, whatever expires of the journal meanwhile: what was counted so far, and
up to when, stands in `state/metrics`, which is replaced after the text is; a crash between both costs
nothing, since the next run counts the same mails again from there. Source: OpenMetrics 1.0.
"""

import json
import os
from collections import Counter
from contextlib import suppress
from time import time
from typing import Any

from amavis_pipe import __version__, history
from amavis_pipe.desk import ages, site
from amavis_pipe.desk.held.places import places
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.settings import Settings
from amavis_pipe.text import ascii_of, readable

FILE = b"/metrics"
LARGEST = 4 << 20
SETTLED = 60
"""Seconds after which a record of that time must be in the journal."""
SERIES = 500
"""Label sets of one metric at most: a name from outside makes no more of them."""
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
GAUGES = {
    "quarantine_files": "Mails in a place of the quarantine that is a folder.",
    "quarantine_bytes": "Their bytes.",
    "journal_waiting_bytes": "Journal that is not folded into the history yet.",
    "signatures_age_seconds": "Age of a scanner's newest signatures.",
    "counted_until_timestamp_seconds": "Time up to which mails are counted.",
}
Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]


class Totals:
    """What was counted so far: values by metric and labels, and up to which time."""

    def __init__(self, until: float, values: "Counter[Key]") -> None:
        self.until = until
        self.values = values
        self._series = Counter(name for name, _ in values)

    def add(self, name: str, number: float, **labels: str) -> None:
        """Add to a counter; what would be one label set too many goes to "other"."""
        key = (name, tuple(sorted((label, ascii_of(value.encode(), 60)) for label, value in labels.items())))
        if key not in self.values:
            if self._series[name] >= SERIES:
                key = (name, tuple((label, "other") for label, _ in key[1]))
            self._series[name] += key not in self.values
        self.values[key] += number  # type: ignore[assignment]

    def take(self, record: dict[str, Any]) -> None:
        """Count one record of the journal; fields that aren't there are passed over."""
        actions = [str(one.get("action")) for one in _dicts(record.get("actions"))]
        if record.get("trouble") or not actions:
            self.add("troubles", 1)
        else:
            self.add("mails", 1, verdict=str(record.get("verdict")), action=actions[0])
        self.add("bytes", _number(record.get("size")))
        self.add("cache_hits", record.get("cache") == "hit")
        for stage, ms in (record.get("ms") or {}).items():
            self.add("stage_seconds", _number(ms) / 1000, stage=str(stage))
        for found in _dicts(record.get("findings")):
            self.add("findings", 1, grade=str(found.get("grade")))
        for one in _dicts(record.get("scanners")):
            how = "failed" if one.get("trouble") else "remembered" if one.get("cached") else "asked"
            self.add("scanner_answers", 1, scanner=str(one.get("name")), how=how)
            self.add("scanner_seconds", _number(one.get("ms")) / 1000, scanner=str(one.get("name")))
        self.add("quarantined", len(record.get("quarantined") or ()))
        for who in record.get("told") or ():
            self.add("told", 1, who=str(who))


def run(config: bytes | None, output: bytes | None) -> int:
    """Write the metrics to a file, as a whole, or to standard output; 0."""
    site.become_filter_user(config)
    here = site.find(config)
    if here.folder is None:
        raise SpoolTrouble(f"no state: {readable(here.settings.state)} can't be used by this user")
    if output is None:
        print(text(here.settings, *_brought_up(here.settings, time())), end="")
        return 0
    write(here.settings, output, time())
    return 0


def write(settings: Settings, output: bytes, now: float) -> None:
    """Replace the file `output` by today's numbers, readable for all; SpoolTrouble if that fails."""
    totals, gauges = _brought_up(settings, now)
    try:
        _replace(output, text(settings, totals, gauges).encode(), 0o644)
        _replace(settings.state + FILE, _packed(totals), 0o600)
    except OSError as error:
        raise SpoolTrouble(f"metrics: {readable(output)}: {error.strerror}") from None


def text(settings: Settings, totals: Totals, gauges: dict[Key, float]) -> str:
    """The exposition."""
    lines = [f"# TYPE {PREFIX}build info", f"# HELP {PREFIX}build The program."]
    lines += [f'{PREFIX}build_info{{version="{__version__}"}} 1']
    for kind, known, values in (("counter", COUNTERS, totals.values), ("gauge", GAUGES, gauges)):
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
    totals = _read(settings.state + FILE, now)
    until = now - SETTLED
    if until > totals.until:
        for record in history.records(settings.state, totals.until, until):
            totals.take(record)
        totals.until = until
    gauges: dict[Key, float] = {("counted_until_timestamp_seconds", ()): totals.until}
    gauges["journal_waiting_bytes", ()] = history.waiting(settings.state)
    for place in places(settings):
        if not place.is_mailbox:
            number, size = _held(place.path)
            labels = (("place", ascii_of(place.shown.encode(), 60)),)
            gauges["quarantine_files", labels], gauges["quarantine_bytes", labels] = number, size
    for row in settings.rows:
        with suppress(OSError):
            age = ages.of_signatures(row)
            if age is not None:
                gauges["signatures_age_seconds", (("scanner", row.name),)] = age
    return totals, gauges


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


def _read(path: bytes, now: float) -> Totals:
    """The totals in the file; from the beginning of what the journal has, where there is none."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(LARGEST))
        values = Counter(
            {(name, tuple(map(tuple, labels))): value for name, labels, value in found["values"]}
        )
        return Totals(min(float(found["until"]), now), values)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Totals(0.0, Counter())


def _packed(totals: Totals) -> bytes:
    values = [[name, labels, value] for (name, labels), value in totals.values.items()]
    return json.dumps({"until": totals.until, "values": values}).encode() + b"\n"


def _replace(path: bytes, data: bytes, mode: int) -> None:
    temporary = path + b".%d" % os.getpid()
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


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e15 else 0.0


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
