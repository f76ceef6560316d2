"""Files hidden in HTML, SVG, style sheets and scripts: data: URIs, srcdoc, and what scripts unpack.

A script can compute anything, so this finds what is common, in every reading of the text (as it stands,
entities resolved, escapes resolved): long strings of base64 or hexadecimal digits, also in pieces joined
by "+" or backwards; lists of byte values; strings of escapes. Of those only what turns out to be of a known
kind, or is long, becomes a part. Promises: linear time; nothing raises but the limits of `out`. Sources:
RFC 2397, Fetch standard 5 (data: URLs); "HTML smuggling" (MITRE ATT&CK T1027.006).
"""

import re

from amavis_pipe.digest import sha256
from amavis_pipe.kinds import EMPTY, HEAD, OCTETS, PLAIN, detect
from amavis_pipe.mime import coding, escapes
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import Blob
    from amavis_pipe.walk import Sink

SIZE_MAX = 32 << 20
"""Bytes of a text that are looked at; of a longer one it is said that the rest was not."""
LONG = 1024
"""So many characters are a part whatever they turn out to be."""
NEAR = 1024
"""Bytes around a URI within which the name of its file may stand."""
_KIND_MAX = 256
_NAMES = 8

_BLANKS = b"\t\r\n"
_QUOTES = b"\"'`"
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_LIST_MIN = 16
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_JOINED = re.compile(rb"[\"'`]\)? *[+&.,] *\(?[\"'`]")
_RUN = re.compile(rb"={0,2}[A-Za-z0-9+/_-]{40,}={0,2}")
_NUMBERS = re.compile(rb"[0-9a-fA-FxX, -]{31,}")
_STRING = re.compile(rb"[\"'`]([^\"'`]{16,})[\"'`]")
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
    if blob.size > SIZE_MAX:
        out.unchecked("limit:html")
    text = blob.view()[:SIZE_MAX]
    found = _Found(out)
    for match in _SRCDOC.finditer(text):
        document = escapes.entities(match[1] or match[2] or b"")
        if found.is_new(document):
            out.add((document,), claimed=b"text/html")
    for reading in readings(text):
        given = names(reading)
        for uri in uris(reading):
            if found.is_new(uri.data):
                out.add((uri.data,), names(uri.near), uri.claimed)
        for data, certain in strings(reading):
            if (certain or _is_something(data)) and found.is_new(data):
                out.add((data,), given)


DECODER = Decoder("html", (PLAIN, "text/html"), unpack)


class Uri:
    """What a data: URI holds: its bytes, the type it claims, and what stands near it."""

    __slots__ = ("claimed", "data", "near")

    def __init__(self, data: bytes, claimed: bytes, near: bytes) -> None:
        self.data = data
        self.claimed = claimed
        self.near = near


class _Found:
    """Remembers what was found, so that each content becomes one part."""

    def __init__(self, out: "Sink") -> None:
        self._out = out
        self._seen: set[str] = set()

    def is_new(self, data: bytes) -> bool:
        """Whether these are bytes, and not yet known; they are now."""
        self._out.tick()
        digest = sha256(data, len(data)) if data else ""
        new = bool(data) and digest not in self._seen
        self._seen.add(digest)
        return new


def readings(text: bytes) -> "Iterator[bytes]":
    """The text on one line, as it stands and as HTML and scripts read it; none twice."""
    resolved = escapes.entities(text)
    known = []
    for reading in (text, resolved, escapes.script(resolved)):
        line = reading.replace(b"\\\r\n", b"").replace(b"\\\n", b"").translate(None, _BLANKS)
        if line not in known:
            known.append(line)
            yield line


def names(text: bytes) -> tuple[bytes, ...]:
    """The names that a text gives to files: `download="a.zip"`, `saveAs(blob, "a.zip")`."""
    given: dict[bytes, None] = {}
    for match in _NAME.finditer(text):
        given[(match[1] or match[2]).strip()] = None
        if len(given) == _NAMES:
            break
    return tuple(given)


