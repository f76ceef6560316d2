"""What amavisd's lookup tables say of an address, and the rules of ours that say the same.

A table is a hash (the most specific key that there is decides), a list (the first entry that fits decides,
"!" means no), expressions (the first that fits) or a constant. Of several the first that says anything
decides. Keys and entries are user@example.org, user@, example.org, .example.org and "." in both programs.
Source: README.lookups of amavisd-new.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from amavis_pipe.config import maps
from amavis_pipe.config.imported.values import FileMap, Patterns, Unknown, Value

MOST = 100_000
"""Entries of all tables together."""
MOST_DOUBTS = 100
Options = dict[str, Any]

_EXACT = re.compile(r"\^((?:[\w+=-]|\\.)+@(?:[\w-]|\\[.-])+)\$")
_DOMAIN = re.compile(r"(?:\^\.\*)?@((?:[\w-]|\\[.-])+)\$")
_USER = re.compile(r"\^((?:[\w+=-]|\\[.+-])+)@")
_USERS = re.compile(r"\^\((?:\?:)?((?:[\w+=|-]|\\[.])+)\)@")


class Table:
    """One lookup table: what it says of an entry, which stands for all addresses that fit no narrower one.

    entries   the keys it knows
    refused   what could not be made one
    """

    def __init__(self) -> None:
        self._order: dict[str, tuple[int, Value]] = {}
        self._is_hash = False
        self._constant: Value = None
        self.refused: list[str] = []

    @property
    def entries(self) -> Iterable[str]:
        """What is said something of."""
        return ["."] if self._constant is not None else self._order

    def get(self, keys: list[str]) -> Value:
        """What is said of the first of `keys`, the others being those that it fits, too; None for nothing."""
        if self._constant is not None:
            return self._constant
        found = [self._order[key] for key in keys if key in self._order]
        if not found:
            return None
        return found[0][1] if self._is_hash else min(found, key=lambda pair: pair[0])[1]

    def add(self, entry: str, value: Value) -> None:
        """One entry more, behind those that there are; the first of two alike counts."""
        name = entry.lower()
        if not is_entry(name):
            self.refused.append(entry or "what has no name, or one that can't be told")
        elif len(self._order) < MOST and (self._is_hash or name not in self._order):
            self._order[name] = (len(self._order), value)

    @classmethod
    def of(cls, value: Value, read: Callable[[str], dict[str, Value]]) -> "Table":
        """The table that a value is; `read` gives the entries of a file, or raises OSError."""
        table = cls()
        if isinstance(value, FileMap):
            value = read(value.path)
        if isinstance(value, dict):
            table._is_hash = True
            for key, one in value.items():
                table._entry(key, one)
        elif isinstance(value, list):
            for one in value:
                negations = len(one) - len(one.lstrip("!")) if isinstance(one, str) else 0
                table._entry(one[negations:] if isinstance(one, str) else one, 0 if negations % 2 else 1)
        elif isinstance(value, Patterns):
            for pattern, one in value.pairs:
                entries = of_pattern(pattern.source)
                table.refused += [] if entries else [f"qr/{pattern.source}/"]
                for entry in entries:
                    table.add(entry, one)
        elif isinstance(value, Unknown):
            table.refused.append(value.why)
        elif value is not None:
            table._constant = value
        return table

    def _entry(self, key: Value, value: Value) -> None:
        if isinstance(key, Unknown) or isinstance(value, Unknown):
            self.refused.append((key if isinstance(key, Unknown) else value).why)
        elif isinstance(key, (str, int, float)):
            self.add(str(key), value)
        else:
            self.refused.append("something that is no text")


def is_entry(entry: str) -> bool:
    """Whether it may stand in `match` and means an address there."""
    if entry.startswith(("/", "map:")) or entry == "<>":
        return False
    faults: list[str] = []
    maps.addresses((entry,), b"", [], faults.append)
    return not faults


def keys_of(entry: str) -> list[str]:
    """The entries that fit all that `entry` fits, itself first, then from narrow to wide."""
    local, at, domain = entry.rpartition("@")
    keys = [entry] if at and domain else []
    if at:
        keys.append(f"{local}@")
    if domain and not domain.startswith("."):
        keys += [domain] if at else [entry]
        domain = "." + domain
    while len(domain) > 1:
        keys.append(domain)
        domain = domain[domain.find(".", 1) :] if "." in domain[1:] else ""
    return [*dict.fromkeys(keys), "."]


def looked_up(tables: list[Table], keys: list[str]) -> Value:
    """What the first table that says anything says."""
    for table in tables:
        value = table.get(keys)
        if value is not None:
            return value
    return None


def is_true(value: Value) -> bool:
    """Perl's idea of it."""
    return value not in (None, 0, "", "0", 0.0)


