"""Decodes the body of a part, as its Content-Transfer-Encoding says: a stream of bytes.

Promises: never raises on bad input, holds no more than about a chunk, takes linear time, gives the
same bytes for every chunk size. What can't be decoded is left out (base64) or left as it is
(quoted-printable); an unknown encoding changes nothing. Sources: RFC 2045 6.7 and 6.8, RFC 4648;
uuencode has no standard.
"""

from binascii import Error, a2b_base64, a2b_qp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

CHUNK = 1 << 18
SOFT_BLANKS = 512
"""Blanks that may stand between the "=" of a soft line break and the line end."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_JUNK = bytes(set(range(256)) - set(_ALPHABET + b"="))
UU = (b"x-uuencode", b"uuencode", b"x-uue", b"uue")


def decode(view: "View", start: int, end: int, encoding: bytes, chunk: int = CHUNK) -> "Iterator[bytes]":
    """The bytes that view[start:end] stands for, in pieces of at most about `chunk` bytes.

    `encoding` is the main part of the field's value, in lower case.
    """
    if encoding == b"base64":
        return _base64(view, start, end, chunk)
    if encoding == b"quoted-printable":
        return _quoted_printable(view, start, end, chunk)
    if encoding in UU:
        from amavis_pipe.mime import uu

        return uu.decode(view, start, end, chunk)
    return pieces(view, start, end, chunk)


def pieces(view: "View", start: int, end: int, chunk: int = CHUNK) -> "Iterator[bytes]":
    """view[start:end] as it is, at most `chunk` bytes at a time."""
    for at in range(start, end, chunk):
        yield view[at : min(at + chunk, end)]


def _base64(view: "View", start: int, end: int, chunk: int) -> "Iterator[bytes]":
    """Junk is skipped; padding ends a quad, and what follows it begins a new one."""
    at, held = start, b""
    while at < end:
        stop = min(at + chunk, end)
        if stop < end:
            # a line mostly holds whole quads: cut there, and the quick way below will do
            stop = view.rfind(b"\n", max(at, stop - 1024), stop) + 1 or stop
        raw = view[at:stop]
        at = stop
        data = None if held else _whole_quads(raw)
        if data is None:
            data, held = _quads(held + raw.translate(None, _JUNK))
        if data:
            yield data
    if len(held) > 1:
        yield a2b_base64(held + b"=="[len(held) - 2 :])


def _whole_quads(raw: bytes) -> bytes | None:
    """The decoded bytes if `raw` is whole quads, and padded at its end only; else None."""
    pad = raw.find(b"=")
    if pad >= 0 and raw[pad:].translate(None, b"=\r\n\t "):
        return None
    try:
        return a2b_base64(raw)
    except Error:
        return None


def _quads(clean: bytes) -> tuple[bytes, bytes]:
    """The decoded whole or padded quads of `clean`, and the up to 3 characters that are left."""
    decoded = []
    held, *rest = clean.split(b"=")
    for text in rest:
        odd = len(held) & 3
        if odd > 1:
            decoded.append(a2b_base64(held + b"=="[odd - 2 :]))
            held = text
        else:  # no place for padding: junk
            decoded.append(a2b_base64(held[: len(held) - odd]))
            held = held[len(held) - odd :] + text
    odd = len(held) & 3
    decoded.append(a2b_base64(held[: len(held) - odd]))
    return b"".join(decoded), held[len(held) - odd :]


def _quoted_printable(view: "View", start: int, end: int, chunk: int) -> "Iterator[bytes]":
    """What is no "=XX" and no soft line break stands for itself."""
    at, held = start, b""
    while at < end:
        stop = min(at + chunk, end)
        raw = held + view[at:stop]
        at = stop
        if b"==" in raw:
            # a2b_qp takes two for one; the first of two can only stand for itself
            raw = raw.replace(b"==", b"=3D=").replace(b"==", b"=3D=")
        cut = len(raw) if at == end else _open_escape(raw)
        held = raw[cut:]
        data = a2b_qp(_soft_breaks(raw[:cut], at == end))
        if data:
            yield data


def _open_escape(raw: bytes) -> int:
    """Offset of the "=" at the end of `raw` that needs what comes next, else len(raw)."""
    mark = raw.rfind(b"=", max(0, len(raw) - SOFT_BLANKS - 3))
    if mark < 0:
        return len(raw)
    tail = raw[mark + 1 :]
    return mark if len(tail) < 2 or not tail.strip(b" \t\r") else len(raw)


def _soft_breaks(raw: bytes, final: bool) -> bytes:
    """`raw` with every soft line break written "=" LF: without blanks before the LF, without CR.

    What follows the last LF is a line only if `final`.
    """
    if b"= " in raw or b"=\t" in raw:
        *lines, rest = raw.split(b"\n")
        raw = b"\n".join([*map(_soft_break, lines), _soft_break(rest) if final else rest])
    if b"=\r" in raw:
        # a2b_qp would drop everything from a bare CR to the next LF
        raw = raw.replace(b"=\r\n", b"=\n").replace(b"=\r", b"=\n")
    return raw


def _soft_break(line: bytes) -> bytes:
    text = line.removesuffix(b"\r")
    bare = text.rstrip(b" \t")
    return bare if bare.endswith(b"=") and len(text) - len(bare) <= SOFT_BLANKS else line
