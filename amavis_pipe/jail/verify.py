"""Checks what the sandboxed child said, line by line, before any of it is believed.

What holds for the Account however hostile the child was: every part hangs on one that was given to the
child or listed before, its slice lies in the arena, after all slices before it, and all of them are
within the budget. The first line that breaks this ends the reading. No I/O; the parts aren't hashed.
"""

from amavis_pipe.budget import Budget
from amavis_pipe.jail.wire import LINE, End, Event, Failed, Jailed, Listed, Opening, Stop, Wanted, read
from amavis_pipe.model import Finding, Part
from amavis_pipe.spool import PAGE, Blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Account:
    """What can be believed of the lines read.

    parts, findings   in the order told
    jailed            what sandbox stood, or None if the child never said so
    failed            the machine's trouble the child told of
    opened            paths that a decoder has begun with
    now               the decoder that was begun last
    complete          whether the closing line was there
    sound             whether all lines were as they must be
    wanted            the helper that is asked for, until take_wanted()
    stopped           whether what it says is not wanted any more

    `room` gives the bytes of the arena, which grows while the child lives.
    """

    def __init__(self, given: list[Part], budget: Budget, arena: int, room: "Callable[[], int]") -> None:
        self.parts: list[Part] = []
        self.findings: list[Finding] = []
        self.jailed: Jailed | None = None
        self.failed: Failed | None = None
        self.opened: set[str] = set()
        self.now: Opening | None = None
        self.complete = False
        self.sound = True
        self.wanted: Wanted | None = None
        self.stopped = False
        self._known = {part.path: part.blob for part in given}
        self._budget = budget
        self._left = budget.quota - budget.used
        self._arena = arena
        self._room = room
        self._cut = b""
        self._end = 0

    def read(self, data: bytes) -> None:
        """Take all whole lines of what was read so far, of which `data` are the next bytes."""
        *lines, self._cut = (self._cut + data).split(b"\n")
        for line in lines:
            event = read(line) if self.sound else None
            if event is None or self.complete or self.failed or not self._take(event):
                self.sound = False
                return
        if len(self._cut) > LINE:
            self.sound, self._cut = False, b""

    def take_wanted(self) -> tuple[Wanted, list[Blob]] | None:
        """The helper that is asked for now, and the bytes it is to have; no more than once."""
        wanted, self.wanted = self.wanted, None
        if wanted is None:
            return None
        return wanted, [blob for path in wanted.paths if (blob := self._known[path]) is not None]

    def _take(self, event: Event) -> bool:
        match event:
            case Failed():
                self.failed = event
            case Jailed():
                if self.jailed:
                    return False
                self.jailed = event
            case Opening() if self.jailed and event.path in self._known:
                self.opened.add(event.path)
                self.now = event
            case Finding() if self._is_due(event):
                self.findings.append(event)
            case Listed() if self.now and self._fits(event.part, event.offset):
                self._list(event.part, event.offset)
            case Wanted() if self.now and self.wanted is None and self._is_had(event.paths):
                self.wanted, self.stopped = event, False
            case Stop() if self.now:
                self.stopped = True
            case End() if self.jailed:
                self.complete = True
            case _:
                return False
        return True

    def _is_due(self, finding: Finding) -> bool:
        return (
            self.jailed is not None
            and finding.part in self._known
            and len(self.findings) < 4 * (len(self._known) + 1)
        )

    def _is_had(self, paths: tuple[str, ...]) -> bool:
        """Whether each is a part with bytes, and none stands there twice: all are copied."""
        return len(set(paths)) == len(paths) and all(self._known.get(path) is not None for path in paths)

    def _fits(self, part: Part, offset: int) -> bool:
        """Whether the part may be where it says, and may be at all."""
        above = part.path.rpartition(".")[0]
        if above not in self._known or part.path in self._known or len(self.parts) >= self._budget.files:
            return False
        if part.path.count(".") + 1 > self._budget.depth:
            return False
        if offset < 0:
            return "structure" in part.flags
        return (
            "structure" not in part.flags
            and offset % PAGE == 0
            and offset >= self._end
            and (not part.size or offset + part.size <= self._room())
            and part.size <= self._left
        )

    def _list(self, part: Part, offset: int) -> None:
        if offset >= 0:
            part.blob = Blob(None, self._arena, offset, part.size)
            self._end = offset + (part.size + PAGE - 1) // PAGE * PAGE
            self._left -= part.size
        self._known[part.path] = part.blob
        self.parts.append(part)
