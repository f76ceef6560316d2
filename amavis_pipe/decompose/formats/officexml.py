"""Office documents in one XML file: Word 2003 XML, and the flat form of a package (pkg:package).

Promises: each file that stands in base64 in an element binData or binaryData, under the name in its tag
or, in a package, in that of its part; comments, CDATA and references between the digits are passed over.
Leaves out: XML in UTF-16, and texts whose first line is unusual: no kind is told of these. Sources: the
Word 2003 XML reference (w:binData), the flat OPC form that Office writes.
"""

import binascii

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

_MARK = b"<?mso-application"
_FIRST = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
    b'<?xml version="1.0" encoding="utf-8"?>',
    b'<?xml version="1.0"?>',
    b"",
)
STARTS = tuple((len(line) + ends, _MARK) for line in _FIRST for ends in range(3 if line else 1))
"""What stands behind the usual first lines and their ends."""

_TAG = rb"<(?:[\w.-]{1,64}:)?(?:(binData|binaryData)|part)\b([^<>]{0,4096})>"
_NAME = rb"""\bname\s*=\s*["']([^"'<>]*)["']"""
_TOKEN = rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[|\]\]>|<\?[^<>]*>|&\#?\w{1,16};|<|[^<&\]]{1,65536}|."
_NO_DIGITS = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_NAME_MAX = 1024


def unpack(blob: Blob, sink: Sink) -> None:
    """Each file in order."""
    import re

    view = blob.view()
    part = b""
    damaged = False
    last = _Element(view, 0, sink)
    for found in re.finditer(_TAG, view, re.IGNORECASE):
        sink.tick()
        if found[2].endswith(b"/") or found.start() < last.end:
            continue  # empty, or in a comment
        named = re.search(_NAME, found[2], re.IGNORECASE)
        name = named[1][:_NAME_MAX] if named else b""
        if found[1] is None:
            part = name
            continue
        names = (name or part,) if name or part else ()
        last = _Element(view, found.end(), sink)
        try:
            sink.add(last.decoded(), names)
        except Broken:
            damaged = True
    if damaged:
        raise Broken("cut off")


class _Element:
    """The content of an element that begins at `end`, which goes up to where it was read."""

    def __init__(self, view: "View", start: int, sink: Sink) -> None:
        self.end = start
        self._view = view
        self._sink = sink

    def decoded(self) -> "Iterator[bytes]":
        """What stands there in base64, up to the next tag; Broken if there is none."""
        kept = b""
        for text in self._texts():
            digits = kept + text.translate(None, _NO_DIGITS)
            whole = len(digits) & ~3
            kept = digits[whole:]
            if whole:
                yield binascii.a2b_base64(digits[:whole])
        if len(kept) > 1:
            yield binascii.a2b_base64(kept + b"=" * (4 - len(kept)))

    def _texts(self) -> "Iterator[bytes]":
        """The text without what is no tag."""
        import re

        token = re.compile(_TOKEN, re.DOTALL)
        while self.end < len(self._view):
            self._sink.tick()
            found = token.match(self._view, self.end)
            if found is None or found[0] == b"<":
                return
            self.end = found.end()
            if found[0][:1] not in b"<&]":
                yield found[0]
        raise Broken("cut off")


DECODER = Decoder("officexml", ("text/xml",), unpack, starts=STARTS, broken=(Broken,))
