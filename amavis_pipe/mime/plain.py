"""Whether all readers read a mail alike, by its headers: nothing in them that any is known to mistake.

Strict on purpose: a mail that is called ambiguous here costs time, no more. Leaves to mime.reader what
shows between the headers (delimiters, preamble, epilogue). Sources: RFC 2045 5.1 and 6.1, RFC 2046 5.1.1.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.mime.header import Head

ENCODINGS = (b"7bit", b"8bit", b"binary", b"quoted-printable", b"base64")
_TOKEN = b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`{|}~"
_BOUNDARY = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'+_,-./:=?"
"""RFC 2046 5.1.1, less blanks and parentheses."""
_PRINTABLE = bytes(range(32, 127)) + b"\t"


def is_plain(heads: "list[Head]") -> bool:
    """Whether the headers of a mail's entities, its own first, leave no choice to a reader."""
    if not all(map(_is_plain, heads)):
        return False
    return len(heads) == 1 or (heads[0].first(b"mime-version") or b"").strip() == b"1.0"


def _is_plain(head: "Head") -> bool:
    if not head.regular or head.cut:
        return False
    fields: dict[bytes, bytes] = {}
    for field in head.fields:
        if field.name.startswith(b"content-") or field.name == b"mime-version":
            if field.name in fields:
                return False
            fields[field.name] = field.value
    encoding = fields.get(b"content-transfer-encoding", b"7bit").strip().lower()
    kind, parameters = _parted(fields.get(b"content-type", b"text/plain"))
    _, disposition = _parted(fields.get(b"content-disposition", b"inline"))
    if encoding not in ENCODINGS or parameters is None or disposition is None:
        return False
    main, slash, sub = kind.partition(b"/")
    if not slash or (main + sub).translate(None, _TOKEN) or not main or not sub:
        return False
    return not _has_boundary(disposition) and (
        _is_divided(parameters) and encoding in ENCODINGS[:3]
        if main == b"multipart"
        else not _has_boundary(parameters) and (main != b"message" or encoding in ENCODINGS[:3])
    )


def _is_divided(parameters: dict[bytes, bytes]) -> bool:
    """Whether there is one boundary, and every reader takes it for the same."""
    boundary = parameters.pop(b"boundary", b"")
    if not boundary or boundary.translate(None, _BOUNDARY) or b"=?" in boundary:
        return False
    return not _has_boundary(parameters)


def _has_boundary(parameters: dict[bytes, bytes]) -> bool:
    return any(name.startswith(b"boundary") for name in parameters)


def _parted(value: bytes) -> tuple[bytes, dict[bytes, bytes] | None]:
    """A structured value's main part and its parameters; None if readers may part it otherwise.

    They do where there are comments, quoted pairs, odd quotes, bytes that are no printable ASCII, a name
    twice, or a parameter that is none.
    """
    value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    quoted = value.split(b'"')
    if value.translate(None, _PRINTABLE) or b"\\" in value or not len(quoted) & 1:
        return b"", None
    # a ";" within quotes is no border: it is put out of sight
    text = b'"'.join(piece.replace(b";", b"\n") if at & 1 else piece for at, piece in enumerate(quoted))
    if any(b"(" in piece or b")" in piece for piece in quoted[::2]):
        return b"", None
    main, *rest = text.split(b";")
    parameters: dict[bytes, bytes] = {}
    for piece in rest:
        name, equals, given = piece.partition(b"=")
        name, given = name.strip().lower(), given.strip()
        if not name and not equals and piece is rest[-1]:
            continue  # a ";" at the end is common, and misleads nobody
        if (
            not equals
            or not name
            or name.translate(None, _TOKEN)
            or name in parameters
            or not _is_value(given)
        ):
            return b"", None
        parameters[name] = given.strip(b'"')
    return main.strip().lower(), parameters


def _is_value(given: bytes) -> bool:
    """Whether a parameter's value is one token or one quoted string."""
    if given.startswith(b'"'):
        return given.count(b'"') == 2 and given.endswith(b'"') and len(given) > 2
    return bool(given) and b'"' not in given and b" " not in given and b"\t" not in given
