"""The command `formats`: what can be unpacked, and what that needs."""

from amavis_pipe.decompose import registry
from amavis_pipe.desk.table import table

HEAD = ("FORMAT", "KINDS", "NEEDS", "FOUND", "DEBIAN PACKAGE")
OWN = "nothing"


def run() -> int:
    """Print the table; 0, a missing library is no trouble: parts then go to the scanners as they are."""
    print(table(HEAD, [row for one in registry.table() for row in _rows(one)]))
    return 0


def _rows(one: registry.Row) -> list[tuple[str, ...]]:
    """A row for each thing that the format needs, the format's name in the first."""
    kinds = ", ".join(one.kinds)
    if not one.needs:
        return [(one.name, kinds, OWN, "built in", "")]
    rows = [("", "", name, path or "missing", package) for name, path, package in one.needs]
    return [(one.name, kinds, *rows[0][2:]), *rows[1:]]
