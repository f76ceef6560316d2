"""The limits of one mail, charged as the bytes come out, so that no declared size is believed.

One Budget is shared by every reader and decoder that works on a mail. What is charged is never given
back. The formula of the quota is amavisd-new's.
"""

from time import monotonic


class LimitHit(Exception):
    """A limit was met; `name` is one of depth, files, quota, seconds. Not an error: the mail's doing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Limits:
    """The site's limits: bytes, counts, seconds (settings `[limits]`)."""

    __slots__ = (
        "depth",
        "files",
        "max_factor",
        "max_quota",
        "memory",
        "min_factor",
        "min_quota",
        "seconds",
    )

    def __init__(
        self,
        depth: int = 14,
        files: int = 1500,
        min_quota: int = 100 << 10,
        max_quota: int = 300 << 20,
        min_factor: int = 5,
        max_factor: int = 500,
        seconds: int = 120,
        memory: int = 512 << 20,
    ) -> None:
        self.depth = depth
        self.files = files
        self.min_quota = min_quota
        self.max_quota = max_quota
        self.min_factor = min_factor
        self.max_factor = max_factor
        self.seconds = seconds
        self.memory = memory

    def quota(self, size: int) -> int:
        """Bytes that a mail of `size` bytes may unpack to: 100 -> 102400, 1 MiB -> 314572800."""
        return max(self.min_quota, size * self.min_factor, min(self.max_quota, size * self.max_factor))

    def stamp(self) -> str:
        """All limits in one short text: part of the key of cached facts."""
        return " ".join(str(getattr(self, name)) for name in self.__slots__)


class Budget:
    """What is left of the limits for one mail.

    used   bytes charged so far, of `quota`
    files  parts still allowed
    depth  levels still allowed below the mail itself
    hit    names of the limits met, in order, each once
    """

    __slots__ = ("deadline", "depth", "files", "hit", "quota", "used")

    def __init__(self, quota: int, files: int, depth: int, deadline: float) -> None:
        self.quota = quota
        self.files = files
        self.depth = depth
        self.deadline = deadline
        self.used = 0
        self.hit: list[str] = []

    @classmethod
    def of(cls, limits: Limits, size: int) -> "Budget":
        """The whole budget of a mail of `size` bytes; its seconds run from now."""
        return cls(limits.quota(size), limits.files, limits.depth, monotonic() + limits.seconds)

    def charge(self, size: int) -> None:
        """Charge `size` bytes that came out; LimitHit if that is too much, or it takes too long."""
        self.used += size
        if self.used > self.quota:
            self.refuse("quota")
        self.tick()

    def part(self, depth: int) -> None:
        """Charge one part at `depth` (1 = the mail's own entity); LimitHit if it may not be."""
        self.room(depth)
        self.files -= 1

    def room(self, depth: int) -> None:
        """LimitHit if there may be no part at `depth`."""
        if depth > self.depth:
            self.refuse("depth")
        if self.files <= 0:
            self.refuse("files")

    def tick(self) -> None:
        """LimitHit when the seconds are over; to be called in every loop over outside data."""
        if monotonic() > self.deadline:
            self.refuse("seconds")

    def refuse(self, name: str) -> None:
        """Note the limit as met, and raise LimitHit."""
        if name not in self.hit:
            self.hit.append(name)
        raise LimitHit(name)
