"""Reads the mail from its descriptor, and makes the canonical mail that everything else looks at.

The canonical mail is the raw bytes less the well-formed fields of a fixed list of trace fields, which
differ from one delivery of the same mail to the next. Its digest is the key of what is remembered, and
decoders and scanners see it and nothing else, so what they say is a function of the key. A head with
anything irregular is kept whole. A field that clamd knows mail by (From or Subject) stands first: it
takes no text for mail that begins with Content-Type.
"""

import posix
from _blake2 import blake2b

from amavis_pipe.mime import header
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.spool import SMALL, Blob, Store, unnamed, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.spool import View

TRACE = frozenset(
    (
        b"arc-authentication-results",
        b"arc-message-signature",
        b"arc-seal",
        b"authentication-results",
        b"date",
        b"delivered-to",
        b"dkim-signature",
        b"domainkey-signature",
        b"message-id",
        b"received",
        b"received-spf",
        b"resent-date",
        b"resent-message-id",
        b"return-path",
        b"x-original-to",
        b"x-received",
    )
)
"""Fields left out of the canonical mail; RFC 5322 3.6.7, RFC 6376, RFC 8601, RFC 8617."""
_FIRST = (b"from", b"subject")
INTRODUCTION = b"Subject:\n"
PIPE = 1 << 16
"""What a pipe holds (pipe(7)); a larger buffer would be mapped and unmapped for each read."""
_CLEAN = bytes(range(32, 127)) + b"\t\r\n"


class Mail:
    """A mail that was read.

    raw        the bytes as they came
    sha256     of them, in hex
    head       its header: fields with their offsets in raw
    canonical  what is decomposed
    scanned    the same as scanners get it as a whole: where the head is irregular, with a line before it
    key        digest of canonical, 32 bytes
    """

    __slots__ = ("canonical", "head", "key", "raw", "scanned", "sha256")

    def __init__(self, raw: Blob, sha256: str, folder: bytes) -> None:
        self.raw = raw
        self.sha256 = sha256
        view = raw.view()
        self.head = header.read(view, 0, raw.size)
        pieces = canonical_head(view, self.head)
        self.canonical = Store(folder, memory=2 * SMALL).put(_joined(pieces, raw, self.head.body))
        self.scanned = self.canonical if self.head.regular else _introduced(self.canonical, folder)
        self.key = _digest(self.canonical)

    @property
    def message_id(self) -> bytes:
        """What stands in its Message-ID field, without blanks around it; b"" for none."""
        return (self.head.first(b"message-id") or b"").strip()


def read(fd: int, folder: bytes) -> Mail:
    """The mail on `fd`, up to the end of file; large ones are spooled below `folder`.

    SpoolTrouble if nothing comes, or there is no room.
    """
    raw = take(fd, folder)
    if not raw.size:
        raise SpoolTrouble("no mail on standard input")
    return Mail(raw, raw.sha256(), folder)


def take(fd: int, folder: bytes) -> Blob:
    """All bytes on `fd`, up to the end of file; SpoolTrouble as above."""
    try:
        first = _gathered(fd)
        return Blob(first) if len(first) <= SMALL else _spooled(first, fd, folder)
    except OSError as error:
        raise SpoolTrouble(f"input: {error.strerror}") from None


def of_bytes(data: bytes, folder: bytes) -> Mail:
    """A mail already in memory."""
    raw = Blob(data)
    return Mail(raw, raw.sha256(), folder)


def canonical_head(view: "View", head: header.Head) -> list[bytes]:
    """The pieces of the canonical mail's header, with the empty line; all of it if it is irregular."""
    whole: bytes = view[: head.body]
    if not head.regular:
        return [whole]
    kept, first = [], b""
    for field in head.fields:
        text = whole[field.start : field.end]
        if field.name in TRACE and not text.translate(None, _CLEAN):
            continue
        if not first and field.name in _FIRST:
            first = text
        else:
            kept.append(text)
    end = head.fields[-1].end if head.fields else 0
    return [first or INTRODUCTION, *kept, whole[end:]]


def _introduced(canonical: Blob, folder: bytes) -> Blob:
    """The mail behind a field that clamd knows mail by: an odd first line would hide it."""

    def chunks() -> "Iterator[bytes]":
        yield INTRODUCTION
        yield from canonical.chunks()

    return Store(folder, memory=2 * SMALL).put(chunks())


def _gathered(fd: int) -> bytes:
    """What comes on `fd` until the end of file, or until it is too much for memory."""
    pieces, size = [], 0
    while size <= SMALL:
        piece = posix.read(fd, PIPE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _spooled(first: bytes, fd: int, folder: bytes) -> Blob:
    spool = unnamed(folder)
    write_all(spool, (first,))
    write_all(spool, iter(lambda: posix.read(fd, PIPE), b""))
    return Blob(None, spool, 0, posix.fstat(spool).st_size)


def _joined(pieces: list[bytes], raw: Blob, body: int) -> "Iterator[bytes]":
    """The header pieces, then the body; small mails in one chunk."""
    if raw.size <= SMALL:
        yield b"".join([*pieces, raw.head(raw.size)[body:]])
        return
    yield from pieces
    yield from raw.chunks(start=body)


def _digest(blob: Blob) -> bytes:
    state = blake2b(digest_size=32)
    for chunk in blob.chunks():
        state.update(chunk)
    digest: bytes = state.digest()
    return digest
