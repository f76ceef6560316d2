"""A mail's parts as rules look at them: what lies around each, what is encrypted, what is a text or a piece.

An Office document is known by all its names, its kind and a member that every such document has: what calls
itself otherwise, in one name only, is an archive like others. Pure.
"""

from amavis_pipe.judge.glob import fits
from amavis_pipe.judge.names import NAME, names_of, shown
from amavis_pipe.kinds import MAIL
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.judge.glob import Pattern
    from amavis_pipe.model import Facts, Part

ROOM = 1 << 20
"""Bytes of the names of all parts together; of each one that comes then, the last END bytes."""
END = 48

_OFFICE = (
    "docx docm dotx dotm xlsx xlsm xltx xltm xlsb xlam pptx pptm potx potm ppsx ppsm ppam sldx sldm thmx "
    "vsdx vsdm vssx vssm vstx vstm doc dot xls xlt ppt pot pps odt ott odm oth ods ots odp otp odg otg odc "
    "odf odi odb"
)
OFFICE = tuple("." + end for end in _OFFICE.split())
"""Endings of Office documents; programs open those that are zips by the older ones, too."""

_ZIP = "application/zip"
_MARKS = (b"[content_types].xml", b"mimetype")
"""Members that every such document has (ECMA-376-2 10.1.2, ODF 1.2 part 3, 3.3)."""
_DOCUMENTS = (
    "application/pdf",
    "application/x-ole-storage",
    "application/onenote",
    "application/x-mso",
    "application/vnd.adobe.flash.movie",
    "text/rtf",
    "text/xml",
)
"""Other kinds of which the parts are pieces, no files that people see."""
_FROM_TEXT = ("html", "ical", "armor", "charset")
"""Decoders whose parts are files only if they have a name."""
_TEXTS = (
    b"",
    b"text/plain",
    b"text/html",
    b"text/enriched",
    b"text/richtext",
    b"text/markdown",
    b"text/calendar",
    b"text/x-amp-html",
    b"text/watch-html",
    b"text/rfc822-headers",
    b"message/global-headers",
    b"message/delivery-status",
    b"message/global-delivery-status",
    b"message/disposition-notification",
    b"message/feedback-report",
)
"""Types that are shown as texts of a mail if they have no name; what is claimed to be a script is none."""
_KIND_SHOWN = 80


class Mail:
    """What has to be known of a mail's other parts to judge one."""

    def __init__(self, facts: "Facts") -> None:
        self.parts = {part.path: part for part in facts.parts}
        self.marked = {
            above(part.path)
            for part in facts.parts
            if "." in part.path and any(name.lower() in _MARKS for name in part.names)
        }
        self.encrypted: dict[str, list[str]] = {}
        for finding in facts.findings:
            if finding.grade == "unchecked" and finding.part and finding.name.startswith("encrypted:"):
                self.encrypted.setdefault(finding.part, []).append(finding.name[len("encrypted:") :].lower())
        self._around: dict[str, tuple[str, ...]] = {"": ()}
        self._names: dict[str, tuple[str, ...]] = {}
        self._room = ROOM
        self._masks: dict[tuple[tuple[Pattern | None, ...], str], int] = {}

    def around(self, path: str) -> tuple[str, ...]:
        """Paths of the archives and documents around what lies below `path`, the outermost first.

        Itself is among them; mails and multiparts are none.
        """
        known = self._around.get(path)
        if known is None:
            part = self.parts.get(path)
            outer = self.around(above(path))
            is_level = part is not None and part.kind != MAIL and "structure" not in part.flags
            known = self._around[path] = (*outer, path) if is_level else outer
        return known

    def names(self, path: str) -> tuple[str, ...]:
        """All forms of all names of the part at `path`."""
        known = self._names.get(path)
        if known is None:
            part = self.parts.get(path)
            known = self._names[path] = () if part is None else self._names_of(part)
        return known

    def _names_of(self, part: "Part") -> tuple[str, ...]:
        names = names_of(part, NAME if self._room > 0 else END)
        self._room -= sum(map(len, names))
        return names

    def is_office(self, path: str) -> bool:
        """Whether an Office document is there: all of its names say so, its kind and a member do."""
        part = self.parts.get(path)
        if part is None or part.kind != _ZIP or path not in self.marked:
            return False
        names = self.names(path)
        return bool(names) and all(name.endswith(OFFICE) for name in names)

    def is_document(self, path: str) -> bool:
        part = self.parts.get(path)
        return part is not None and (part.kind in _DOCUMENTS or self.is_office(path))

    def formats_encrypted(self, path: str) -> "Iterator[str]":
        """The formats that are encrypted of the part at `path` and of all that lies around it."""
        while path:
            yield from self.encrypted.get(path, ())
            path = above(path)

    def mask(self, segments: "tuple[Pattern | None, ...]", path: str) -> int:
        """A bit for each segment of a path's pattern that fits a name of the part at `path`."""
        key = (segments, path)
        known = self._masks.get(key)
        if known is None:
            names = self.names(path) or ("",)
            known = self._masks[key] = sum(
                1 << number
                for number, segment in enumerate(segments)
                if segment is not None and any(fits(segment, name) for name in names)
            )
        return known


class Seen:
    """A part as rules look at it; `names` are those that the rule at hand may know."""

    __slots__ = ("all_names", "in_office", "mail", "names", "part")

    def __init__(self, part: "Part", mail: Mail) -> None:
        self.part = part
        self.mail = mail
        self.all_names = mail.names(part.path)
        self.in_office = mail.is_office(above(part.path))
        self.names: tuple[str, ...] = ()

    def described(self) -> str:
        """What is told of a part of which no name decided: the best name there is, and the kind."""
        kind = ascii_of(self.part.kind.encode(), _KIND_SHOWN)
        return f"{shown(self.all_names[0])} ({kind})" if self.all_names else kind

    def is_body(self) -> bool:
        """Whether it is a text that is shown as a mail's text, or what holds such: no attachment."""
        part = self.part
        if "structure" in part.flags:
            return True
        if part.names or part.claimed not in _TEXTS:
            return False
        return part.decoder == "mime" or (part.decoder in _FROM_TEXT and part.claimed != b"")

    def is_piece(self) -> bool:
        """Whether a document is made of it, or a page or a text: no file that people see."""
        part = self.part
        if not part.names and part.decoder in _FROM_TEXT:
            return True
        return self.mail.is_document(above(part.path))


def above(path: str) -> str:
    """The path of the part in which the one at `path` lies, "" for the mail."""
    return path.rpartition(".")[0]
