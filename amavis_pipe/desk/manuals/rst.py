"""A manual page, or a table, for the documentation: reStructuredText for Sphinx."""

import re

from amavis_pipe.desk.manuals.blocks import Block, Code, Heading, Item, Page, spans

MADE = ".. Made by `python -m amavis_pipe.desk.manual`; not to be changed by hand."
_LINES = {0: "=", 1: "-", 2: "~"}
_BEFORE = " '\"([{<-/:"
_BEHIND = " '\")]}>-/:.,;!?"
"""What may stand around code and emphasis without a sign between."""
_MARKS = re.compile(r"([*`|\\_])")


def rst(page: Page) -> str:
    """The whole page."""
    title = f"{page.name}({page.section})"
    lines = [MADE, "", *_heading(0, title), *_paragraph(page.title[:1].upper() + page.title[1:] + ".")]
    for block in page.blocks:
        lines += _block(block)
    return "\n".join(lines).rstrip("\n") + "\n"


def table(title: str, intro: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A page with a table; the first row is its head."""
    lines = [MADE, "", *_heading(0, title)]
    for text in intro:
        lines += _paragraph(text)
    lines += [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [
            f"   {'* -' if not number else '  -'} {styled(cell)}".rstrip() for number, cell in enumerate(row)
        ]
    return "\n".join(lines) + "\n"


def styled(text: str) -> str:
    """A text with its code and emphasis, everything else as it is."""
    made, ends_inline = "", False
    for style, piece in spans(text):
        if style:
            parted = made and made[-1] not in _BEFORE
            made += ("\\ " if parted else "") + (f"``{piece}``" if style == "code" else f"*{piece}*")
        else:
            made += ("\\ " if ends_inline and piece[0] not in _BEHIND else "") + _MARKS.sub(r"\\\1", piece)
        ends_inline = bool(style)
    return made


def _block(block: Block) -> list[str]:
    if isinstance(block, Heading):
        return _heading(block.level, block.text)
    if isinstance(block, Code):
        return ["::", "", *(f"    {line}".rstrip() for line in block.text.split("\n")), ""]
    if isinstance(block, Item):
        lines = [f"``{block.term}``"]
        for text in block.texts:
            lines += [f"    {styled(text)}", ""]
        return lines
    return _paragraph(block.text)


def _heading(level: int, text: str) -> list[str]:
    return [styled(text), _LINES[level] * len(styled(text)), ""]


def _paragraph(text: str) -> list[str]:
    return [styled(text), ""]
