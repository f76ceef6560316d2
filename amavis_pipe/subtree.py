"""What was in containers that were opened before, so that they need not be opened again.

An entry holds, without their bytes, the parts below the containers that one child opened: mostly one. It
is a function of its key: their bytes, the hints that their decoders had (kind, claimed type, names), limits
and decoders. Several have one entry together, since a child that one of them took over could lie of its
neighbours. It is kept only if nothing at all was wrong, and used only if it fits what is left of the
budget and every scanner has answered for every part of it, for then nobody needs the bytes. Where a
piece of an archive in several files is about, nothing is kept or used: what is in one depends on others.
"""

import marshal

from amavis_pipe.cache import digest
from amavis_pipe.model import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.budget import Budget
    from amavis_pipe.cache import Cache
    from amavis_pipe.model import Finding


class Memory:
    """Remembered subtrees under one set of limits and decoders (`context`).

    knows  whether every scanner has answered for the bytes with a SHA-256
    """

    __slots__ = ("_cache", "_context", "_depth", "_knows")

    def __init__(self, cache: "Cache", context: bytes, knows: "Callable[[str], bool]", depth: int) -> None:
        self._cache = cache
        self._context = context
        self._depth = depth
        self._knows = knows

    def recall(self, containers: list[Part], budget: "Budget") -> list[Part] | None:
        """The parts below containers that were opened together, charged to the budget; None if unknown."""
        found = self._cache.get(self._key(containers))
        if found is None:
            return None
        rows = marshal.loads(found[1])  # noqa: S302 - whole, and ours: cache.opened()
        parts = [Part(containers[number].path + below, *rest) for number, below, *rest in rows]
        if not self._fits(parts, budget) or not all(
            self._knows(part.sha256) for part in parts if part.sha256 and part.size
        ):
            return None
        budget.files -= len(parts)
        budget.used += _bytes(parts)
        return parts

    def remember(self, containers: list[Part], parts: list[Part], findings: "list[Finding]") -> None:
        """Keep what one child found in all of these containers, if nothing at all was wrong with it."""
        if findings or any("partial" in part.flags for part in (*containers, *parts)):
            return
        rows = []
        for number, container in enumerate(containers):
            skip, below = len(container.path), container.path + "."
            rows += [
                (number, part.path[skip:], *part.row()[1:]) for part in parts if part.path.startswith(below)
            ]
        self._cache.put(self._key(containers), marshal.dumps(rows))

    def _fits(self, parts: list[Part], budget: "Budget") -> bool:
        deepest = max((part.path.count(".") + 1 for part in parts), default=0)
        return (
            deepest <= self._depth
            and len(parts) <= budget.files
            and budget.used + _bytes(parts) <= budget.quota
        )

    def _key(self, containers: list[Part]) -> bytes:
        told = [
            digest(part.sha256.encode(), part.kind.encode(), part.claimed, *part.names) for part in containers
        ]
        return digest(b"subtree 2", self._context, *told)


def is_volume(name: bytes) -> bool:
    """Whether a file so named may be a piece of an archive in several: a.z01, a.r00, a.001, a.part1(.rar)."""
    stem, _, end = name.strip().lower().rpartition(b".")
    if end in (b"rar", b"exe", b"7z", b"zip"):
        piece = stem.rpartition(b".")[2]
        return piece.startswith((b"part", b"vol")) and piece.lstrip(b"partvol").isdigit()
    letters = end.rstrip(b"0123456789")
    digits = len(end) - len(letters)
    return (digits > 0 and letters == b"part") or (digits > 1 and letters.strip(b"zrscapx0123456789") == b"")


def _bytes(parts: list[Part]) -> int:
    """What the parts were charged: structure has no bytes of its own."""
    return sum(part.size for part in parts if part.sha256)
