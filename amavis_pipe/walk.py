"""Takes a mail apart: keeps the parts, asks which decoder opens each, charges the budget.

The same Walk runs twice for a mail that needs it: in the filter itself with the readers that are safe
there (MIME, uuencode), then in the sandboxed child with all formats. What has to wait for the child
is in `deferred`. A decoder sees only a Blob and a Sink, so it can forget no limit.
"""

from amavis_pipe.budget import Budget, LimitHit
from amavis_pipe.kinds import CONTAINERS, PDF, Formats
from amavis_pipe.model import Finding, Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from amavis_pipe.jail.child import Outside
    from amavis_pipe.spool import Blob, Store

    Unpack = Callable[[Blob, "Sink"], bool | None]
    """True: what is in the blob is elsewhere, and no other decoder is to look at it."""
    Openers = Callable[[Part], "Iterable[Decoder]"]


_NONE = Formats()
LOCAL = ("depth", "readings")
"""Limits that stop the opening of one part; any other one stops the walk."""


class Decoder:
    """How one format is opened.

    name    short, as in `broken:zip`
    kinds   the kinds (media types) it opens; the first is the one its `starts` stand for
    starts  beginnings that give the kind away: bytes, or (offset, bytes)
    ends    endings of names that do where the content doesn't, in lower case
    unpack  puts what is in a Blob into a Sink
    broken  what `unpack` raises on bad input; anything else is a bug
    """

    __slots__ = ("broken", "ends", "kinds", "name", "starts", "unpack")

    def __init__(
        self,
        name: str,
        kinds: tuple[str, ...],
        unpack: "Unpack",
        starts: "tuple[bytes | tuple[int, bytes], ...]" = (),
        broken: tuple[type[BaseException], ...] = (),
        ends: tuple[bytes, ...] = (),
    ) -> None:
        self.ends = ends
        self.name = name
        self.kinds = kinds
        self.starts = starts
        self.unpack = unpack
        self.broken = broken


