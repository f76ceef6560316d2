"""The command `scanners`: which scanners there are, whether each configured one answers, and how old it is.

Of those that are not configured, programs are looked for, and daemons are not: no other's socket is touched.
"""

import sys
from typing import TYPE_CHECKING, NamedTuple

from amavis_pipe.config import rows as scanner_rows
from amavis_pipe.desk import ages, site
from amavis_pipe.desk.table import counted
from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import Trouble
from amavis_pipe.record import to_json
from amavis_pipe.scan.run import installed
from amavis_pipe.scan.table import ROWS
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import readable

if TYPE_CHECKING:
    from amavis_pipe.record import Json

BUILT_IN = "this program"


class Seen(NamedTuple):
    """One scanner: title, where it is ("" for nowhere), what it says of itself, or why it does not.

    row         as configured, None if it isn't
    trouble     "" for a configured one that answers; "not configured", or "" for others
    signatures  age in seconds, None if unknown
    engine      likewise
    """

    name: str
    title: str
    at: str
    row: Row | None = None
    version: str = ""
    trouble: str = ""
    signatures: float | None = None
    engine: float | None = None

    @property
    def is_found(self) -> bool:
        """Whether it is there, used or not."""
        return not self.trouble if self.row else bool(self.at)

    def __str__(self) -> str:
        """`Found av scanner TITLE at PATH (…)` or `No av scanner: TITLE (…)`."""
        more = ", ".join(self._words())
        head = (
            f"Found av scanner {self.title} at {self.at}" if self.is_found else f"No av scanner: {self.title}"
        )
        return head + (f" ({more})" if more else "")

    def _words(self) -> list[str]:
        if self.trouble:
            return [self.trouble]
        if self.row is None:
            return [f'not used: add "{self.name}" to scanners'] if self.at else []
        words = [f"{self.name}: {self.version}" if self.version else self.name]
        words += [f"{what} {ages.in_words(age)} old" for what, age in self._ages() if age is not None]
        return words + ([f"backup of {self.row.backup_of}"] if self.row.backup_of else [])

    def _ages(self) -> list[tuple[str, float | None]]:
        return [("engine", self.engine), ("signatures", self.signatures)]


def run(config: bytes | None, show_all: bool = False, as_json: bool = False) -> int:
    """Print a line for each; 2 if a configured one does not answer."""
    site.become_filter_user(config)
    here = site.find(config, use_cache=False)
    for note in here.notes:
        print(note, file=sys.stderr)
    used = [look(row, here.settings) for row in (*here.settings.rows, *here.settings.backups)]
    others = unused(here.settings)
    if as_json:
        listed: list[Json] = [_record(seen) for seen in (*used, *others)]
        print(to_json({"schema": 1, "scanners": listed}))
    else:
        for seen in (*used, *others):
            if seen.row or seen.at or show_all:
                print(seen)
        hidden = sum(not seen.at for seen in others)
        if hidden and not show_all:
            print(f"{counted(hidden, 'other')} not installed or not configured: amavis-pipe scanners --all")
    return 2 if any(seen.trouble for seen in used) else 0


def look(row: Row, settings: Settings) -> Seen:
    """Ask a configured one who it is."""
    scanner, trouble = scanner_of(row, settings), ""
    try:
        scanner.scan([])
    except Trouble as error:
        trouble = str(error)
    version = readable(scanner.version.encode(), 200)
    signatures, engine = ages.of_signatures(row, version), ages.of_engine(row, settings)
    return Seen(row.name, title(row), place(row, settings), row, version, trouble, signatures, engine)


def unused(settings: Settings) -> list[Seen]:
    """The known ones that are not configured."""
    names = {row.name for row in (*settings.rows, *settings.backups)}
    found = []
    for name, row in ROWS.items():
        if name in names:
            continue
        if row["via"] == "command":
            program = installed(scanner_rows.known()[name]["programs"], settings.path)
            found.append(Seen(name, row["title"], readable(program)))
        else:
            found.append(Seen(name, row["title"], "", trouble="not configured"))
    return found


def title(row: Row) -> str:
    """The product's name; the row's own if it is none of the known ones."""
    return str(row.more.get("title") or row.name)


def place(row: Row, settings: Settings) -> str:
    """Where a configured one is: its addresses, its program, its rules."""
    if row.via == "command":
        return readable(installed(row.more.get("programs", ()), settings.path))
    return ", ".join(row.pool) or readable(row.more.get("rules", b"")) or BUILT_IN


def _record(seen: Seen) -> "Json":
    return {
        "name": seen.name,
        "title": seen.title,
        "via": seen.row.via if seen.row else ROWS[seen.name]["via"],
        "found": seen.is_found,
        "used": seen.row is not None,
        "at": seen.at,
        "backup_of": seen.row.backup_of if seen.row else "",
        "version": seen.version,
        "trouble": seen.trouble,
        "signatures_seconds": _rounded(seen.signatures),
        "engine_seconds": _rounded(seen.engine),
    }


def _rounded(age: float | None) -> int | None:
    return None if age is None else int(age)
