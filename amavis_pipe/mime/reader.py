"""The reader of ordinary mail: its MIME parts, decoded, with all their names.

Promises: no byte of a body is left out but a short preamble; time linear in the mail at each level of
multiparts; every oddity still gives parts. Where readers differ about a mail, it is searched once more,
for what any of them might open (mime.loose, loaded then). Sources: RFC 2045 5 and 6, RFC 2046 5.1 and
5.2, RFC 2183 (Content-Disposition).
"""

from amavis_pipe.budget import LimitHit
from amavis_pipe.kinds import MAIL as MAIL_KIND
from amavis_pipe.mime import coding, doubt, header, hints
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.model import Part
    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

NAMES_MAX = 24
NAME_MAX = 1024
TYPE_MAX = 128
PREAMBLE = 1024
"""A longer preamble becomes a part: the usual notice to readers without MIME is shorter."""

BODY = 16 << 10
"""Bytes of an encoded body from which it is worth while to know it again."""
STEP = 1 << 16
"""Bytes of a long line that are looked at in one piece."""

_TEXT = b"text/plain"
_MAIL = b"message/rfc822"
_MAILS = (_MAIL, b"message/global", b"message/news")
_MAIL_NAMES = (b".eml", b".mht", b".mhtml", b".nws")
_TYPE = b"abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-/"
_ENCODING = b"content-transfer-encoding"
_CODED = (b"base64", b"quoted-printable", *coding.UU, *coding.YENC)
_TEXTS = (b"text/", b"multipart/")
_LINE_ENDS = (b"\n", b"\r")
_ORDINARY = bytes(set(range(32, 127)) - set(b"%/:\\\"'`"))
"""Of a name without other bytes there is one form only, but for dots and blanks at its end."""
_Parameters = list[tuple[bytes, bytes]]


class Reading:
    """What is seen on the way through one mail, for whoever must know if all readers read it alike.

    heads   of all entities
    leaves  the parts that are no multiparts
    differ  what readers differ about, by what shows between the heads: boundary, multipart, body
    simple  whether no head has anything that has to be looked at more closely
    bodies  large attachments in base64, as in Facts; of the mail itself only
    """

    __slots__ = ("bodies", "differ", "heads", "is_mail", "leaves", "simple")

    def __init__(self, is_mail: bool) -> None:
        self.heads: list[header.Head] = []
        self.leaves: list[Part] = []
        self.differ: list[str] = []
        self.simple = True
        self.bodies: list[tuple[int, int, int, int]] = []
        self.is_mail = is_mail


def unpack(blob: "Blob", out: "Sink") -> None:
    """The entities of the mail in `blob`. LimitHit of depth only when all that may be kept is kept.

    Where readers may read it differently, what any of them might open comes after what stands there.
    """
    view = blob.view()
    reading = Reading(is_mail=not out.path)
    hit = _entity(view, 0, len(view), out, _TEXT, reading)
    if hit is not None:
        reading.differ.append("depth")  # who takes no notice of boundaries sees all on one level
    differ = tuple(dict.fromkeys(reading.differ))
    if not reading.simple and not differ:
        from amavis_pipe.mime.plain import differences

        differ = differences(reading.heads)
    if differ:
        from amavis_pipe.mime import loose

        out.found_bodies([])
        loose.unpack(view, out, reading, _names, differ)
    elif reading.bodies:
        out.found_bodies(reading.bodies)
    if hit is not None:
        raise hit


MAIL = Decoder("mime", (MAIL_KIND,), unpack)


def hot_openers(part: "Part") -> tuple[Decoder, ...]:
    """What opens a part in the filter itself: mails, and texts that hold files or the structure of a mail.

    What is claimed or named as a mail is read as one whatever its bytes look like: "MZ: 1" is a field.
    """
    if part.kind == MAIL_KIND or part.claimed in _MAILS or _is_named_mail(part.names):
        return (MAIL,)
    if part.blob is None or not (part.kind.startswith("text/") or part.claimed.startswith(_TEXTS)):
        return ()
    view = part.blob.view()
    openers: tuple[Decoder, ...] = ()
    if not part.verbatim and doubt.has_fields(view, 0, len(view)):
        openers = (FRAGMENT,)  # what stands in the mail as it is was seen there
    if hints.might_hold(view, len(view)) or hints.is_script(part.names):
        from amavis_pipe.mime import texts

        openers += texts.openers(part)
    return openers


def _unpack_fragment(blob: "Blob", out: "Sink") -> None:
    """The entities in a text that came out of an encoding: nobody but a loose reader sees any there."""
    from amavis_pipe.mime import loose

    loose.unpack(blob.view(), out, Reading(is_mail=False), _names, ("encoding",))


FRAGMENT = Decoder("mime", (), _unpack_fragment)


def _is_named_mail(names: tuple[bytes, ...]) -> bool:
    return any(name.lower().endswith(_MAIL_NAMES) for name in names)


