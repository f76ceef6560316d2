"""Writes the manual pages, as they are for man(1) and in the documentation, and the table of migration.

python -m amavis_pipe.desk.manual             the files of the checkout it lies in
python -m amavis_pipe.desk.manual --check     whether they are what it would write: 0, 1 = not
"""

import os
import sys

from amavis_pipe.desk.manuals import migration, program, settings
from amavis_pipe.desk.manuals.roff import roff
from amavis_pipe.desk.manuals.rst import rst


def files() -> dict[str, str]:
    """Each file's content, by its path in the checkout."""
    return {
        "contrib/man/amavis-pipe.8": roff(program.page()),
        "contrib/man/amavis-pipe.toml.5": roff(settings.page()),
        "docs/amavis-pipe.8.rst": rst(program.page()),
        "docs/amavis-pipe.toml.5.rst": rst(settings.page()),
        "docs/migration-table.rst": migration.page(),
    }


def main(words: list[str]) -> int:
    """Write the files, or compare them."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    stale = [name for name, text in files().items() if _content(os.path.join(root, name)) != text]
    if "--check" in words:
        for name in stale:
            print(f"{name} is out of date: python -m amavis_pipe.desk.manual", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(files()[name])
    return 0


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
