"""What comes of an amavisd.conf: options and tables of ours, each with its line there; what is left out."""

from dataclasses import dataclass, field
from typing import Any

from amavis_pipe.config.imported.values import Where
from amavis_pipe.config.load import TABLES
from amavis_pipe.config.schema import OPTIONS

Table = dict[str, Any]
BY_KEY = {option.key: option for option in OPTIONS}


@dataclass
class Line:
    """An option's value as TOML has it, where it comes from, and what else is to be said of it."""

    value: Any
    where: Where
    name: str
    comment: str = ""
    is_planned: bool = False


@dataclass
class Result:
    """All that a settings file of ours is made of.

    options  by dotted key
    tables   (kind, fields, where, name, comment) for [[kind]] tables, in their order
    hints    lines of comments: tables that somebody has to look at first
    left     (where, variable, why) of what was not carried over
    moot     likewise of what needs not be
    """

    options: dict[str, Line] = field(default_factory=dict)
    tables: list[tuple[str, Table, Where, str, str]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    left: list[tuple[Where, str, str]] = field(default_factory=list)
    moot: list[tuple[Where, str, str]] = field(default_factory=list)

    def option(self, keys: tuple[str, ...], value: Any, where: Where, name: str, comment: str = "") -> bool:
        """Take a value for the first of `keys` that is an option, if it may have it; else it is left.

        An option that this version lacks becomes a comment.
        """
        known = next((key for key in keys if key in BY_KEY and key not in TABLES), None)
        if known is None:
            self.options[keys[0]] = Line(value, where, name, comment, is_planned=True)
            self.leave(where, name, f"this version has no {keys[0]}; it stands there as a comment")
            return False
        try:
            BY_KEY[known].type.read(value)
        except (ValueError, UnicodeEncodeError):
            self.leave(where, name, f"{known} wants {BY_KEY[known].type.wants}")
            return False
        self.options[known] = Line(value, where, name, comment)
        return True

    def table(self, kind: str, fields: Table, where: Where, name: str, comment: str = "") -> None:
        """Take a table; `name` is the variable it comes from."""
        self.tables.append((kind, fields, where, name, comment))

    def leave(self, where: Where, name: str, why: str) -> None:
        """Note what is not carried over."""
        self.left.append((where, name, why))
