"""Tables and outlines as plain text, or on a terminal by rich.

All text from outside is escaped here, whoever gave it, and is never read as markup.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from amavis_pipe.text import readable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

BARS = "▁▂▃▄▅▆▇█"
_INDENT = "  "


class Section(NamedTuple):
    """A table with a title: heads, rows, and for each column "l" or "r" (numbers)."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    sides: str


class Node(NamedTuple):
    """A line of an outline, the colour that it has on a terminal, and the lines below it."""

    text: str
    style: str = ""
    below: Sequence["Node"] = ()


def clean(text: str) -> str:
    """Safe for a terminal, a mail, a page: nothing that is not printable is left as it is."""
    return readable(text.encode("utf-8", "surrogateescape"))


def on_terminal() -> bool:
    """Whether a person looks at a terminal that rich can write on; said on stderr if rich is missing."""
    if not sys.stdout.isatty():
        return False
    try:
        import rich.console  # noqa: F401 (seen whether it is there)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "rich":
            raise
        print(
            "amavis-pipe: without the Python package rich: plain text (README, Install)",
            file=sys.stderr,
        )
        return False
    return True


def as_text(sections: Iterable[Section]) -> str:
    """The tables, an empty line between two; those without rows say so."""
    return "\n\n".join("\n".join(_lines(section)) for section in sections)


def outline(nodes: Iterable[Node], depth: int = 0) -> str:
    """The lines, indented by depth."""
    lines = []
    for node in nodes:
        lines.append(_INDENT * depth + clean(node.text))
        if node.below:
            lines.append(outline(node.below, depth + 1))
    return "\n".join(lines)


def show(sections: Iterable[Section]) -> None:
    """The tables on a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console = _console()
    for section in sections:
        console.print(Text(clean(section.title), style="bold"))
        if not section.rows:
            console.print(Text(_INDENT + "none", style="dim"))
            continue
        table = Table(box=SIMPLE_HEAD, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False)
        for head, side in zip(section.head, section.sides, strict=True):
            right = side == "r"
            table.add_column(Text(head), justify="right" if right else "left", no_wrap=right, overflow="fold")
        for row in section.rows:
            table.add_row(*(Text(clean(cell)) for cell in row))
        console.print(table)


def show_outline(nodes: Iterable[Node]) -> None:
    """The lines on a terminal, as trees."""
    from rich.text import Text
    from rich.tree import Tree

    console = _console()
    for node in nodes:
        tree = Tree(Text(clean(node.text), style=node.style), guide_style="dim")
        _grow(tree, node.below)
        console.print(tree)


def sparkline(numbers: Sequence[float], longest: int = 60) -> str:
    """The numbers as small bars, neighbours taken together until there are at most `longest`."""
    while len(numbers) > longest:
        pairs = [numbers[at : at + 2] for at in range(0, len(numbers), 2)]
        numbers = [sum(pair) / len(pair) for pair in pairs]
    most = max(numbers, default=0)
    top = len(BARS) - 1
    return "".join(BARS[round(number / most * top)] if most else BARS[0] for number in numbers)


def _lines(section: Section) -> list[str]:
    title = [clean(section.title), "=" * len(section.title)]
    if not section.rows:
        return [*title, "none"]
    rows = [[clean(cell) for cell in row] for row in [section.head, *section.rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(section.head))]
    return [
        *title,
        *(
            "  ".join(
                cell.rjust(width) if side == "r" else cell.ljust(width)
                for cell, width, side in zip(row, widths, section.sides, strict=True)
            ).rstrip()
            for row in rows
        ),
    ]


def _console() -> "Console":
    from rich.console import Console

    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)


def _grow(tree: "Tree", nodes: Iterable[Node]) -> None:
    from rich.text import Text

    for node in nodes:
        _grow(tree.add(Text(clean(node.text), style=node.style)), node.below)
