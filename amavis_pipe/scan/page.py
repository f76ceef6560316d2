"""The table of docs/scanner-table.rst: every scanner that is known by name, and what is known of it.

As a program it writes that table, for the checkout it lies in: `python -m amavis_pipe.scan.page FILE`, with
--check only to see whether the file is what it would write.
"""

import sys
from typing import Any

from amavis_pipe.scan.table import ROWS, SEED

_TITLE = "Scanners that are known by name"
_INTRO = """\
``scanners = ["clamd", "f-prot"]`` is all that one of these needs; a ``[[scanner]]`` table by its name changes
single fields, one by another name adds a scanner (``docs/scanners.rst``). Numbers are exit statuses, the rest
patterns of what is printed; what means neither clean nor infected is a failure. Those with a number are the
scanners of amavisd-new's listing of 2003; each row is replayed by a stand-in in ``tests/scan``, only clamd,
clamscan, clamdscan, ICAP (c-icap) and YARA were also seen at work themselves.

Made by ``python -m amavis_pipe.scan.page docs/scanner-table.rst``."""
_COLUMNS = ("Name", "Scanner", "Asked by", "Clean", "Infected", "Name of the virus", "Signatures")


def page() -> str:
    """The whole page."""
    lines = [_TITLE, "=" * len(_TITLE), "", _INTRO, "", ".. list-table::", "   :header-rows: 1", ""]
    for row in [_COLUMNS, *(_cells(name, fields) for name, fields in ROWS.items())]:
        lines += [f"   * - {row[0]}", *(f"     - {cell}" for cell in row[1:])]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _cells(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    number = f" ({SEED.index(name) + 1})" if name in SEED else ""
    programs = row.get("programs", ())
    if programs:
        asked = _code(f"{programs[0].rpartition('/')[2]} {' '.join(row['run'])}")
    elif row.get("ask"):
        asked = f"{_code(row['ask'])} to {_code(row['at'])}"
    else:
        asked = f"its protocol, {row['via']}" + (f", at {_code(row['at'])}" if row.get("at") else "")
    judged = tuple(_judgement(row.get(field)) for field in ("clean", "infected", "virus"))
    stamp = ", ".join(_code(pattern) for pattern in row.get("stamp", ()))
    return (_code(name), row["title"] + number, asked, *judged, stamp)


def _judgement(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return _code(value) if value else ""


def _code(text: str) -> str:
    shown = text.replace("\r", "\\r").replace("\n", "\\n")
    if shown.endswith(" "):  # a literal can't end with one; this means the same
        shown = shown[:-1] + "[ ]"
    return f"``{shown}``"


def _main(words: list[str]) -> int:
    """Write the page, or check it."""
    path, made = words[-1], page()
    if "--check" not in words:
        with open(path, "w", encoding="utf-8") as file:
            file.write(made)
        return 0
    with open(path, encoding="utf-8") as file:
        if file.read() == made:
            return 0
    print(f"{path}: is not what amavis_pipe.scan.page writes", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
