"""Makes the rows of scanners: what a [[scanner]] table says, on top of what is known of one by that name."""

import re
from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import clamav
from amavis_pipe.config.clamav import clamd_row
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.scan.table import ROWS

Values = dict[str, Any]
Files = list[tuple[bytes, "settings.Identity"]]

BLANK: Values = {
    "at": (),
    "how": "",
    "timeout": 60,
    "retry": 2,
    "databases": b"",
    "watched": (),
    "self_check": 0,
    "largest": 0,
    "longest": 0.0,
    "sees": "both",
    "kinds": (),
    "backup_of": "",
    "more": {},
}
"""Every field of a row but its name and `via`."""
NEEDS = {
    "command": ("run", "clean", "infected"),
    "line": ("at", "ask", "clean", "infected"),
    "icap": ("at",),
    "sssp": ("at",),
    "drweb": ("at",),
    "yara": ("rules",),
    "clamd": (),
    "builtin": (),
}
"""What a row must say, by `via`."""
_SHARED = (
    "name",
    "via",
    "at",
    "how",
    "timeout",
    "retry",
    "databases",
    "self_check",
    "max_file_size",
    "sees",
    "kinds",
    "backup_of",
    "conf",
)
"""Fields that are in settings.Row itself; all others go to `more`."""
PARTS_ONLY = ("command", "line")
"""Those that are shown files aren't shown the mail unless the row says so: what is in it is in its parts."""
_PATTERNS = ("clean", "infected", "virus", "suspect", "unchecked", "greeting", "end")
_DAEMONS = ("line", "sssp", "drweb")
_NOTICES = 3600
"""Seconds after which a daemon is thought to have noticed new signatures, unless its row says."""


def known() -> dict[str, Values]:
    """The rows that there are without settings, as a [[scanner]] table would give them."""
    return {name: {"name": name, **_defaults(row)} for name, row in ROWS.items()}


def merged(name: str, given: Values) -> Values:
    """The row of a [[scanner]] table on top of the known one by that name."""
    row = {"name": name, **_defaults(ROWS.get(name, {})), **given}
    if "run" in given:
        row["programs"] = given["run"][:1]
    row.setdefault("via", "command" if "run" in given else "clamd")
    return row


def faults(row: Values) -> list[tuple[str, str]]:
    """What is wrong with a row, as (field, what is wanted)."""
    missing = [field for field in NEEDS[row["via"]] if not row.get(field) and row.get(field) != ()]
    found = [(field, f'wanted by a scanner with via = "{row["via"]}"') for field in missing]
    for field in _PATTERNS:
        pattern = row.get(field)
        if isinstance(pattern, str):
            try:
                re.compile(pattern.encode())
            except re.error as error:
                found.append((field, f"no regular expression: {error}"))
    return found


def filled(row: Values, files: Files) -> Values:
    """Every field of settings.Row; what was looked at is added to `files`."""
    via = row["via"]
    at = row.get("at") or ()
    addresses = (at,) if isinstance(at, str) else tuple(at)
    more = {key: value for key, value in row.items() if key not in _SHARED or key == "databases"}
    values = BLANK | {
        "name": row["name"],
        "via": via,
        "at": addresses,
        "sees": row.get("sees", "parts" if via in PARTS_ONLY else "both"),
        "kinds": tuple(row.get("kinds", ())),
        "backup_of": row.get("backup_of", ""),
        "timeout": row.get("timeout", BLANK["timeout"]),
        "retry": row.get("retry", BLANK["retry"]),
        "more": more,
    }
    if via == "builtin":
        return values | {"timeout": 1, "retry": 0}
    if via == "clamd":
        clamd = clamd_row({**row, "at": addresses}, files)
        told = {name: clamd.pop(name) for name in ("conf_read", "tells_limits")}
        return values | clamd | {"more": more | told}
    return values | {
        "how": row.get("how", ""),
        "databases": (row.get("databases") or "").encode(),
        "self_check": row.get("self_check", _NOTICES if via in _DAEMONS else 0),
        "largest": row.get("max_file_size", clamav.looks_at(row["conf"], files) if row.get("conf") else 0),
    }


def _defaults(row: Values) -> Values:
    """A row of the table with its program in its command, as in TOML."""
    values = dict(row)
    if "programs" in values:
        values["run"] = (values["programs"][0], *values["run"])
    return values


def fields() -> dict[str, Any]:
    """The options of a row, by name."""
    return {option.key: option for option in ROW_OPTIONS}
