"""The way through lsar and unar, which know many old formats, and RAR best."""

from amavis_pipe.decompose.ways import (
    DAMAGED,
    LOCKED,
    MEMBERS,
    MISSING,
    UNAR,
    UNKNOWN,
    WHOLE,
    Blob,
    Member,
    Taker,
    listing,
    take_all,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.walk import Run

_ANY = b"x"
"""A password where none is wanted: without one lsar ends in the middle of its listing."""


_TOGETHER = 1000
"""Members that are asked for in one run: more numbers don't fit the line by which the child asks."""


def by_unar(blob: Blob, taker: Taker, password: bytes) -> str:
    """What unar finds."""
    return _taken(taker, password, "", ())


def by_unar_volumes(taker: Taker, paths: tuple[str, ...], password: bytes) -> str:
    """The same for an archive in several files, the parts at these paths."""
    return _taken(taker, password, "-volumes", paths)


def _taken(taker: Taker, password: bytes, which: str, paths: tuple[str, ...]) -> str:
    if not UNAR.path():
        return MISSING
    word, sink = password or _ANY, taker.sink
    shown, is_all = listing(sink.run("lsar" + which, word, paths=paths))
    members, locked, whole = read(shown)
    whole = whole and is_all
    if not whole and not members:
        return LOCKED if b"XADIsEncrypted" in shown or b"assword" in shown else UNKNOWN
    if locked and not password:
        for member in members:
            if member.locked:
                taker.locked((member.name,))
        members = [member for member in members if not member.locked]

    def one(member: Member) -> "Run":
        return sink.run("unar" + which, word, member.word, paths=paths)

    if locked and password and not _is_right(members, one):
        return LOCKED
    went = UNKNOWN if not members and not locked else WHOLE
    for at in range(0, len(members), _TOGETHER):
        some = members[at : at + _TOGETHER]
        words = [member.word for member in some]
        if take_all(taker, some, sink.run("unar" + which, word, *words, paths=paths), one) != WHOLE:
            went = DAMAGED
    if members:
        taker.again()
    if locked and not password:
        return LOCKED
    return went if whole else DAMAGED


def read(shown: bytes) -> tuple[list[Member], bool, bool]:
    """The members in a listing of lsar, whether one is encrypted, and whether the listing is whole."""
    import json

    try:
        told = json.loads(shown.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return [], False, False
    members: list[Member] = []
    entries = told.get("lsarContents", []) if isinstance(told, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries[:MEMBERS]):
        return [], False, False
    for entry in entries[:MEMBERS]:
        if entry.get("XADIsDirectory") or entry.get("XADIsLink") or entry.get("XADIsResourceFork"):
            continue
        size, number = entry.get("XADFileSize", -1), entry.get("XADIndex")
        if not isinstance(number, int) or not isinstance(size, int):
            continue
        name = str(entry.get("XADFileName", "")).encode("utf-8", "replace")
        members.append(
            Member(
                name, size if 0 <= size < 1 << 63 else -1, b"%d" % number, bool(entry.get("XADIsEncrypted"))
            )
        )
    return (
        members,
        any(member.locked for member in members),
        "lsarError" not in told and len(entries) <= MEMBERS,
    )


def _is_right(members: list[Member], one: "object") -> bool:
    """Whether the password opens the smallest of the locked members."""
    smallest = min((member for member in members if member.locked), key=lambda member: member.size)
    run = one(smallest)  # type: ignore[operator]
    size = sum(len(chunk) for chunk in run)
    return bool(run.status == 0 and (size or not smallest.size))
