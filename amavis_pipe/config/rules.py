"""Reads [[recipient]], [[sender]] and [[client]]: whose mail is treated otherwise, and how; and [[map]].

A compiled rule is (kind, conditions, options, line): conditions are (kind, what is matched), all of which
must hold; options go by their dotted keys. Of several rules that hold, each option comes from the first that
names it: recipients' before senders' before clients', and in the order of the file.
"""

from collections.abc import Callable
from typing import Any

from amavis_pipe.config import maps
from amavis_pipe.config.categories import CATEGORIES, IN_RULES
from amavis_pipe.config.types import COMMAND, NAME, integer

KINDS = ("recipient", "sender", "client")
"""In the order in which they are asked."""
NARROWER = ("recipient", "sender", "client")
MAP_OPTIONS = {
    "name": (NAME, None),
    "command": (COMMAND, None),
    "seconds": (integer(1, 3600), 60),
    "least": (integer(0, 10**9), 1),
}
"""Of a [[map]]: type, default."""

Values = dict[str, Any]
Rule = tuple[str, tuple[tuple[str, Any], ...], Values, int]
Fault = Callable[[str, str, int], None]
"""Takes key, text, line."""
Unknown = Callable[[str, list[str], int], None]


class Reader:
    """Collects the rules of one settings file.

    lines    of the nth table of a kind: its line in the file
    fault, unknown  are told what is wrong
    """

    def __init__(
        self,
        state: bytes,
        files: maps.Files,
        line: Callable[[str, int, str], int],
        fault: Fault,
        unknown: Unknown,
    ) -> None:
        self._state = state
        self._files = files
        self._line = line
        self._fault = fault
        self._unknown = unknown

    def rules(self, tree: Values) -> tuple[Rule, ...]:
        """All rules of the tree, in the order in which they are asked."""
        found = []
        for kind in KINDS:
            tables = tree.get(kind, [])
            for number, table in enumerate(tables if isinstance(tables, list) else [None]):
                line = self._line(kind, number, "")
                if isinstance(table, dict):
                    found.append(self._rule(kind, number, table, line))
                else:
                    self._fault(kind, f"wants [[{kind}]] tables", line)
        return tuple(found)

    def local(self, words: tuple[str, ...]) -> bytes:
        """The domains of the option `local`."""
        return maps.addresses(words, self._state, self._files, lambda text: self._fault("local", text, 0))

    def maps(self, tables: Any) -> tuple[tuple[str, tuple[str, ...], int, int], ...]:
        """Of each [[map]]: name, command, seconds, least number of entries."""
        found = []
        for number, table in enumerate(tables if isinstance(tables, list) else [tables]):
            line = self._line("map", number, "")
            given = table if isinstance(table, dict) else {}
            for key in given.keys() - MAP_OPTIONS.keys():
                self._unknown("map." + key, ["map." + name for name in MAP_OPTIONS], line)
            values = []
            for key, (kind, default) in MAP_OPTIONS.items():
                try:
                    values.append(kind.read(given.get(key, default)))
                except ValueError:
                    self._fault("map." + key, f"wants {kind.wants}", line)
            if len(values) == len(MAP_OPTIONS):
                found.append((values[0], values[1], values[2], values[3]))
        return tuple(found)

    def _rule(self, kind: str, number: int, table: Values, line: int) -> Rule:
        conditions = [(kind, self._matched(kind, table.get("match"), f"{kind}.match", line))]
        conditions += [
            (other, self._matched(other, table[other], f"{kind}.{other}", line))
            for other in NARROWER
            if other != kind and other in table
        ]
        options: Values = {}
        for key, value in _flat(table).items():
            if key == "match" or key in NARROWER:
                continue
            option = IN_RULES.get(key)
            at = self._line(kind, number, key)
            if option is None:
                self._unknown(
                    f"{kind}.{key}", [f"{kind}.{name}" for name in ("match", *NARROWER, *IN_RULES)], at
                )
                continue
            try:
                options[key] = option.type.read(value)
            except (ValueError, UnicodeEncodeError):
                self._fault(f"{kind}.{key}", f"wants {option.type.wants}", at)
        return kind, tuple(conditions), options, line

    def _matched(self, kind: str, value: Any, key: str, line: int) -> Any:
        try:
            words = maps.words(value)
        except ValueError:
            self._fault(key, "wants a list of addresses, domains, networks or files", line)
            return b"" if kind != "client" else (b"", ())

        def fault(text: str) -> None:
            self._fault(key, text, line)

        if kind == "client":
            return maps.clients(words, self._state, self._files, fault)
        return maps.addresses(words, self._state, self._files, fault)


def sorts(tree: Values, name: str) -> set[str]:
    """As what a map is used: "client", "address"; both where nothing uses it."""
    found = set()
    word = "map:" + name
    for kind in KINDS:
        for table in tree.get(kind, []) if isinstance(tree.get(kind), list) else []:
            for key in ("match", *NARROWER):
                value = table.get(key) if isinstance(table, dict) else None
                if word in (value if isinstance(value, list) else [value]):
                    of = kind if key == "match" else key
                    found.add("client" if of == "client" else "address")
    if word in (tree.get("local") or ()):
        found.add("address")
    return found or {"client", "address"}


def _flat(table: Values) -> Values:
    """{"infected": {"action": "pass"}} -> {"infected.action": "pass"}."""
    flat: Values = {}
    for key, value in table.items():
        if key in CATEGORIES and isinstance(value, dict):
            flat.update({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat
