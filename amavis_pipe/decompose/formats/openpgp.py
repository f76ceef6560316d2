"""OpenPGP messages that are not encrypted: what is signed or compressed comes out, packet by packet.

What is encrypted is said to be; keys and detached signatures hold nothing. What a compressed packet holds is
a file of this format again. Nothing but a marker packet tells the format by its start: mime.armor and
names do. Sources: RFC 4880 4.2 (packets), 5.6, 5.9.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, without_suffix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.decompose.streams import Stream
    from amavis_pipe.spool import View

KIND = "application/pgp-encrypted"
MARKER = b"\xa8\3PGP"
STEP = 1 << 16
SUFFIXES = {b".gpg": b"", b".pgp": b"", b".asc": b"", b".sig": b""}

_COMPRESSED, _LITERAL = 8, 11
_ENCRYPTED = (1, 3, 9, 18, 20)
_EMPTY = (2, 4, 5, 6, 7, 10, 12, 13, 14, 17, 19, 21)
"""Signatures, keys and what belongs to them, the marker, padding."""
_TO_END = (_COMPRESSED, 9, _LITERAL, 18)
"""Packets that may go on to the end of the file."""


def unpack(blob: Blob, sink: Sink) -> None:
    """The content of each packet that has any."""
    view = blob.view()
    at, seen = 0, False
    while at < len(view):
        sink.tick()
        packet = _Packet(view, at, sink)
        if packet.tag in _ENCRYPTED:
            sink.unchecked("encrypted:pgp")
            return
        if packet.tag == _LITERAL:
            _put_literal(packet.chunks(), sink)
        elif packet.tag == _COMPRESSED:
            _put_compressed(packet.chunks(), sink)
        elif packet.tag in _EMPTY:
            packet.skip()
        else:
            raise Broken("unknown packet")
        seen = seen or packet.tag != 10
        at = packet.skip()
    if not seen:
        raise Broken("no packets")


class _Packet:
    """One packet: its tag, and its body, which may come in several pieces."""

    def __init__(self, view: "View", at: int, sink: Sink) -> None:
        head = view[at : at + 6]
        if len(head) < 2 or not head[0] & 0x80:
            raise Broken("no packet")
        self._view = view
        self._sink = sink
        self._end = at + 1
        self._goes_on = True
        self._is_new = bool(head[0] & 0x40)
        self.tag = head[0] & 63
        if not self._is_new:
            self.tag = head[0] >> 2 & 15
            self._old = head[0] & 3
            if self._old == 3 and self.tag not in _TO_END:
                raise Broken("no length")

    def chunks(self) -> "Iterator[bytes]":
        """The bytes of the body; Broken at the end if it is cut off.

        Pieces are gathered: they may be of one byte each.
        """
        held, end = bytearray(), 0
        while self._goes_on and end <= len(self._view):
            self._sink.tick()
            try:
                start, end = self._span()
            except Broken:
                end = len(self._view) + 1
                break
            for at in range(start, min(end, len(self._view)), STEP):
                held += self._view[at : min(at + STEP, end)]
                if len(held) >= STEP:
                    yield bytes(held)
                    held.clear()
        if held:
            yield bytes(held)
        if end > len(self._view):
            raise Broken("cut off")

    def skip(self) -> int:
        """Offset of what follows the packet."""
        while self._goes_on:
            self._sink.tick()
            if self._span()[1] > len(self._view):
                raise Broken("cut off")
        return self._end

    def _span(self) -> tuple[int, int]:
        """Where the next piece of the body is."""
        at = self._end
        if self._is_new:
            first = self._view[at : at + 5]
            if not first:
                raise Broken("cut off")
            size = first[0]
            self._goes_on = 224 <= size < 255
            if self._goes_on:
                start, size = at + 1, 1 << (size & 31)
            elif size == 255:
                start, size = at + 5, int.from_bytes(first[1:5], "big")
            elif size >= 192:
                start, size = at + 2, (size - 192 << 8) + int.from_bytes(first[1:2], "big") + 192
            else:
                start = at + 1
        else:
            self._goes_on = False
            start = at + (1, 2, 4, 0)[self._old]
            size = int.from_bytes(self._view[at:start], "big") if self._old < 3 else len(self._view) - at
        self._end = start + size
        return start, self._end


def _put_literal(chunks: "Iterator[bytes]", sink: Sink) -> None:
    """Add the file in a literal packet (RFC 4880 5.9)."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 2 and len(head) >= 6 + head[1]:
            break
    size = head[1] if len(head) > 1 else 0
    if len(head) < 6 + size:
        raise Broken("cut off")
    stored = head[2 : 2 + size]
    names = ((stored,) if stored else ()) + without_suffix(sink.names, SUFFIXES)
    sink.add(_again(head[6 + size :], chunks), names)


def _put_compressed(chunks: "Iterator[bytes]", sink: Sink) -> None:
    """Add what a compressed packet holds: packets again (RFC 4880 5.6)."""
    from zlib import error

    first = next(chunks, b"")
    rest = _again(first[1:], chunks)
    method = first[0] if first else -1
    names = without_suffix(sink.names, {suffix: suffix for suffix in SUFFIXES})
    if method == 0:
        sink.add(rest, names, KIND.encode())
        return
    new: Callable[[], Stream]
    if method in (1, 2):
        window = -15 if method == 1 else 15
        new = lambda: Inflate(window)  # noqa: E731
    elif method == 3:
        from bz2 import BZ2Decompressor

        new = BZ2Decompressor
    else:
        raise Broken("unknown method")
    sink.add(Streams(rest, sink, new, None, (error, OSError)).output(), names, KIND.encode())


def _again(first: bytes, rest: "Iterator[bytes]") -> "Iterator[bytes]":
    if first:
        yield first
    yield from rest


DECODER = Decoder("openpgp", (KIND,), unpack, starts=(MARKER,), broken=(Broken,))
