"""gzip (RFC 1952): one file, which may be in several members in a row."""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams, steps, without_suffix

MAGIC = b"\x1f\x8b"
SUFFIXES = {b".tgz": b".tar", b".gz": b"", b"-gz": b"", b".z": b"", b".svgz": b".svg"}
_HEAD = 1 << 10
_EXTRA, _NAME = 1 << 2, 1 << 3


def unpack(blob: Blob, sink: Sink) -> None:
    """The file, and what stands after it, as a part of its own."""
    from zlib import error

    streams = Streams(steps(blob.view()), sink, lambda: Inflate(31), MAGIC, (error,))
    stored = stored_name(blob.head(_HEAD))
    sink.add(streams.output(), (*stored, *without_suffix(sink.names, SUFFIXES)))
    if streams.has_trailer():
        sink.add(streams.trailer(), (b"trailer",))


def stored_name(head: bytes) -> tuple[bytes, ...]:
    """The name in the header, if there is one (RFC 1952 2.3.1)."""
    flags, at = head[3:4], 10
    if not flags or not flags[0] & _NAME:
        return ()
    if flags[0] & _EXTRA:
        at += 2 + int.from_bytes(head[10:12], "little")
    name = head[at:].partition(b"\0")[0]
    return (name,) if name else ()


DECODER = Decoder("gzip", ("application/gzip",), unpack, starts=(MAGIC,), broken=(Broken,))
