"""PDF: the files embedded in it, its scripts, its form as XML, its 3D models (ISO 32000-1, 7.11.4 and 12).

Most have none of them, and are only searched for the few names that would say so, in the file and in its
object streams. Files count wherever they hang: in the list of attachments, at annotations, in rich
media or portfolios, in older versions, or nowhere. Streams that only make up pages are left alone. An
encrypted PDF is made a plain one by pikepdf if no password, or a known one, opens it.
"""

from amavis_pipe.decompose.api import Blob, Broken, Decoder, Need, Sink, open_file
from amavis_pipe.pages import is_hinted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from amavis_pipe.decompose.pdfs import Body, Objects, Stream
    from amavis_pipe.decompose.pdfvalues import Value
    from amavis_pipe.spool import View

MAGIC = b"%PDF-"
_SCRIPT_MIN = 512
"""Scripts below this size are one part together: forms have hundreds of a line each."""
_NAME_MAX = 1024
_NAMING = ("UF", "F", "Unix", "Mac", "DOS", "Desc")
_FILE, _SCRIPT, _FORM, _MODEL, _LOCK, _OBJECTS = range(6)
_MEANING = {
    "EF": _FILE,
    "EmbeddedFile": _FILE,
    "JS": _SCRIPT,
    "OnInstantiate": _SCRIPT,
    "XFA": _FORM,
    "3DD": _MODEL,
    "Encrypt": _LOCK,
    "ObjStm": _OBJECTS,
    "First": _OBJECTS,
}
_SPACE = rb"[\0\t\n\f\r ]"
_WORTH = (
    rb"/(?:(?:EF|EmbeddedFile|JS|OnInstantiate|XFA|3DD|Encrypt|ObjStm|First)(?![^\0\t\n\f\r ()<>\[\]{}/%])"
    rb"|(?=[A-Za-z0-9]*+#[3-7][0-9A-Fa-f])[A-Za-z0-9#]++)"
)
"""A name that is worth a look, also if some of its letters are escaped."""
_OUTLINE = (
    _SPACE
    + rb"*+[0-9]++"
    + _SPACE
    + rb"++[0-9]++"
    + _SPACE
    + rb"++R(?:[^()<>%]{1,256}+|\((?:[^()\\]|\\.){0,256}+\)|<[0-9A-Fa-f]{0,256}+>|<<[^()<>%]{0,256}+>>){0,8}+"
    + rb">>"
    + _SPACE
    + rb"*+endobj"
)
"""What follows a /First that is of no object stream: a reference, and no stream behind the dictionary."""
_VALUE = rb"(?:[\0\t\n\f\r ]++|%[^\r\n]{0,256}+[\r\n]){0,32}+(?:<<|[0-9])"
"""What a dictionary or a reference begins with, behind blanks and comments."""
_HITS = 1 << 18


def _places() -> tuple[str, ...]:
    from amavis_pipe.jail.programs import site_folders

    return tuple(f"{folder}/pikepdf/__init__.py" for folder in site_folders())


PIKEPDF = Need("pikepdf", "python3-pikepdf", _places)
NEEDS = (PIKEPDF,)


def unpack(blob: Blob, sink: Sink) -> None:
    """The files with their names, then what else there is; `encrypted:pdf` if it can't be opened."""
    view = blob.view()
    if view.find(b"obj") < 0:
        raise Broken("no objects")
    if not is_hinted(view):  # told without `re`, which costs 5 ms
        return
    reader = _Reader(view, sink)
    if reader.locked():
        plain = _opened(blob, sink)
        if plain is None:
            return
        reader = _Reader(plain, sink) if plain else reader
    reader.run()


def _opened(blob: Blob, sink: Sink) -> bytes | None:
    """The PDF decrypted; b"" if it is to be read as it stands, None if there is no way to read it."""
    if PIKEPDF.path():
        import pikepdf

        for password in ("", *_passwords(sink)):
            sink.tick()
            try:
                with pikepdf.open(open_file(blob), password=password) as pdf:
                    return _decrypted(pdf) if pdf.is_encrypted else b""
            except pikepdf.PasswordError:
                continue
            except (pikepdf.PdfError, MemoryError, ValueError, TypeError, RuntimeError):
                # damaged, or one that only pretends
                sink.unchecked("encrypted:pdf")
                return b""
    sink.unchecked("encrypted:pdf")
    return None


