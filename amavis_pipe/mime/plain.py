"""Whether all readers read a mail alike, by its headers: what in them any is known to mistake.

Strict on purpose: a mail that is called ambiguous here costs time, no more. Leaves to mime.reader what
shows between the headers (delimiters, preamble, epilogue). Sources: RFC 2045 5.1 and 6.1, RFC 2046 5.1.1.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.mime.header import Head

ENCODINGS = (b"7bit", b"8bit", b"binary", b"quoted-printable", b"base64")
_ENCODING = b"content-transfer-encoding"
_MISSPELT = (b"contenttype", b"contenttransfer", b"contentdisp")
_NOT_LETTERS = bytes(code for code in range(256) if not bytes((code,)).isalpha())
_TOKEN = b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`{|}~"
_VALUE = _TOKEN + _TOKEN[:26].upper()
"""RFC 2045 5.1: what a value may be made of that is not quoted."""
_LONGEST = 70
_BOUNDARY = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'+_,-./:=?"
"""RFC 2046 5.1.1, less blanks and parentheses."""
_PRINTABLE = bytes(range(32, 127)) + b"\t"


def differences(heads: "list[Head]") -> tuple[str, ...]:
    """What in the headers of a mail's entities, its own first, readers may read differently; none: ().

    Words: header (not well-formed), field (one twice, or no MIME-Version), type, encoding, boundary.
    """
    found = [word for head in heads if (word := _difference(head))]
    if len(heads) > 1 and (heads[0].first(b"mime-version") or b"").strip() != b"1.0":
        found.append("field")
    return tuple(dict.fromkeys(found))


def _difference(head: "Head") -> str:
    if not head.regular or head.cut:
        return "header"
    fields: dict[bytes, bytes] = {}
    for field in head.fields:
        if b"content" in field.name or field.name == b"mime-version":
            if field.name in fields or _is_misspelt(field.name):
                return "field"
            fields[field.name] = field.value
    encoding = fields.get(_ENCODING, b"7bit").strip().lower()
    return "encoding" if encoding not in ENCODINGS else _unclear(fields, encoding in ENCODINGS[:3])


def _is_misspelt(name: bytes) -> bool:
    """Whether a sloppy reader may take the field for another: `;Content-Type`, `Content-Type.`."""
    letters = name.translate(None, _NOT_LETTERS)
    return letters.startswith(_MISSPELT) and name not in (b"content-type", _ENCODING, b"content-disposition")


def _unclear(fields: dict[bytes, bytes], is_identity: bool) -> str:
    """As _difference(), for type and disposition; `is_identity` tells that the body is not encoded."""
    kind, parameters = _parted(fields.get(b"content-type", b"text/plain"))
    placed, disposition = _parted(fields.get(b"content-disposition", b"inline"))
    main, slash, sub = kind.partition(b"/")
    if parameters is None or disposition is None or not (main and slash and sub):
        return "type"
    if (main + sub).translate(None, _TOKEN) or not placed or placed.translate(None, _TOKEN):
        return "type"
    if main in (b"multipart", b"message") and not is_identity:
        return "encoding"
    divided = main == b"multipart" and _is_divided(parameters)
    if _has_boundary(disposition) or (_has_boundary(parameters) if main != b"multipart" else not divided):
        return "boundary"
    return ""


def _is_divided(parameters: dict[bytes, bytes]) -> bool:
    """Whether there is one boundary, and every reader takes it for the same."""
    boundary = parameters.pop(b"boundary", b"")
    if not boundary or len(boundary) > _LONGEST or boundary.translate(None, _BOUNDARY) or b"=?" in boundary:
        return False
    # what stands within quotes may be a parameter to a sloppy reader
    hidden = any(b"\n" in value or b"boundary" in value.lower() for value in parameters.values())
    return not hidden and not _has_boundary(parameters)


def _has_boundary(parameters: dict[bytes, bytes]) -> bool:
    return any(name.startswith(b"boundary") for name in parameters)


def _parted(value: bytes) -> tuple[bytes, dict[bytes, bytes] | None]:
    """A structured value's main part and its parameters; None if readers may part it otherwise.

    They do where there are comments, quoted pairs, odd quotes, folds within quotes, bytes that are no
    printable ASCII, a name twice, or a parameter that is none.
    """
    if any(b"\n" in piece for piece in value.split(b'"')[1::2]):
        return b"", None
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
    return bool(given) and not given.translate(None, _VALUE)
