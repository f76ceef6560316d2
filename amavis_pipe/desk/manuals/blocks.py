"""What a manual page consists of, whatever it is written as.

Texts hold `code` (also with two backticks) and *emphasis*; everything else in them is itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SPAN = re.compile(r"``([^`]+)``|`([^`]+)`|(?<![\w*])\*([A-Za-z][\w -]*)\*(?![\w*])")


@dataclass(frozen=True)
class Heading:
    """Level 1 is a section, 2 one in it."""

    level: int
    text: str


@dataclass(frozen=True)
class Para:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Item:
    """A term, which is code, and what is said of it."""

    term: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Lines as they are typed or written."""

    text: str


Block = Heading | Para | Item | Code


@dataclass(frozen=True)
class Page:
    """A manual page: name, section of the manual, one line of what it is, its blocks."""

    name: str
    section: int
    title: str
    blocks: tuple[Block, ...]


def spans(text: str) -> Iterator[tuple[str, str]]:
    """A text's pieces as (style, piece): "" as it is, "code", "emphasis"."""
    at = 0
    for match in _SPAN.finditer(text):
        if match.start() > at:
            yield "", text[at : match.start()]
        code = match[1] or match[2]
        yield ("code", code) if code else ("emphasis", match[3])
        at = match.end()
    if at < len(text):
        yield "", text[at:]