class _Said:
    """What the fields of an entity that begins at `start` say.

    kind, parameters  of its type; all are those of every field
    """

    __slots__ = ("all", "encoding", "kind", "parameters", "start")

    def __init__(self, start: int, head: header.Head, out: "Sink") -> None:
        self.start = start
        self.kind = self.encoding = b""
        self.parameters: _Parameters = []
        self.all: _Parameters = []
        over = head.cut
        for field in head.fields:
            if field.name.startswith(b"content-"):
                over = over or len(field.value) > header.VALUE_MAX
                self._take(field)
        if over:
            out.unchecked("limit:header")

    def _take(self, field: header.Field) -> None:
        if field.name == b"content-type":
            claimed, parameters = header.parameters(field.value)
            self.all += parameters
            if not self.kind:  # of two, the first counts; the names of both do
                self.kind, self.parameters = claimed[:TYPE_MAX], parameters
        elif field.name == b"content-disposition":
            self.all += header.parameters(field.value)[1]
        elif field.name == _ENCODING and not self.encoding:
            self.encoding = header.parameters(field.value)[0]


def _entity(
    view: "View", start: int, end: int, out: "Sink", default: bytes, reading: Reading
) -> LimitHit | None:
    """Put the entity view[start:end] into `out`; a limit of depth that was met further down is returned."""
    head = header.read(view, start, end)
    reading.heads.append(head)
    said = _Said(start, head, out)
    divided = said.kind.startswith(b"multipart/")
    reading.simple = reading.simple and not divided and doubt.is_simple(head)
    if divided:
        mark = b"\n--" + _boundary(said.parameters)
        if len(mark) > 3 and _delimiter(view, head.body - 1, end, mark, reading) is not None:
            return _multipart(view, head.body, end, mark, out, said.kind, reading)
        reading.differ.append("boundary")
    said.kind = said.kind or default
    _leaf(view, head.body, end, said, out, reading)
    return None


def _leaf(view: "View", start: int, end: int, said: _Said, out: "Sink", reading: Reading) -> None:
    """Put the body view[start:end] of an entity that has no parts into `out`."""
    encoding, names = said.encoding, _names(said.all)
    if encoding in coding.UU:
        names += _uu_names(view, start, end)
    part = out.add(coding.decode(view, start, end, encoding), names, said.kind)
    part.verbatim = encoding not in _CODED
    reading.leaves.append(part)
    _look_at_coding(view, start, end, said, part, reading)
    if not said.kind.startswith(b"message/"):
        gap = view[start : start + 1] in _LINE_ENDS and not said.kind.startswith(_TEXTS)
        if gap or doubt.has_fields(view, start, end):
            reading.differ.append("body")
    elif said.kind == _MAIL:
        if reading.is_mail and part.verbatim and doubt.nests(view, start, end):
            reading.differ.append("depth")
    elif said.kind == b"message/partial":
        out.unchecked("undecoded:partial")  # the rest is in other mails: RFC 2046 5.2.2
    elif said.kind == b"message/external-body":
        out.note("external:body")  # elsewhere: RFC 2046 5.2.3


def _look_at_coding(view: "View", start: int, end: int, said: _Said, part: "Part", reading: Reading) -> None:
    """Whether readers may decode the body view[start:end], which gave `part`, differently."""
    if said.encoding == b"base64":
        if not coding.is_regular(view, start, end, part.size):
            reading.differ.append("base64")
        elif reading.is_mail and end - start >= BODY and not said.kind.startswith(b"text/"):
            reading.bodies.append((said.start, start, end, part.size))
    elif said.encoding == b"quoted-printable":
        if not coding.is_clear(view, start, end):
            reading.differ.append("quoted-printable")
    elif doubt.is_bare_base64(view, start):
        reading.differ.append("encoding")


def _multipart(
    view: "View", start: int, end: int, mark: bytes, out: "Sink", kind: bytes, reading: Reading
) -> LimitHit | None:
    """Put a group for the multipart body view[start:end] into `out`; returns as _entity."""
    inner = out.group("multipart/mixed" if kind.translate(None, _TYPE) else kind.decode(), end - start)
    default = _MAIL if kind == b"multipart/digest" else _TEXT
    missed = None
    for first, stop, flag in _sections(view, start, end, mark, reading):
        try:
            if not flag:
                missed = _entity(view, first, stop, inner, default, reading) or missed
            elif _is_more_than_notice(view, first, stop, flag):
                inner.add(coding.pieces(view, first, stop), claimed=_TEXT, flags=(flag,)).verbatim = True
        except LimitHit as limit:
            if limit.name != "depth":
                raise
            # nothing may lie below this group: its bytes are kept beside it, undivided
            out.add(coding.pieces(view, start, end), claimed=kind, flags=("raw",)).verbatim = True
            return limit
    return missed