class Walk:
    """One mail being taken apart.

    parts     every node found so far (structure, containers, leaves)
    findings  what could not be looked at, and why
    deferred  containers that no opener here may open, if these are `sandboxed`
    members   how many parts lie directly below a path
    bodies    where in the mail itself attachments stand encoded, as in Facts; emptied if it is ambiguous
    outside   in the sandboxed child, what it can have of the filter
    """

    def __init__(
        self,
        budget: Budget,
        store: "Store",
        openers: "Openers",
        formats: Formats = _NONE,
        sandboxed: bool = False,
        hashing: bool = True,
        report: "Callable[[Part], None] | None" = None,
        outside: "Outside | None" = None,
    ) -> None:
        self.outside = outside
        self.budget = budget
        self.store = store
        self.parts: list[Part] = []
        self.findings: list[Finding] = []
        self.deferred: list[Part] = []
        self.members: dict[str, int] = {}
        self.bodies: list[tuple[int, int, int, int]] = []
        self._openers = openers
        self._formats = formats
        self._sandboxed = sandboxed
        self._hashing = hashing
        self._report = report
        self._waiting: list[Part] = []
        self._stopped = False
        self._given: list[Part] = []

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
        self._given = list(parts)
        self._waiting += reversed(self._given)
        self._run()

    def beside(self, path: str) -> list[Part]:
        """The parts with the same part above, in order: among them the one at `path`."""
        above = path.rpartition(".")[0]
        return [part for part in (*self._given, *self.parts) if part.path.rpartition(".")[0] == above]

    def keep(self, part: Part, blob: "Blob") -> None:
        """List a part with the bytes just written, and put it on the list of those to be opened."""
        self._list(part, blob)

    def has(self, path: str, blob: "Blob") -> bool:
        """Whether a part below `path` has the same bytes."""
        digest = ""
        for part in self.parts:
            if part.size == blob.size and part.blob is not None and part.path.rpartition(".")[0] == path:
                digest = digest or blob.sha256()
                if part.blob.sha256() == digest:
                    return True
        return False

    def has_named(self, path: str, names: tuple[bytes, ...]) -> bool:
        """Whether a part below `path` has these names."""
        return any(part.names == names and part.path.rpartition(".")[0] == path for part in self.parts)

    def rename(self, part: Part, names: tuple[bytes, ...]) -> bool:
        """As Sink.rename()."""
        if self._report is not None:
            return False
        part.names = names
        if part.blob is not None:
            part.kind = self._formats.kind_of(part.blob, part.claimed, names)
        return True

    def record(self, part: Part) -> None:
        """Add a part that is complete to `parts`, and report it."""
        self.parts.append(part)
        if self._report is not None:
            self._report(part)

    def _list(self, part: Part, blob: "Blob") -> None:
        part.blob = blob
        part.size = blob.size
        part.kind = self._formats.kind_of(blob, part.claimed, part.names)
        if self._hashing:
            part.sha256 = blob.sha256()
        self.record(part)
        self._waiting.append(part)

    def _run(self) -> None:
        while self._waiting:
            part = self._waiting.pop()
            if self._sandboxed and self._is_for_child(part):
                self.deferred.append(part)
            elif not self._stopped:
                self._open(part)

    def _is_for_child(self, part: Part) -> bool:
        known, blob = self._formats, part.blob
        if part.kind in known.opened and not (part.kind == PDF and _is_only_pages(part)):
            return True
        return blob is not None and known.is_disguised(blob, part.kind)

    def _open(self, part: Part) -> None:
        opened = False
        for decoder in self._openers(part):
            opened = True
            if part.blob is not None:
                sink = Sink(self, part.path, part.path.count(".") + 1, decoder.name, part.names)
                if self._unpack(decoder, part.blob, sink):
                    break
        if not opened and part.kind in CONTAINERS:
            self.unchecked("undecoded:" + CONTAINERS[part.kind], part.path)

    def _unpack(self, decoder: Decoder, blob: "Blob", sink: "Sink") -> bool:
        try:
            return bool(decoder.unpack(blob, sink))
        except LimitHit as limit:
            self._stopped = self._stopped or limit.name not in LOCAL
            self.unchecked("limit:" + limit.name, sink.path)
        except decoder.broken:
            self.unchecked("broken:" + decoder.name, sink.path)
        return False

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
    walk   what it is part of
    """

    __slots__ = ("_depth", "_source", "names", "path", "walk")

    def __init__(self, walk: Walk, path: str, depth: int, source: str, names: tuple[bytes, ...] = ()) -> None:
        self.walk = walk
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
        part = Entry(self, names, claimed, flags).take(chunks)
        assert part is not None
        return part

    def add_new(
        self,
        chunks: "Iterable[bytes]",
        names: tuple[bytes, ...] = (),
        claimed: bytes = b"",
        flags: tuple[str, ...] = (),
    ) -> bool:
        """As add(), for what another decoder may have found already: the same bytes are kept only once.

        Whether they were new. Charged are they in any case.
        """
        return Entry(self, names, claimed, flags, once=True).take(chunks) is not None

    def entry(self, names: tuple[bytes, ...] = (), once: bool = False) -> "Entry":
        """A member that is written piece by piece, one at a time; `once` as by add_new()."""
        return Entry(self, names, once=once)

    def beside(self) -> list[Part]:
        """The parts beside this one, itself among them, in order."""
        return self.walk.beside(self.path)

    def run(self, job: str, *words: bytes, paths: tuple[str, ...] = ()) -> "Run":
        """What a helper program says of this part, or of those at `paths`: an iterator of its output.

        `job` and `words` as in jail.programs. Only in the sandboxed child: elsewhere it is missing.
        """
        return Run(self.walk, job, paths or (self.path,), words)

    def passwords(self) -> "Iterator[bytes]":
        """What may be passwords, likely ones first; bounded in number and in the time that trying takes."""
        outside = self.walk.outside
        if outside is not None:
            yield from outside.passwords()
            if outside.is_tired():
                self.unchecked("limit:passwords")

    def found_bodies(self, bodies: list[tuple[int, int, int, int]]) -> None:
        """Where attachments stand in the mail itself, which all readers read alike."""
        self.walk.bodies = bodies

    def group(self, kind: str, size: int, names: tuple[bytes, ...] = ()) -> "Sink":
        """A structural node (a multipart): no bytes of its own; its members go into the Sink returned."""
        part = self.part(names, kind.encode(), ("structure",))
        part.kind, part.size = kind, size
        self.walk.record(part)
        return Sink(self.walk, part.path, self._depth + 1, self._source, names)

    def unchecked(self, reason: str) -> None:
        """Say that something in this part could not be looked at: "encrypted:zip"."""
        self.walk.unchecked(reason, self.path)

    def rename(self, part: Part, names: tuple[bytes, ...]) -> bool:
        """Give a part that was added other names; False where it has been told of by its names already."""
        return self.walk.rename(part, names)

    def room(self) -> tuple[int, int]:
        """Parts and bytes that are left of the budget."""
        budget = self.walk.budget
        return budget.files, budget.quota - budget.used

    def note(self, name: str) -> None:
        """Say something about this part that is of no harm: "ambiguous:boundary"."""
        self.walk.say("note", name, self.path)

    def tick(self) -> None:
        """LimitHit when the mail's time is over; for loops that add nothing."""
        self.walk.budget.tick()

    def refuse(self, name: str) -> None:
        """LimitHit by this name: what is to be done for the mail is too much."""
        self.walk.budget.refuse(name)

    def part(self, names: tuple[bytes, ...], claimed: bytes, flags: tuple[str, ...]) -> Part:
        """A new part, charged; not yet listed."""
        self.walk.budget.part(self._depth + 1)
        # counted in the walk: a second decoder of the same part goes on where the first stopped
        number = self.walk.members[self.path] = self.walk.members.get(self.path, 0) + 1
        path = f"{self.path}.{number}" if self.path else str(number)
        return Part(path, names, claimed, decoder=self._source, flags=flags)


