"""Compressed streams: one or several in a row, as gzip, bzip2 and xz write them, in bounded memory.

The interpreter's own zlib, bz2 and lzma do the work. libarchive would do it with the same libraries,
but costs 6 ms of CPU to load, does not say where a stream ended, and gives nothing of the block in
which it meets an error.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol
    from zlib import _Decompress

    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

    class Stream(Protocol):
        """What bz2.BZ2Decompressor, lzma.LZMADecompressor and Inflate have in common."""

        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


STEP = 1 << 16
"""Bytes of input that are looked at together."""
OUTPUT = 1 << 16
"""Bytes that come out at most at a time."""


class Broken(Exception):
    """The input is damaged or cut off; what was added before is kept."""


class Streams:
    """The streams at the beginning of `chunks`, and what stands after them.

    new    makes the decompressor of one stream
    magic  how each begins; what doesn't is not part of them. None: there is just one
    bad    what the decompressor raises on bad input
    sink   is asked whether there is time left
    """

    def __init__(
        self,
        chunks: "Iterator[bytes]",
        sink: "Sink",
        new: "Callable[[], Stream]",
        magic: bytes | None,
        bad: tuple[type[Exception], ...],
    ) -> None:
        self._chunks = chunks
        self._sink = sink
        self._new = new
        self._magic = magic
        self._bad = bad
        self._rest = b""

    def output(self) -> "Iterator[bytes]":
        """All streams' content, one after the other; Broken if one is damaged or cut off."""
        while True:
            yield from self._one(self._new())
            if self._magic is None:
                return
            self._fill(len(self._magic))
            if not self._rest.startswith(self._magic):
                return

    def trailer(self) -> "Iterator[bytes]":
        """What stands after the streams, without leading zeros; to be asked for after output()."""
        if self._rest:
            yield self._rest
            yield from self._chunks

    def left(self) -> int:
        """How many bytes of the chunks taken so far stand after the streams."""
        return len(self._rest)

    def has_trailer(self) -> bool:
        """Whether anything but zeros stands after the streams."""
        return bool(self._rest)

    def _one(self, stream: "Stream") -> "Iterator[bytes]":
        while not stream.eof:
            self._sink.tick()
            data = self._input() if stream.needs_input else b""
            try:
                out = stream.decompress(data, OUTPUT)
            except self._bad as error:
                raise Broken(str(error)) from None
            if out:
                yield out
        self._rest = stream.unused_data

    def _input(self) -> bytes:
        data, self._rest = self._rest or next(self._chunks, b""), b""
        if not data:
            raise Broken("cut off")
        return data

    def _fill(self, enough: int) -> None:
        """Drop zeros, which pad streams, and have enough at hand to tell whether another follows."""
        self._rest = self._rest.lstrip(b"\0")
        while len(self._rest) < enough:
            self._sink.tick()
            more = next(self._chunks, b"")
            if not more:
                return
            self._rest = (self._rest + more).lstrip(b"\0")


class Inflate:
    """zlib's decompressor in the shape of the others, which gives all that comes before an error.

    `window` as zlib.decompressobj has it: 31 for gzip, -15 for raw deflate. zlib.error is raised
    only when nothing comes before it.
    """

    def __init__(self, window: int) -> None:
        from zlib import decompressobj, error

        self._error = error
        self._inner = decompressobj(window)
        self._failed: Exception | None = None
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the stream's end was met."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What was given after the stream's end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` bytes more; `data` is only to be given when needs_input."""
        if self._failed is not None:
            raise self._failed
        data = data or self._inner.unconsumed_tail
        before = self._inner.copy()
        try:
            out = self._inner.decompress(data, max_length)
        except self._error as error:
            self._failed, self.needs_input = error, False
            out = _salvaged(before, data, max_length, self._error)
            if not out:
                raise
            return out
        self.needs_input = not self._inner.unconsumed_tail and len(out) < max_length
        return out


def steps(view: "View", start: int = 0) -> "Iterator[bytes]":
    """The bytes from `start` on, little enough at a time to keep the work on many tiny streams small."""
    for at in range(start, len(view), STEP):
        yield view[at : at + STEP]


def _salvaged(stream: "_Decompress", data: bytes, most: int, bad: type[Exception]) -> bytes:
    """What `data` gives before its error: fed in ever smaller steps until each meets it."""
    out, at = [], 0
    for step in (1 << 10, 1 << 5, 1):
        while at < len(data):
            before = stream.copy()
            try:
                out.append(stream.decompress(data[at : at + step], most))
            except bad:
                stream = before
                break
            at += step
    return b"".join(out)
