"""The way through cabextract."""

from amavis_pipe.decompose.api import Blob
from amavis_pipe.decompose.ways import (
    CABEXTRACT,
    DAMAGED,
    MEMBERS,
    MISSING,
    UNKNOWN,
    WHOLE,
    Member,
    Taker,
    listing,
    take_all,
)


def by_cabextract(blob: Blob, taker: Taker, password: bytes) -> str:
    """What cabextract finds."""
    if not CABEXTRACT.path():
        return MISSING
    shown, is_all = listing(taker.sink.run("cabextract-list"))
    members = read(shown)
    if not members:
        return UNKNOWN
    went = take_all(taker, members, taker.sink.run("cabextract"), None)
    return went if went != WHOLE or is_all else DAMAGED


def read(shown: bytes) -> list[Member]:
    """The members in a listing of `cabextract -l`: lines of "size | date time | name"."""
    members: list[Member] = []
    for line in shown.split(b"\n"):
        size, _, rest = line.partition(b"|")
        _, bar, name = rest.partition(b"|")
        if bar and size.strip().isdigit() and len(size) < 19 and len(members) < MEMBERS:
            members.append(Member(name.strip(), int(size), b""))
    return members
