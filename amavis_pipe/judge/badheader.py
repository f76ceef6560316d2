"""What is wrong with the header of a mail, in the eight classes of amavisd-new. Pure: no I/O, no clock.

mime      Content-Type without a type and a subtype (RFC 2045 5.1), or that of a multipart without a boundary
          or with one of more than 70 bytes (RFC 2046 5.1.1); an encoding that is none of RFC 2045 6.1 nor
          begins with x-, or that a multipart must not have (6.4); a MIME-Version other than 1.0
8bit      bytes outside of ASCII that aren't UTF-8: UTF-8 is what SMTPUTF8 allows (RFC 6532 3.2)
control   NUL, a CR that ends no line, and other control characters; not tabs, and not ESC, which old
          Japanese mail has in its subject (RFC 5322 2.2)
empty     a line of blanks alone, which some readers take for the header's end (RFC 5322 2.2.3)
long      a line of more than 998 bytes (RFC 5322 2.1.1)
syntax    a line that is neither a field nor goes on with one (RFC 5322 2.2), told by its beginning; blanks
          in front of the colon are obsolete, but allowed (4.5), and so is an mbox's "From " as the first line
missing   no Date or no From (RFC 5322 3.6)
multiple  two of a field that may be there once (RFC 5322 3.6, RFC 2045 3 to 8)

Promises: never raises; time linear in at most HEAD_MAX bytes; one finding in each class, for the first
field, by its name as the mail writes it. A header that a limit of mime.header cuts is never said to lack
anything. Leaves out: encoded words, which are a plain text where they are wrong (RFC 2047 6.3); addresses
and dates; heads of parts.
"""

from amavis_pipe.mime import header
from amavis_pipe.model import Finding
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = ("mime", "8bit", "control", "empty", "long", "syntax", "missing", "multiple")
"""The classes, in the order of the findings."""
HEAD_MAX = header.HEAD_MAX
"""Bytes of a header that are looked at."""
LINE_MAX = 998

_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\x1b"))
_WANTED = (b"Date", b"From")
_ONCE = frozenset(
    b"date from sender reply-to to cc bcc message-id in-reply-to references subject mime-version "
    b"content-type content-transfer-encoding content-id content-description content-disposition".split()
)
_CHECKED = (b"mime-version", b"content-transfer-encoding")
_BOUNDARY_MAX = 70
_ENCODINGS = (b"7bit", b"8bit", b"binary", b"quoted-printable", b"base64")
_IDENTITY = _ENCODINGS[:3]
_TOKEN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`{|}~"
_SHOWN = 40


def findings(head: bytes, tests: tuple[str, ...] = TESTS) -> list[Finding]:
    """What is wrong in these classes: `CLASS:detail`, printable ASCII, each class once.

    `head` is the mail up to its body, the empty line with it or not; what follows that is not looked at.
    """
    seen = _Head(head[: HEAD_MAX + 1])  # one more shows that there is more
    found = []
    for test in TESTS:
        detail = _LOOKS[test](seen) if test in tests else None
        if detail is not None:
            found.append(Finding("bad-header", f"{test}:{ascii_of(detail, _SHOWN)}", "", "policy"))
    return found


class _Head:
    """A header: its bytes, its fields, whether a limit cut it, and the line behind them that is no field."""

    __slots__ = ("cut", "fields", "raw", "rest")

    def __init__(self, raw: bytes) -> None:
        head = header.read(raw, 0, len(raw))
        self.raw = raw
        self.fields = head.fields
        self.cut = head.cut
        self.rest = b"" if head.cut else _first_line(raw, head.fields[-1].end if head.fields else 0)

    def name(self, field: header.Field) -> bytes:
        """The field's name as it is written."""
        return self.raw[field.start : field.start + len(field.name)]

    def text(self, field: header.Field) -> bytes:
        """The whole field, lines ending in LF alone."""
        return self.raw[field.start : field.end].replace(b"\r\n", b"\n")

    def first(self, is_bad: "Callable[[bytes], bool]") -> bytes | None:
        """The name of the first field whose text is bad, if there is any."""
        return next((self.name(field) for field in self.fields if is_bad(self.text(field))), None)


def _first_line(raw: bytes, at: int) -> bytes:
    """The line behind the last field; b"" if it is the empty one, or none.

    In front of all fields an mbox's "From " is passed over.
    """
    end = raw.find(b"\n", at)
    line = raw[at : len(raw) if end < 0 else end].removesuffix(b"\r")
    if at == 0 and line.startswith((b"From ", b">From ")):
        return _first_line(raw, end + 1) if end >= 0 else b""
    return line


def _mime(head: _Head) -> bytes | None:
    kind = b""
    for field in head.fields:
        if field.name == b"content-type":
            kind, parameters = header.parameters(field.value)
            if not _is_type(kind) or (kind.startswith(b"multipart/") and not _has_boundary(parameters)):
                return head.name(field)
    for field in head.fields:
        value = header.parameters(field.value)[0] if field.name in _CHECKED else b""
        if field.name == b"mime-version" and value != b"1.0":
            return head.name(field)
        if field.name == b"content-transfer-encoding" and not _is_encoding(value, kind):
            return head.name(field)
    return None


def _is_type(kind: bytes) -> bool:
    main, slash, sub = kind.partition(b"/")
    return bool(main and slash and sub) and not (main + sub).translate(None, _TOKEN)


def _has_boundary(parameters: list[tuple[bytes, bytes]]) -> bool:
    """Whether there is one that readers agree about; extended ones (RFC 2231) are none."""
    boundary = next((value for name, value in parameters if name == b"boundary"), b"")
    return 0 < len(boundary.rstrip()) <= _BOUNDARY_MAX


def _is_encoding(value: bytes, kind: bytes) -> bool:
    if kind.startswith(b"multipart/"):
        return value in _IDENTITY
    return value in _ENCODINGS or (value.startswith(b"x-") and len(value) > 2)


def _eight_bit(head: _Head) -> bytes | None:
    return None if head.raw.isascii() else head.first(_is_no_utf8)


def _is_no_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


def _control(head: _Head) -> bytes | None:
    return head.first(lambda text: len(text.translate(None, _CONTROLS)) < len(text))


def _empty(head: _Head) -> bytes | None:
    return head.first(lambda text: any(line.isspace() for line in text.split(b"\n")))


def _long(head: _Head) -> bytes | None:
    return head.first(
        lambda text: len(text) > LINE_MAX and any(len(line) > LINE_MAX for line in text.split(b"\n"))
    )


def _syntax(head: _Head) -> bytes | None:
    return head.rest or None


def _missing(head: _Head) -> bytes | None:
    if head.cut:
        return None
    there = {field.name for field in head.fields}
    return next((name for name in _WANTED if name.lower() not in there), None)


def _multiple(head: _Head) -> bytes | None:
    seen = set()
    for field in head.fields:
        if field.name in seen:
            return head.name(field)
        if field.name in _ONCE:
            seen.add(field.name)
    return None


_LOOKS: "dict[str, Callable[[_Head], bytes | None]]" = {
    "mime": _mime,
    "8bit": _eight_bit,
    "control": _control,
    "empty": _empty,
    "long": _long,
    "syntax": _syntax,
    "missing": _missing,
    "multiple": _multiple,
}
