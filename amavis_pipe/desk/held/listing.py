"""The command `quarantine list`: which mails are held back, as a table or as JSON."""

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from time import time
from typing import Any

from amavis_pipe.desk.held import stock
from amavis_pipe.desk.held.copy import NAME, Copy, Known, line
from amavis_pipe.desk.held.places import addresses
from amavis_pipe.desk.table import amount, counted
from amavis_pipe.record import to_json
from amavis_pipe.text import readable

HEAD = ("NAME", "SIZE", "FROM", "TO", "FOUND")
NARROWEST = 10
"""Columns that FROM, TO and FOUND have at least."""
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True)
class Wanted:
    """Which mails are to be listed: "" is any; addresses and names are shell patterns, or parts.

    since, until  YYYYMMDDHHMMSS, UTC
    """

    category: str = ""
    since: str = ""
    until: str = ""
    sender: str = ""
    recipient: str = ""
    name: str = ""

    def has(self, copy: Copy) -> bool:
        """Whether the name of a mail is of the time that is wanted."""
        return copy.when >= self.since and (not self.until or copy.when < self.until)

    def has_known(self, known: Known) -> bool:
        """Whether what is known of it is what is wanted."""
        return (
            self.category in ("", known.label)
            and _is_like(self.sender, [readable(known.sender)])
            and _is_like(self.recipient, [readable(one) for one in known.recipients])
            and _is_like(self.name, known.names)
        )


def run(config: bytes | None, wanted: Wanted, as_json: bool) -> int:
    """List them, oldest first: 0, or 2 if some place can't be read."""
    found = stock.of(config)
    rows, size = [], 0
    for copy in found.sorted():
        if not wanted.has(copy):
            continue
        try:
            known = copy.known()
        except OSError:
            continue  # it was removed meanwhile
        if not wanted.has_known(known):
            continue
        if as_json:
            print(to_json(entry(copy, known)))
        else:
            rows.append(row(copy, known))
            size += max(known.size, 0)
    if not as_json:
        _print(rows, size)
        for address in addresses(found.site.settings):
            print(f"what was sent to {readable(address.encode())} can't be listed")
    return 2 if found.failed else 0


def moment(text: str, now: float) -> str:
    """A time as names have it: of "2026-11-25", "2026-11-25T07:30" (UTC), or "3d", so long ago.

    ValueError for anything else; m, h, d, w are minutes to weeks.
    """
    ago = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if ago:
        when = datetime.fromtimestamp(now, UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    else:
        when = datetime.fromisoformat(text)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.strftime("%Y%m%d%H%M%S").zfill(14)


def now() -> float:
    """Seconds since the epoch."""
    return time()


def entry(copy: Copy, known: Known) -> dict[str, Any]:
    """What `--json` says of a mail."""
    return {
        "quarantine_id": copy.name,
        "place": copy.place.shown,
        "file": readable(copy.file),
        "time": known.time,
        "label": known.label,
        "size": known.size if known.size >= 0 else None,
        "sha256": known.sha256 or None,
        "sender": readable(known.sender),
        "recipients": [readable(one) for one in known.recipients],
        "names": list(known.names),
        "released": [_released(one) for one in known.released],
        "trouble": known.trouble or None,
    }


def row(copy: Copy, known: Known) -> list[str]:
    """What the table says of a mail."""
    to = [readable(one) for one in known.recipients]
    others = f" and {len(to) - 1} more" if len(to) > 1 else ""
    found = line(" ".join([known.label, ", ".join(known.names)]), 200)
    notes = [known.trouble] if known.trouble else ["released"] if known.released else []
    return [
        copy.name,
        amount(known.size) if known.size >= 0 else "?",
        readable(known.sender) or "<>",
        (to[0] if to else "") + others,
        "; ".join([*notes, found]),
    ]


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The rows as lines, in columns; those of FROM, TO and FOUND are cut for lines of `width`, 0 for any.

    On a narrow terminal names lose their beginning: their ends are enough for the other commands.
    """
    lines = [list(cells) for cells in (HEAD, *rows)]
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(HEAD))]
    fixed = widths[0] + widths[1] + 2 * (len(HEAD) - 1)
    if width and fixed + 3 * NARROWEST > width:
        for cells in lines[1:]:
            cells[0] = _end_of(cells[0])
        widths[0] = max(len(cells[0]) for cells in lines)
        fixed = widths[0] + widths[1] + 2 * (len(HEAD) - 1)
    while width and fixed + sum(widths[2:]) > width and max(widths[2:]) > NARROWEST:
        widths[2 + widths[2:].index(max(widths[2:]))] -= 1
    return ["  ".join(map(_cut, cells, widths)).rstrip() for cells in lines]


def _print(rows: list[list[str]], size: int) -> None:
    if rows:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        print("\n".join(fitted(rows, width)))
    print(f"{counted(len(rows), 'mail')}, {amount(size)}")


def _end_of(name: str) -> str:
    """The queue id and the beginning of the sha256."""
    found = NAME.fullmatch(name)
    return "-".join(filter(None, found.groups()[3:])) if found else name


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _is_like(pattern: str, words: Sequence[str]) -> bool:
    """Whether one of the words is matched by a shell pattern, or has it as a part; case does not matter."""
    low = pattern.lower()
    return not low or any(low in word.lower() or fnmatchcase(word.lower(), low) for word in words)


def _released(one: dict[str, Any]) -> dict[str, Any]:
    shown = {key: one.get(key) for key in ("time", "to", "route", "queue_id")}
    shown["to"] = [readable(str(to).encode("latin-1", "replace")) for to in one["to"]]
    return shown
