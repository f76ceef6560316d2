"""The header of a mail or of a part: where it ends, its fields, and the parameters of a field.

Promises: never raises, looks at no more than HEAD_MAX bytes, takes time linear in them. A head is cut
at the first line that can't belong to one, and what follows is body: the scanners see it there. Leaves
the decoding of names to mime.words. Sources: RFC 5322 2.2 and 3.6.8 (fields), RFC 2045 5.1
(parameters), RFC 5322 3.2 (comments, quoted strings).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import View

HEAD_MAX = 1 << 20
"""A longer head is cut after the last whole line within this many bytes; the rest is body."""
LINES_MAX = 8192
"""A head with more lines is cut after this many; so it has no more fields than this."""
VALUE_MAX = 128 << 10
"""Bytes of a field's value that parameters() reads."""

_FIELD_NAME = bytes(set(range(33, 127)) - {ord(":")})
_BLANK = frozenset((b" ", b"\t"))


class Field:
    """One field: name in lower case, raw value (folds included, final line end not).

    view[start:end] is the whole field, its line end included.
    """

    __slots__ = ("end", "name", "start", "value")

    def __init__(self, name: bytes, value: bytes, start: int, end: int) -> None:
        self.name = name
        self.value = value
        self.start = start
        self.end = end


class Head:
    """A header: its fields in order, and the offset of the first body byte.

    cut       a limit of this module ended it: fields may stand in what is called its body
    regular   every line is a well-formed field or a fold of one, all line ends are alike, the empty
              line or the end of the view follows: every reader sees the same fields
    """

    __slots__ = ("body", "cut", "fields", "regular")

    def __init__(self, fields: list[Field], body: int, regular: bool, cut: bool = False) -> None:
        self.fields = fields
        self.body = body
        self.regular = regular
        self.cut = cut

    def first(self, name: bytes) -> bytes | None:
        """The raw value of the first field of this name, or None."""
        for field in self.fields:
            if field.name == name:
                return field.value
        return None


def read(view: "View", start: int, end: int) -> Head:
    """The head of the entity in view[start:end].

    Accepts LF and CRLF, mixed; blanks before the colon; an mbox "From " line as the first. A line that
    is neither field nor fold ends the head (readers differ, so we cut early).
    """
    stop, body, whole = _block(view, start, end)
    text = view[start:stop]
    marks, cut, regular = _marks(text)
    if cut < len(text):
        body = start + cut
    fields = []
    for number, (at, colon) in enumerate(marks):
        after = marks[number + 1][0] if number + 1 < len(marks) else cut
        name = text[at:colon].rstrip(b" \t").lower()
        fields.append(Field(name, text[colon + 1 : after].rstrip(b"\r\n"), start + at, start + after))
    over = (not whole and end - start > HEAD_MAX) or text.count(b"\n") > LINES_MAX
    return Head(fields, body, regular and whole and _alike(view[start:body]), over)


