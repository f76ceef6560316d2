"""LZMA in its two old wrappings: a header of 13 bytes and nothing else (.lzma), and lzip.

The dictionary that a header asks for may be larger than memory, while no match can reach farther back than
there are bytes: what may come out at most is enough.
"""

from itertools import chain
from zlib import crc32

from amavis_pipe.decompose.streams import Broken, Streams, steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

_SMALLEST = 1 << 12
_LARGEST = 1 << 27
"""Larger dictionaries don't fit; a stream that has use for one comes out up to there."""
_STEP = 1 << 9
"""Bytes that may be lost before an error."""
_HEAD, _TRAILER, _OLD_TRAILER = 6, 20, 12
_CODES = 1 << 5
_MAGIC = b"LZIP"


class Header:
    """What is told in front of a stream: its properties, its dictionary, and the size unpacked, or -1."""

    __slots__ = ("dictionary", "properties", "size")

    def __init__(self, head: bytes, size: int) -> None:
        """`head` has the first two, in five bytes."""
        self.properties = head[0]
        self.dictionary = _number(head[1:5])
        self.size = size


def add_stream(
    view: "View", start: int, header: Header, sink: "Sink", names: tuple[bytes, ...], front: bytes = b""
) -> None:
    """Add what is in the stream at `start`, behind `front`, and what stands after it, as a part of its own.

    If that isn't all, it is also read without regard to the size that is told: some readers do.
    """
    from _lzma import LZMAError

    most = sink.room()[1]
    size = header.size if header.size <= most else -1  # too large to be true, or to matter

    def streams(size: int) -> Streams:
        return Streams(
            steps(view, start),
            sink,
            lambda: Lzma(header.properties, header.dictionary, size, most),
            None,
            (LZMAError,),
        )

    first, failed = streams(size), None
    try:
        sink.add(chain((front,), first.output()), names)
    except Broken as error:
        failed = error
    if size >= 0 and (failed or first.has_trailer()):
        try:
            sink.add_new(chain((front,), streams(-1).output()), names)
        except Broken:
            pass  # as it was to be expected
    if failed:
        raise failed
    if first.has_trailer():
        sink.add(first.trailer(), (b"trailer",))


class Lzma:
    """A stream whose header says this, as a decompressor that gives all that comes before an error.

    `size` is -1 if the header doesn't tell; `most` bytes come out at most. Broken if there are no such
    properties.
    """

    def __init__(self, properties: int, dictionary: int, size: int, most: int) -> None:
        from _lzma import FORMAT_ALONE, LZMADecompressor, LZMAError

        self._error = LZMAError
        self._failed: Exception | None = None
        self._inner = LZMADecompressor(FORMAT_ALONE)
        head = bytes((properties,)) + _room(dictionary, most).to_bytes(4, "little")
        head += (size & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
        try:
            self._inner.decompress(head, 0)
        except LZMAError as error:
            raise Broken(str(error)) from None

    @property
    def eof(self) -> bool:
        """Whether the stream's end was met."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether more is to be given."""
        return self._inner.needs_input and self._failed is None

    @property
    def unused_data(self) -> bytes:
        """What was given after the stream's end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` bytes more. LZMAError only when nothing comes before it."""
        if self._failed is not None:
            raise self._failed
        out = bytearray()
        try:
            while len(out) < max_length and not self._inner.eof:
                piece = self._inner.decompress(data, min(_STEP, max_length - len(out)))
                data = b""
                out += piece
                if not piece or self._inner.needs_input:
                    break
        except self._error as error:
            self._failed = error
            if not out:
                raise
        return bytes(out)


def _room(dictionary: int, most: int) -> int:
    """A size of the dictionary that liblzma takes for one: the power of two that is enough."""
    enough = max(_SMALLEST, min(dictionary, most, _LARGEST))
    return 1 << (enough - 1).bit_length()


class Member:
    """One member of an lzip file as a decompressor: header, LZMA, and what it should have been."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = b""
        self._inner: Lzma | None = None
        self._trailer = _TRAILER
        self._crc = self._size = self._packed = 0
        self.eof = False
        self.unused_data = b""

    @property
    def needs_input(self) -> bool:
        """Whether more is to be given."""
        if self._inner is None or not self._inner.eof:
            return self._inner is None or self._inner.needs_input
        return len(self._held) < self._trailer

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` bytes more; Broken if a header or trailer is wrong."""
        self._held += data
        if self._inner is None:
            if len(self._held) < _HEAD:
                return b""
            self._inner = self._begun(self._held[:_HEAD])
            self._held = self._held[_HEAD:]
        if self._inner.eof:
            self._end()
            return b""
        data, self._held = self._held, b""
        self._packed += len(data)
        out = self._inner.decompress(data, max_length)
        self._crc = crc32(out, self._crc)
        self._size += len(out)
        if self._inner.eof:
            self._held = self._inner.unused_data
            self._packed -= len(self._held)
        return out

    def _begun(self, head: bytes) -> Lzma:
        """By the header (lzip manual, File format): its version, and the size of the dictionary as a code."""
        code = head[5] % _CODES
        size = (1 << code) - (1 << code) // 16 * (head[5] // _CODES)
        if not head.startswith(_MAGIC) or head[4] > 1 or not 12 <= code <= 29:
            raise Broken("header")
        self._trailer = _TRAILER if head[4] else _OLD_TRAILER
        return Lzma(0x5D, size, -1, self._most)

    def _end(self) -> None:
        """The trailer: checksum, size, and from version 1 on the size of the member."""
        size = self._trailer
        if len(self._held) < size:
            return
        trailer, self.unused_data = self._held[:size], self._held[size:]
        self.eof = True
        fields = [trailer[:4], trailer[4:12], trailer[12:]]
        found = [self._crc, self._size, self._packed + _HEAD + size]
        if any(field and _number(field) != one for field, one in zip(fields, found, strict=True)):
            raise Broken("checksum")


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
