"""Takes a mail apart: keeps the parts, asks which decoder opens each, charges the budget.

The same Walk runs twice for a mail that needs it: in the filter itself with the readers that are safe
there (MIME, uuencode), then in the sandboxed child with all formats. What has to wait for the child
is in `deferred`. A decoder sees only a Blob and a Sink, so it can forget no limit.
"""

from amavis_pipe.budget import Budget, LimitHit
from amavis_pipe.kinds import CONTAINERS, HEAD, detect
from amavis_pipe.model import Finding, Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from amavis_pipe.kinds import Starts
    from amavis_pipe.spool import Blob, Store, Writer

    Unpack = Callable[[Blob, "Sink"], None]
    Openers = Callable[[Part], "Iterable[Decoder]"]


LOCAL = ("depth", "readings")
"""Limits that stop the opening of one part; any other one stops the walk."""


class Decoder:
    """How one format is opened.

    name    short, as in `broken:zip`
    kinds   the kinds (media types) it opens; the first is the one its `starts` stand for
    starts  beginnings that give the kind away: bytes, or (offset, bytes)
    unpack  puts what is in a Blob into a Sink
    broken  what `unpack` raises on bad input; anything else is a bug
    """

    __slots__ = ("broken", "kinds", "name", "starts", "unpack")

    def __init__(
        self,
        name: str,
        kinds: tuple[str, ...],
        unpack: "Unpack",
        starts: "tuple[bytes | tuple[int, bytes], ...]" = (),
        broken: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.starts = starts
        self.unpack = unpack
        self.broken = broken


class Walk:
    """One mail being taken apart.

    parts     every node found so far (structure, containers, leaves)
    findings  what could not be looked at, and why
    deferred  containers that no opener here may open
    members   how many parts lie directly below a path
    bodies    where in the mail itself attachments stand encoded, as in Facts; emptied if it is ambiguous
    """

    def __init__(
        self,
        budget: Budget,
        store: "Store",
        openers: "Openers",
        starts: "Starts" = (),
        sandboxed: frozenset[str] = frozenset(),
        hashing: bool = True,
        report: "Callable[[Part], None] | None" = None,
    ) -> None:
        self.budget = budget
        self.store = store
        self.parts: list[Part] = []
        self.findings: list[Finding] = []
        self.deferred: list[Part] = []
        self.members: dict[str, int] = {}
        self.bodies: list[tuple[int, int, int, int]] = []
        self._openers = openers
        self._starts = starts
        self._sandboxed = sandboxed
        self._hashing = hashing
        self._report = report
        self._waiting: list[Part] = []
        self._stopped = False

    def mail(self, blob: "Blob", reader: Decoder) -> None:
        """Take the mail in `blob` apart with `reader`, and all that comes out of it."""
        self._unpack(reader, blob, Sink(self, "", 0, reader.name))
        self._run()

    def file(self, blob: "Blob", names: tuple[bytes, ...] = ()) -> None:
        """Take the file in `blob` apart: it is the next part at the top, what is in it lies below."""
        self.budget.part(1)
        number = self.members[""] = self.members.get("", 0) + 1
        part = Part(str(number), names, flags=("file",))
        part.verbatim = True
        self._list(part, blob)
        self._run()

    def open(self, parts: "Iterable[Part]") -> None:
        """Open these parts (already known, not listed again), and all that comes out of them."""
        self._waiting += reversed(list(parts))
        self._run()

    def keep(self, part: Part, writer: "Writer") -> None:
        """List a part with the bytes just written, and put it on the list of those to be opened."""
        self._list(part, writer.done())

    def rename(self, part: Part, names: tuple[bytes, ...]) -> bool:
        """As Sink.rename()."""
        if self._report is not None:
            return False
        part.names = names
        if part.blob is not None:
            part.kind = detect(part.blob.head(HEAD), part.claimed, names, self._starts)
        return True

    def record(self, part: Part) -> None:
        """Add a part that is complete to `parts`, and report it."""
        self.parts.append(part)
        if self._report is not None:
            self._report(part)

    def _list(self, part: Part, blob: "Blob") -> None:
        part.blob = blob
        part.size = blob.size
        part.kind = detect(blob.head(HEAD), part.claimed, part.names, self._starts)
        if self._hashing:
            part.sha256 = blob.sha256()
        self.record(part)
        self._waiting.append(part)

    def _run(self) -> None:
        while self._waiting:
            part = self._waiting.pop()
            if part.kind in self._sandboxed:
                self.deferred.append(part)
            elif not self._stopped:
                self._open(part)

    def _open(self, part: Part) -> None:
        opened = False
        for decoder in self._openers(part):
            opened = True
            if part.blob is not None:
                sink = Sink(self, part.path, part.path.count(".") + 1, decoder.name, part.names)
                self._unpack(decoder, part.blob, sink)
        if not opened and part.kind in CONTAINERS:
            self.unchecked("undecoded:" + CONTAINERS[part.kind], part.path)

    def _unpack(self, decoder: Decoder, blob: "Blob", sink: "Sink") -> None:
        try:
            decoder.unpack(blob, sink)
        except LimitHit as limit:
            self._stopped = self._stopped or limit.name not in LOCAL
            self.unchecked("limit:" + limit.name, sink.path)
        except decoder.broken:
            self.unchecked("broken:" + decoder.name, sink.path)

    def unchecked(self, name: str, path: str) -> None:
        """Say that something at `path` was not looked at; `name` says why (`encrypted:zip`)."""
        self.say("unchecked", name, path)

    def say(self, grade: str, name: str, path: str) -> None:
        """Add a finding, once."""
        if not any(old.name == name and old.part == path for old in self.findings):
            self.findings.append(Finding(grade, name, path))


class Sink:
    """Where a decoder puts what it finds in one part; everything added is charged and kept.

    path   the part's path, "" for the mail itself
    names  the part's candidate names, from which members without one may get theirs
    """

    __slots__ = ("_depth", "_source", "_walk", "names", "path")

    def __init__(self, walk: Walk, path: str, depth: int, source: str, names: tuple[bytes, ...] = ()) -> None:
        self._walk = walk
        self._depth = depth
        self._source = source
        self.path = path
        self.names = names

    def add(
        self,
        chunks: "Iterable[bytes]",
        names: tuple[bytes, ...] = (),
        claimed: bytes = b"",
        flags: tuple[str, ...] = (),
    ) -> Part:
        """A member: its bytes in order, its candidate names, the type its container claims; the part.

        Raises LimitHit; what came before that, or before any error in `chunks`, is kept as a partial
        part.
        """
        part = self._part(names, claimed, flags)
        walk, writer, whole = self._walk, self._walk.store.writer(), False
        try:
            for chunk in chunks:
                walk.budget.charge(len(chunk))
                writer.write(chunk)
            whole = True
        finally:
            if whole or writer.size:
                part.flags = flags if whole else (*flags, "partial")
                walk.keep(part, writer)
        return part

    def found_bodies(self, bodies: list[tuple[int, int, int, int]]) -> None:
        """Where attachments stand in the mail itself, which all readers read alike."""
        self._walk.bodies = bodies

    def group(self, kind: str, size: int, names: tuple[bytes, ...] = ()) -> "Sink":
        """A structural node (a multipart): no bytes of its own; its members go into the Sink returned."""
        part = self._part(names, kind.encode(), ("structure",))
        part.kind, part.size = kind, size
        self._walk.record(part)
        return Sink(self._walk, part.path, self._depth + 1, self._source, names)

    def unchecked(self, reason: str) -> None:
        """Say that something in this part could not be looked at: "encrypted:zip"."""
        self._walk.unchecked(reason, self.path)

    def rename(self, part: Part, names: tuple[bytes, ...]) -> bool:
        """Give a part that was added other names; False where it has been told of by its names already."""
        return self._walk.rename(part, names)

    def room(self) -> tuple[int, int]:
        """Parts and bytes that are left of the budget."""
        budget = self._walk.budget
        return budget.files, budget.quota - budget.used

    def note(self, name: str) -> None:
        """Say something about this part that is of no harm: "ambiguous:boundary"."""
        self._walk.say("note", name, self.path)

    def tick(self) -> None:
        """LimitHit when the mail's time is over; for loops that add nothing."""
        self._walk.budget.tick()

    def refuse(self, name: str) -> None:
        """LimitHit by this name: what is to be done for the mail is too much."""
        self._walk.budget.refuse(name)

    def _part(self, names: tuple[bytes, ...], claimed: bytes, flags: tuple[str, ...]) -> Part:
        self._walk.budget.part(self._depth + 1)
        # counted in the walk: a second decoder of the same part goes on where the first stopped
        number = self._walk.members[self.path] = self._walk.members.get(self.path, 0) + 1
        path = f"{self.path}.{number}" if self.path else str(number)
        return Part(path, names, claimed, decoder=self._source, flags=flags)


def in_order(parts: "Iterable[Part]") -> list[Part]:
    """The parts sorted by position: "1.2" before "1.10"."""
    return sorted(parts, key=lambda part: [int(step) for step in part.path.split(".")])
