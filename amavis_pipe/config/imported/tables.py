"""The lookup tables that variables hold: `@virus_lovers_maps` and its kin.

Where one isn't given, the older variables stand that it holds by default: %virus_lovers, @virus_lovers_acl,
$virus_lovers_re.
"""

from collections.abc import Callable

from amavis_pipe.config.imported.assigned import Assigned
from amavis_pipe.config.imported.files import Files
from amavis_pipe.config.imported.lookups import Table
from amavis_pipe.config.imported.result import Result
from amavis_pipe.config.imported.values import NOWHERE, Given, Ref, Value, Where

MOST_TOLD = 5
"""Entries of one table that can't be carried over, each told by itself."""


class Tables:
    """Finds them, and tells what of them can't be carried over."""

    def __init__(self, assigned: Assigned, result: Result, files: Files) -> None:
        self.assigned = assigned
        self.result = result
        self.files = files

    def given(self, base: str) -> Given | None:
        """The variable by which a lookup was given."""
        for name in (f"@{base}_maps", f"%{base}", f"@{base}_acl", f"${base}_re"):
            if found := self.assigned.get(name):
                return found
        return None

    def values(self, base: str) -> list[tuple[Value, str, Where]]:
        """The tables of a lookup: each value with its variable and line."""
        maps = self.assigned.get(f"@{base}_maps")
        if maps is None:
            names = (f"%{base}", f"@{base}_acl", f"${base}_re")
        elif not isinstance(maps.value, list):
            return [(maps.value, f"@{base}_maps", maps.where)]
        else:
            return [self.resolved(value, f"@{base}_maps", maps.where) for value in maps.value]
        found = [(name, self.assigned.get(name)) for name in names]
        return [(given.value, name, given.where) for name, given in found if given is not None]

    def resolved(self, value: Value, name: str, where: Where) -> tuple[Value, str, Where]:
        """The same, a reference to a variable replaced by what that holds."""
        if isinstance(value, Ref):
            given = self.assigned.get(value.name)
            if given is not None:
                return given.value, value.name, given.where
            return None, value.name, where
        return value, name, where

    def tables(self, base: str) -> list[Table]:
        """The same as tables; what can't be told is left."""
        found = [self.table(value, name, where) for value, name, where in self.values(base)]
        return [table for table in found if table is not None]

    def table(self, value: Value, name: str, where: Where) -> Table | None:
        """The table that a value is; None if its file can't be read."""
        try:
            table = Table.of(value, self.files.read)
        except OSError as error:
            self.result.leave(where, name, f"{getattr(value, 'path', name)}: {error.strerror}")
            return None
        for what in table.refused[:MOST_TOLD]:
            self.result.leave(where, name, f"not carried over from it: {what[:80]}")
        more = len(table.refused) - MOST_TOLD
        if more > 0:
            self.result.leave(where, name, f"nor are {more} more of its entries")
        return table

    def doubt(self, where: Where, name: str) -> Callable[[str], None]:
        """What tells that rules can't say what tables say."""
        return lambda what: self.result.leave(where, name, f"not as before: {what}")

    def first(self, bases: list[str]) -> Where:
        """Where the first of these lookups was given."""
        return next((given.where for base in bases if (given := self.given(base))), NOWHERE)
