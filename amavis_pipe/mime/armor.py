"""Armored files in text: PGP messages, CMS and whatever else stands between BEGIN and END lines.

What is in PGP and CMS is for their decoders; of any other label only what turns out to be of a known kind
is a part, for there are programs that take out of a "certificate" whatever is in it. Text that was
clear-signed is text. Promises: nothing raises but the limits of `out`; linear. Sources: RFC 4880 6.2,
RFC 7468.
"""

import re

from amavis_pipe.kinds import EMPTY, HEAD, OCTETS, PLAIN, detect
from amavis_pipe.mime import coding
from amavis_pipe.unmarked import SIGNATURE
from amavis_pipe.walk import Decoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import Blob, View
    from amavis_pipe.walk import Sink

PGP, CMS = b"application/pgp-encrypted", b"application/pkcs7-mime"
HEADERS = 32
"""Lines of headers at the most: what follows them is taken for contents."""
QUOTED = 16
"""Blanks and quote marks before BEGIN at the most."""
_BEGIN = re.compile(rb"-{5} ?BEGIN ([A-Za-z0-9#, /_]{1,64}?) ?-{5}[^\r\n]*(?:\r\n?|\n)?", re.IGNORECASE)
_END = re.compile(rb"-{5} ?(?:END|BEGIN) ", re.IGNORECASE)
_HEADER = re.compile(rb"[ \t>|]{0,16}[A-Za-z][A-Za-z0-9-]{0,32}: ?[^\r\n]{0,998}(?:\r\n?|\n)")
_CHECK = re.compile(rb"[\r\n][ \t>|]{0,16}=[A-Za-z0-9+/]{4}[\s>|]*\Z")
_CMS_LABELS = (b"PKCS", b"CMS")
_OIDS = b"*\x86H\x86\xf7\r\1"


def unpack(blob: "Blob", out: "Sink") -> None:
    """Each armored file; also one in bare base64 that is CMS."""
    view = blob.view()
    found = False
    for label, start, end in blocks(view):
        out.tick()
        found = True
        if label.startswith(b"PGP MESSAGE"):
            out.add(contents(view, start, end), _names(out.names), PGP)
        elif label.startswith(_CMS_LABELS):
            out.add(contents(view, start, end), _names(out.names), CMS)
        elif _is_something(view, start, end):
            out.add(contents(view, start, end), _names(out.names))
    if not found and _is_bare(view):
        out.add(coding.decode(view, 0, len(view), b"base64"), out.names, CMS)


DECODER = Decoder("armor", (PLAIN,), unpack)


def blocks(view: "View") -> "Iterator[tuple[bytes, int, int]]":
    """Each label in upper case, and where its base64 begins and ends at the latest."""
    for begin in _BEGIN.finditer(view):
        label = begin[1].upper()
        if label.startswith((b"PGP SIGNED", b"PGP PUBLIC", b"PGP SIGNATURE", b"PGP PRIVATE")):
            continue
        if not _is_line_start(view, begin.start()):
            continue
        start = begin.end()
        for _ in range(HEADERS):
            header = _HEADER.match(view, start)
            if header is None:
                break
            start = header.end()
        end = _END.search(view, start)
        yield label, start, end.start() if end else len(view)


def _is_line_start(view: "View", at: int) -> bool:
    """Whether nothing but quote marks stands before `at`: else one line in a header costs another look."""
    start = max(0, at - QUOTED - 1)
    before = view[start:at].rstrip(b" \t>|")
    return before.endswith((b"\r", b"\n")) or (not before and not start)


def contents(view: "View", start: int, end: int) -> "Iterator[bytes]":
    """The bytes of a block, less the line with its checksum."""
    tail = max(start, end - 64)
    check = _CHECK.search(view[tail:end])
    return coding.decode(view, start, tail + check.start() if check else end, b"base64")


def _names(names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Those of the text, without what only says that it is armored."""
    return tuple(name.removesuffix(b".asc").removesuffix(b".pem") for name in names)


def _is_something(view: "View", start: int, end: int) -> bool:
    """Whether it is more than a key or a certificate."""
    head = b"".join(coding.decode(view, start, min(end, start + 2 * HEAD), b"base64"))[:HEAD]
    kind = detect(head)
    if kind == PLAIN:
        return head.isascii()
    return kind not in (OCTETS, EMPTY, SIGNATURE)


def _is_bare(view: "View") -> bool:
    """Whether the text is base64 of CMS from its first character on."""
    head = view[:64].split()
    if not head or not head[0].startswith(b"MI"):
        return False
    data = b"".join(coding.decode(b"".join(head), 0, 64, b"base64"))
    return _OIDS in data[:32]
