"""The reader of ordinary mail: its MIME parts, decoded, with all their names.

Promises: no byte of a body is left out but a short preamble; time linear in the mail at each level of
multiparts; every oddity still gives parts. One reading only: how other readers repair broken mail is
for others to find out, and the mail as a whole goes to the scanners too. Sources: RFC 2045 5 and 6,
RFC 2046 5.1 and 5.2, RFC 2183 (Content-Disposition).
"""

from amavis_pipe.budget import LimitHit
from amavis_pipe.kinds import MAIL as MAIL_KIND
from amavis_pipe.mime import coding, header
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.model import Part
    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

NAMES_MAX = 16
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
_Parameters = list[tuple[bytes, bytes]]


class _Reading:
    """What is seen on the way through one mail, for whoever must know if all readers read it alike.

    heads   of all entities
    odd     whether its multiparts have anything that readers differ about
    bodies  its large attachments in base64, as in Facts; of the mail itself only
    """

    __slots__ = ("bodies", "heads", "is_mail", "odd")

    def __init__(self, is_mail: bool) -> None:
        self.heads: list[header.Head] = []
        self.odd = False
        self.bodies: list[tuple[int, int, int]] = []
        self.is_mail = is_mail


def unpack(blob: "Blob", out: "Sink") -> None:
    """The entities of the mail in `blob`. LimitHit of depth only when all that may be kept is kept."""
    view = blob.view()
    reading = _Reading(is_mail=not out.path)
    hit = _entity(view, 0, len(view), out, _TEXT, reading)
    if hit is not None:
        raise hit
    if reading.bodies or (out.path and out.needs_reading()):
        from amavis_pipe.mime.plain import is_plain

        plain = not reading.odd and is_plain(reading.heads)
        if not plain or reading.is_mail:
            out.found_bodies(reading.bodies if plain else [])


MAIL = Decoder("mime", (MAIL_KIND,), unpack)


def hot_openers(part: "Part") -> tuple[Decoder, ...]:
    """What opens a part in the filter itself: mails, and texts with uuencoded files.

    What is claimed or named as a mail is read as one whatever its bytes look like: "MZ: 1" is a field.
    """
    if part.kind == MAIL_KIND or part.claimed in _MAILS or _is_named_mail(part.names):
        return (MAIL,)
    if part.blob is None or not (part.kind.startswith("text/") or part.claimed.startswith(b"text/")):
        return ()
    view = part.blob.view()
    if view[:5] != b"begin" and view.find(b"\nbegin") < 0:
        return ()
    from amavis_pipe.mime import uu

    return (uu.DECODER,) if uu.has_uu(part.blob) else ()


def _is_named_mail(names: tuple[bytes, ...]) -> bool:
    return any(name.lower().endswith(_MAIL_NAMES) for name in names)


def _entity(
    view: "View", start: int, end: int, out: "Sink", default: bytes, reading: _Reading
) -> LimitHit | None:
    """Put the entity view[start:end] into `out`; a limit of depth that was met further down is returned."""
    head = header.read(view, start, end)
    reading.heads.append(head)
    kind, encoding = b"", b""
    kind_parameters: _Parameters = []
    all_parameters: _Parameters = []
    over = head.cut
    for field in head.fields:
        if not field.name.startswith(b"content-"):
            continue
        over = over or len(field.value) > header.VALUE_MAX
        if field.name == b"content-type":
            claimed, parameters = header.parameters(field.value)
            all_parameters += parameters
            if not kind:  # of two, the first counts; the names of both do
                kind, kind_parameters = claimed[:TYPE_MAX], parameters
        elif field.name == b"content-disposition":
            all_parameters += header.parameters(field.value)[1]
        elif field.name == b"content-transfer-encoding" and not encoding:
            encoding = header.parameters(field.value)[0]
    if over:
        out.unchecked("limit:header")
    if kind.startswith(b"multipart/"):
        mark = b"\n--" + _boundary(kind_parameters)
        if len(mark) > 3 and _delimiter(view, head.body - 1, end, mark, reading) is not None:
            return _multipart(view, head.body, end, mark, out, kind, reading)
        reading.odd = True
        if not _is_blank(view, head.body, end):
            out.unchecked("broken:mime")
    names = _names(all_parameters)
    if encoding in coding.UU:
        names += _uu_names(view, head.body, end)
    part = out.add(coding.decode(view, head.body, end, encoding), names, kind or default)
    if reading.is_mail and encoding == b"base64" and end - head.body >= BODY:
        reading.bodies.append((head.body, end, part.size))
    return None


def _multipart(
    view: "View", start: int, end: int, mark: bytes, out: "Sink", kind: bytes, reading: _Reading
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
                inner.add(coding.pieces(view, first, stop), claimed=_TEXT, flags=(flag,))
        except LimitHit as limit:
            if limit.name != "depth":
                raise
            # nothing may lie below this group: its bytes are kept beside it, undivided
            out.add(coding.pieces(view, start, end), claimed=kind, flags=("raw",))
            return limit
    return missed


def _sections(
    view: "View", start: int, end: int, mark: bytes, reading: _Reading
) -> "Iterator[tuple[int, int, str]]":
    """What the delimiters of a multipart body part: (start, end, "preamble", "" or "epilogue")."""
    at, flag = start, "preamble"
    while flag != "epilogue":
        found = _delimiter(view, at - 1, end, mark, reading)
        if found is None:
            reading.odd = True  # no end: what follows it may be the multipart's or not
            break
        stop, after, last = found
        yield at, max(at, stop), flag
        reading.odd = reading.odd or (flag == "preamble" and not _is_notice(view, at, stop))
        at, flag = after, "epilogue" if last else ""
    reading.odd = reading.odd or not _is_blank(view, at, end)
    yield at, end, flag


def _is_notice(view: "View", start: int, end: int) -> bool:
    """Whether a preamble can only be the usual words to readers without MIME."""
    return end - start <= PREAMBLE and b"ontent-" not in view[start:end].lower()


def _delimiter(
    view: "View", at: int, end: int, mark: bytes, reading: _Reading
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
        if _is_blank(view, after + 2 * last, line_end):
            begin = at - 1 if view[at - 1 : at] == b"\r" else at
            return begin, min(line_end + 1, end), last
        reading.odd = True  # some readers take this for a delimiter
        at = after
    return None


def _is_blank(view: "View", start: int, end: int) -> bool:
    """Whether nothing but white space is there."""
    return all(view[at : min(at + STEP, end)].isspace() for at in range(start, end, STEP))


def _is_more_than_notice(view: "View", start: int, end: int, flag: str) -> bool:
    """Whether a preamble or epilogue is worth a part of its own."""
    if flag == "preamble" and end - start <= PREAMBLE:
        return False
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
    return tuple(dict.fromkeys(name[-NAME_MAX:] for name in names if name))[:NAMES_MAX]


def _uu_names(view: "View", start: int, end: int) -> tuple[bytes, ...]:
    from amavis_pipe.mime import uu

    block = uu.find(view, start, end)
    return (block.name,) if block is not None and block.name else ()
