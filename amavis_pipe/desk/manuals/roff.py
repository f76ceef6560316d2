"""A manual page for man(1): man(7) macros that groff and mandoc read alike, without a warning from either."""

import textwrap

from amavis_pipe import __version__
from amavis_pipe.desk.manuals.blocks import Block, Code, Heading, Item, Page, spans

WIDTH = 78
DATE = "2026-11-25"
"""Of the pages' last change; they are the same whenever they are made."""
_MARKS = {"\\": "\\e", "~": "\\(ti", "^": "\\(ha", "`": "\\(ga"}
_IN_CODE = {**_MARKS, "-": "\\-", "'": "\\(aq"}


def roff(page: Page) -> str:
    """The whole page."""
    name = page.name.upper().replace("-", "\\-")
    lines = [
        '.\\" Made by `python -m amavis_pipe.desk.manual`.',
        f'.TH {name} {page.section} {DATE} "amavis\\-pipe {__version__}"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escaped(page.name, _IN_CODE)} \\- {_escaped(page.title, _MARKS)}",
    ]
    before: Block = Heading(1, "")
    for block in page.blocks:
        lines += _block(block, before)
        before = block
    return "\n".join(lines) + "\n"


def _block(block: Block, before: Block) -> list[str]:
    if isinstance(block, Heading):
        sign, text = (".SH", block.text.upper()) if block.level == 1 else (".SS", block.text)
        return [f"{sign} {_quoted(text)}"]
    if isinstance(block, Code):
        lines = [_line(_escaped(line, _IN_CODE)) for line in block.text.split("\n")]
        start = [".PP"] if not isinstance(before, Heading) else []
        return [*start, ".RS 4", ".EX", *lines, ".EE", ".RE"]
    if isinstance(block, Item):
        lines = [".TP", f"\\fB{_escaped(block.term, _IN_CODE)}\\fP"]
        for number, text in enumerate(block.texts):
            lines += [*([".IP"] if number else []), *_wrapped(text)]
        return lines
    return [*([] if isinstance(before, Heading) else [".PP"]), *_wrapped(block.text)]


def _wrapped(text: str) -> list[str]:
    styled = "".join(
        _escaped(piece, _MARKS)
        if not style
        else f"\\f{'B' if style == 'code' else 'I'}{_escaped(piece, _IN_CODE)}\\fP"
        for style, piece in spans(text)
    )
    lines = textwrap.wrap(styled, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [_line(line) for line in lines] or ["\\&"]


def _line(line: str) -> str:
    """A line that is no request."""
    return "\\&" + line if line.startswith((".", "'")) else line


def _quoted(text: str) -> str:
    return '"' + _escaped(text, _MARKS).replace('"', "\\(dq") + '"'


def _escaped(text: str, marks: dict[str, str]) -> str:
    return "".join(marks.get(char, char) if char < "\x7f" else f"\\[u{ord(char):04X}]" for char in text)
