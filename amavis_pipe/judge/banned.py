"""Which parts of a mail a site's rules ban, by names, kinds, and where they lie. Pure: no I/O, no clock.

The rules are in order; the first that applies to a part decides about it, and nothing about what is in it.
Names lie, so every candidate counts, in every form that Windows or a reader may make of it: less its path,
dots and blanks at the end, an alternate stream (`::$DATA`), what stands behind a NUL, characters that show
nothing. Names of what an Office document is made of are judged by rules alone that are for such: a document
is known by all its names, its kind and a member that every such document has. A name that a decoder made up
doesn't count.

Promises: time linear in the parts, whatever they are called; at most NAMES names of a part are looked at, and
of all names of a mail ROOM bytes, then only their ends, where the extension is.
Rules are made and checked by config.banned; see docs/banned.rst.
"""

from amavis_pipe.judge.glob import fits, folded
from amavis_pipe.kinds import MAIL
from amavis_pipe.model import Finding
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from amavis_pipe.judge.glob import Pattern
    from amavis_pipe.model import Facts, Part

    Condition = tuple[str, Any]
    """What is looked at, as in TESTS, and what it has to be."""
    Rule = tuple[str, bool, bool, tuple[Condition, ...]]
    """Its name; whether it lets pass; whether it is for members of Office documents; what has to hold."""
    Rules = tuple[Rule, ...]

NAMES = 64
"""Candidate names of a part that are looked at: the first and the last."""
NAME = 1024
"""Bytes of each, the last ones."""
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
_MADE_UP = ("pdf", (b"script.js",))
"""A decoder that gives a name to what has none, and that name."""
_TRAILING = " \t\r\n\v\f\xa0"
_OVERRIDES = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
"""Characters that have what follows them shown in another direction."""
_FILLING = _TRAILING + "._-\u200b\u200e\u200f\ufeff"
_SHOWN = 80


def findings(facts: "Facts", rules: "Rules") -> list[Finding]:
    """For each part that is banned one finding, `RULE:name`, in the order of the parts."""
    if not rules:
        return []
    mail = _Mail(facts)
    found = []
    for part in facts.parts:
        seen = _Seen(part, mail)
        for rule in rules:
            detail = _applies(rule, seen)
            if detail is not None:
                if not rule[1]:
                    found.append(Finding("banned", f"{rule[0]}:{detail}", part.path, "policy"))
                break
    return found


def _applies(rule: "Rule", seen: "_Seen") -> str | None:
    """What the rule bans the part for, if all its conditions hold: printable ASCII; else None."""
    told = ""
    if rule[2] and not seen.in_office:
        return None
    seen.names = seen.all_names if rule[2] or not seen.in_office else ()
    for what, wanted in rule[3]:
        name = TESTS[what](seen, wanted)
        if name is None:
            return None
        told = told or name
    return _shown(told) if told else seen.described()


