"""What is counted of records: by minute how mail flowed, by hour all else.

`fold` writes down what is counted of the records that it folds, and a report adds what it counts itself of
those that are not folded yet: one code, one meaning. Of times only their logarithms are kept, so that a
percentile of any number of them can be told, within 5 %.

By minute, each a number of mails:

    received   decided, and not deferred: each mail once, however often it was tried
    sent       handed on to at least one recipient
    bounced    refused by the site's rules
    rejected   refused for good by the next host, for at least one recipient
    virus      infected
    spam       found to be spam
    deferred   tries that ended with the mail waiting in the queue
"""

from collections.abc import Iterator
from math import log
from typing import NamedTuple

from amavis_pipe.history import fields
from amavis_pipe.history.lines import Record

FLOW = ("received", "sent", "bounced", "rejected", "virus", "spam", "deferred")
MOST_KEYS = 20_000
"""Different keys of one hour and kind that are told apart at once; the rest are OTHERS."""
OTHERS = "(others)"
MINUTE, HOUR = 60, 3600
_STEP = log(1.1)
_SHORTEST = 0.001


class Sum(NamedTuple):
    """How many there were, and the total of what was measured of them."""

    number: int
    total: float


class Counts:
    """What was counted: `minutes` by (minute, what), `hours` by (hour, what, key), both in seconds."""

    def __init__(self) -> None:
        self.minutes: dict[tuple[int, str], int] = {}
        self.hours: dict[tuple[int, str, str], Sum] = {}
        self._keys: dict[tuple[int, str], int] = {}

    def add(self, record: Record, time: int) -> None:
        """Count one record, made at this time."""
        minute, hour = time // MINUTE * MINUTE, time // HOUR * HOUR
        for what in _flow(record):
            self.minutes[minute, what] = self.minutes.get((minute, what), 0) + 1
        for what, key, total in _told(record):
            self.put(hour, what, key[:300], 1, total)

    def put(self, hour: int, what: str, key: str, number: int, total: float) -> None:
        """Add to what was counted of a key in an hour."""
        old = self.hours.get((hour, what, key))
        if old is None:
            kinds = self._keys.get((hour, what), 0)
            if kinds >= MOST_KEYS:
                key = OTHERS
                old = self.hours.get((hour, what, key))
            self._keys[hour, what] = kinds + 1
        old = old or Sum(0, 0.0)
        self.hours[hour, what, key] = Sum(old.number + number, old.total + total)


def bucket(ms: float) -> int:
    """The number of the step of 10 % that a time is in."""
    return round(log(max(ms, _SHORTEST)) / _STEP)


def ms_of(step: int) -> float:
    """The time in the middle of a step."""
    return float(1.1**step)


def percentile(steps: dict[int, int], share: float) -> float:
    """The time that this share of them don't exceed; 0 if there are none."""
    left = share * sum(steps.values())
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            return ms_of(step)
    return 0.0


def _flow(record: Record) -> Iterator[str]:
    actions, label = fields.actions(record), record.get("verdict")
    if "defer" in actions or not actions:
        yield "deferred"
        return
    yield "received"
    if "pass" in actions or "tag" in actions:
        yield "sent"
    if "bounce" in actions:
        yield "bounced"
    if fields.refused(record):
        yield "rejected"
    if label == "infected":
        yield "virus"
    if label == "spam" or fields.names(record, "spam"):
        yield "spam"


def _told(record: Record) -> Iterator[tuple[str, str, float]]:
    """(what, key, measure) of all that is counted by hour."""
    yield "label", fields.text(record.get("verdict")) or "none", fields.number(record.get("size"))
    for action in fields.actions(record):
        yield "action", action, 0.0
    if record.get("trouble"):
        return  # one of several tries: nothing is known of what the cache or a scanner did
    yield from _names(record)
    for part in fields.rows(record, "parts"):
        yield "kind", fields.text(part.get("kind")), fields.number(part.get("size"))
    yield from _scanners(record)
    stages = record.get("ms")
    for stage, ms in stages.items() if isinstance(stages, dict) else ():
        yield from _times("stage", fields.text(stage)[:40], fields.number(ms))


def _names(record: Record) -> Iterator[tuple[str, str, float]]:
    names = fields.names(record, *fields.FOUND)
    if names:
        yield "combination", ", ".join(names), 0.0
    for name in names:
        yield "name", name, 0.0
    for grade in ("unchecked", "banned", "bad-header"):
        for name in fields.names(record, grade):
            yield grade, name, 0.0


def _scanners(record: Record) -> Iterator[tuple[str, str, float]]:
    answers = list(fields.rows(record, "scanners"))
    hit = record.get("cache") == "hit"
    known = not hit and bool(answers) and all(answer.get("cached") is True for answer in answers)
    yield "cache", "hit" if hit else "parts" if known else "miss", 0.0
    for answer in () if hit else answers:
        name = fields.text(answer.get("name"))[:100]
        if answer.get("trouble"):
            yield "trouble", name, 0.0
        elif answer.get("cached") is True:
            yield "remembered", name, 0.0
        else:
            yield from _times("scanner", name, fields.number(answer.get("ms")))


def _times(what: str, name: str, ms: float) -> Iterator[tuple[str, str, float]]:
    yield what, name, ms
    yield what + " ms", f"{name} {bucket(ms)}", 0.0