class Entry:
    """A member while it is written: write() what there is of it, then end()."""

    __slots__ = ("_claimed", "_flags", "_names", "_part", "_sink", "_walk", "_writer")

    def __init__(
        self,
        sink: Sink,
        names: tuple[bytes, ...] = (),
        claimed: bytes = b"",
        flags: tuple[str, ...] = (),
        once: bool = False,
    ) -> None:
        self._sink = sink
        self._names = names
        self._claimed = claimed
        self._flags = flags
        self._walk = sink.walk
        self._part = None if once else sink.part(names, claimed, flags)
        self._writer = self._walk.store.writer()

    def take(self, chunks: "Iterable[bytes]") -> Part | None:
        """Write all the chunks, and end; the part, or None if its bytes are known."""
        whole = False
        try:
            for chunk in chunks:
                self._walk.budget.charge(len(chunk))
                self._writer.write(chunk)
            whole = True
        finally:
            part = self.end(whole)
        return part

    def write(self, chunk: bytes) -> None:
        """Append; LimitHit when it is too much."""
        self._walk.budget.charge(len(chunk))
        self._writer.write(chunk)

    def end(self, whole: bool = True) -> Part | None:
        """List the part, as partial if it isn't `whole`: nothing if nothing of that came."""
        if not whole and not self._writer.size:
            return None
        part, flags, blob = self._part, self._flags if whole else (*self._flags, "partial"), None
        if part is None:
            blob = self._writer.done()
            if self._walk.has(self._sink.path, blob):
                self._walk.store.drop(blob)
                return None
            part = self._sink.part(self._names, self._claimed, flags)
        part.flags = flags
        self._walk.keep(part, blob or self._writer.done())
        return part


class Run:
    """The output of a helper program, in pieces; when they have all been taken, `status` says how it ended.

    status  its exit status; jail.wire.MISSING where it isn't there, KILLED when it was ended
    """

    __slots__ = ("_job", "_paths", "_walk", "_words", "status")

    def __init__(self, walk: Walk, job: str, paths: tuple[str, ...], words: tuple[bytes, ...]) -> None:
        self._walk = walk
        self._job = job
        self._paths = paths
        self._words = words
        self.status = -1

    def __iter__(self) -> "Iterator[bytes]":
        from amavis_pipe.jail.wire import MISSING, Wanted

        outside = self._walk.outside
        if outside is None:
            self.status = MISSING
            return
        for piece in outside.run(Wanted(self._job, self._paths, self._words), self._walk.budget.tick):
            if isinstance(piece, int):
                self.status = piece
            elif piece:
                yield piece


def _is_only_pages(part: Part) -> bool:
    """Whether a PDF is no container, nor a piece of one."""
    from amavis_pipe.pages import is_only_pages
    from amavis_pipe.subtree import is_volume

    return part.blob is not None and is_only_pages(part.blob) and not any(map(is_volume, part.names))


def in_order(parts: "Iterable[Part]") -> list[Part]:
    """The parts sorted by position: "1.2" before "1.10"."""
    return sorted(parts, key=lambda part: [int(step) for step in part.path.split(".")])
