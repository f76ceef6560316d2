"""Runs of whole lines of a text, for decoders that work line by line in bounded memory."""

from amavis_pipe.mime.coding import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View


def runs(view: "View", start: int, end: int, chunk: int = CHUNK) -> "Iterator[bytes]":
    """view[start:end] in pieces of about `chunk` bytes that end at line ends (LF, or CR where no LF is).

    A line longer than that comes in several pieces.
    """
    at = start
    while at < end:
        raw = view[at : min(at + chunk, end)]
        if at + len(raw) < end:
            cut = raw.rfind(b"\n") + 1 or raw.rfind(b"\r") + 1
            raw = raw[: cut or len(raw)]
        at += len(raw)
        yield raw


def unix(raw: bytes) -> bytes:
    """The same text with LF for every line end: CR LF, CR."""
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw


def line_end(view: "View", start: int, limit: int) -> int:
    """Offset of the first CR or LF in view[start:limit], or `limit`."""
    stop = view.find(b"\n", start, limit)
    stop = limit if stop < 0 else stop
    bare = view.find(b"\r", start, stop)
    return stop if bare < 0 else bare
