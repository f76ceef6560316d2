"""What went wrong with scanners a short while ago, as other processes have to know, too: kept in the cache.

An address where nobody answers is tried last for a while; what a scanner had no time for is not given to
it again while it may still be at work on it. Where there is no cache, nothing is known.
"""

from amavis_pipe.cache import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.cache import Cache


class Recent:
    """Notes that have an age, told apart by their words."""

    __slots__ = ("_cache",)

    def __init__(self, cache: "Cache") -> None:
        self._cache = cache

    def note(self, *words: str) -> None:
        """That this happens now."""
        self._cache.put(_key(words), b"")

    def age(self, *words: str) -> float | None:
        """Seconds since it last happened; None if it is not known to have."""
        found = self._cache.get(_key(words))
        return None if found is None else found[0]


def _key(words: tuple[str, ...]) -> bytes:
    return digest(b"recent 1", *(word.encode() for word in words))
