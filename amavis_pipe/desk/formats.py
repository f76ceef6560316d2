"""The command `formats`: what can be unpacked, by what, and what of that is there; and the table in docs/.

As a program it writes that table, for the checkout it lies in: `python -m amavis_pipe.desk.formats FILE`,
with --check only to see whether the file is what it would write.
"""

import os
import sys

from amavis_pipe.decompose import registry
from amavis_pipe.desk.table import table

HEAD = ("FORMAT", "KINDS", "DECODER", "FOUND", "DEBIAN PACKAGE")
OWN = "built in"
_TITLE = "Formats that are opened"
_INTRO = """\
Each format is one file in ``amavis_pipe/decompose/formats/``. Its decoders are tried in the order shown,
or, where it says so in the file, all of them. *Built in* needs nothing but Python. What isn't installed is
passed over; if nothing is left, the part goes to the scanners as it is, and the mail is *unchecked*
(``undecoded:FORMAT``). The limits of ``[limits]`` hold for every format: depth, files, quota, seconds,
memory.

Made by ``python -m amavis_pipe.desk.formats docs/formats.rst``."""
_COLUMNS = ("Format", "Kinds", "Decoder", "Needs", "Limits", "Tested by")


def run() -> int:
    """Print the table; 0, a missing library is no trouble: parts then go to the scanners as they are."""
    print(table(HEAD, [row for one in registry.table() for row in _rows(one)]))
    return 0


def _rows(one: registry.Row) -> list[tuple[str, ...]]:
    """A row for each thing that the format needs, the format's name in the first."""
    kinds = ", ".join(one.kinds)
    if not one.needs:
        return [(one.name, kinds, OWN, OWN, "")]
    rows = [(name, path or "missing", package or f"pip: {name}") for name, path, package in one.needs]
    if one.is_own:
        rows.insert(0, (OWN, OWN, ""))
    return [(one.name, kinds, *rows[0]), *(("", "", *row) for row in rows[1:])]


def page(tests: str) -> str:
    """The table of docs/formats.rst; `tests` is the folder of the formats' tests."""
    lines = [_TITLE, "=" * len(_TITLE), "", _INTRO, "", ".. list-table::", "   :header-rows: 1", ""]
    rows = [_COLUMNS, *(_cells(one, tests) for one in registry.table())]
    for row in rows:
        lines += [
            f"   {'-' if number else '* -'} {cell}" if not number else f"     - {cell}"
            for number, cell in enumerate(row)
        ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _cells(one: registry.Row, tests: str) -> tuple[str, ...]:
    ways = ([OWN] if one.is_own or not one.needs else []) + [name for name, _, _ in one.needs]
    packages = dict.fromkeys(package or f"pip: {name}" for name, _, package in one.needs)
    limits = "all of [limits]" + (", [passwords]" if one.tries_passwords else "")
    files = [
        name for name in (f"built/{one.file}.py", f"test_{one.file}.py") if os.path.exists(f"{tests}/{name}")
    ]
    tested = ", ".join(["test_every_format.py", *files])
    return (one.name, ", ".join(one.kinds), ", ".join(ways), ", ".join(packages) or "nothing", limits, tested)


def _main(words: list[str]) -> int:
    """Write the page, or check it."""
    check, path = "--check" in words, words[-1]
    root = __file__.rpartition("/amavis_pipe/")[0]
    made = page(f"{root}/tests/decompose")
    if not check:
        with open(path, "w", encoding="utf-8") as file:
            file.write(made)
        return 0
    with open(path, encoding="utf-8") as file:
        if file.read() == made:
            return 0
    print(f"{path}: is not what amavis_pipe.desk.formats writes", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
