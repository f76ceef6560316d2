"""Compound files (OLE): what is embedded in documents and installers, VBA source, Outlook messages.

Promises: Packager objects, whatever begins like a known kind, modules of VBA in plain text, texts and
attachments of a message; objects of slides; of an encrypted document what a known password gives. Every
entry of the directory is looked at. Leaves out: macros of Excel 4, links, pictures within documents;
storages of embedded documents are not made files again, their streams are looked at here. Sources:
[MS-CFB], [MS-OLEDS], [MS-OVBA], [MS-OXMSG], [MS-PPT] 2.10.34.
"""

from amavis_pipe.decompose import officecrypt, ole1, outlook, vba
from amavis_pipe.decompose.api import Blob, Broken, Decoder, Inflate, Sink, Streams
from amavis_pipe.decompose.cfb import MAGIC, Compound, Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.cfb import Stream

NEEDS = officecrypt.NEEDS

_NAME = 1024
_STEP = 1 << 16
_WHOLE = ("package", "contents", "embeddedodf")
"""Streams that hold a file and nothing else."""
_BINARY = "Binary."
"""Table of an installer: programs and scripts that it runs."""
_PROJECT, _DIRECTORY, _SOURCES = "_vba_project", "dir", "vba"
_SLIDES = "powerpoint document"
_OBJECT = b"\x11\x10"
"""Type of a record with an object, ExOleObjStg."""
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._"


def unpack(blob: Blob, sink: Sink) -> None:
    """All that is found in the streams, in the order of the directory; then what a password gives."""
    file = Compound(blob.view(), sink)
    finder = _Finder(file, sink)
    for entry in file.streams():
        sink.tick()
        finder.take(entry)
    damaged = finder.damaged or file.damaged
    officecrypt.open_locked(file, finder.entries, sink)
    if damaged:
        raise Broken("damaged")


