"""The way through the unrar library, as the module unrar2-cffi has it: it knows all that RAR ever wrote.

The library reads only files that have a name, so it is run as a helper program (jail.unrar_program).
"""

from amavis_pipe.decompose.ways import (
    DAMAGED,
    LOCKED,
    MISSING,
    UNKNOWN,
    UNRAR,
    WHOLE,
    Blob,
    Taker,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.ways import Way
    from amavis_pipe.walk import Entry, Run

_LINE = 1 << 16


def by_unrar(paths: tuple[str, ...] = ()) -> "Way":
    """What the library finds; in all of the volumes at these paths, if there are any."""

    def way(blob: Blob, taker: Taker, password: bytes) -> str:
        if not UNRAR.path():
            return MISSING
        return _Reading(
            taker, taker.sink.run("unrar-volumes" if paths else "unrar", password, paths=paths)
        ).run()

    return way


class _Reading:
    """What the program writes, being read."""

    def __init__(self, taker: Taker, run: "Run") -> None:
        self._taker = taker
        self._lines = _Lines(iter(run))
        self._name: tuple[bytes, ...] = ()
        self._entry: Entry | None = None
        self._went: list[str] = []

    def run(self) -> str:
        """Hand over all members; how it went."""
        try:
            while line := self._lines.line():
                word, _, rest = line.partition(b" ")
                if word == b"data":
                    self._write(int(rest))
                elif word == b"file":
                    self._begin(rest.partition(b" ")[2])
                elif word in _ENDS:
                    self._end(_ENDS[word])
                else:
                    break
        finally:
            self._end(DAMAGED)
        return self._outcome(line)

    def _outcome(self, last: bytes) -> str:
        if LOCKED in self._went or last == b"locked":
            return LOCKED
        if not self._went:
            return UNKNOWN
        return WHOLE if last == b"end" and set(self._went) == {WHOLE} else DAMAGED

    def _begin(self, name: bytes) -> None:
        self._end(DAMAGED)
        self._taker.sink.tick()
        self._name = (bytes.fromhex(name.decode()),) if name != b"-" else ()
        self._entry = None
        self._went.append("")

    def _write(self, size: int) -> None:
        if self._entry is None:
            self._entry = self._taker.entry(self._name)
        for piece in self._lines.take(size):
            self._entry.write(piece)

    def _end(self, how: str) -> None:
        if not self._went or self._went[-1]:
            return  # none is begun
        self._went[-1] = how
        entry, self._entry = self._entry, None
        if how == LOCKED:
            self._taker.locked(self._name)
        elif entry is not None:
            entry.end(how == WHOLE)
        elif how == WHOLE:
            self._taker.add((), self._name)


_ENDS = {b"whole": WHOLE, b"partial": DAMAGED, b"locked": LOCKED}


class _Lines:
    """Lines, and bytes between them."""

    def __init__(self, chunks: "Iterator[bytes]") -> None:
        self._chunks = chunks
        self._rest = b""

    def line(self) -> bytes:
        """The next line; b"" when there is no more."""
        while b"\n" not in self._rest:
            piece = next(self._chunks, b"")
            if not piece or len(self._rest) > _LINE:
                return b""
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def take(self, size: int) -> "Iterator[bytes]":
        """The next `size` bytes."""
        while size > 0:
            piece = self._rest or next(self._chunks, b"")
            if not piece:
                return
            self._rest = piece[size:]
            yield piece[:size]
            size -= len(piece[:size])
