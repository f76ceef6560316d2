"""Whether a text may hold something encoded, told without a module or a regular expression.

For the path of every mail: mime.texts, which knows for sure, is loaded only when this says so. Promises:
whatever mime.texts opens is hinted at; the reverse need not hold. Linear: a text is looked at in pieces,
in lower case. Leaves uuencode & Co. themselves to their modules.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spool import View

STEP = 1 << 16
LAP = 512
"""Bytes that two pieces have in common: more than any trigger and what is looked at behind it."""
SCRIPTS = (
    b".js",
    b".jse",
    b".vbs",
    b".vbe",
    b".wsf",
    b".hta",
    b".ps1",
    b".bat",
    b".cmd",
    b".htm",
    b".html",
    b".xhtml",
    b".shtml",
    b".svg",
    b".php",
)
MANY = 64
"""So many doubtful places in one piece count as a hint."""

_MARKS = (b"\xff\xfe", b"\xfe\xff")
_WORDS = (b"atob", b"base64", b"fromcharcode", b"uint8array")
_TAGS = (b"<script", b"srcdoc", b"javascript:")
_BLANKS = (b"\n", b"\r", b"\t")
_BASE64 = b"abcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64_ENDS = (b"\r", b"\n", b"=", b"")
"""What ends a line of base64, or the text."""
_DIGITS = b"0123456789"
_NAMED = (b"&colon;", b"&comma;", b"&semi;", b"&sol;", b"&tab;", b"&newline;", b"&lpar;", b"&quot;,&quot;")
_LETTERS = frozenset((*range(44, 60), 61, *range(65, 91), *range(97, 123)))
"""Characters of a data: URI that no honest writer puts as an entity."""


def might_hold(view: "View", size: int) -> bool:
    """Whether mime.texts should be asked about the text view[:size]."""
    return bool(found(view, size))


def is_script(names: tuple[bytes, ...]) -> bool:
    """Whether a text by one of these names is run by what opens it: it need not give another hint."""
    return any(name.lower().rstrip(b". ").endswith(SCRIPTS) for name in names)


def found(view: "View", size: int) -> set[str]:
    """The names of the converters of mime.texts that this text gives a hint of."""
    hints: set[str] = set()
    head = view[:64]
    if head.startswith(_MARKS):
        hints.add("charset")
    head = head.lstrip()
    if head.startswith(b"From "):
        hints.add("mbox")
    elif head.startswith(b"MI"):  # 30 82 … in base64
        hints.add("armor")
    line, is_markup = b"", False
    for at in range(0, size, STEP):
        piece = view[max(0, at - LAP) : min(at + STEP, size)].lower()
        _look(piece, hints)
        if "html" not in hints:
            is_markup = is_markup or b"<" in piece
            # readers of HTML drop line ends and tabs anywhere, however many
            line = _on_one_line(line + piece[LAP:] if at else piece)
            if _is_script(line, is_markup) or (is_markup and b"&" in piece and _has_entities(piece)):
                hints.add("html")
            line = line[-LAP:]
    return hints


def _look(piece: bytes, hints: set[str]) -> None:
    if b"begin" in piece:
        _begins(piece, hints)
    if b"\0" in piece:
        hints.add("charset")
    if b"+" in piece and "charset" not in hints:
        _shifts(piece, hints)
    if b"\n:" in piece or piece[:1] == b":" or b"\r" in piece:
        _colons(piece, hints)


def _begins(piece: bytes, hints: set[str]) -> None:
    """`begin 644 x`, `begin-base64 `, `=ybegin `, BEGIN:VCARD, -----BEGIN PGP."""
    at, count = piece.find(b"begin"), 0
    while at >= 0:
        after = piece[at + 5 : at + 6]
        if piece[at - 2 : at] == b"=y":
            hints.add("yenc")
        elif after == b":":
            hints.add("ical")
        elif piece[max(0, at - 6) : at].rstrip(b" ").endswith(b"-----"):
            hints.add("armor")
        elif after == b"-" or after.isspace():
            rest = piece[at + 6 : at + 16].lstrip()
            if after == b"-" or rest[:1] in _DIGITS:
                hints.add("uu")
        count += 1
        if count > MANY:
            hints.update(("yenc", "ical", "armor", "uu"))
            return
        at = piece.find(b"begin", at + 5)


def _shifts(piece: bytes, hints: set[str]) -> None:
    """UTF-7: what is shifted begins with `+A` when it stands for ASCII, and goes on with an `A` soon.

    A single character counts if it is not just how a line of base64 ends.
    """
    at, count = piece.find(b"+a"), 0
    while at >= 0:
        if b"a" <= piece[at + 2 : at + 3] <= b"h":
            count += 1
            end = piece[at + 1 : at + 16].lstrip(_BASE64)[:1]
            is_single = piece[at + 4 : at + 5] != b"a" and end in _BASE64_ENDS
            if count > MANY or not is_single or not at or piece[at - 1 : at] not in _BASE64:
                hints.add("charset")
                return
        at = piece.find(b"+a", at + 2)


def _colons(piece: bytes, hints: set[str]) -> None:
    """BinHex: a line that begins with a colon, and 20 characters without a blank."""
    for start in (b"\n:", b"\r:"):
        at, count = piece.find(start), 0
        while at >= 0:
            count += 1
            if count > MANY or len(piece[at + 2 : at + 22].split()) == 1:
                hints.add("binhex")
                return
            at = piece.find(start, at + 2)
    if len(piece[:21].split()) == 1 and piece[:1] == b":":
        hints.add("binhex")


def _on_one_line(piece: bytes) -> bytes:
    """Without line ends, those that scripts escape, and tabs; a few times as fast as translate."""
    if b"\\" in piece:
        piece = piece.replace(b"\\\r\n", b"").replace(b"\\\n", b"")
    for blank in _BLANKS:
        if blank in piece:
            piece = piece.replace(blank, b"")
    return piece


def _is_script(piece: bytes, is_markup: bool) -> bool:
    """Whether a piece of HTML, CSS or script, in lower case and on one line, may hold files."""
    if is_markup and any(tag in piece for tag in _TAGS):
        return True
    if b"\\" in piece and (b"\\x" in piece or b"\\u00" in piece or b"\\1" in piece):
        return True
    return _has_data(piece) or any(word in piece for word in _WORDS)


def _has_data(piece: bytes) -> bool:
    """Whether there is a `data:` with a comma near it, and before that a type or nothing."""
    at, count = piece.find(b"data:"), 0
    while at >= 0:
        kind, comma, _ = piece[at + 5 : at + 261].partition(b",")
        count += 1
        if count > MANY or (comma and (not kind.strip() or b"/" in kind or b";" in kind)):
            return True
        at = piece.find(b"data:", at + 5)
    return False


def _has_entities(piece: bytes) -> bool:
    """Whether characters stand as entities that need not."""
    at, count = piece.find(b"&#"), 0
    while at >= 0:
        text = piece[at + 2 : at + 12].partition(b";")[0]
        count += 1
        if count > MANY or _number(text) in _LETTERS:
            return True
        at = piece.find(b"&#", at + 2)
    return any(name in piece for name in _NAMED)


def _number(text: bytes) -> int:
    """The number an entity begins with; -1 for none."""
    hexadecimal = text[:1] == b"x"
    digits = b"0123456789abcdef" if hexadecimal else _DIGITS
    text = text[1:] if hexadecimal else text
    end = 0
    while end < len(text) and text[end] in digits:
        end += 1
    return int(text[:end], 16 if hexadecimal else 10) if end else -1
