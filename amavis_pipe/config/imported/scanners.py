"""@av_scanners and @av_scanners_backup: rows that are known by name, or [[scanner]] tables of one's own.

amavisd passes over programs that it doesn't find; so do we, for each name in `scanners` must answer.
"""

import re
from collections.abc import Callable
from typing import Any

from amavis_pipe.config import rows
from amavis_pipe.config.imported.result import Result
from amavis_pipe.config.imported.values import Given, Pattern, Ref, Unknown, Value, Where
from amavis_pipe.scan.table import ROWS

DAEMONS = (
    (r"(?i)clamav-clamd|clamd\b", "clamd"),
    (r"(?i)sophie", "sophie"),
    (r"(?i)trophie", "trophie"),
    (r"(?i)sophos savi|savdi|sssp", "savdi"),
    (r"(?i)openantivirus|\boav\b", "oav"),
    (r"(?i)\bavg\b", "avg"),
    (r"(?i)fpscand", "fpscand"),
    (r"(?i)drwebd", "drwebd"),
    (r"(?i)nod32ss|nod32 .*client/server", "nod32ss"),
    (r"(?i)avast.*daemon", "avast-daemon"),
)
"""Names of amavisd's entries that ask a daemon, and our row."""
_MOVED = ("clamd", "sophie", "trophie", "savdi", "oav", "avg", "fpscand", "drwebd", "nod32ss", "avast-daemon")
_PLACE = re.compile(r"/[\w./+-]+|(?:\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}")
_PROGRAMS = {
    program.rpartition("/")[2]: name for name, row in ROWS.items() for program in row.get("programs", ())
}


class Scanners:
    """Works through both lists.

    found   tells whether one of several programs is on this machine
    """

    def __init__(self, result: Result, found: Callable[[tuple[str, ...]], bool]) -> None:
        self._result = result
        self._found = found
        self._own: dict[str, dict[str, Any]] = {}

    def carry(self, primary: Given | None, backup: Given | None) -> None:
        """Both lists; each may be missing."""
        first = self._names(primary, "@av_scanners")
        second = [name for name in self._names(backup, "@av_scanners_backup") if name not in first]
        if not first and second and primary is not None:
            first, second = second, []
        if first:
            given = primary if primary is not None and self._names_of(primary) else backup
            where = given.where if given else primary.where if primary else Where("", 0)
            comment = 'each must answer; require = "one" is amavisd\'s way' if len(first) > 1 else ""
            self._result.option(("scanners",), first, where, "@av_scanners", comment)
        elif primary is not None:
            self._result.leave(primary.where, "@av_scanners", "none of them is here: the default is clamd")
        if second and backup is not None:
            self._result.option(("backups",), second, backup.where, "@av_scanners_backup")

    def _names_of(self, given: Given) -> bool:
        return isinstance(given.value, list) and bool(given.value)

    def _names(self, given: Given | None, variable: str) -> list[str]:
        if given is None:
            return []
        if not isinstance(given.value, list):
            why = given.value.why if isinstance(given.value, Unknown) else "it is no list"
            self._result.leave(given.where, variable, why)
            return []
        names = [self._scanner(entry, given.where) for entry in given.value[:200]]
        return list(dict.fromkeys(name for name in names if name))

    def _scanner(self, entry: Value, where: Where) -> str:
        """The name of the row for an entry, "" if there is none."""
        if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[0], str):
            self._result.leave(where, "@av_scanners", "an entry that is no scanner")
            return ""
        title, how = entry[0], entry[1]
        if isinstance(how, Ref):
            return self._daemon(title, how, entry, where)
        programs = tuple(one for one in (how if isinstance(how, list) else [how]) if isinstance(one, str))
        programs = tuple(one for program in programs for one in program.split()[:1])
        if not programs:
            self._result.leave(where, title, "it would have to be run")
            return ""
        if not self._found(programs):
            self._result.moot.append(
                (where, title, "its program isn't on this machine; amavisd passes it over, too")
            )
            return ""
        known = next(
            (_PROGRAMS[name] for one in programs if (name := one.rpartition("/")[2]) in _PROGRAMS), ""
        )
        return known or self._program(title, programs, entry, where)

    def _daemon(self, title: str, how: Ref, entry: list[Value], where: Where) -> str:
        name = next((row for pattern, row in DAEMONS if re.search(pattern, title)), "")
        if not name or how.name not in ("&ask_daemon", "&ask_clamav", "&sophos_savi"):
            self._result.leave(where, title, "no scanner here is asked like that; see docs/scanners.rst")
            return ""
        at = _place(entry[2]) if len(entry) > 2 else ""
        if at and at != ROWS[name].get("at"):
            self._own[name] = {"name": name, "at": at}
            self._result.table("scanner", self._own[name], where, title)
        return name

    def _program(self, title: str, programs: tuple[str, ...], entry: list[Value], where: Where) -> str:
        """A table for a program that nobody has heard of: its arguments, statuses and patterns."""
        name = re.sub(r"[^a-z0-9]+", "-", programs[0].rpartition("/")[2].lower()).strip("-")
        arguments, clean, infected, virus = (*entry[2:6], None, None, None, None)[:4]
        fields: dict[str, Any] = {"name": name, "via": "command"}
        if isinstance(arguments, str):
            fields["run"] = [programs[0], *(_argument(word) for word in arguments.split())]
        judged = {"clean": _judgement(clean), "infected": _judgement(infected)}
        fields |= {field: value for field, value in judged.items() if value is not None}
        if isinstance(virus, Pattern):
            fields["virus"] = python_of(virus)
        merged = rows.merged(name, fields) if name else {"via": "command"}
        if not name or "run" not in fields or rows.faults(merged) or not _is_printable(fields):
            self._result.leave(where, title, "how it answers can't be told; see docs/scanners.rst")
            return ""
        if name not in self._own:
            self._own[name] = fields
            self._result.table("scanner", fields, where, title, "try it with `amavis-pipe check`")
        return name


def python_of(pattern: Pattern) -> str:
    """The expression as Python writes it, for the whole output of a program."""
    flags = "".join(dict.fromkeys(flag for flag in pattern.flags if flag in "imsx"))
    source = pattern.source
    if match := re.match(r"\(\?([imsx]+)\)", source):  # Python wants flags in one place
        flags = "".join(dict.fromkeys(flags + match[1]))
        source = source[match.end() :]
    return (f"(?{flags})" if flags else "") + source


def _judgement(value: Value) -> Any:
    if isinstance(value, Pattern):
        return python_of(value) or None
    if isinstance(value, list) and value and all(type(one) is int and 0 <= one < 256 for one in value):
        return value
    return None


def _argument(word: str) -> str:
    return word.replace("{}/*", "{files}").replace("{}", "{dir}")


def _place(value: Value) -> str:
    """The socket or HOST:PORT in what a daemon is told, "" if there is none."""
    for one in value if isinstance(value, list) else [value]:
        several = one if isinstance(one, list) else [one]
        for text in several:
            if isinstance(text, str):
                bare = re.sub(r"^(?:clamd|savdi|unix|inet):", "", text.strip())
                if _PLACE.fullmatch(bare):
                    return bare
    return ""


def _is_printable(fields: dict[str, Any]) -> bool:
    texts = [one for value in fields.values() for one in (value if isinstance(value, list) else [value])]
    return all(len(one) <= 1000 and "\0" not in one for one in texts if isinstance(one, str))
