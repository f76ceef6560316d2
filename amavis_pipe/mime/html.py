"""Files hidden in HTML, SVG, style sheets and scripts: data: URIs, srcdoc, and what scripts unpack.

A script can compute anything, so this finds what is common, in every reading of the text (as it stands,
entities resolved, escapes resolved): long strings of base64 or hexadecimal digits, also in pieces joined
by "+" or backwards; lists of byte values; strings of escapes. Of those only what turns out to be of a known
kind, or is long, becomes a part. Promises: linear time; a few times SIZE_MAX of memory, and once the text;
nothing raises but the limits of `out`. Of a text longer than SIZE_MAX only data: URIs are looked for in all
of it; if it has scripts or URIs in disguise there, it is said that they were not. Sources: RFC 2397, Fetch
standard 5 (data: URLs); "HTML smuggling" (MITRE ATT&CK T1027.006).
"""

import re

from amavis_pipe.digest import sha256
from amavis_pipe.kinds import HEAD, OCTETS, PLAIN, detect
from amavis_pipe.mime import coding, escapes, hints
from amavis_pipe.mime.guesses import JOINED, LONG, from_base64, is_something, is_sure, strings
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

SIZE_MAX = 4 << 20
"""Bytes of a text that are looked at in every reading."""
URI_SIZE_MAX = 32 << 20
"""Bytes of a text that are looked at for data: URIs; of a longer one it is said that the rest was not."""
GUESSES = 64
"""So many strings of one text become parts that are of no known kind, or text."""
STEP = 1 << 16
NEAR = 1024
"""Bytes around a URI within which the name of its file may stand."""
_KIND_MAX = 256
_NAMES = 8

