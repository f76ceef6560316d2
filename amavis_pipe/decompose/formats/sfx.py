"""Programs that unpack themselves: archives in them, what InstallShield's setup.exe or AutoIt brings.

An archive is a part of its own, for its own format to open. Compressed single streams count only behind
the program's own sections: within them they are data that the program alone uses. Programs without
anything of this kind are left as they are, installers made by NSIS are left to other decoders. Sources:
Microsoft's PE Format, ELF-64 Object File Format; decompose/ carve.py, installshield.py, autoit.py.
"""

from amavis_pipe.decompose.api import CHUNK, Blob, Broken, Decoder, Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.decompose.installshield import Entry
    from amavis_pipe.spool import View

MAGIC = b"MZ"
_ELF = b"\x7fELF"
_AMPLE = 8
"""Times its size that a program may hold of archives: more of them lie within each other."""
_SECTIONS = 256


def unpack(blob: Blob, sink: Sink) -> None:
    """The files of InstallShield and AutoIt, then each archive from its beginning to its end."""
    from amavis_pipe.decompose import autoit, installshield

    view = blob.view()
    start = overlay(view)
    entries = installshield.entries(view, start, sink) if 0 < start < len(view) else []
    whole = _installed(view, entries, sink)
    whole = autoit.unpack(view, sink) is not False and whole
    _carved(view, start, entries, sink)
    if not whole:
        raise Broken("damaged")


def overlay(view: "View") -> int:
    """Where the sections of a program end, and what is appended to it begins; 0 if that can't be told."""
    head = view[:64]
    ends = _elf_ends(view, head) if head[:4] == _ELF else _pe_ends(view, _number(head[60:64]))
    return max((end for end in ends if end <= len(view)), default=0)


def _installed(view: "View", entries: "list[Entry]", sink: Sink) -> bool:
    """Add the files of InstallShield; whether all were whole."""
    from amavis_pipe.decompose import installshield

    whole = True
    for entry in entries:
        try:
            sink.add(installshield.content(view, entry, sink), entry.names)
        except Broken:
            whole = False
    return (installshield.cabinets(view, entries, sink) if entries else True) and whole


def _carved(view: "View", start: int, entries: "list[Entry]", sink: Sink) -> None:
    """Add the archives that are not in a file already added."""
    from amavis_pipe.decompose.carve import BZIP2, GZIP, SUFFIXES, TAR, XZ, extent, found

    def counts(at: int, kind: str) -> bool:
        if kind in (BZIP2, GZIP, TAR, XZ) and at < start:
            return False
        return not any(one.start <= at < one.start + one.size for one in entries if not one.key)

    left = _AMPLE * len(view)
    hits, all_told = found(view, len(view), sink.tick, counts)
    if not all_told:
        sink.unchecked("undecoded:sfx")
    for at, kind in hits:
        end = extent(view, len(view), at, kind)
        left -= end - at
        if left < 0:
            sink.unchecked("undecoded:sfx")
            return
        sink.add(_pieces(view, at, end), (b"archive" + SUFFIXES[kind],), kind.encode(), ("carved",))


def _pe_ends(view: "View", at: int) -> "Iterator[int]":
    """Where each section ends in the file."""
    head = view[at : at + 24]
    if head[:4] != b"PE\0\0":
        return
    at += 24 + _number(head[20:22])
    for index in range(min(_SECTIONS, _number(head[6:8]))):
        section = view[at + 40 * index : at + 40 * index + 40]
        if _number(section[16:20]):
            yield _number(section[20:24]) + _number(section[16:20])


def _elf_ends(view: "View", head: bytes) -> "Iterator[int]":
    """Where the table of sections and that of segments end, and each segment."""
    wide, order = head[4:5] == b"\2", "big" if head[5:6] == b"\2" else "little"

    def number(raw: bytes) -> int:
        return int.from_bytes(raw, "big" if order == "big" else "little")

    word, fixed = (8, 54) if wide else (4, 42)
    programs, sections = number(head[24 + word : 24 + 2 * word]), number(head[24 + 2 * word : 24 + 3 * word])
    size, count, section, many = (number(head[fixed + 2 * i : fixed + 2 * i + 2]) for i in range(4))
    yield sections + section * many
    for index in range(min(count, _SECTIONS)):
        entry = view[programs + size * index : programs + size * (index + 1)]
        offset, length = (8, 32) if wide else (4, 16)
        yield number(entry[offset : offset + word]) + number(entry[length : length + word])


def _pieces(view: "View", start: int, end: int) -> "Iterator[bytes]":
    for at in range(start, end, CHUNK):
        yield view[at : min(at + CHUNK, end)]


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


DECODER = Decoder(
    "sfx",
    ("application/x-dosexec", "application/x-executable"),
    unpack,
    starts=(MAGIC,),
    broken=(Broken,),
)
