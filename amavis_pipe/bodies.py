"""Attachments that scanners have seen in a mail before, so that a new mail is shown without them.

Each part is scanned by itself, decoded, and the mail as a whole besides; a large attachment that comes
in many mails would be decoded and scanned by the scanner again in each of them. So an entity is
remembered, under its own bytes, its header included (scanners judge a file by its name and type, too),
and what the scanners' answers depend on, once a whole mail with it in was clean to all of them. The next
mail is then shown with the body of that entity left out: field for field, delimiter for delimiter, and
every other body. Texts are never left out: scanners read them together with the rest of the mail.

Only in a mail that all readers read alike (mime.plain), and only a body that all readers decode alike
(coding.is_regular): base64 letters in lines of one length, padded at the end. In it nothing else can
hide: it has no blank, no colon, no dash.
"""

from _blake2 import blake2b

from amavis_pipe.cache import digest
from amavis_pipe.mime.coding import is_regular, pieces
from amavis_pipe.spool import SMALL, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.cache import Cache
    from amavis_pipe.spool import Blob, View

    Body = tuple[int, int, int, int]
    """Where its entity begins, where it stands in the mail, from and to, and the bytes it decodes to."""


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
            key = digest(b"body 2", _digest(view, body), context)
            entry = cache.get(key)
            if entry is not None and entry[0] <= lasts:
                self.oldest = max(self.oldest, entry[0])
                known.append(body)
            elif is_regular(view, *body[1:]):
                self._new.append(key)
        self.left_out = len(known)
        self.whole = not known or not self._new
        self.given = Store(folder, memory=2 * SMALL).put(_without(view, known)) if known else mail

    def learn(self) -> None:
        """Remember the bodies that were shown: the mail was clean as a whole."""
        for key in self._new:
            self._cache.put(key, b"")


def _digest(view: "View", body: "Body") -> bytes:
    state = blake2b(digest_size=32)
    for piece in pieces(view, body[0], body[2]):
        state.update(piece)
    return state.digest()


def _without(view: "View", known: "list[Body]") -> "Iterator[bytes]":
    at = 0
    for _, start, end, _ in known:
        yield from pieces(view, at, start)
        at = end
    yield from pieces(view, at, len(view))