def _decrypted(pdf: object) -> bytes:
    import io

    import pikepdf

    out = io.BytesIO()
    assert isinstance(pdf, pikepdf.Pdf)
    pdf.save(
        out,
        encryption=False,
        compress_streams=False,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
    )
    return out.getvalue()


def _passwords(sink: Sink) -> "Iterator[str]":
    """The passwords to try besides none."""
    for password in sink.passwords():
        yield password.decode("utf-8", "replace")


class _Reader:
    """One PDF: the places worth a look, and what is taken from there.

    A place is one in the file or in what an object stream holds; there is no index of objects before
    one is found.
    """

    def __init__(self, view: "View", sink: Sink) -> None:
        import re

        self._pattern = re.compile(_WORTH)
        self._outline = re.compile(_OUTLINE, re.DOTALL)
        self._view = view
        self._sink = sink
        self._damaged = False
        self._hits = list(self._marks(view))
        self._files: dict[int, tuple[Stream, list[bytes]]] = {}
        self._seen: set[tuple[int, int]] = set()
        self._scripts: dict[bytes, None] = {}
        self._long: set[int] = set()

    def locked(self) -> bool:
        """Whether some dictionary says that the file is encrypted."""
        import re

        value = re.compile(_VALUE)
        return any(kind == _LOCK and value.match(self._view, end) for kind, end in self._hits)

    def run(self) -> None:
        """Add all there is."""
        if not self._hits:
            return
        from amavis_pipe.decompose.pdfs import Objects

        objects = Objects(self._view, self._sink)
        bodies = [(objects.file, self._hits), *self._object_streams(objects)]
        for body, _ in bodies[1:]:
            objects.note(body)
        wanted = [
            (body, kind, end) for body, hits in bodies for kind, end in hits if kind not in (_LOCK, _OBJECTS)
        ]
        for body, kind, end in wanted:
            if kind == _FILE:
                self._find(objects, body, end)
        for stream, names in self._files.values():
            self._add(objects, stream, names)
        for body, kind, end in wanted:
            if kind != _FILE:
                self._rest(objects, body, kind, end)
        if self._scripts:
            self._sink.add(iter((b"\n".join(self._scripts),)), (b"script.js",), b"text/javascript")
        if self._damaged or objects.damaged:
            raise Broken("damaged")

    def _marks(self, text: "View") -> "Iterator[tuple[int, int]]":
        """The names worth a look: what each means, and where it ends."""
        for count, found in enumerate(self._pattern.finditer(text), 1):
            kind = self._meaning(found)
            if kind is not None and not (kind == _OBJECTS and self._outline.match(text, found.end())):
                yield kind, found.end()
            if count == _HITS:
                self._damaged = True
                return

    def _meaning(self, found: "re.Match[bytes]") -> int | None:
        from amavis_pipe.decompose.pdfvalues import name_of

        return _MEANING.get(name_of(found[0][1:]))

    def _object_streams(self, objects: "Objects") -> "Iterator[tuple[Body, list[tuple[int, int]]]]":
        """What the object streams hold, each with its names worth a look."""
        seen = set()
        for kind, end in self._hits:
            at = objects.file.before(end) if kind == _OBJECTS else -1
            if at < 0 or at in seen:
                continue
            seen.add(at)
            stream = self._stream_at(objects, at)
            body = objects.object_stream(stream) if stream else None
            if body is not None:
                yield body, [mark for mark in self._marks(body.text) if mark[0] not in (_LOCK, _OBJECTS)]

    def _stream_at(self, objects: "Objects", at: int) -> "Stream | None":
        value, end = objects.value(objects.file, at)
        return objects.stream(value, end) if isinstance(value, dict) else None

    def _find(self, objects: "Objects", body: "Body", end: int) -> None:
        """Note the files that the object around this place speaks of, and those that stand just there."""
        from amavis_pipe.decompose.pdfvalues import dictionaries

        at = body.before(end)
        if at >= 0 and (id(body), at) not in self._seen:
            self._seen.add((id(body), at))
            value, stop = objects.value(body, at)
            for entry in dictionaries(value):
                self._specified(objects, entry)
            if isinstance(value, dict) and body is objects.file and value.get("Type") == "EmbeddedFile":
                self._note(objects.stream(value, stop), [])
        # whatever object it is in, by the marks in strings that only look like one's beginning
        self._embedded(objects, objects.value(body, end)[0], [])

    def _specified(self, objects: "Objects", entry: "dict[str, Value]") -> None:
        """Note the files of a file specification, with its names (7.11.3)."""
        files = [entry[key] for key in ("EF", "EF\0") if key in entry]
        names: dict[bytes, None] = {}
        for key in _NAMING if files else ():
            for value in (entry.get(key), entry.get(key + "\0")):
                names.update((name, None) for name in self._texts(objects, value))
        for value in files:
            self._embedded(objects, value, list(names)[:8])

    def _embedded(self, objects: "Objects", value: "Value", names: list[bytes]) -> None:
        """Note the streams that the values of an /EF dictionary are."""
        for one in objects.versions(value):
            for inner in one.values() if isinstance(one, dict) else ():
                for stream in objects.versions(inner):
                    self._note(stream, names)

    def _note(self, stream: "Stream | Value", names: list[bytes]) -> None:
        from amavis_pipe.decompose.pdfs import Stream

        if isinstance(stream, Stream):
            _, known = self._files.setdefault(stream.start, (stream, []))
            known += [name for name in names if name not in known][: 8 - len(known)]

    def _texts(self, objects: "Objects", value: "Value") -> "Iterator[bytes]":
        from amavis_pipe.decompose.pdfvalues import text_of

        for one in objects.versions(value):
            if isinstance(one, bytes) and one:
                yield text_of(one[: 2 * _NAME_MAX])[:_NAME_MAX]

    def _rest(self, objects: "Objects", body: "Body", kind: int, end: int) -> None:
        """Take a script, a form or a model: the value at this place."""
        from amavis_pipe.decompose.pdfs import Stream
        from amavis_pipe.decompose.pdfvalues import Ref, text_of

        value, _ = objects.value(body, end)
        if isinstance(value, list) and kind == _FORM:
            self._form(objects, value)
            return
        for one in objects.versions(value) if isinstance(value, (Ref, bytes)) else ():
            if isinstance(one, bytes) and kind == _SCRIPT:
                self._script(text_of(one))
            elif isinstance(one, list) and kind == _FORM:
                self._form(objects, one)
            elif isinstance(one, Stream) and self._is_new(one):
                names, claimed = _KNOWN[kind]
                self._add(objects, one, [names], claimed)

    def _is_new(self, stream: "Stream") -> bool:
        if (0, stream.start) in self._seen or stream.start in self._files:
            return False
        self._seen.add((0, stream.start))
        return True

    def _script(self, text: bytes) -> None:
        if len(text) < _SCRIPT_MIN:
            self._scripts[text] = None
        elif hash(text) not in self._long:
            self._long.add(hash(text))
            self._sink.add(iter((text,)), (b"script.js",), b"text/javascript")

    def _form(self, objects: "Objects", packets: "list[Value]") -> None:
        """Add the packets of a form, which are one XML document together (12.7.8)."""
        from amavis_pipe.decompose.pdfs import Stream
        from amavis_pipe.decompose.pdfvalues import Ref

        streams = [
            one
            for packet in packets[:256]
            if isinstance(packet, Ref)
            for one in objects.versions(packet)
            if isinstance(one, Stream) and self._is_new(one)
        ]
        if streams:
            chunks = (chunk for stream in streams for chunk in self._kept(objects, stream))
            self._sink.add(chunks, (b"form.xml",), b"application/xml")

    def _kept(self, objects: "Objects", stream: "Stream") -> "Iterator[bytes]":
        try:
            yield from objects.content(stream)
        except Broken:
            self._damaged = True

    def _add(self, objects: "Objects", stream: "Stream", names: list[bytes], claimed: bytes = b"") -> None:
        """Add what a stream holds, and go on if it is damaged."""
        if objects.is_spent():
            raise Broken("tangled")
        kind = stream.entry.get("Subtype")
        if not claimed and isinstance(kind, str) and "/" in kind:
            claimed = kind.encode("latin-1", "replace")[:255]
        try:
            self._sink.add(objects.content(stream), tuple(names), claimed)
        except Broken:
            self._damaged = True


_KNOWN = {
    _SCRIPT: (b"script.js", b"text/javascript"),
    _FORM: (b"form.xml", b"application/xml"),
    _MODEL: (b"model", b""),
}

DECODER = Decoder("pdf", ("application/pdf",), unpack, starts=(MAGIC,), broken=(Broken,))