def parameters(value: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A structured value as its main part and its parameters.

    `Text/Plain; Name="a b" (c)` -> (b"text/plain", [(b"name", b"a b")]). The main part and the names
    are in lower case; the values as given, without comments, quotes and folds; repeated ones are kept
    in order; `filename*0*` and the like are names as they stand (RFC 2231 is read by mime.words).
    """
    value = value[:VALUE_MAX].translate(None, b"\r\n")
    pieces = value.split(b";")
    if b"(" in value or b"\\" in value or (b'"' in value and any(p.count(b'"') & 1 for p in pieces)):
        pieces = _pieces(value)
    found = []
    for piece in pieces[1:]:
        name, equals, text = piece.partition(b"=")
        name = name.strip().lower()
        if equals and name:
            found.append((name, _unquoted(text.strip())))
    return _unquoted(pieces[0].strip()).translate(None, b" \t").lower(), found


def _block(view: "View", start: int, end: int) -> tuple[int, int, bool]:
    """Where the lines of the head end, where the body begins, and whether all of the head was seen."""
    limit = min(end, start + HEAD_MAX)
    first = view.find(b"\n", start, limit)
    if first < 0:
        return limit, limit, limit == start
    crlf = view[first - 1 : first] == b"\r" if first > start else False
    if first - crlf == start:
        return start, first + 1, True
    # the likelier empty line first, so that the other is looked for in the head only
    likely, other = (b"\n\r\n", b"\n\n") if crlf else (b"\n\n", b"\n\r\n")
    at, empty = view.find(likely, first, limit), likely
    earlier = view.find(other, first, limit if at < 0 else at + 1)
    if earlier >= 0:
        at, empty = earlier, other
    if at >= 0:
        return at + 1, at + len(empty), True
    if limit < end:
        limit = view.rfind(b"\n", start, limit) + 1
        return limit, limit, False
    return limit, limit, view[limit - 1 : limit] == b"\n"


def _marks(text: bytes) -> tuple[list[tuple[int, int]], int, bool]:
    """Offsets of each field and of its colon; the offset at which the head is cut; if it is regular."""
    marks: list[tuple[int, int]] = []
    at, regular = 0, True
    lines = text.split(b"\n", LINES_MAX)
    if len(lines) > LINES_MAX or not lines[-1]:
        lines.pop()  # too much, or just what follows the last line end
    for line in lines:
        if line[:1] in _BLANK:
            if not marks:
                return marks, at, False
            # to some readers a line of blanks is the empty line
            regular = regular and not line.isspace()
        else:
            name = line.partition(b":")[0]
            if name and len(name) < len(line) and not name.translate(None, _FIELD_NAME):
                marks.append((at, at + len(name)))
            elif len(name) < len(line) and _is_name(name.rstrip(b" \t")):
                marks.append((at, at + len(name)))
                regular = False
            elif at or not line.startswith((b"From ", b">From ")):
                return marks, at, False
            else:
                regular = False
        at += len(line) + 1
    cut = min(at, len(text))
    return marks, cut, regular and cut == len(text)


def _is_name(name: bytes) -> bool:
    return bool(name) and not name.translate(None, _FIELD_NAME)


def _alike(text: bytes) -> bool:
    """Whether all line ends of a head are alike and it holds no other CR, and no NUL."""
    returns = text.count(b"\r")
    if returns and not returns == text.count(b"\r\n") == text.count(b"\n"):
        return False
    return b"\0" not in text


def _pieces(value: bytes) -> list[bytes]:
    """The value split at each ";" outside of quoted strings and comments; comments are left out."""
    pieces, open_comment = _split(value, True)
    # an open "(" would hide all that follows: no comment then
    return _split(value, False)[0] if open_comment else pieces


def _split(value: bytes, comments: bool) -> tuple[list[bytes], bool]:
    """As _pieces; and whether a comment was still open at the end."""
    pieces, piece = [], bytearray()
    depth, quoted, escaped = 0, False, False
    for code in value:
        if escaped:
            escaped = False
        elif code == 0x5C and (quoted or depth):  # a backslash
            escaped = True
        elif code == 0x22 and not depth:
            quoted = not quoted
        elif code == 0x28 and comments and not quoted:
            depth += 1
        elif code == 0x29 and depth:
            depth -= 1
            continue
        elif code == 0x3B and not quoted and not depth:
            pieces.append(bytes(piece))
            piece.clear()
            continue
        if not depth:
            piece.append(code)
    return [*pieces, bytes(piece)], depth > 0


def _unquoted(text: bytes) -> bytes:
    """The text without the quotes of its quoted strings, quoted pairs resolved."""
    if text[:1] != b'"':
        return text
    if b"\\" not in text:
        return text.replace(b'"', b"")
    bare, escaped = bytearray(), False
    for code in text:
        if escaped or code not in b'"\\':
            bare.append(code)
            escaped = False
        else:
            escaped = code == 0x5C
    return bytes(bare)