class _Mail:
    """What has to be known of a mail's other parts to judge one."""

    def __init__(self, facts: "Facts") -> None:
        self.parts = {part.path: part for part in facts.parts}
        self.marked = {
            _above(part.path)
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
            outer = self.around(_above(path))
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
            path = _above(path)

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


class _Seen:
    """A part as rules look at it; `names` are those that the rule at hand may know."""

    __slots__ = ("all_names", "in_office", "mail", "names", "part")

    def __init__(self, part: "Part", mail: _Mail) -> None:
        self.part = part
        self.mail = mail
        self.all_names = mail.names(part.path)
        self.in_office = mail.is_office(_above(part.path))
        self.names: tuple[str, ...] = ()

    def described(self) -> str:
        """What is told of a part of which no name decided: the best name there is, and the kind."""
        kind = ascii_of(self.part.kind.encode(), _SHOWN)
        return f"{_shown(self.all_names[0])} ({kind})" if self.all_names else kind

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
        return self.mail.is_document(_above(part.path))


def names_of(part: "Part", longest: int = NAME) -> tuple[str, ...]:
    """All forms of all candidate names that count, without case; of each name the `longest` last bytes."""
    names = part.names
    if not names or (part.decoder, names) == _MADE_UP:
        return ()
    if len(names) > NAMES:
        names = (*names[: NAMES // 2], *names[-NAMES // 2 :])
    forms: dict[str, None] = {}
    for name in names:
        text = folded(name[-longest:])
        forms.update(dict.fromkeys(_forms(text)))
        if not text.isprintable():
            forms.update(dict.fromkeys(_forms(text.partition("\0")[0])))
            forms.update(dict.fromkeys(_forms("".join(filter(str.isprintable, text)))))
    forms.pop("", None)
    return tuple(forms)


def _forms(text: str) -> "Iterator[str]":
    """The name as it is; its last step; each without a stream's name; all of them as Windows stores them."""
    text = text.replace("\\", "/")
    base = text.rstrip("/" + _TRAILING).rpartition("/")[2]
    for form in (base, text):
        yield form
        yield form.lstrip(_TRAILING).rstrip(_TRAILING + ".")
        if form.find(":") > 1:
            yield form.partition(":")[0].lstrip(_TRAILING).rstrip(_TRAILING + ".")


def _names(seen: _Seen, wanted: "tuple[Pattern, ...]") -> str | None:
    for pattern in wanted:
        for name in seen.names:
            if fits(pattern, name):
                return name
    return None


def _extensions(seen: _Seen, wanted: tuple[str, ...]) -> str | None:
    return next((name for name in seen.names if name.endswith(wanted)), None)


def _double(seen: _Seen, wanted: tuple[bool, tuple[str, ...], tuple[str, ...]]) -> str | None:
    """The name that looks like a document's and is a program's; "" if none does and none is wanted."""
    is_wanted, documents, programs = wanted
    found = next((name for name in seen.names if _is_double(name, documents, programs)), None)
    if is_wanted:
        return found
    return "" if found is None else None


def _is_double(name: str, documents: tuple[str, ...], programs: tuple[str, ...]) -> bool:
    if not name.endswith(programs):
        return False
    if any(char in name for char in _OVERRIDES):
        return True
    return name.rpartition(".")[0].rstrip(_FILLING).endswith(documents)


def _kinds(seen: _Seen, wanted: "tuple[Pattern, ...]") -> str | None:
    kind = seen.part.kind
    return "" if any(fits(pattern, kind) for pattern in wanted) else None


def _claimed(seen: _Seen, wanted: "tuple[Pattern, ...]") -> str | None:
    claimed = folded(seen.part.claimed)
    return "" if any(fits(pattern, claimed) for pattern in wanted) else None


def _path(seen: _Seen, wanted: "tuple[tuple[Pattern | None, ...], ...]") -> str | None:
    """The name, if a pattern fits all levels from the outermost archive to the part itself."""
    if seen.in_office and not seen.names:
        return None
    above = [path for path in seen.mail.around(_above(seen.part.path)) if seen.mail.names(path)]
    for segments in wanted:
        if _leads(segments, [seen.mail.mask(segments, path) for path in (*above, seen.part.path)]):
            return seen.names[0] if seen.names else ""
    return None


def _leads(segments: "tuple[Pattern | None, ...]", masks: list[int]) -> bool:
    """Whether the segments fit the levels one by one, `**` (None) any number; a bit for each state."""
    any_number = sum(1 << number for number, segment in enumerate(segments) if segment is None)
    states = _closed(1, any_number)
    for mask in masks:
        states = _closed((states & any_number) | (states & mask) << 1, any_number)
    return bool(states >> len(segments) & 1)


def _closed(states: int, any_number: int) -> int:
    """The states with those behind a `**`, which may stand for no level; no two stand side by side."""
    return states | (states & any_number) << 1


def _larger(seen: _Seen, wanted: int) -> str | None:
    return "" if seen.part.size > wanted else None


def _deeper(seen: _Seen, wanted: int) -> str | None:
    return "" if len(seen.mail.around(_above(seen.part.path))) > wanted else None


def _encrypted(seen: _Seen, wanted: "bool | tuple[Pattern, ...]") -> str | None:
    told = seen.mail.formats_encrypted(seen.part.path)
    if isinstance(wanted, bool):
        return "" if any(True for _ in told) == wanted else None
    return "" if any(fits(pattern, name) for name in told for pattern in wanted) else None


def _content(seen: _Seen, wanted: str) -> str | None:
    return None if seen.is_body() or (wanted == "file" and seen.is_piece()) else ""


TESTS: "dict[str, Callable[[_Seen, Any], str | None]]" = {
    "larger": _larger,
    "content": _content,
    "extensions": _extensions,
    "kinds": _kinds,
    "claimed": _claimed,
    "encrypted": _encrypted,
    "deeper": _deeper,
    "double_extension": _double,
    "names": _names,
    "path": _path,
}
"""What a condition looks at: the name that made it hold, "" if it holds for another reason, None if not.

Cheap ones first: in this order a rule has them.
"""


def _shown(name: str) -> str:
    """A name in printable ASCII; of a long one the beginning and the end, where the extension is."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _SHOWN:
        return ascii_of(data)
    return ascii_of(data[: _SHOWN // 2], _SHOWN // 2) + "..." + ascii_of(data[-24:])


def _above(path: str) -> str:
    return path.rpartition(".")[0]