def rules(
    entries: Iterable[str], options_of: Callable[[list[str]], Options], doubt: Callable[[str], None]
) -> list[tuple[list[str], Options]]:
    """Rules by which each entry has the options that `options_of` gives for it, narrow ones first.

    Left out are those that change nothing. `doubt` is told where no rule can say what the tables say.
    """
    known = {entry.lower() for entry in entries}
    users = sorted(entry for entry in known if entry.endswith("@"))
    domains = sorted(entry for entry in known if "@" not in entry and entry != ".")
    if len(users) * len(domains) <= MOST:
        known |= {user + domain.removeprefix(".") for user in users for domain in domains}
    chosen = {entry: options_of(keys_of(entry)) for entry in known}
    _doubts(users, domains, chosen, options_of, doubt)
    found: list[tuple[list[str], Options]] = []
    for entry in sorted(known, key=_narrowness):
        options = chosen[entry]
        wider = next((chosen[key] for key in keys_of(entry)[1:] if key in chosen), {})
        stands_alone = not (entry.endswith("@") and domains)
        is_empty = not any(one not in ([], None) for one in [*options.values(), *wider.values()])
        if stands_alone and (options == wider or is_empty):
            continue
        if found and found[-1][1] == options and _narrowness(found[-1][0][-1])[:2] == _narrowness(entry)[:2]:
            found[-1][0].append(entry)
        else:
            found.append(([entry], options))
    return found if any(one not in ([], None) for _, options in found for one in options.values()) else []


def _doubts(
    users: list[str],
    domains: list[str],
    chosen: dict[str, Options],
    options_of: Callable[[list[str]], Options],
    doubt: Callable[[str], None],
) -> None:
    """user@ is asked before .example.org; where both say something, that may not be what is wanted."""
    for user in users[:MOST_DOUBTS]:
        for domain in [domain for domain in domains if domain.startswith(".")][:MOST_DOUBTS]:
            if options_of(keys_of(f"{user}\0{domain}")) != chosen[user]:
                doubt(f"{user} in subdomains of {domain}")


def _narrowness(entry: str) -> tuple[int, int, str]:
    """Sorts narrow entries before wide ones."""
    local, at, domain = entry.rpartition("@")
    rank = (
        (0 if domain else 1)
        if at and local
        else 2
        if not entry.startswith(".")
        else 3
        if len(entry) > 1
        else 4
    )
    return (rank, -entry.count(".") if rank == 3 else 0, entry)


def of_pattern(source: str) -> list[str]:
    """The entries that mean what a simple expression for addresses means; none if it is not simple."""
    if match := _EXACT.fullmatch(source):
        return [_bare(match[1])]
    if match := _DOMAIN.fullmatch(source):
        return [_bare(match[1])]
    if match := _USER.fullmatch(source):
        return [_bare(match[1]) + "@"]
    if match := _USERS.fullmatch(source):
        return [f"{_bare(user)}@" for user in match[1].split("|") if user]
    for start in (r"[@.]", r"(^|[@.])", r"(?:^|[@.])", r"@(.*\.)?", r"@(?:.*\.)?", r"[.@]"):
        rest = source.removeprefix(start)
        if rest != source and re.fullmatch(r"(?:[\w-]|\\[.-])+\$", rest):
            return ["." + _bare(rest[:-1])]
    return []


def _bare(text: str) -> str:
    return text.replace("\\", "")
