"""Reads `[[banned_rule]]` tables: checks them and makes what judge.banned works by.

Promises: what comes out consists of tuples, texts, numbers and truth values, so it can be marshalled; every
fault is told, none raises. Several tables by one name are one set, of which one that applies is enough; a
set by the name of a ready one stands in its place.
"""

import difflib
from collections.abc import Callable
from typing import Any

from amavis_pipe.config.types import BOOL, SIZE, Option, Type, choice, integer
from amavis_pipe.judge import glob, ready
from amavis_pipe.judge.banned import TESTS

Compiled = tuple[str, bool, bool, tuple[tuple[str, Any], ...], int]
"""A rule: its name; whether it lets pass; whether it is for members of Office documents; its conditions; its
line in the settings, 0 for a ready one."""
Sets = dict[str, tuple[Compiled, ...]]
Faults = list[tuple[str, str]]

SEGMENTS = 32
"""Levels that a pattern for a path may name."""
ITEMS = 2000
"""Texts in one list."""
RULES = 500
"""Tables."""


def _texts(value: Any) -> tuple[str, ...]:
    """A list of texts, without case; one text is a list of it."""
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list) or not 0 < len(several) <= ITEMS:
        raise ValueError
    if not all(isinstance(one, str) and 0 < len(one) <= glob.PATTERN_MAX // 2 for one in several):
        raise ValueError
    return tuple(dict.fromkeys(glob.folded(one.encode()) for one in several))


def _extensions(value: Any) -> tuple[str, ...]:
    found = tuple("." + one.removeprefix(".") for one in _texts(value))
    if any(len(one) < 2 or any(char in "*?[]/\\: " for char in one) or one.endswith(".") for one in found):
        raise ValueError
    return found


def _patterns(value: Any) -> tuple[Any, ...]:
    return tuple(glob.parsed(one) for one in _texts(value))


def _paths(value: Any) -> tuple[Any, ...]:
    """For each path its segments, None for `**`."""
    found = []
    for path in _texts(value):
        segments: list[Any] = []
        for segment in path.split("/"):
            if segment != "**":
                segments.append(glob.parsed(segment))
            elif segments[-1:] != [None]:
                segments.append(None)
        if len(segments) > SEGMENTS or ("",) in segments:
            raise ValueError
        found.append(tuple(segments))
    return tuple(found)


def _formats(value: Any) -> Any:
    return value if isinstance(value, bool) else _patterns(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.isascii() or len(value) > 40:
        raise ValueError
    if not value.replace("-", "a").replace("_", "a").isalnum():
        raise ValueError
    return value


OPTIONS = (
    Option(
        "name",
        Type("a name of letters, digits, - and _, at most 40", _name),
        "",
        "Used in `banned_rules`, in reports and in headers. Several tables by one name are one set.",
    ),
    Option(
        "allow",
        BOOL,
        False,
        "Let pass what this applies to: no later rule is asked about that part. What is in it is judged by "
        "itself.",
    ),
    Option(
        "names",
        Type("a list of shell patterns", _patterns),
        [],
        "Names of the part, with its path or without; `*`, `?` and `[a-z]`.",
    ),
    Option(
        "extensions",
        Type("a list of extensions without patterns", _extensions),
        [],
        'Ends of its names, "exe" or "tar.gz", with or without a dot in front.',
    ),
    Option(
        "double_extension",
        BOOL,
        False,
        "A name that looks like a document's and is a program's: `a.pdf.exe`; false: no such name.",
    ),
    Option(
        "kinds",
        Type("a list of shell patterns", _patterns),
        [],
        'What it is by its content, "image/*"; `amavis-pipe scan --json` shows it.',
    ),
    Option(
        "claimed",
        Type("a list of shell patterns", _patterns),
        [],
        "The type that the mail, or what it came out of, gives it.",
    ),
    Option(
        "path",
        Type('a list of shell patterns with "/" between levels', _paths),
        [],
        "Names of the archives around it, the outermost first, and its own, each less its path; `**` stands "
        "for any number of levels.",
    ),
    Option("larger", SIZE, "", "More bytes than this."),
    Option("deeper", integer(0, 64), "", "In more archives or documents, one in the other, than this."),
    Option(
        "encrypted",
        Type("true, false, or a list of formats", _formats),
        "",
        "It, or what lies around it, could not be decrypted; or only if it is of these formats, "
        '["zip", "7z"].',
    ),
    Option(
        "content",
        choice("any", "attachment", "file"),
        "any",
        "attachment: not the texts of a mail, and not what holds its parts. file: nor what a document is "
        "made of.",
    ),
    Option(
        "inside_office",
        BOOL,
        False,
        "Only what an Office document (a zip) consists of, which no other rule judges by name.",
    ),
)
"""The fields of a `[[banned_rule]]` table."""

_FIELDS = {option.key: option for option in OPTIONS}
_ABOUT = ("name", "allow", "inside_office")
"""Fields that are no conditions."""


def compiled(
    tables: Any, known: Any = ready, line_of: Callable[[int], int] = lambda number: 0
) -> tuple[Sets, Faults]:
    """The sets of rules there are by name, those of `known` among them; what is wrong, as (field, text).

    `tables` is what stands in the settings under `banned_rule`, `line_of` tells where the nth of them does.
    The field is "" for what concerns a table.
    """
    faults: Faults = []
    sets: Sets = {}
    several = tables if isinstance(tables, list) else [tables]
    if len(several) > RULES:
        faults.append(("", f"wants at most {RULES} tables, not {len(several)}"))
    for number, table in enumerate(several[:RULES]):
        rule = _rule(table, faults, line_of(number))
        if rule is not None:
            sets[rule[0]] = (*sets.get(rule[0], ()), rule)
    for name, (_, ones) in known.SETS.items():
        if name not in sets:
            rules = [_rule({"name": name, **one}, faults) for one in ones]
            sets[name] = tuple(rule for rule in rules if rule is not None)
    return sets, faults


def chosen(names: tuple[str, ...], sets: Sets) -> tuple[Compiled, ...]:
    """What judge.banned.applied() takes: the rules of these sets, in this order; of unknown ones none."""
    return tuple(rule for name in names for rule in sets.get(name, ()))


def _rule(table: Any, faults: Faults, line: int = 0) -> Compiled | None:
    if not isinstance(table, dict):
        faults.append(("", "wants [[banned_rule]] tables"))
        return None
    before = len(faults)
    given = {}
    name = table.get("name")
    about = f"{name}: " if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 40 else ""
    for key, raw in table.items():
        if key not in _FIELDS:
            faults.append((str(key), about + "is no option" + _hint(str(key))))
            continue
        try:
            given[key] = _FIELDS[key].type.read(raw)
        except (ValueError, UnicodeEncodeError):
            faults.append((key, f"{about}wants {_FIELDS[key].type.wants}, not {_shown(raw)}"))
    if "name" not in table:
        faults.append(("name", f"wants {_FIELDS['name'].type.wants}"))
    elif len(faults) == before and not given.keys() - {*_ABOUT}:
        wanted = ", ".join(key for key in _FIELDS if key not in _ABOUT)
        faults.append(("", f"{about}wants at least one of {wanted}"))
    if len(faults) > before:
        return None
    office = given.get("inside_office", False)
    return given["name"], given.get("allow", False), office, _conditions(given), line


def _conditions(given: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What has to hold, cheapest first."""
    if given.get("content") == "any":
        del given["content"]
    if "double_extension" in given:
        given["double_extension"] = (
            given["double_extension"],
            _extensions(ready.DOCUMENTS.split()),
            _extensions(ready.PROGRAMS.split()),
        )
    return tuple((what, given[what]) for what in TESTS if what in given)


def _hint(key: str) -> str:
    near = difflib.get_close_matches(key, _FIELDS, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _shown(raw: Any) -> str:
    """A value as the user wrote it, about."""
    if isinstance(raw, bool):
        return str(raw).lower()
    text = f'"{raw}"' if isinstance(raw, str) else str(raw)
    return text if len(text) <= 60 else text[:57] + "..."
