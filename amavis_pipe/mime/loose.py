"""The reader for mail that readers read differently: finds what any of them might open.

It takes no boundary for granted. Each run of Content- fields, wherever it stands (after junk, indented,
below an empty line, in a preamble), opens an entity; its body begins at each place where some reader
begins it, and ends where some reader ends it; it is decoded by every encoding that any field names, or
that it looks like, in every way that readers decode. What gives bytes that are known already costs
nothing more: parts are a set by content. Nothing here is said of the mail but that readings differ.

Promises: linear in the mail but for the number of candidates, which is bounded by STARTS, by the
decoding WORK and by the mail's own budget; sees only what stands in the mail unencoded (what is decoded
comes back as parts of their own). Sources: RFC 2045, RFC 2046; how readers repair broken mail:
tests/mime/hostile names the case and the reader for each rule.
"""

import re
from _blake2 import blake2b

from amavis_pipe.kinds import HEAD, OCTETS, detect
from amavis_pipe.mime import coding, header, variants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from amavis_pipe.mime.reader import Reading
    from amavis_pipe.model import Part
    from amavis_pipe.spool import View
    from amavis_pipe.walk import Sink

    Names = Callable[[list[tuple[bytes, bytes]]], tuple[bytes, ...]]

ENTITIES = 10_000
"""Entities, and a tenth of the Content- fields, that are looked at."""
STARTS = 4
"""Places where the body of one entity may begin."""
LINES = 1000
"""Lines of other fields that may stand between two of one entity."""
FIELDS = 64
"""Fields of one entity that are read: the first half and the last."""
NAMES_MAX = 48
"""Names of one part that are kept."""
FIELD_MAX = 1 << 14
"""Bytes of one field that are read."""
COMMENTS = 8
"""Levels of comments in a field that are taken out."""
WORK = 8 << 20
"""Bytes that may be decoded in vain, and FACTOR times the size of the mail."""
FACTOR = 8

_MARK = re.compile(
    rb"(?:\A|[\r\n])(?:(--)|[^\r\na-z0-9]{0,40}content-"
    rb"([^\r\n:]{1,120}(?:[\r\n]{1,2}[ \t][^\r\n:]{0,80})?):)",
    re.I,
)
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\n|\r|\Z)")
_VALUE = re.compile(rb"[^\r\n]*(?:(?:\r\n|\n|\r)[ \t\x00\v][^\r\n]*)*")
"""A field's value with its folds."""
_CODED = re.compile(rb"[\r\n][A-Za-z0-9+/]{16,}={0,2}[ \t]{0,80}(?=[\r\n]|\Z)")
_SOMETHING = re.compile(rb"[\r\n][^\r\n]{0,400}?[^\s-]")
_EMPTY = re.compile(rb"[\r\n]*")
_FOLD = re.compile(rb"[\r\n]+[ \t]*")
_NAME = re.compile(rb"(?i)name\*?[0-9]{0,3}\*?\s{0,20}=\s{0,20}(\"[^\"]{1,1024}|[^;\s\"]{1,1024})")
_FIELD = re.compile(rb"[ \t]{0,40}[!-9;-~]{1,80}[\x00-\x20]{0,20}:")
_COMMENT = re.compile(rb"\([^()]*\)")
_NOT_WORD = bytes(set(range(256)) - set(b"abcdefghijklmnopqrstuvwxyz0123456789"))
_ENCODINGS = ((b"base64", b"base64"), (b"quotedprintable", b"quoted-printable"), (b"uu", b"x-uuencode"))
_BLANK = b" \t\0\v\f"
_UNDIVIDED = (b"text/", b"multipart/", b"message/")


