"""What metrics.py counts of the journal's records, and the file in which that is kept.

A damaged file is none: counting begins anew with what the journal has, as Prometheus knows it of counters.
"""

import json
from collections import Counter
from typing import Any

from amavis_pipe.history import fields
from amavis_pipe.text import ascii_of

LARGEST = 4 << 20
SERIES = 500
"""Label sets of one metric at most: a name from outside makes no more of them."""
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
        told = {
            label: ascii_of(value.encode("utf-8", "backslashreplace"), 60) for label, value in labels.items()
        }
        key = (name, tuple(sorted(told.items())))
        if key not in self.values:
            if self._series[name] >= SERIES:
                key = (name, tuple((label, "other") for label, _ in key[1]))
            self._series[name] += key not in self.values
        self.values[key] += number  # type: ignore[assignment]

    def take(self, record: dict[str, Any]) -> None:
        """Count one record of the journal; fields that aren't there are passed over."""
        actions = [str(one.get("action")) for one in fields.rows(record, "actions")]
        if record.get("trouble") or not actions:
            self.add("troubles", 1)  # each try is one
        else:
            self.add("mails", 1, verdict=str(record.get("verdict")), action=actions[0])
            self.add("bytes", fields.number(record.get("size")))
        self.add("cache_hits", record.get("cache") == "hit")
        stages = record.get("ms")
        for stage, ms in stages.items() if isinstance(stages, dict) else ():
            self.add("stage_seconds", fields.number(ms) / 1000, stage=str(stage))
        for found in fields.rows(record, "findings"):
            self.add("findings", 1, grade=str(found.get("grade")))
        for one in fields.rows(record, "scanners"):
            how = "failed" if one.get("trouble") else "remembered" if one.get("cached") else "asked"
            self.add("scanner_answers", 1, scanner=str(one.get("name")), how=how)
            self.add("scanner_seconds", fields.number(one.get("ms")) / 1000, scanner=str(one.get("name")))
        if record.get("trouble"):
            return  # a further try tells again what was kept and sent
        self.add("quarantined", len(fields.texts(record, "quarantined")))
        for who in fields.texts(record, "told"):
            self.add("told", 1, who=who)

    def packed(self) -> bytes:
        """As read() wants it."""
        values = [[name, labels, value] for (name, labels), value in self.values.items()]
        return json.dumps({"until": self.until, "values": values}).encode() + b"\n"


def read(path: bytes, now: float) -> Totals:
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