_BLANKS = b"\t\r\n"
_QUOTES = b"\"'`"
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_CODED = re.compile(
    rb"&#(?:x0*(?:2[c-f]|3[0-9abd]|[46][1-9a-f]|[57][0-9a])|0*(?:4[4-9]|5\d|61|6[5-9]|[78]\d|90|9[7-9]|1[01]\d|12[0-2]))"
    rb"(?![0-9a-f])",
    re.IGNORECASE,
)
"""Characters of a data: URI as entities."""
_TRIGGERS = (b"data:", b"<script", b"srcdoc", b"javascript:")
_BODY = re.compile(rb"[A-Za-z0-9+/=_% -]*")
_OPEN = re.compile(rb"[^\s\"'<>`)]*")
_SRCDOC = re.compile(rb"srcdoc\s{0,16}=\s{0,16}(?:\"([^\"]*)|'([^']*))", re.IGNORECASE)
_NAME = re.compile(
    rb"(?:download|file_?name|saveblob|saveoropenblob|saveas|new file)"
    rb"[^\"'<>;]{0,64}[=:,(] *[\"']([^\"'<>]{1,255})[\"']"
    rb"|[\"')\]] *, *[\"']([^\"'<>/]{1,100}\.[a-z0-9]{1,8})[\"'] *[,)]",
    re.IGNORECASE,
)


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each file found, once, with the names that stand near it or, for strings, anywhere."""
    view = blob.view()
    found = _Found(out)
    text = view[:] if len(view) <= SIZE_MAX else _read_large(view, found, out)
    for match in _SRCDOC.finditer(text):
        document = escapes.entities(match[1] or match[2] or b"")
        if found.is_new(document):
            out.add((document,), claimed=b"text/html")
    for reading in readings(text):
        _read(reading, found, out)


DECODER = Decoder("html", (PLAIN, "text/html"), unpack)


class Uri:
    """What a data: URI holds: its bytes, the type it claims, what stands near it, where its body is.

    chunks    its bytes, even where `data` is empty because they are too many
    is_large  whether they are
    """

    __slots__ = ("chunks", "claimed", "data", "is_large", "near", "start", "stop")

    def __init__(
        self,
        data: bytes,
        claimed: bytes,
        near: bytes,
        span: tuple[int, int],
        chunks: "Iterator[bytes] | None" = None,
    ) -> None:
        self.data = data
        self.claimed = claimed
        self.near = near
        self.start, self.stop = span
        self.is_large = chunks is not None
        self.chunks: Iterable[bytes] = (data,) if chunks is None else chunks


class _Found:
    """Remembers what was found, so that each content becomes one part, and guesses are not too many."""

    def __init__(self, out: "Sink") -> None:
        self._out = out
        self._seen: set[str] = set()
        self._guesses = 0

    def is_new(self, data: bytes) -> bool:
        """Whether these are bytes, and not yet known; they are now."""
        self._out.tick()
        digest = sha256(data, len(data)) if data else ""
        new = bool(data) and digest not in self._seen
        self._seen.add(digest)
        return new

    def is_one_more(self, data: bytes) -> bool:
        """Whether a string may become a part, as one of a few, or since it is of a kind that counts."""
        kind = detect(data[:HEAD])
        if kind not in (OCTETS, PLAIN) and is_sure(kind, data):
            return True
        self._guesses += 1
        if self._guesses > GUESSES:
            self._out.note("ambiguous:script")
        return self._guesses <= GUESSES


def _read(reading: bytes, found: _Found, out: "Sink") -> None:
    """Add what is in one reading."""
    given = names(reading)
    spans = []
    for uri in uris(reading):
        _add(uri, found, out)
        if len(uri.data) >= LONG and is_something(uri.data) and not JOINED.match(reading, uri.stop):
            spans.append((uri.start, uri.stop))  # a picture needs no second look
    for data, certain in strings(_without(reading, spans)):
        if data and (certain or is_something(data)) and found.is_new(data) and found.is_one_more(data):
            out.add((data,), given)


def _add(uri: Uri, found: _Found, out: "Sink") -> None:
    if uri.is_large or found.is_new(uri.data):
        out.add(uri.chunks, names(uri.near), uri.claimed)


def _without(text: bytes, spans: list[tuple[int, int]]) -> bytes:
    """`text` with a blank for each span."""
    if not spans:
        return text
    pieces, at = [], 0
    for start, stop in spans:
        pieces.append(text[at:start])
        at = stop
    pieces.append(text[at:])
    return b" ".join(pieces)


def _read_large(view: "View", found: _Found, out: "Sink") -> bytes:
    """Add the data: URIs of a long text; the text without pictures and the like, or the start of that.

    It is cut where nothing that goes on behind it would be taken for a whole, and that is said if what is
    left out may hold more.
    """
    line = bytearray()
    for at in range(0, min(len(view), URI_SIZE_MAX), STEP):
        out.tick()
        line += view[at : min(at + STEP, URI_SIZE_MAX)].translate(None, _BLANKS)
    spans = []
    for uri in uris(line):
        _add(uri, found, out)
        head = uri.data or from_base64(bytes(line[uri.start : uri.start + HEAD]))
        if uri.stop - uri.start >= LONG and is_something(head) and not JOINED.match(line, uri.stop):
            spans.append((uri.start, uri.stop))
    room, at, kept = SIZE_MAX, 0, []
    for start, stop in (*spans, (len(line), len(line))):
        kept.append(bytes(line[at : min(start, at + room)]))
        room -= len(kept[-1])
        at = stop
    text = b" ".join(kept)
    del kept
    whole = room > 0
    if len(view) > URI_SIZE_MAX or (not whole and _may_hold_more(view, out)):
        out.unchecked("limit:html")
    cut = max(text.rfind(mark) for mark in (b'"', b"'", b"<", b"(", b" "))
    return text if whole or cut < 0 else text[: cut + 1]


def _may_hold_more(view: "View", out: "Sink") -> bool:
    """Whether a long text has scripts, or a trigger that shows only when it is read as a browser does."""
    if hints.is_script(out.names) and detect(view[:HEAD]) == PLAIN:
        return True
    for at in range(0, len(view), STEP):
        out.tick()
        raw = view[max(0, at - hints.LAP) : at + STEP]
        plain = raw.translate(None, _BLANKS).lower()
        if any(trigger in plain for trigger in _TRIGGERS[1:]):
            return True
        coded = sum(1 for _ in _CODED.finditer(raw)) if b"&#" in raw else 0
        if coded * 64 > len(raw):
            return True
        if b"&" in raw or b"\\" in raw:
            read = escapes.script(escapes.entities(raw)).translate(None, _BLANKS).lower()
            if any(read.count(trigger) > plain.count(trigger) for trigger in _TRIGGERS):
                return True
    return False


def readings(text: bytes) -> "Iterator[bytes]":
    """The text on one line, as it stands and as HTML and scripts read it; none twice."""
    known = set()
    resolved = text
    for read in (None, escapes.entities, escapes.script):
        line = read(resolved) if read else text
        if read and line is resolved:
            continue
        resolved = line
        line = line.replace(b"\\\r\n", b"").replace(b"\\\n", b"").translate(None, _BLANKS)
        digest = sha256(line, len(line))
        if digest not in known:
            known.add(digest)
            yield line
        del line


def names(text: bytes) -> tuple[bytes, ...]:
    """The names that a text gives to files: `download="a.zip"`, `saveAs(blob, "a.zip")`."""
    given: dict[bytes, None] = {}
    for match in _NAME.finditer(text):
        given[(match[1] or match[2]).strip()] = None
        if len(given) == _NAMES:
            break
    return tuple(given)


def uris(text: "View | bytearray") -> "Iterator[Uri]":
    """The data: URIs of a text without line ends."""
    stop = 0
    for at in _schemes(text):
        if at < stop:
            continue
        start = at + 5
        head = bytes(text[start : start + _KIND_MAX])
        kind, comma, _ = head.partition(b",")
        if comma and not kind.strip(_QUOTES + b" ").translate(None, _LETTERS):
            comma = b"," if not kind.strip() else b""  # a word and a comma: prose
        stop = start
        if comma:
            start += len(kind) + 1
            claimed, *parameters = (piece.strip().lower() for piece in kind.split(b";"))
            coded = b"base64" in parameters or b"base64" in escapes.percent(kind).lower()
            stop = _end(text, at, start, coded)
            near = bytes(text[max(0, at - NEAR) : at] + b" " + text[stop : stop + NEAR])
            if stop - start > SIZE_MAX and (not coded or _is_regular(text, start, stop)):
                yield Uri(b"", _type(claimed), near, (start, stop), _streamed(text, start, stop, coded))
                continue
            data = escapes.percent(bytes(text[start:stop]))
            yield Uri(from_base64(data) if coded else data, _type(claimed), near, (start, stop))


def _schemes(text: "View | bytearray") -> "Iterator[int]":
    """Where `data:` stands."""
    for start in range(0, len(text), STEP):
        lower = text[start : start + STEP + 4].lower()
        at = lower.find(b"data:")
        while at >= 0:
            yield start + at
            at = lower.find(b"data:", at + 5)


def _streamed(text: "View | bytearray", start: int, stop: int, coded: bool) -> "Iterator[bytes]":
    """What text[start:stop] stands for, in pieces."""
    if coded:
        yield from coding.decode(text, start, stop, b"base64")  # type: ignore[arg-type]  # a bytearray does
        return
    held = b""
    for at in range(start, stop, STEP):
        piece = held + text[at : min(at + STEP, stop)]
        cut = piece.rfind(b"%", max(0, len(piece) - 2)) if at + STEP < stop else -1
        held = piece[cut:] if cut >= 0 else b""
        yield escapes.percent(piece[:cut] if cut >= 0 else piece)


def _is_regular(text: "View | bytearray", start: int, stop: int) -> bool:
    """Whether the base64 in text[start:stop] can be decoded as it stands."""
    return not any(
        mark in text[at : min(at + STEP, stop)] for at in range(start, stop, STEP) for mark in b"%-_"
    )


def _end(text: "View | bytearray", at: int, start: int, coded: bool) -> int:
    """Where the body of the URI at `at` ends, which begins at `start`."""
    if coded:
        match = _BODY.match(text, start)
        return match.end() if match else start
    before = bytes(text[at - 1 : at]) if at else b""
    if before and before in _QUOTES:
        stop = text.find(before, start)
        return len(text) if stop < 0 else stop
    match = _OPEN.match(text, start)
    return match.end() if match else start


def _type(claimed: bytes) -> bytes:
    """The type if it looks like one."""
    main, slash, sub = claimed.partition(b"/")
    if not slash or not (main + sub).replace(b"-", b"").replace(b"+", b"").replace(b".", b"").isalnum():
        return b""
    return claimed[:128]
