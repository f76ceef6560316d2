"""What is taken from a record; tolerant of what is missing or of another type: other versions write, too."""

import re
from collections.abc import Iterator
from typing import Any

from amavis_pipe.history.lines import Record

LONGEST = 1000
"""Characters of a text that is kept."""
HIGHEST = 1 << 53
"""A number beyond this is none: of bytes or milliseconds there are never so many."""
STRICTER = ("", "pass", "tag", "defer", "bounce", "discard")
GRADES = ("unchecked", "suspect", "virus", "banned", "spam", "bad-header", "oversized")
"""Grades by which a mail is found; of notes there are too many."""
FOUND = ("virus", "suspect")
"""Grades whose names count as names of what infects."""
SHA256 = re.compile("[0-9a-f]{64}")
_REFUSED = "5"


def text(value: Any) -> str:
    """A text, bounded; "" for anything else. What can't be stored as UTF-8 is escaped."""
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value[:LONGEST]
    return value[:LONGEST].encode("utf-8", "backslashreplace").decode()


def number(value: Any) -> float:
    """A number that is not negative, within bounds; 0 for anything else."""
    return value if isinstance(value, int | float) and 0 <= value <= HIGHEST else 0


def rows(record: Record, key: str) -> Iterator[Record]:
    """The mappings in a list."""
    found = record.get(key)
    yield from (row for row in found if isinstance(row, dict)) if isinstance(found, list) else ()


def texts(record: Record, key: str) -> list[str]:
    """The texts in a list."""
    found = record.get(key)
    return [text(one) for one in found if isinstance(one, str)] if isinstance(found, list) else []


def envelope(record: Record) -> Record:
    """The envelope; empty if the record has none."""
    found = record.get("envelope")
    return found if isinstance(found, dict) else {}


def sender(record: Record) -> str | None:
    """The envelope sender, "" for the null sender; None if it isn't told."""
    found = envelope(record).get("sender")
    return text(found) if isinstance(found, str) else None


def recipients(record: Record) -> list[str]:
    """All recipients, each once."""
    told = texts(envelope(record), "recipients")
    for action in rows(record, "actions"):
        told += texts(action, "recipients")
    return list(dict.fromkeys(told))


def actions(record: Record) -> list[str]:
    """The actions taken, each once."""
    return list(dict.fromkeys(text(action.get("action")) for action in rows(record, "actions")))


def strictest(record: Record) -> str:
    """The strictest action taken; "" if none was."""
    return max((name for name in actions(record) if name in STRICTER), key=STRICTER.index, default="")


def names(record: Record, *grades: str) -> list[str]:
    """The names of the findings of these grades, sorted, each once."""
    if not record.get("findings"):
        return []
    found = {text(row.get("name")) for row in rows(record, "findings") if row.get("grade") in grades}
    return sorted(found - {""})


def digests(record: Record) -> set[str]:
    """The SHA-256s of the mail and of its parts."""
    found = [record.get("sha256"), *(part.get("sha256") for part in rows(record, "parts"))]
    return {one for one in found if isinstance(one, str) and SHA256.fullmatch(one)}


def refused(record: Record) -> int:
    """How many recipients the next host refused for good."""
    return sum(
        text(reply.get("reply")).startswith(_REFUSED)
        for sent in rows(record, "sent")
        for reply in rows(sent, "replies")
    )
