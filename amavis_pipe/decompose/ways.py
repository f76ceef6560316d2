"""Opens a container by the first way that can, or by several: what one decoder misses another may find.

A way is a function of (blob, taker, password) that hands what it finds to a Taker and returns how it went.
Libraries come first: a helper program costs ten to thirty milliseconds to start. Helpers write all members in
a row to their standard output, where they are told apart by the sizes of the listing; if these don't hold,
members are asked for one by one. Nothing is believed that a listing says
of sizes: the budget is charged as bytes come.
"""

from amavis_pipe.budget import LimitHit
from amavis_pipe.decompose.api import LIBARCHIVE, Need
from amavis_pipe.decompose.streams import Broken
from amavis_pipe.jail import programs
from amavis_pipe.jail.wire import KILLED
from amavis_pipe.jail.wire import MISSING as NO_PROGRAM
from amavis_pipe.model import Trouble
from amavis_pipe.spool import Blob

__all__ = (
    "CABEXTRACT",
    "DAMAGED",
    "LHASA",
    "LIBARCHIVE",
    "LOCKED",
    "LRZIP",
    "LZOP",
    "MEMBERS",
    "MISSING",
    "SEVEN_ZIP",
    "UNAR",
    "UNKNOWN",
    "UNRAR",
    "WHOLE",
    "Blob",
    "Broken",
    "Foreign",
    "Member",
    "Taker",
    "libarchive",
    "listing",
    "open_by",
    "packed",
    "python_module",
    "stream",
    "take_all",
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from amavis_pipe.jail.programs import Program
    from amavis_pipe.walk import Entry, Run, Sink

    Way = Callable[[Blob, "Taker", bytes], str]

WHOLE, DAMAGED, LOCKED, UNKNOWN, MISSING = "whole", "damaged", "locked", "unknown", "missing"
"""How a way went: all is there; something isn't; a password is wanted; no such file; no such library."""
MEMBERS = 4096
"""Members of one container that a helper's listing may have."""
SINGLY = 64
"""Members that are asked for one by one at most."""
LISTING = 4 << 20
"""Bytes of a listing that are read at most."""


class Taker:
    """Takes what a way finds; from the second way on only what is new.

    count  members that were handed over so far
    """

    __slots__ = ("_again", "_sink", "count")

    def __init__(self, sink: "Sink", again: bool = False) -> None:
        self._sink = sink
        self._again = again
        self.count = 0

    @property
    def sink(self) -> "Sink":
        """Where it all goes."""
        return self._sink

    def again(self) -> None:
        """From now on take only what is new."""
        self._again = self._again or self.count > 0

    def add(self, chunks: "Iterable[bytes]", names: tuple[bytes, ...] = ()) -> None:
        """Take a member."""
        self.count += 1
        if self._again:
            self._sink.add_new(chunks, names)
        else:
            self._sink.add(chunks, names)

    def entry(self, names: tuple[bytes, ...] = ()) -> "Entry":
        """Take a member that is written piece by piece."""
        self.count += 1
        return self._sink.entry(names, once=self._again)

    def locked(self, names: tuple[bytes, ...]) -> None:
        """List a member that can't be read, by its name, once."""
        if any(names) and not self._sink.walk.has_named(self._sink.path, names):
            self._sink.add((), names, flags=("encrypted",))


class Foreign:
    """Within it, whatever a third party's library raises for bad input is Broken."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, LimitHit | Trouble | MemoryError | Broken):
            raise Broken(f"{type(error).__name__} {error}"[:200]) from None


def open_by(
    blob: Blob, sink: "Sink", name: str, *ways: "Way", every: bool = False, again: bool = False
) -> None:
    """Add what the first of these ways finds that gets all there is, or with `every` what any of them does.

    `again`: something was found by other means already.

    With `every`, what the first leaves out may come from the others; what they leave out, from none.

    Says `encrypted:NAME` if a password was wanted, `undecoded:NAME` if nothing here could open it, raises
    Broken if no way came to the end.
    """
    taker, went = Taker(sink, again), []
    for way in ways:
        taker.again()
        went.append(_tried(way, blob, taker, name))
        if went[-1] == WHOLE and not every:
            break
    if LOCKED in went and went[-1] != WHOLE:
        sink.unchecked("encrypted:" + name)
    elif WHOLE in went and not (every and {DAMAGED, MISSING} & set(went[1:])):
        return
    elif DAMAGED in went or (UNKNOWN in went and MISSING not in went):
        raise Broken("damaged")
    else:
        sink.unchecked("undecoded:" + name)


def _tried(way: "Way", blob: Blob, taker: Taker, name: str) -> str:
    """How the way went, with each password there may be if it wants one."""
    went = way(blob, taker, b"")
    if went != LOCKED:
        return went
    for password in taker.sink.passwords():
        taker.sink.tick()
        before = taker.count
        went = way(blob, taker, password)
        # a wrong one may also make it look like no such file
        if went == WHOLE or (went == DAMAGED and taker.count > before):
            taker.sink.note("decrypted:" + name)
            return went
    return LOCKED


def libarchive(*formats: str, filters: tuple[str, ...] = (), names: tuple[bytes, ...] | None = None) -> "Way":
    """The way through libarchive, of these formats only; `names` are in place of those it gives."""

    def way(blob: Blob, taker: Taker, password: bytes) -> str:
        from amavis_pipe.decompose import libarchive as binding

        path = binding.found()
        if not path:
            return MISSING
        if password:
            return LOCKED
        library = binding.library(path)
        try:
            for name, chunks in binding.members(library, blob.view(), formats, filters):
                taker.sink.tick()
                taker.add(chunks, ((name,) if name else ()) if names is None else names)
        except binding.Locked:
            return LOCKED
        except Broken:
            return DAMAGED if taker.count else UNKNOWN
        if not taker.count and names is not None:
            taker.add((), names)  # raw: an empty file is none to it
        return WHOLE if taker.count else UNKNOWN

    return way


def packed(filters: str, names: tuple[bytes, ...]) -> "Way":
    """The way through libarchive for a compression of one file, which is given these names."""
    return libarchive("raw", filters=(filters,), names=names)


def stream(job: str, names: tuple[bytes, ...]) -> "Way":
    """The way through a program that writes the one file there is, which is given these names."""

    def way(blob: Blob, taker: Taker, password: bytes) -> str:
        run = taker.sink.run(job)
        chunks = _begun(run)
        if chunks is not None:
            taker.add(chunks, names)
        elif run.status == 0:
            taker.add((), names)
        return _said(run)

    return way


class Member:
    """What a listing says of a member: `word` is what the program calls it, `size` -1 if it doesn't tell."""

    __slots__ = ("locked", "name", "size", "word")

    def __init__(self, name: bytes, size: int, word: bytes, locked: bool = False) -> None:
        self.name = name
        self.size = size
        self.word = word
        self.locked = locked


def take_all(taker: Taker, members: list[Member], run: "Run", one: "Callable[[Member], Run] | None") -> str:
    """Hand over the members, whose contents `run` gives in a row; if that fails, each as `one` gives it.

    WHOLE only if all that `run` gives is in these members: a listing may be made to leave some out.
    """
    output = _Output(run)
    if len(members) == 1:
        if not output.is_over() or run.status == 0:
            taker.add(output.all(), (members[0].name,))
        return DAMAGED if 0 <= output.given < members[0].size else _said(run)
    if all(member.size >= 0 for member in members):
        for member in members:
            taker.sink.tick()
            if output.is_over() and member.size:
                output.short = True
                break
            taker.add(output.take(member.size), (member.name,))
        if output.is_over() and run.status == 0 and not output.short:
            return WHOLE
    given = output.counted(taker.sink) if one else 0
    output.drop()
    if run.status == NO_PROGRAM:
        return MISSING
    if one is None:
        return DAMAGED
    taker.again()
    return _take_singly(taker, members, one, given)


def _take_singly(taker: Taker, members: list[Member], one: "Callable[[Member], Run]", least: int) -> str:
    """Hand over each member as `one` gives it; DAMAGED if all of them have less than `least` bytes."""
    # what is called the same is given together, each time
    each = [*{member.word: member for member in members}.values()]
    went, given = WHOLE if len(each) <= SINGLY else DAMAGED, 0
    for member in each[:SINGLY]:
        taker.sink.tick()
        run = one(member)
        output = _Output(run)
        if not output.is_over():
            taker.add(output.all(), (member.name,))
        given += output.given
        # a name that it doesn't find is no error to 7zz
        if run.status or (not output.given and member.size):
            went = DAMAGED
    return went if given >= least else DAMAGED


class _Output:
    """A program's output, cut by sizes: `given` bytes so far; `short` if less came than was asked for."""

    def __init__(self, run: "Run") -> None:
        self._chunks = iter(run)
        self._rest = b""
        self.short = False
        self.given = 0

    def take(self, size: int) -> "Iterator[bytes]":
        while size > 0:
            piece = self._rest or next(self._chunks, b"")
            if not piece:
                self.short = True
                return
            self._rest = piece[size:]
            self.given += len(piece[:size])
            yield piece[:size]
            size -= len(piece[:size])

    def all(self) -> "Iterator[bytes]":
        """All there is."""
        while piece := self._rest or next(self._chunks, b""):
            self._rest = b""
            self.given += len(piece)
            yield piece

    def is_over(self) -> bool:
        """Whether nothing is left."""
        self._rest = self._rest or next(self._chunks, b"")
        return not self._rest

    def counted(self, sink: "Sink") -> int:
        """Bytes given, and those that are left, as far as there is room for them; 0 if none was asked for."""
        count, most = self.given + len(self._rest), sink.room()[1]
        while count and count <= self.given + most and (piece := next(self._chunks, b"")):
            sink.tick()
            count += len(piece)
        return count

    def drop(self) -> None:
        """Take no more: the program is ended."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def _begun(run: "Run") -> "Iterator[bytes] | None":
    """The output, if there is any."""
    chunks = iter(run)
    first = next(chunks, b"")
    if not first:
        return None

    def whole() -> "Iterator[bytes]":
        yield first
        yield from chunks

    return whole()


def _said(run: "Run") -> str:
    if run.status == NO_PROGRAM:
        return MISSING
    return WHOLE if run.status == 0 else DAMAGED


def listing(run: "Run") -> tuple[bytes, bool]:
    """What a program lists, cut at LISTING, and whether it is all; in memory."""
    found = bytearray()
    for chunk in run:
        found += chunk
        if len(found) > LISTING:
            return bytes(found), False
    return bytes(found), run.status != KILLED


def program(which: "Program") -> Need:
    """A helper program as what a format needs."""
    return Need(which.name, which.package, which.places)


def python_module(*names: str) -> "Callable[[], tuple[str, ...]]":
    """The places of a third party's module by these names, for a Need."""

    def places() -> tuple[str, ...]:
        from importlib.machinery import EXTENSION_SUFFIXES

        return tuple(
            f"{folder}/{name}{end}"
            for folder in programs.site_folders()
            for name in names
            for end in ("/__init__.py", ".py", *EXTENSION_SUFFIXES)
        )

    return places


SEVEN_ZIP = program(programs.SEVEN_ZIP)
UNAR = program(programs.UNAR)
UNRAR = program(programs.UNRAR)
LHASA = program(programs.LHASA)
CABEXTRACT = program(programs.CABEXTRACT)
LZOP = program(programs.LZOP)
LRZIP = program(programs.LRZIP)
