"""Which parts of a mail a site's rules ban, by names, kinds, and where they lie. Pure: no I/O, no clock.

The rules are in order; the first that applies to a part decides about it, and nothing about what is in it.
Every candidate name counts, in all forms of it (judge.names). Names of what an Office document is made of are
judged by those rules alone that are for such; what these parts are by their content, by all.

Promises: time linear in the parts, whatever they are called; at most NAMES names of a part are looked at, and
of all names of a mail ROOM bytes, then only their ends, where the extension is.
Rules are made and checked by config.banned; see docs/banned.rst.
"""

from amavis_pipe.judge.glob import fits, folded
from amavis_pipe.judge.names import is_double, shown
from amavis_pipe.judge.view import Mail, Seen, above
from amavis_pipe.model import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from amavis_pipe.judge.glob import Pattern
    from amavis_pipe.model import Facts

    Condition = tuple[str, Any]
    """What is looked at, as in TESTS, and what it has to be."""
    Rule = tuple[str, bool, bool, tuple[Condition, ...], int]
    """Its name; whether it lets pass; whether it is for members of Office documents; what has to hold; its
    line in the settings, 0 for a ready one."""
    Rules = tuple[Rule, ...]


def applied(facts: "Facts", rules: "Rules") -> tuple[list[Finding], list[int]]:
    """For each part that is banned one finding, `RULE:name`, in the order of the parts.

    Also the lines of the site's own rules that decided about a part, each once, those that let pass, too.
    """
    if not rules:
        return [], []
    mail = Mail(facts)
    found = []
    lines: dict[int, None] = {}
    for part in facts.parts:
        seen = Seen(part, mail)
        for rule in rules:
            detail = _applies(rule, seen)
            if detail is not None:
                if rule[4]:
                    lines[rule[4]] = None
                if not rule[1]:
                    found.append(Finding("banned", f"{rule[0]}:{detail}", part.path, "policy"))
                break
    return found, list(lines)


def _applies(rule: "Rule", seen: "Seen") -> str | None:
    """What the rule bans the part for, if all its conditions hold: printable ASCII; else None."""
    told = ""
    if rule[2] and not seen.in_office:
        return None
    seen.names = seen.all_names if rule[2] or not seen.in_office else ()
    for what, wanted in rule[3]:
        name = TESTS[what](seen, wanted)
        if name is None:
            return None
        told = told or name
    return shown(told) if told else seen.described()


def _names(seen: Seen, wanted: "tuple[Pattern, ...]") -> str | None:
    for pattern in wanted:
        for name in seen.names:
            if fits(pattern, name):
                return name
    return None


def _extensions(seen: Seen, wanted: tuple[str, ...]) -> str | None:
    return next((name for name in seen.names if name.endswith(wanted)), None)


def _double(seen: Seen, wanted: tuple[bool, tuple[str, ...], tuple[str, ...]]) -> str | None:
    """The name that looks like a document's and is a program's; "" if none does and none is wanted."""
    is_wanted, documents, programs = wanted
    found = next((name for name in seen.names if is_double(name, documents, programs)), None)
    if is_wanted:
        return found
    return "" if found is None else None


def _kinds(seen: Seen, wanted: "tuple[Pattern, ...]") -> str | None:
    kind = seen.part.kind
    return "" if any(fits(pattern, kind) for pattern in wanted) else None


def _claimed(seen: Seen, wanted: "tuple[Pattern, ...]") -> str | None:
    claimed = folded(seen.part.claimed)
    return "" if any(fits(pattern, claimed) for pattern in wanted) else None


def _path(seen: Seen, wanted: "tuple[tuple[Pattern | None, ...], ...]") -> str | None:
    """The name, if a pattern fits all levels from the outermost archive to the part itself."""
    if seen.in_office and not seen.names:
        return None
    levels = [path for path in seen.mail.around(above(seen.part.path)) if seen.mail.names(path)]
    for segments in wanted:
        if _leads(segments, [seen.mail.mask(segments, path) for path in (*levels, seen.part.path)]):
            return seen.names[0] if seen.names else ""
    return None


def _leads(segments: "tuple[Pattern | None, ...]", masks: list[int]) -> bool:
    """Whether the segments fit the levels one by one, `**` (None) any number; a bit for each state."""
    any_number = sum(1 << number for number, segment in enumerate(segments) if segment is None)
    states = _closed(1, any_number)
    for mask in masks:
        states = _closed((states & any_number) | (states & mask) << 1, any_number)
    return bool(states >> len(segments) & 1)


def _closed(states: int, any_number: int) -> int:
    """The states with those behind a `**`, which may stand for no level; no two stand side by side."""
    return states | (states & any_number) << 1


def _larger(seen: Seen, wanted: int) -> str | None:
    return "" if seen.part.size > wanted else None


def _deeper(seen: Seen, wanted: int) -> str | None:
    return "" if len(seen.mail.around(above(seen.part.path))) > wanted else None


def _encrypted(seen: Seen, wanted: "bool | tuple[Pattern, ...]") -> str | None:
    told = seen.mail.formats_encrypted(seen.part.path)
    if isinstance(wanted, bool):
        return "" if any(True for _ in told) == wanted else None
    return "" if any(fits(pattern, name) for name in told for pattern in wanted) else None


def _content(seen: Seen, wanted: str) -> str | None:
    return None if seen.is_body() or (wanted == "file" and seen.is_piece()) else ""


TESTS: "dict[str, Callable[[Seen, Any], str | None]]" = {
    "larger": _larger,
    "content": _content,
    "extensions": _extensions,
    "kinds": _kinds,
    "claimed": _claimed,
    "encrypted": _encrypted,
    "deeper": _deeper,
    "double_extension": _double,
    "names": _names,
    "path": _path,
}
"""What a condition looks at: the name that made it hold, "" if it holds for another reason, None if not.

Cheap ones first: in this order a rule has them.
"""
