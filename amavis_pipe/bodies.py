"""Attachments that scanners have seen in a mail before, so that a new mail is shown without them.

Each part is scanned by itself, decoded, and the mail as a whole besides; a large attachment that comes
in many mails would be decoded and scanned by the scanner again in each of them. So an encoded body is
remembered, under its own bytes and what the scanners' answers depend on, once a whole mail with it in
was clean to all of them; the next mail is then shown with the body left out: field for field, delimiter
for delimiter, and every other body.

Only in a mail that all readers read alike (mime.plain), and only a body that all readers decode alike:
base64 letters in lines of one length, padded at the end. In it nothing else can hide: it has no blank, no
colon, no dash.
"""

from _blake2 import blake2b

from amavis_pipe.cache import digest
from amavis_pipe.mime.coding import pieces
from amavis_pipe.spool import CHUNK, SMALL, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.cache import Cache
    from amavis_pipe.spool import Blob, View

    Body = tuple[int, int, int]
    """Where it stands in the mail, from and to, and the bytes it decodes to."""

LONGEST_LINE = 998
"""RFC 5322 2.1.1."""


class Bodies:
    """The attachments of one mail, for scanners whose answers depend on `context`.

    given     the mail as it is shown to them: without what they know
    left_out  how many bodies that lacks
    whole     whether it lacks none, or every one that it could
    oldest    age in seconds of what was remembered longest ago
    """

    def __init__(
        self,
        mail: "Blob",
        found: "tuple[Body, ...]",
        context: bytes,
        cache: "Cache",
        folder: bytes,
        lasts: int,
    ) -> None:
        self._cache = cache
        self._new: list[bytes] = []
        self.oldest = 0.0
        view = mail.view()
        known: list[Body] = []
        for body in found:
            key = digest(b"body 1", _digest(view, body), context)
            entry = cache.get(key)
            if entry is not None and entry[0] <= lasts:
                self.oldest = max(self.oldest, entry[0])
                known.append(body)
            elif is_strict(view, body):
                self._new.append(key)
        self.left_out = len(known)
        self.whole = not known or not self._new
        self.given = Store(folder, memory=2 * SMALL).put(_without(view, known)) if known else mail

    def learn(self) -> None:
        """Remember the bodies that were shown: the mail was clean as a whole."""
        for key in self._new:
            self._cache.put(key, b"")


def is_strict(view: "View", body: "Body") -> bool:
    """Whether a body decodes in one way only: letters in lines of one length, whole quads, padding last.

    That no byte but letters, padding and line ends is there shows in how much it decodes to: the decoder
    leaves others out.
    """
    start, end, size = body
    first = view.find(b"\n", start, min(end, start + LONGEST_LINE + 2))
    crlf = view[first - 1 : first] == b"\r"
    step, width = first + 1 - start, first - crlf - start
    if first < 0 or not width or width % 4:
        return False
    letters = padding = 0
    block = max(CHUNK // step, 1) * step  # whole lines
    for at in range(start, end, block):
        text = view[at : min(at + block, end)]
        ends, lines = text[step - 1 :: step], text.count(b"\n")
        # one line end more at most: behind the last line of all, which is shorter
        last = at + block >= end and text.endswith(b"\n") and len(text) % step > 0
        if ends.count(b"\n") != len(ends) or lines != len(ends) + last or padding:
            return False
        if not text.count(b"\r") == text.count(b"\r\n") == lines * crlf:
            return False
        padding = text.count(b"=")
        if padding and text.rstrip(b"\r\n")[-padding:].strip(b"="):
            return False
        letters += len(text) - lines * (1 + crlf)
    return letters % 4 == 0 and padding <= 2 and letters // 4 * 3 - padding == size


def _digest(view: "View", body: "Body") -> bytes:
    state = blake2b(digest_size=32)
    for piece in pieces(view, body[0], body[1]):
        state.update(piece)
    return state.digest()


def _without(view: "View", known: "list[Body]") -> "Iterator[bytes]":
    at = 0
    for start, end, _ in known:
        yield from pieces(view, at, start)
        at = end
    yield from pieces(view, at, len(view))
