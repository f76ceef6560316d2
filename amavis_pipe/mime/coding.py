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

LINE_MAX = 998
"""Bytes of a line in base64 that no reader cuts (RFC 5322 2.1.1)."""

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_JUNK = bytes(set(range(256)) - set(ALPHABET + b"="))
YENC = (b"x-yenc", b"x-yencode", b"yenc", b"yencode")
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
    if encoding in YENC:
        from amavis_pipe.mime import yenc

        return yenc.decode(view, start, end, chunk)
    return pieces(view, start, end, chunk)


def pieces(view: "View", start: int, end: int, chunk: int = CHUNK) -> "Iterator[bytes]":
    """view[start:end] as it is, at most `chunk` bytes at a time."""
    for at in range(start, end, chunk):
        yield view[at : min(at + chunk, end)]


def is_regular(view: "View", start: int, end: int, size: int) -> bool:
    """Whether view[start:end], in base64, decodes to the same `size` bytes for every reader.

    It does if there are letters alone, in lines of one length and whole quads, the last one maybe shorter,
    and padding at the very end. That no byte but letters, padding and line ends is there shows in how much
    it decodes to: the decoder leaves others out.
    """
    end = _last_line_end(view, start, end)
    first = view.find(b"\n", start, min(end, start + LINE_MAX + 2))
    crlf = first > start and view[first - 1 : first] == b"\r"
    step = (end if first < 0 else first + 1) - start
    width = step - crlf - (first >= 0)
    pad = view.find(b"=", start, end)
    padding = end - pad if pad >= 0 else 0
    if width > LINE_MAX or width % 4 or padding > 2 or view[end - padding : end].strip(b"="):
        return False
    letters = end - start
    block = max(CHUNK // max(step, 1), 1) * max(step, 1)  # whole lines
    for at in range(start, end if first >= 0 else start, block):
        text = view[at : min(at + block, end)]
        ends, returns = text[step - 1 :: step], text[step - 2 :: step] if crlf else b""
        if ends.count(b"\n") != len(ends) or returns.count(b"\r") != len(returns):
            return False
        letters -= len(ends) * (1 + crlf)
    return letters % 4 == 0 and letters // 4 * 3 - padding == size


def is_clear(view: "View", start: int, end: int) -> bool:
    """Whether view[start:end], in quoted-printable, holds nothing that readers decode differently.

    Those are blanks before a soft line break, CRs that end no line, and NULs.
    """
    if any(view.find(mark, start, end) >= 0 for mark in (b"= ", b"=\t", b"\0")):
        return False
    if view.find(b"\r", start, end) < 0:
        return True
    pairs = (view[at : min(at + CHUNK + 1, end)] for at in range(start, end, CHUNK))
    return not any(text.replace(b"\r\n", b"").rstrip(b"\r").count(b"\r") for text in pairs)


def _last_line_end(view: "View", start: int, end: int) -> int:
    """Where the last line ends that is not empty, without its line end; blank lines may follow a body."""
    while end > start:
        tail = view[max(start, end - 64) : end]
        text = tail.rstrip(b"\r\n")
        end -= len(tail) - len(text)
        if text:
            break
    return end


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
