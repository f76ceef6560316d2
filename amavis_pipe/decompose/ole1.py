"""Embedded objects of OLE 1.0 ([MS-OLEDS] 2.2): their header, and files that the Packager packed.

Promises: lengths that don't fit leave the object as it is, all of its bytes one piece. Sources: [MS-OLEDS]
2.2.4 (ObjectHeader, EmbeddedObject), 2.3.6 (Ole10Native); the Packager's own layout is not in it.
"""

from amavis_pipe.decompose.streams import Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Source(Protocol):
        """Bytes with random access: a stream, or what a text decodes to."""

        size: int

        def read(self, at: int, size: int) -> bytes: ...
        def chunks(self, start: int = 0, end: int = -1) -> Iterator[bytes]: ...


HEAD = 512
"""Bytes that known() wants to see."""
NAME_MAX = 1024
NAMES_MAX = 8
_TEXT = 1 << 14
"""Bytes in which a text of the Packager has to end."""
_EMBEDDED = 2
"""FormatID of an object that has content; the link's, 1, has none."""
_FILE, _LINK = 3, 1
"""Of the Packager: the file is in the package, or somewhere else."""
_PLAIN = ("application/octet-stream", "application/x-empty", "text/plain", "text/html")


class Piece:
    """Content at `start` to `end` of a source; the names it has."""

    __slots__ = ("end", "names", "start")

    def __init__(self, start: int, end: int, names: tuple[bytes, ...] = ()) -> None:
        self.start = start
        self.end = end
        self.names = names


def embedded(source: "Source") -> tuple[bytes, Piece] | None:
    """Class name and native data of the object that begins with an ObjectHeader; None if none does.

    The size of the data is what the header says; a source may have less.
    """
    if number(source.read(4, 4)) & 0xFF != _EMBEDDED:
        return None
    at, texts = 8, []
    for _ in range(3):  # class, topic, item
        size = number(source.read(at, 4))
        if size > _TEXT or at + 4 + size > source.size:
            return None
        texts.append(source.read(at + 4, size))
        at += 4 + size
    if at + 4 > source.size:
        return None
    return texts[0].partition(b"\0")[0], Piece(at + 4, at + 4 + number(source.read(at, 4)))


def native(source: "Source") -> Piece | None:
    """What an Ole10Native stream holds: the packed file, or all of it; None if it is only a link."""
    if source.size < 4:
        raise Broken("no size")
    found = packed(source, 4) or packed(source, 0)
    if found is None:
        size = number(source.read(0, 4))
        return Piece(4, min(source.size, 4 + size) if size else source.size)
    return found if found.end >= 0 else None


def packed(source: "Source", start: int) -> Piece | None:
    """The file in what the Packager wrote at `start`, its best name first; None if there is none.

    With an `end` of -1 where there is only the name of a file elsewhere. The data may be said to end
    behind the source.
    """
    if number(source.read(start, 2)) != 2:
        return None
    label, at = _text(source, start + 2)
    path, at = _text(source, at)
    if at < 0:
        return None
    kind = number(source.read(at + 2, 2))
    if kind == _LINK:
        return Piece(at, -1, _names(label, path))
    size, at = number(source.read(at + 4, 4)), at + 8
    if size > _TEXT or at + size + 4 > source.size:
        return None
    temporary = source.read(at, size).partition(b"\0")[0]
    at += size
    end = at + 4 + number(source.read(at, 4))
    if kind != _FILE and end > source.size:
        return None
    wide = _wide_texts(source, end)
    return Piece(at + 4, end, _names(*wide[1:2], label, *wide[2:], path, *wide[:1], temporary))


def known(head: bytes) -> str:
    """The kind of what begins so, "" for text and plain data."""
    from amavis_pipe.kinds import detect

    kind = detect(head)
    return "" if kind in _PLAIN else kind


def _text(source: "Source", at: int) -> tuple[bytes, int]:
    """The text that ends with NUL at `at`, and where it ends; -1 if it doesn't."""
    if at < 0:
        return b"", -1
    text, end, _ = source.read(at, _TEXT).partition(b"\0")
    return text, at + len(text) + 1 if end else -1


def _wide_texts(source: "Source", at: int) -> list[bytes]:
    """The temporary path, label and path once more in UTF-16, which newer writers add."""
    found = []
    for _ in range(3):
        size = 2 * number(source.read(at, 4))
        if not 0 < size <= _TEXT or at + 4 + size > source.size:
            return []
        raw = source.read(at + 4, size)
        found.append(raw.decode("utf-16-le", "replace").partition("\0")[0].encode())
        at += 4 + size
    return found


def _names(*texts: bytes) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(text[:NAME_MAX] for text in texts if text))[:NAMES_MAX]


def number(raw: bytes) -> int:
    """A number, the least byte first."""
    return int.from_bytes(raw, "little")
