"""The command `report`: how mail flowed, what was found, by whom it was sent, how long it took.

For a terminal, as plain text for a mail from cron, as JSON or CSV for programs, as a page for a browser.
"""

import csv
import io
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from time import time

import click

from amavis_pipe import history
from amavis_pipe.desk import layout, site
from amavis_pipe.desk.figures import MOST_PERIODS, Figures, figures
from amavis_pipe.desk.layout import Section
from amavis_pipe.desk.table import amount
from amavis_pipe.history.count import FLOW, HOUR
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import readable

DAYS = 7
_BACK = re.compile(r"(\d{1,6})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
STDOUT = b"-"


def run(
    config: bytes | None, since: str, until: str, by: str, form: str, page: bytes | None, top: int
) -> int:
    """Print the report as `form` ("text", "json", "csv"; "" by where it goes), or write the page."""
    now = time()
    end = -(-int(moment(until, now, "--until")) // HOUR) * HOUR if until else int(now) // HOUR * HOUR + HOUR
    start = int(moment(since, now, "--since") if since else end - DAYS * 24 * HOUR) // HOUR * HOUR
    if start >= end:
        raise click.UsageError("--since must be before --until")
    if (end - start) // HOUR > MOST_PERIODS * (1 if by == "hour" else 24):
        raise click.UsageError(f"--by {by}: more than {MOST_PERIODS} periods")
    file = _opened(page) if page else None
    site.become_filter_user(config)
    here = site.find(config)
    if here.folder is None:
        raise SpoolTrouble(f"no journal: {readable(here.settings.state)} can't be used by this user")
    made = figures(history.load(here.folder, start, end), start, end, by, top)
    if not here.settings.journal_days:
        print("amavis-pipe: no journal is kept (journal.days = 0)", file=sys.stderr)
    if file is not None:
        _write(file, made, page != STDOUT)
    else:
        _print(made, form)
    return 0


def moment(text: str, now: float, option: str) -> float:
    """The time that a text means: an ISO date or time, local unless it says otherwise; "7d", "24h" ago."""
    back = _BACK.fullmatch(text)
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        if back:
            found = now - int(back[1]) * _HOURS[back[2]] * HOUR
        else:
            found = (days.get(text) or datetime.fromisoformat(text)).timestamp()
    except (ValueError, OverflowError, OSError):
        found = -1.0
    if found < 0:
        raise click.BadParameter(
            f"{layout.clean(text)}: wants a date, a time (2026-11-22T08:00), or as 24h, 7d, 2w ago",
            param_hint=option,
        )
    return found


def sections(made: Figures, bars: bool = False) -> Iterator[Section]:
    """The tables of a report; with `bars` the flow has a sparkline, too."""
    yield _totals(made, bars)
    if len(made["periods"]) > 1:
        rows = [[period_of(made, row), *(f"{row[what]:,}" for what in FLOW)] for row in made["periods"]]
        yield Section(f"By {made['by']}", ["FROM", *map(str.upper, FLOW)], rows, "l" + "r" * len(FLOW))
    yield _ranked(made, "combinations", "Names found together in one mail", "names")
    yield _ranked(made, "names", "Names", "name")
    yield _ranked(made, "unchecked", "What could not be checked", "name")
    if made["banned"]:
        yield _ranked(made, "banned", "Banned", "name")
    yield _ranked(made, "verdicts", "Verdicts", "verdict")
    yield _ranked(made, "actions", "Actions", "action")
    yield _ranked(made, "senders", "Senders", "address")
    yield _ranked(made, "recipients", "Recipients", "address")
    kinds = [[f"{row['parts']:,}", amount(row["bytes"]), row["kind"]] for row in made["kinds"]]
    yield Section("Formats of parts", ["PARTS", "SIZE", "FORMAT"], kinds, "rrl")
    yield _scanners(made)
    yield _times(made)
    yield _cache(made)


def shown(stamp: str) -> str:
    """A moment of the figures for people: "2026-11-25 00:00"."""
    return stamp[:16].replace("T", " ")


def period_of(made: Figures, row: Figures) -> str:
    """When a period begins, by day where that is enough."""
    return shown(row["since"]) if made["by"] == "hour" else shown(row["since"])[:10]


def title(made: Figures) -> str:
    """What the report is of."""
    zone = made["until"][19:]
    return f"Mail from {shown(made['since'])} to {shown(made['until'])} (UTC{zone})"


def _totals(made: Figures, bars: bool) -> Section:
    head, sides = ["", "MAILS", "PER MINUTE", "MOST IN A MINUTE"], "lrrr"
    rows = []
    for what, found in made["flow"].items():
        row = [what, f"{found['number']:,}", f"{found['per_minute']:,.2f}", f"{found['most_per_minute']:,}"]
        rows.append([*row, layout.sparkline([one[what] for one in made["periods"]])] if bars else row)
    if bars:
        head, sides = [*head, f"BY {made['by'].upper()}"], sides + "l"
    return Section(title(made), head, rows, sides)


def _ranked(made: Figures, what: str, heading: str, name: str) -> Section:
    rows = [[f"{row['mails']:,}", row[name] or "<>"] for row in made[what]]
    return Section(heading, ["MAILS", name.upper()], rows, "rl")


def _scanners(made: Figures) -> Section:
    rows = [
        [row["scanner"], f"{row['asked']:,}", f"{row['remembered']:,}", f"{row['trouble']:,}", *_ms(row)]
        for row in made["scanners"]
    ]
    head = ["SCANNER", "ASKED", "REMEMBERED", "TROUBLE", "MEAN", "95 % WITHIN"]
    return Section("Scanners", head, rows, "lrrrrr")


def _times(made: Figures) -> Section:
    rows = [[row["stage"], *_ms(row)] for row in made["stages"] if row["p95_ms"]]
    return Section("Time of a mail", ["STAGE", "MEAN", "95 % WITHIN"], rows, "lrr")


def _ms(row: Figures) -> list[str]:
    return [f"{row[key]:,.1f} ms" if row["p95_ms"] else "-" for key in ("mean_ms", "p95_ms")]


def _cache(made: Figures) -> Section:
    cache = made["cache"]
    rows = [
        ["mails that were remembered", f"{cache['hits']:,}", f"{cache['share'] * 100:.1f} %"],
        ["others, all parts remembered", f"{cache['parts']:,}", ""],
        ["mails", f"{cache['mails']:,}", amount(made["bytes"])],
    ]
    if made["torn"]:
        rows.append(["torn lines of the journal", f"{made['torn']:,}", ""])
    return Section("Cache", ["", "NUMBER", ""], rows, "lrr")


def _print(made: Figures, form: str) -> None:
    if form == "json":
        print(json.dumps(made))
    elif form == "csv":
        sys.stdout.write(as_csv(made))
    elif not form and layout.on_terminal():
        layout.show(sections(made, bars=True))
    else:
        print(layout.as_text(sections(made)))


def as_csv(made: Figures) -> str:
    """A row for each number: where its time begins and ends, what list, of what, which number, how much."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["since", "until", "list", "name", "number", "value"])
    whole = (made["since"], made["until"])
    ends = [*(row["since"] for row in made["periods"][1:]), made["until"]]
    for period, end in zip(made["periods"], ends, strict=True):
        rows.writerows([(period["since"], end, "periods", what, "mails", period[what]) for what in FLOW])
    for what, found in made["flow"].items():
        rows.writerows([(*whole, "flow", what, key, value) for key, value in found.items()])
    for name, found in made.items():
        if isinstance(found, list) and name != "periods":
            for row in found:
                of, *numbers = row.items()
                rows.writerows([(*whole, name, _cell(of[1]), key, value) for key, value in numbers])
    rows.writerows([(*whole, "cache", "", key, value) for key, value in made["cache"].items()])
    rows.writerows([(*whole, key, "", key, made[key]) for key in ("bytes", "torn")])
    return out.getvalue()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = layout.clean(text)
    return "'" + text if text.startswith(_FORMULA) else text


def _opened(page: bytes) -> int:
    """A descriptor of the file that becomes the page: opened with the rights of the caller."""
    if page == STDOUT:
        return os.dup(1)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(page, flags, 0o644)
    except OSError as error:
        raise SpoolTrouble(f"{readable(page)}: {error.strerror}") from None


def _write(file: int, made: Figures, is_file: bool) -> None:
    """Write the page; what was in the file before goes, but not what is before us on standard output."""
    try:
        from amavis_pipe.desk import page
    except ModuleNotFoundError as missing:
        raise SpoolTrouble(f"a page wants the Python package {missing.name} (README, Install)") from None
    data = page.page(made).encode()
    try:
        with open(file, "wb") as out:
            if is_file and stat.S_ISREG(os.fstat(out.fileno()).st_mode):
                out.truncate(0)
            out.write(data)
    except OSError as error:
        raise SpoolTrouble(f"the page could not be written: {error.strerror}") from None