class _Finder:
    """Looks at streams, one after the other.

    entries  of each storage, by name in small letters; damaged, whether any stream was
    """

    def __init__(self, file: Compound, sink: Sink) -> None:
        self.damaged = False
        self.entries: dict[int, dict[str, Entry]] = {}
        self._file = file
        self._sink = sink
        self._seen: set[tuple[bool, int, int, str]] = set()
        self._modules: dict[int, tuple[dict[str, vba.Module], str]] = {}
        for entry in file.entries:
            self.entries.setdefault(entry.parent, {}).setdefault(entry.name.casefold(), entry)

    def take(self, entry: Entry) -> None:
        """Add what a stream holds."""
        try:
            self._take(entry, self._file.stream(entry))
        except Broken:
            self.damaged = True

    def _take(self, entry: Entry, stream: "Stream") -> None:
        name = entry.name.casefold()
        if not entry.size:
            return
        if name == "\1ole10native":
            self._native(entry, stream)
        elif name.startswith(outlook.PREFIX):
            if not self._is_known(entry, outlook.PREFIX) and not outlook.put(
                self._file, entry, self.entries[entry.parent], self._sink
            ):
                self._by_magic(entry, stream)
        else:
            if name == _SLIDES and not self._is_known(entry, _SLIDES):
                self._slides(stream)
            if self._is_project(entry.parent) and name not in (_DIRECTORY, _PROJECT):
                self._module(entry, stream)
            self._by_magic(entry, stream)

    def _is_known(self, entry: Entry, role: str) -> bool:
        """Whether the same bytes were taken as the same thing."""
        key = (entry.mini, entry.start, entry.size, role)
        known = key in self._seen
        self._seen.add(key)
        return known

    def _native(self, entry: Entry, stream: "Stream") -> None:
        if self._is_known(entry, "native"):
            return
        piece = ole1.native(stream)
        if piece is not None:
            names = piece.names or (self._name(entry),)
            self._sink.add(stream.chunks(piece.start, piece.end), names)

    def _by_magic(self, entry: Entry, stream: "Stream") -> None:
        """Add all of it if it is a file by its name or by how it begins."""
        if outlook.is_text(entry) and entry.name.startswith(outlook.PREFIX):
            return
        name = self._name(entry)
        is_file = entry.name.casefold() in _WHOLE or name.startswith(_BINARY.encode())
        if (is_file or ole1.known(stream.read(0, ole1.HEAD))) and not self._is_known(entry, "file"):
            self._sink.add(stream.chunks(), (name,))

    def _name(self, entry: Entry) -> bytes:
        """Its path as a name."""
        return _readable(self._file.path(entry)).encode("utf-8", "replace")[-_NAME:]

    def _is_project(self, parent: int) -> bool:
        """Whether modules are among the streams of a storage: also of what is in none."""
        siblings = self.entries.get(parent, {})
        storage = self._file.entries_by_number.get(parent)
        return (
            parent < 0
            or _DIRECTORY in siblings
            or _PROJECT in siblings
            or (storage is not None and storage.name.casefold() == _SOURCES)
        )

    def _listed(self, parent: int) -> tuple[dict[str, vba.Module], str]:
        """The modules that the directory beside them lists, by stream, and the codec of their texts."""
        if parent not in self._modules:
            modules: list[vba.Module] = []
            codec, entry = "", self.entries[parent].get(_DIRECTORY)
            if entry is not None and not entry.is_storage:
                modules, codec = vba.directory(self._file.stream(entry))
            self._modules[parent] = {one.stream.casefold(): one for one in modules}, codec
        return self._modules[parent]

    def _module(self, entry: Entry, stream: "Stream") -> None:
        """Add the source of a module, where the directory says and wherever it shows."""
        if self._is_known(entry, "module"):
            return
        modules, codec = self._listed(entry.parent)
        module = modules.get(entry.name.casefold())
        name = (module.name if module is not None else "") or entry.name
        listed = module.offset if module is not None and vba.begins(stream, module.offset) else -1
        if listed >= 0:
            self._source(stream, listed, name, codec)
        for at in vba.signs(stream):
            if at != listed:
                self._source(stream, at, name, codec)

    def _source(self, stream: "Stream", at: int, name: str, codec: str) -> None:
        names = (f"{name}.bas".encode("utf-8", "replace")[-_NAME:],)
        chunks = vba.as_text(vba.unpacked(stream, at), codec)
        first = next(chunks, b"")
        if first:
            self._sink.add(_joined(first, chunks), names, b"text/plain")

    def _slides(self, stream: "Stream") -> None:
        """Add the objects in the records of a presentation, found by their type wherever they are."""
        at, kept = 0, b""
        while at < stream.size:
            piece = stream.read(at, _STEP)
            if not piece:
                return
            text, start = kept + piece, at - len(kept)
            found = text.find(_OBJECT)
            while found >= 0:
                self._object(stream, start + found - 2)
                found = text.find(_OBJECT, found + 1)
            kept = text[-1:]
            at += len(piece)

    def _object(self, stream: "Stream", at: int) -> None:
        """Add the object whose record may begin at `at`."""
        head = stream.read(at, 16) if at >= 0 else b""
        end = at + 8 + ole1.number(head[4:8])
        if head[:2] == b"\x10\0" and head[12:13] == b"\x78":
            self._inflate(stream, at + 12)
        elif head[8:] == MAGIC and head[:2] == b"\0\0":
            self._sink.add(stream.chunks(at + 8, min(end, stream.size)))

    def _inflate(self, stream: "Stream", at: int) -> None:
        from zlib import error

        streams = Streams(stream.chunks(at), self._sink, lambda: Inflate(15), None, (error,))
        output = streams.output()
        try:
            first = next(output, b"")
        except Broken:
            return  # bytes that only look like a record
        if first:
            self._sink.add(_joined(first, output))


def _joined(first: bytes, others: "Iterator[bytes]") -> "Iterator[bytes]":
    yield first
    yield from others


def _readable(name: str) -> str:
    """The name as it was before an installer squeezed two letters into one."""
    if not any("\u3800" <= letter <= "\u4840" for letter in name):
        return name
    return "".join(_letters(ord(letter)) for letter in name)


def _letters(code: int) -> str:
    if 0x3800 <= code < 0x4800:
        return _LETTERS[code - 0x3800 & 63] + _LETTERS[code - 0x3800 >> 6]
    if 0x4800 <= code < 0x4840:
        return _LETTERS[code - 0x4800]
    return "!" if code == 0x4840 else chr(code)


DECODER = Decoder("ole", ("application/x-ole-storage",), unpack, starts=(MAGIC,), broken=(Broken,))