def _sections(
    view: "View", start: int, end: int, mark: bytes, reading: Reading
) -> "Iterator[tuple[int, int, str]]":
    """What the delimiters of a multipart body part: (start, end, "preamble", "" or "epilogue")."""
    at, flag = start, "preamble"
    while flag != "epilogue":
        found = _delimiter(view, at - 1, end, mark, reading)
        if found is None:
            reading.differ.append("multipart")  # no end: what follows it may be the multipart's or not
            break
        stop, after, last = found
        yield at, max(at, stop), flag
        if flag == "preamble" and not _is_notice(view, at, stop):
            reading.differ.append("multipart")
        at, flag = after, "epilogue" if last else ""
    if not _is_blank(view, at, end):
        reading.differ.append("multipart")
    yield at, end, flag


def _is_notice(view: "View", start: int, end: int) -> bool:
    """Whether a preamble can only be the usual words to readers without MIME."""
    return end - start <= PREAMBLE and b"ontent-" not in view[start:end].lower()


def _delimiter(
    view: "View", at: int, end: int, mark: bytes, reading: Reading
) -> tuple[int, int, bool] | None:
    """The first delimiter line in view[at:end]: where it begins and ends, and if it is the last one.

    `at` is the line end before a line. A delimiter begins with the line end before it (RFC 2046 5.1.1);
    behind the boundary only blanks may stand: a longer boundary may begin with this one.
    """
    while (at := view.find(mark, at, end)) >= 0:
        after = at + len(mark)
        stop = view.find(b"\n", after, end)
        line_end = end if stop < 0 else stop
        last = view[after : after + 2] == b"--"
        if _is_padding(view, after + 2 * last, line_end):
            begin = at - 1 if view[at - 1 : at] == b"\r" else at
            return begin, min(line_end + 1, end), last
        reading.differ.append("boundary")  # some readers take this for a delimiter
        at = after
    return None


def _is_padding(view: "View", start: int, end: int) -> bool:
    """Whether only blanks are there, and a CR at the end: readers take nothing else for a delimiter's end."""
    if start < end and view[end - 1 : end] == b"\r":
        end -= 1
    return all(not view[at : min(at + STEP, end)].strip(b" \t") for at in range(start, end, STEP))


def _is_blank(view: "View", start: int, end: int) -> bool:
    """Whether nothing but white space is there."""
    return all(view[at : min(at + STEP, end)].isspace() for at in range(start, end, STEP))


def _is_more_than_notice(view: "View", start: int, end: int, flag: str) -> bool:
    """Whether a preamble or epilogue is worth a part of its own."""
    if flag == "preamble" and end - start <= PREAMBLE:
        return hints.might_hold(view[start:end], max(0, end - start))
    return not _is_blank(view, start, end)


def _boundary(parameters: _Parameters) -> bytes:
    """The boundary, or b""; blanks at its end don't belong to it (RFC 2046 5.1.1)."""
    for name, value in parameters:
        if name == b"boundary":
            return value.rstrip()
    if any(name.startswith(b"boundary*") for name, _ in parameters):
        from amavis_pipe.mime import words

        for value in words.candidates(parameters, b"boundary"):
            return value.rstrip()
    return b""


def _names(parameters: _Parameters) -> tuple[bytes, ...]:
    """All names that these parameters give, the best first, bounded in number and length."""
    names: list[bytes] = []
    coded = any(b"*" in key or b"=?" in value for key, value in parameters)
    for wanted in (b"filename", b"name"):
        if coded:
            from amavis_pipe.mime import words

            names += words.candidates(parameters, wanted)
        else:
            names += [value for key, value in parameters if key == wanted]
    # of an overlong name the end is kept: there is the extension
    found = _ends(list(dict.fromkeys(_bounded(name) for name in names if name)), NAMES_MAX)
    if any(name.translate(None, _ORDINARY) or name.endswith((b".", b" ")) for name in found):
        from amavis_pipe.mime import words

        others = _ends([other for name in found for other in words.spread(name)], NAMES_MAX)
        found = list(dict.fromkeys([*found, *others]))
    return tuple(found)


def _bounded(name: bytes) -> bytes:
    """The end of an overlong name, less the blanks and dots that Windows drops, and what a NUL hides."""
    if len(name) <= NAME_MAX:
        return name
    shown = name.partition(b"\0")[0] or name
    return (shown.rstrip(b" .\t") or shown)[-NAME_MAX:]


def _ends(names: list[bytes], most: int) -> list[bytes]:
    """The first and the last of too many: readers take the one or the other."""
    return names if len(names) <= most else names[: most // 2] + names[-(most // 2) :]


def _uu_names(view: "View", start: int, end: int) -> tuple[bytes, ...]:
    from amavis_pipe.mime import uu

    block = uu.find(view, start, end)
    return (block.name,) if block is not None and block.name else ()