def uris(text: bytes) -> "Iterator[Uri]":
    """The data: URIs of a text without line ends."""
    lower = text.lower()
    at = lower.find(b"data:")
    while at >= 0:
        start = at + 5
        head = text[start : start + _KIND_MAX]
        kind, comma, _ = head.partition(b",")
        if comma and not kind.strip(_QUOTES + b" ").translate(None, b"abcdefghijklmnopqrstuvwxyz"):
            comma = b"," if not kind.strip() else b""  # a word and a comma: prose
        stop = start
        if comma:
            start += len(kind) + 1
            claimed, *parameters = (piece.strip().lower() for piece in kind.split(b";"))
            coded = b"base64" in parameters or b"base64" in escapes.percent(kind).lower()
            stop = _end(text, at, start, coded)
            data = escapes.percent(text[start:stop])
            near = text[max(0, at - NEAR) : at] + b" " + text[stop : stop + NEAR]
            yield Uri(_base64(data) if coded else data, _type(claimed), near)
        at = lower.find(b"data:", stop)


def _end(text: bytes, at: int, start: int, coded: bool) -> int:
    """Where the body of the URI at `at` ends, which begins at `start`."""
    if coded:
        match = _BODY.match(text, start)
        return match.end() if match else start
    before = text[at - 1 : at] if at else b""
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


def strings(text: bytes) -> "Iterator[tuple[bytes, bool]]":
    """What strings and lists of numbers in a text without line ends stand for; True: a part in any case."""
    joined = _JOINED.sub(b"", text)
    for one in (text, joined) if joined != text else (text,):
        for match in _RUN.finditer(one):
            yield from _digits(match[0])
    for match in _NUMBERS.finditer(text):
        for data in _lists(match[0]):
            yield data, len(data) >= LONG
    for match in _STRING.finditer(joined):
        data = _escaped(match[1])
        if data:
            yield data, len(data) >= LONG


def _digits(run: bytes) -> "Iterator[tuple[bytes, bool]]":
    """What a run of base64 or hexadecimal digits stands for, forwards or backwards."""
    long = len(run) >= LONG
    if not len(run) & 1 and not run.translate(None, _HEX_DIGITS):
        yield bytes.fromhex(run.decode()), long
        yield bytes.fromhex(run[::-1].decode()), False
    text = run.translate(_URL_SAFE)
    yield _base64(text.lstrip(b"=")), long and not run.startswith(b"=")
    yield _base64(text[::-1].lstrip(b"=")), long and run.startswith(b"=")


def _base64(text: bytes) -> bytes:
    return b"".join(coding.decode(text.translate(_URL_SAFE), 0, len(text), b"base64"))


def _lists(numbers: bytes) -> "Iterator[bytes]":
    """The bytes of each list of numbers from -128 to 255, decimal or 0x…, of LIST_MIN or more."""
    values: list[int] = []
    for one in numbers.split(b","):
        number = _number(one.strip(b" "))
        if number is not None and -129 < number < 256:
            values.append(number & 255)
            continue
        if len(values) >= _LIST_MIN:
            yield bytes(values)
        values = []
    if len(values) >= _LIST_MIN:
        yield bytes(values)


def _number(text: bytes) -> int | None:
    if text.isdigit() and len(text) < 4:
        return int(text)
    try:
        return int(text, 0) if len(text) < 6 else None
    except ValueError:
        return None


def _escaped(text: bytes) -> bytes:
    """What a string of escapes stands for; empty if it has few of them."""
    count = text.count(b"\\x") + text.count(b"\\u00") + text.count(b"%")
    if count < 8 or count * 16 < len(text):
        return b""
    return escapes.percent(escapes.wide_percent(escapes.script(text)))


def _is_something(data: bytes) -> bool:
    """Whether these bytes are of a known kind or text, and not just noise."""
    head = data[:HEAD]
    kind = detect(head)
    if kind == PLAIN:  # a few bytes of noise may have no control characters among them
        return len(head.decode("utf-8", "ignore").encode()) > len(head) - 4
    return kind not in (OCTETS, EMPTY)
