"""The figures of a report, made from what was counted (history.load): plain data, as `--json` prints it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from amavis_pipe.history.count import FLOW, MINUTE, Sum, percentile
from amavis_pipe.history.loading import Loaded

Figures = dict[str, Any]

SCHEMA = 1
PERIODS = ("hour", "day", "week")
MOST_PERIODS = 10_000
P95 = 0.95


def figures(loaded: Loaded, since: int, until: int, by: str, top: int) -> Figures:
    """All figures of the time from `since` to `until` (seconds); lists have the `top` most frequent."""
    return {
        "schema": SCHEMA,
        "since": stamp(since),
        "until": stamp(until),
        "by": by,
        "flow": _flow(loaded, since, until),
        "periods": list(_periods(loaded, since, until, by)),
        "bytes": int(sum(found.total for (what, _), found in loaded.sums.items() if what == "label")),
        "verdicts": _ranked(loaded, "label", "verdict", top),
        "actions": _ranked(loaded, "action", "action", top),
        "combinations": _ranked(loaded, "combination", "names", top),
        "names": _ranked(loaded, "name", "name", top),
        "unchecked": _ranked(loaded, "unchecked", "name", top),
        "banned": _ranked(loaded, "banned", "name", top),
        "senders": _addresses(loaded.senders, top),
        "recipients": _addresses(loaded.recipients, top),
        "kinds": _kinds(loaded, top),
        "scanners": _scanners(loaded),
        "stages": [
            {"stage": name, **_time(loaded, "stage", name)} for name in ("read", "decompose", "scan", "total")
        ],
        "cache": _cache(loaded),
        "torn": loaded.torn,
    }


def stamp(time: float) -> str:
    """A moment as local time with its offset: "2026-11-25T00:00:00+01:00"."""
    return datetime.fromtimestamp(time).astimezone().isoformat(timespec="seconds")


def starts(since: int, until: int, by: str) -> Iterator[int]:
    """When each period begins, by the local clock: the first at `since`, the others at whole ones."""
    at = since
    while at < until:
        yield at
        at = _next(at, by)


def _next(at: int, by: str) -> int:
    if by == "hour":
        return at // 3600 * 3600 + 3600
    local = datetime.fromtimestamp(at)
    days = 1 if by == "day" else 7 - local.weekday()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)
    return max(int(midnight.timestamp()), at + MINUTE)  # an hour that the clock has twice


def _flow(loaded: Loaded, since: int, until: int) -> Figures:
    """For each kind of flow how many there were, on average and at most in a minute."""
    minutes = max(1, (until - since) // MINUTE)
    numbers: dict[str, list[int]] = {what: [] for what in FLOW}
    for (_, what), number in loaded.minutes.items():
        numbers.setdefault(what, []).append(number)
    return {
        what: {
            "number": sum(numbers[what]),
            "per_minute": round(sum(numbers[what]) / minutes, 3),
            "most_per_minute": max(numbers[what], default=0),
        }
        for what in FLOW
    }


def _periods(loaded: Loaded, since: int, until: int, by: str) -> Iterator[Figures]:
    begins = list(starts(since, until, by))
    rows = [dict.fromkeys(FLOW, 0) for _ in begins]
    place = 0
    for (minute, what), number in sorted(loaded.minutes.items()):
        while place + 1 < len(begins) and minute >= begins[place + 1]:
            place += 1
        if what in rows[place]:
            rows[place][what] += number
    for begin, row in zip(begins, rows, strict=True):
        yield {"since": stamp(begin), **row}


def _of(loaded: Loaded, what: str) -> list[tuple[str, Sum]]:
    """What was counted of a kind, the most frequent first."""
    found = [(key, found) for (kind, key), found in loaded.sums.items() if kind == what]
    return sorted(found, key=lambda one: (-one[1].number, one[0]))


def _ranked(loaded: Loaded, what: str, name: str, top: int) -> list[Figures]:
    return [{name: key, "mails": found.number} for key, found in _of(loaded, what)[:top]]


def _addresses(found: Iterable[tuple[str, int]], top: int) -> list[Figures]:
    return [{"address": address, "mails": number} for address, number in list(found)[:top]]


def _kinds(loaded: Loaded, top: int) -> list[Figures]:
    return [
        {"kind": kind, "parts": found.number, "bytes": int(found.total)}
        for kind, found in _of(loaded, "kind")[:top]
    ]


def _scanners(loaded: Loaded) -> list[Figures]:
    names = sorted({key for what in ("scanner", "remembered", "trouble") for key, _ in _of(loaded, what)})
    nothing = Sum(0, 0.0)
    return [
        {
            "scanner": name,
            "asked": loaded.sums.get(("scanner", name), nothing).number,
            "remembered": loaded.sums.get(("remembered", name), nothing).number,
            "trouble": loaded.sums.get(("trouble", name), nothing).number,
            **_time(loaded, "scanner", name),
        }
        for name in names
    ]


def _time(loaded: Loaded, what: str, name: str) -> Figures:
    """Mean and 95th percentile of a time, in milliseconds."""
    number, total = loaded.sums.get((what, name), Sum(0, 0.0))
    steps = {}
    for (kind, key), found in loaded.sums.items():
        of, _, step = key.rpartition(" ")
        if kind == what + " ms" and of == name:
            steps[int(step)] = found.number
    return {
        "mean_ms": round(total / number, 3) if number else 0.0,
        "p95_ms": round(percentile(steps, P95), 3),
    }


def _cache(loaded: Loaded) -> Figures:
    """Mails that were remembered; others of which every part was; the share of both."""
    hit, parts, miss = (
        loaded.sums.get(("cache", key), Sum(0, 0.0)).number for key in ("hit", "parts", "miss")
    )
    mails = hit + parts + miss
    return {"mails": mails, "hits": hit, "parts": parts, "share": round(hit / mails, 4) if mails else 0.0}
