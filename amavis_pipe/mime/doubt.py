"""What of a mail readers may read differently, told cheaply enough for every mail. Hot.

The closer look at headers is in mime.plain, what any reader might open in mime.loose; both are loaded only
for a mail about which this module, or the structure of its multiparts, leaves doubt.
"""

from amavis_pipe.mime import coding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.mime.header import Head
    from amavis_pipe.spool import View

STEP = 1 << 16
"""Bytes that are looked at in one piece."""
NESTED = 8
"""Mails in a mail above which all of it is searched on one level, too."""
SAMPLE = 60
"""Bytes by which base64 that nobody names is told from a text."""

_MAIL = b"message/rfc822"
_CONTENT = b"content-"
_BEFORE = bytes(code for code in range(256) if not bytes((code,)).isalnum() and code not in b"\r\n")
_ENCODING = b"content-transfer-encoding"
_USUAL = (b"7bit", b"8bit", b"binary", b"quoted-printable", b"base64")
_SIMPLE = b'abcdefghijklmnopqrstuvwxyz0123456789-/;=. _\t\r\n"+'


def is_simple(head: "Head") -> bool:
    """Whether the head of a mail of one part has nothing that could be read in two ways."""
    names = []
    for field in head.fields:
        if b"content" in field.name or field.name == b"mime-version":
            value = field.value.lower()
            if field.name in names or value.translate(None, _SIMPLE) or b"name" in value:
                return False
            if not field.name.startswith((b"content-", b"mime")):
                return False
            if value.count(b'"') not in (0, 2) or (field.name == _ENCODING and value.strip() not in _USUAL):
                return False
            names.append(field.name)
    return head.regular


def has_fields(view: "View", start: int, end: int) -> bool:
    """Whether a line there begins as a Content- field does, junk before it or not."""
    if view.find(b":", start, end) < 0:
        return False  # as in base64
    for at in range(start, end, STEP):
        text = view[at : min(at + STEP + len(_CONTENT), end)].lower()
        place = text.find(_CONTENT)
        while place >= 0:
            before = text[max(0, place - 40) : place].rstrip(_BEFORE)
            if before.endswith((b"\n", b"\r")) or (not before and place < 40):
                return True
            place = text.find(_CONTENT, place + 1)
    return False


def nests(view: "View", start: int, end: int) -> bool:
    """Whether a mail in the mail may hold so many others that the limit of depth will be met."""
    found = 0
    for at in range(start, end, STEP):
        found += view[at : min(at + STEP, end)].lower().count(_MAIL)
    return found > NESTED


def is_bare_base64(view: "View", start: int) -> bool:
    """Whether a body in no encoding begins with letters alone: some readers see base64 in it."""
    return not view[start : start + SAMPLE].translate(None, coding.ALPHABET)
