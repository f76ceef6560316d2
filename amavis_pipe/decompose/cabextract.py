"""The way through cabextract."""

from amavis_pipe.decompose.api import Blob
from amavis_pipe.decompose.ways import CABEXTRACT, MEMBERS, MISSING, UNKNOWN, Member, Taker, listing, take_all


def by_cabextract(blob: Blob, taker: Taker, password: bytes) -> str:
    """What cabextract finds."""
    if not CABEXTRACT.path():
        return MISSING
    members = read(listing(taker.sink.run("cabextract-list")))
    return take_all(taker, members, taker.sink.run("cabextract"), None) if members else UNKNOWN


def read(shown: bytes) -> list[Member]:
    """The members in a listing of `cabextract -l`: lines of "size | date time | name"."""
    members: list[Member] = []
    for line in shown.split(b"\n"):
        size, _, rest = line.partition(b"|")
        _, bar, name = rest.partition(b"|")
        if bar and size.strip().isdigit() and len(members) < MEMBERS:
            members.append(Member(name.strip(), int(size), b""))
    return members
