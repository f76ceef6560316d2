"""What a settings file in Perl can say: texts, numbers, None for undef, lists, hashes as dicts, and these."""

from dataclasses import dataclass
from typing import Any

Value = Any
"""str, int, float, None, list of values, dict of values by text, or one of the classes below."""


@dataclass(frozen=True)
class Where:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


NOWHERE = Where("", 0)


@dataclass(frozen=True)
class Unknown:
    """What can't be told without running Perl: why."""

    why: str


@dataclass(frozen=True)
class Pattern:
    """A regular expression, as it is written, and its flags."""

    source: str
    flags: str = ""


@dataclass(frozen=True)
class Patterns:
    """What new_RE makes: (expression, what a match means), in their order."""

    pairs: tuple[tuple[Pattern, Value], ...]


@dataclass(frozen=True)
class FileMap:
    """What read_hash or read_array reads."""

    path: str


@dataclass(frozen=True)
class Ref:
    """A reference to a variable that may be set later: "$name", "@name" or "%name"."""

    name: str


class Flat(list[Value]):
    """A list that becomes part of the one it stands in."""


@dataclass
class Given:
    """A variable's value, and where it was given; of a hash, where each key was."""

    value: Value
    where: Where
    used: bool = False


def find_unknown(value: Value, depth: int = 0) -> Unknown | None:
    """The first thing in a value that can't be told, or None."""
    if isinstance(value, Unknown):
        return value
    inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    if depth > 40:
        return Unknown("it is nested too deep")
    for one in inner:
        if found := find_unknown(one, depth + 1):
            return found
    return None