class Entity:
    """A run of Content- fields: where each ends, and what they say."""

    __slots__ = ("ends", "fields", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.ends = start
        self.fields: list[tuple[bytes, bytes]] = []


class Search:
    """One mail being searched.

    found  how many parts came out that the plain reading had not
    """

    def __init__(self, view: "View", out: "Sink", known: "Iterable[Part]", names: "Names") -> None:
        self._view = view
        self._out = out
        self._names = names
        self._work = WORK + FACTOR * len(view)
        files, room = out.room()
        self._files, self._bytes = files // 2, room // 2
        self._seen = {_digest(part.blob.chunks()): part for part in known if part.blob is not None}
        self.found = 0

    def run(self) -> None:
        """Find every entity, and put what is new of it into the Sink."""
        entity: Entity | None = None
        fields = entities = 0
        dashes: list[int] = []  # the first and the last line that begins with "--" behind the entity
        for mark in _MARK.finditer(self._view):
            self._out.tick()
            at = mark.start() + (mark[0][:1] in b"\r\n")
            if mark[1]:
                dashes[1:] = [at]
                continue
            fields += 1
            if fields > 10 * ENTITIES or entities > ENTITIES:
                self._out.refuse("readings")
            if entity is not None and not self._goes_on(entity, at, dashes):
                self._take(entity, dashes, at)
                entity = None
            if entity is None:
                entity, dashes = Entity(at), []
                entities += 1
            self._read(entity, mark)
        if entity is not None:
            self._take(entity, dashes, len(self._view))

    def _goes_on(self, entity: Entity, at: int, dashes: list[int]) -> bool:
        """Whether a further field belongs to the run: nothing is between that ends a head for everybody."""
        if dashes and dashes[-1] >= entity.ends:
            return False
        gap = at - entity.ends
        return gap < header.HEAD_MAX and _is_head(self._view[entity.ends : at])

    def _read(self, entity: Entity, mark: "re.Match[bytes]") -> None:
        """Add a field: its value with its folds; of a long one both ends, FIELD_MAX in all."""
        view, start = self._view, mark.end()
        found = _VALUE.match(view, start, min(start + header.HEAD_MAX, len(view)))
        end = entity.ends = found.end() if found else start
        value = view[start : min(end, start + FIELD_MAX)]
        if end - start > FIELD_MAX:
            value = value[: FIELD_MAX // 2] + b" " + view[end - FIELD_MAX // 2 : end]
        if len(entity.fields) >= FIELDS:
            del entity.fields[FIELDS // 2]
        entity.fields.append((mark[2].lower(), value))

    def _take(self, entity: Entity, dashes: list[int], limit: int) -> None:
        """Decode the entity's body in every way; it ends before `limit` at the latest."""
        encodings, claimed, names = self._said(entity)
        starts = self._starts(entity, limit)
        if not starts and limit - entity.ends > header.HEAD_MAX:
            self._out.unchecked("limit:header")
        for start in starts:
            ends = [at for at in dashes if at > start] or [limit]
            if limit == len(self._view) and ends[-1] < limit:
                ends.append(limit)
            # behind the first end there may be a list's footer, and nothing of the file
            ends[1:] = [
                end for end in ends[1:] if end > ends[0] and self._goes_on_to(ends[0], end, encodings)
            ]
            for end in dict.fromkeys(ends):
                self._decode(start, end, encodings, claimed, names)

    def _goes_on_to(self, start: int, end: int, encodings: list[bytes]) -> bool:
        """Whether the body may go on between two ends: by a line of base64, or anything in another."""
        if encodings == [b"base64"]:
            return _CODED.search(self._view, start, end) is not None
        return _SOMETHING.search(self._view, start + 2, end) is not None

    def _starts(self, entity: Entity, limit: int) -> list[int]:
        """Where readers begin the body: behind an empty or blank line, or where no field can be any more."""
        starts: list[int] = []
        at = entity.ends
        view, position, stop = self._view, at, min(at + header.HEAD_MAX, limit)
        while position < stop and len(starts) < STARTS:
            found = _LINE.match(view, position, stop)
            line = found[1] if found else b""
            after = found.end() if found else stop
            if not line:
                if position > at:  # not the line end of the last field
                    starts.append(after)
                    more = _EMPTY.match(view, after, limit)
                    starts += [more.end()] if more and more.end() > after else []
                    break
            elif not line.strip(_BLANK):
                starts.append(after)
            elif line.startswith(b"--"):
                if starts:
                    break
            elif position > at and not _FIELD.match(line) and line[:1] not in b" \t" and not starts:
                starts.append(position)
            position = after
        return [start for start in dict.fromkeys(starts) if start < limit]

    def _said(self, entity: Entity) -> tuple[list[bytes], bytes, tuple[bytes, ...]]:
        """The encodings that any field names, the first type, and all names."""
        encodings: list[bytes] = []
        claimed = b""
        parameters: list[tuple[bytes, bytes]] = []
        for name, value in entity.fields:
            kind, found = header.parameters(value.translate(None, b"\0"))
            parameters += found
            # a name behind an odd quote, a comma, or no ";" at all
            for given in _NAME.findall(value):
                text = given.strip(b"\"' ")
                parameters += [(b"filename", _FOLD.sub(b"", text)), (b"filename", text)]
            if b"encoding" in name:
                encodings += _encodings(value)
            elif name.startswith(b"type") and not claimed:
                claimed = kind[:128]
        return list(dict.fromkeys(encodings)), claimed, self._names(parameters)

    def _decode(
        self, start: int, end: int, encodings: list[bytes], claimed: bytes, names: tuple[bytes, ...]
    ) -> None:
        """What is new in view[start:end], decoded in all ways."""
        view = self._view
        ways = tuple(variants.ways(encodings, view, start, end))
        for way in ways:
            self._add(way, start, end, claimed, names)
        kind = detect(view[start : min(start + HEAD, end)], claimed, names)
        text = kind == OCTETS or kind.startswith(("text/", "message/"))
        is_file = names or (claimed and not claimed.startswith(_UNDIVIDED))
        # another text stands in a part already, undivided; one in base64 is nothing by itself
        unencoded = b"base64" in encodings and not variants.is_base64(view, start, end)
        if not text or (is_file and not ways) or unencoded:
            self._add(coding.pieces, start, end, claimed, names)

    def _add(
        self, way: "variants.Way", start: int, end: int, claimed: bytes, names: tuple[bytes, ...]
    ) -> None:
        """A reading of some bytes, if what it gives is new."""
        self._work -= end - start
        if self._work < 0:
            self._out.refuse("readings")
        digest = _digest(way(self._view, start, end))
        known = self._seen.get(digest)
        if known is not None:
            new = tuple(name for name in names if name not in known.names)
            if not new or self._out.rename(known, (*known.names, *new)[:NAMES_MAX]):
                return
        if self._files <= 0 or self._bytes <= 0:
            self._out.refuse("readings")  # what was found without a search is to be opened, too
        self.found += 1
        part = self._out.add(way(self._view, start, end), names, claimed, flags=("ambiguous",))
        self._seen.setdefault(digest, part)
        self._files -= 1
        self._bytes -= part.size


def unpack(view: "View", out: "Sink", reading: "Reading", names: "Names", differ: "Iterable[str]") -> None:
    """What of the mail in `view` the plain reading has not found; `differ` says what readers differ about."""
    search = Search(view, out, reading.leaves, names)
    search.run()
    if search.found:
        for what in differ:
            out.note("ambiguous:" + what)


def _is_head(text: bytes) -> bool:
    """Whether some reader takes all of it for head lines, or for blank ones: not a body."""
    lines = re.split(rb"\r\n|\n|\r", text)
    others = [line for line in lines if line.strip(_BLANK) and line[:1] not in (b" ", b"\t")]
    if not others:
        return True
    if any(not line for line in lines[1:-1]):
        return False
    return len(others) <= LINES and sum(not _FIELD.match(line) for line in others) <= 3


def _encodings(value: bytes) -> list[bytes]:
    """Every encoding that a field may name, with and without its comments, quotes and blanks."""
    lowered = value.lower()
    bare = lowered
    for _ in range(COMMENTS):
        bare = _COMMENT.sub(b"", bare)
    found = []
    for text in (bare, lowered):
        word = text.translate(None, _NOT_WORD)
        found += [encoding for mark, encoding in _ENCODINGS if mark in word]
    return found


def _digest(chunks: "Iterable[bytes]") -> bytes:
    state = blake2b(digest_size=16)
    for chunk in chunks:
        state.update(chunk)
    return state.digest()
