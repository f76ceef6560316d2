"""What the site has declared harmless: findings of known content, or by name, become notes. Cold.

Applied to the facts of one mail after they were remembered, never before: what is allowed today need not be
tomorrow. A scanner that opens archives itself tells of a file in each archive around it, and of the mail,
too: these findings are excused only if the same scanner has found the same in the allowed file, in no other
part, and everything else there could be looked at. Where a piece of an archive in several files is about,
what lies in an allowed part may come from other pieces, and is not excused.
"""

from amavis_pipe.model import Finding
from amavis_pipe.subtree import is_volume
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.model import Facts

    Rules = tuple[tuple[str, str, str, int], ...]
    """Of each: "sha256" or "name", its value, the reason, and its line in the settings."""

_BAD = ("virus", "suspect")


def apply(facts: "Facts", rules: "Rules") -> None:
    """Put notes in place of the findings that the rules allow."""
    hashes = {value: _why(reason, line) for kind, value, reason, line in rules if kind == "sha256"}
    names = {value: _why(reason, line) for kind, value, reason, line in rules if kind == "name"}
    inside = {part.path: hashes[part.sha256] for part in facts.parts if part.sha256 in hashes}
    if inside and any(is_volume(name) for part in facts.parts for name in part.names):
        inside = {path: why for path, why in inside.items() if not _has_parts(path, facts)}
    facts.findings = [_judged(found, facts, inside, names) for found in facts.findings]


def _judged(found: Finding, facts: "Facts", inside: dict[str, str], names: dict[str, str]) -> Finding:
    """The finding, or the note that it is allowed."""
    if found.grade not in _BAD:
        return found
    why = names.get(found.name)
    if why is None:
        why = _of_place(found.part, inside)
    if why is None and any(_is_below(path, found.part) for path in inside):
        why = _of_container(found, facts, inside)
    if why is None:
        return found
    return Finding("note", f"allowed:{found.name} ({why})", found.part, found.source)


def _why(reason: str, line: int) -> str:
    return f"{ascii_of(reason.encode(), 100)}; [[allow]] in line {line}"


def _of_place(path: str, inside: dict[str, str]) -> str | None:
    """Why what is in this part is allowed, if it is, or lies in, one that is."""
    return next((reason for one, reason in inside.items() if path == one or _is_below(path, one)), None)


def _of_container(found: Finding, facts: "Facts", inside: dict[str, str]) -> str | None:
    """Why a finding of what is around allowed parts is allowed, if it tells of nothing but them."""
    why = None
    for other in facts.findings:
        if not (_is_below(other.part, found.part) or (other.part == found.part and other is not found)):
            continue
        reason = _of_place(other.part, inside)
        if (other.source, other.name) == (found.source, found.name) and other.grade in _BAD:
            why = why or reason
            if reason is None and not any(_is_below(path, other.part) for path in inside):
                return None
        elif other.grade == "unchecked" and reason is None:
            return None
    return why


def _has_parts(path: str, facts: "Facts") -> bool:
    return any(_is_below(part.path, path) for part in facts.parts)


def _is_below(path: str, container: str) -> bool:
    """Whether a part lies in another; all lie in "", the mail."""
    return path.startswith(container + ".") if container else bool(path)
