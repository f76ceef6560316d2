"""Files in calendars and address cards: ATTACH, PHOTO, LOGO, SOUND, KEY and any property that is encoded.

Promises: nothing raises but the limits of `out`; linear. Lines are unfolded as iCalendar and vCard 3 and 4
say, and as vCard 2.1 does: base64 goes on on further lines, indented or not. Sources: RFC 5545 3.1 and
3.8.1.1, RFC 6350 6.2.4, vCard 2.1 2.1.3.
"""

import re

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import coding, html
from amavis_pipe.mime.lines import unix
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import Blob
    from amavis_pipe.walk import Sink

SIZE_MAX = 32 << 20
"""Bytes of a text that are looked at; of a longer one it is said that the rest was not."""
HEAD_MAX = 4096
LITTLE = 64
"""Quoted-printable text of fewer bytes is a name or an address."""

_PROPERTY = re.compile(rb"(?:[\w-]{1,64}\.)?([A-Za-z][A-Za-z0-9-]{0,63})((?:;(?:[^\":\n]|\"[^\"\n]*\")*)?):")
_PARAMETER = re.compile(rb";\s*([^=;:\"]+)(?:=((?:[^\";]|\"[^\"]*\")*))?")
_FOLD = re.compile(rb"\n[ \t]")
_FILES = (b"ATTACH", b"PHOTO", b"LOGO", b"SOUND", b"KEY", b"AGENT", b"IMAGE", b"STRUCTURED-DATA")
_BLANKS = b" \t\r\n\v\f"
_BASE64_MIN = 24


class Property:
    """One line as it was before it was folded: name, parameters (names in upper case), value.

    told  the encoding that the parameters tell: b"base64", b"quoted-printable" or b""
    """

    __slots__ = ("name", "parameters", "told", "value")

    def __init__(self, name: bytes, parameters: list[tuple[bytes, bytes]], value: bytes) -> None:
        self.name = name
        self.parameters = parameters
        self.told = self._told()
        self.value = value

    def encoding(self) -> bytes:
        """What the parameters tell, or what the value looks like: b"base64", b"quoted-printable", b""."""
        if not self.told and self.name in _FILES and _is_base64(self.value):
            return b"base64"
        return self.told

    def _told(self) -> bytes:
        for name, value in self.parameters:
            word = (value if name == b"ENCODING" else name if not value else b"").upper()
            if word in (b"BASE64", b"B") or (name == b"VALUE" and value.upper() == b"BINARY"):
                return b"base64"
            if word == b"QUOTED-PRINTABLE":
                return b"quoted-printable"
        return b""

    def names(self) -> tuple[bytes, ...]:
        """The names that parameters give the file."""
        return tuple(
            value[:1024]
            for name, value in self.parameters
            if value and (b"FILENAME" in name or name in (b"NAME", b"X-LABEL", b"LABEL", b"TITLE"))
        )

    def claimed(self) -> bytes:
        """The type it claims."""
        for name, value in self.parameters:
            if name in (b"FMTTYPE", b"MEDIATYPE", b"TYPE") and b"/" in value:
                return value.lower()[:128]
        return b""


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each file in the text of `blob`."""
    if blob.size > SIZE_MAX:
        out.unchecked("limit:ical")
    for one in properties(blob.view()[:SIZE_MAX], out):
        encoding = one.encoding()
        if encoding:
            data = b"".join(coding.decode(one.value, 0, len(one.value), encoding))
            if data and (encoding == b"base64" or one.name in _FILES or len(data) >= LITTLE):
                out.add((data,), one.names(), one.claimed())
        for uri in (
            html.uris(one.value.replace(b"\n", b"")) if b"data:" in one.value[:HEAD_MAX].lower() else ()
        ):
            if uri.data or uri.is_large:
                out.add(uri.chunks, one.names(), uri.claimed or one.claimed())


DECODER = Decoder("ical", (PLAIN, "text/calendar", "text/vcard"), unpack)


def properties(text: bytes, out: "Sink") -> "Iterator[Property]":
    """Those that hold something encoded, or may, and those that hold files."""
    found: Property | None = None
    lines: list[bytes] = []
    for line in _FOLD.sub(b"", unix(text)).split(b"\n"):
        out.tick()
        head = _PROPERTY.match(line[:HEAD_MAX])
        goes_on = lines and lines[-1].endswith(b"=") and found and found.told == b"quoted-printable"
        if head is None or goes_on:
            if found:
                lines.append(line)
            continue
        if found:
            found.value = b"\n".join(lines)
            yield found
        found, lines = _property(head, line), [line[head.end() :]]
    if found:
        found.value = b"\n".join(lines)
        yield found


def _property(head: "re.Match[bytes]", line: bytes) -> Property | None:
    """What a line begins, if it is worth while."""
    name = head[1].upper()
    parameters = [
        (one[1].strip().upper(), (one[2] or b"").strip(b' "')) for one in _PARAMETER.finditer(head[2])
    ]
    one = Property(name, parameters, b"")
    is_uri = b"data:" in line[head.start() : head.end() + HEAD_MAX].lower()
    return one if name in _FILES or is_uri or one.told else None


def _is_base64(value: bytes) -> bool:
    """Whether all of a value reads as base64, and is too long for a word."""
    bare = value.translate(None, _BLANKS)
    return len(bare) >= _BASE64_MIN and not bare.rstrip(b"=").translate(None, coding.ALPHABET)
