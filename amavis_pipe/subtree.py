"""What was in a container that was opened before, so that it need not be opened again.

An entry holds the parts below one container without their bytes. It is a function of its key: the
container's bytes, the hints that its decoder had (kind, claimed type, names), limits and decoders. It is
kept only if nothing at all was wrong with it, and used only if it fits what is left of the budget and
every scanner has answered for every part of it, for then nobody needs the bytes.
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

    def recall(self, container: Part, budget: "Budget") -> list[Part] | None:
        """The parts below a container, charged to the budget, or None if it has to be opened."""
        found = self._cache.get(self._key(container))
        if found is None:
            return None
        rows = marshal.loads(found[1])
        parts = [Part(container.path + row[0], *row[1:]) for row in rows]
        if not self._fits(parts, budget) or not all(
            self._knows(part.sha256) for part in parts if part.sha256 and part.size
        ):
            return None
        budget.files -= len(parts)
        budget.used += _bytes(parts)
        return parts

    def remember(self, container: Part, parts: list[Part], findings: "list[Finding]") -> None:
        """Keep what was found in a container, out of all parts and findings that the child gave."""
        below = container.path + "."
        if any(found.part == container.path or found.part.startswith(below) for found in findings):
            return
        if "partial" in container.flags:
            return
        skip = len(container.path)
        rows = [(part.path[skip:], *part.row()[1:]) for part in parts if part.path.startswith(below)]
        self._cache.put(self._key(container), marshal.dumps(rows))

    def _fits(self, parts: list[Part], budget: "Budget") -> bool:
        deepest = max((part.path.count(".") + 1 for part in parts), default=0)
        return (
            deepest <= self._depth
            and len(parts) <= budget.files
            and budget.used + _bytes(parts) <= budget.quota
        )

    def _key(self, container: Part) -> bytes:
        hints = (container.kind.encode(), container.claimed, *container.names)
        return digest(b"subtree 1", container.sha256.encode(), self._context, digest(*hints))


def _bytes(parts: list[Part]) -> int:
    """What the parts were charged: structure has no bytes of its own."""
    return sum(part.size for part in parts if part.sha256)
