"""libarchive through ctypes: the files in an archive, from memory, never a path.

Only these few functions: the module libarchive-c costs 22 ms of CPU to import (it loads logging and
sysconfig), this 6. What to know of the library: some of its filters run programs and its xar reader
may loop for ever, so the caller names the formats and no filter is enabled; a name is given in the
locale's charset, so that must be UTF-8. Sources: archive_read(3), archive_read_data(3),
archive_entry(3).
"""

import ctypes
import sys
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_uint, c_void_p

from amavis_pipe.decompose.streams import OUTPUT, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from ctypes import Array, c_char

    from amavis_pipe.spool import View

FILE = "libarchive.so.13"
_OK, _END, _WARN = 0, 1, -20
_WITH_FILTER = 2
_LINK = 0o120000
_NO_FILES = (0o040000, _LINK, 0o020000, 0o060000, 0o010000, 0o140000)
"""File types without content: folder, link, devices, pipe, socket. An odd one (0) has content."""
_FORMATS, _SEVEN = 0xFF0000, 0xE0000
"""ARCHIVE_FORMAT_BASE_MASK, _7ZIP."""
_TARGET = 4096
"""Bytes that a link's target has at most (PATH_MAX); the library takes it for itself."""

_SHAPES: dict[str, tuple[type, tuple[type, ...]]] = {
    "archive_read_new": (c_void_p, ()),
    "archive_format": (c_int, (c_void_p,)),
    "archive_read_open_memory": (c_int, (c_void_p, c_void_p, c_size_t)),
    "archive_read_next_header": (c_int, (c_void_p, c_void_p)),
    "archive_read_data": (c_ssize_t, (c_void_p, c_void_p, c_size_t)),
    "archive_read_free": (c_int, (c_void_p,)),
    "archive_error_string": (c_char_p, (c_void_p,)),
    "archive_filter_count": (c_int, (c_void_p,)),
    "archive_entry_is_encrypted": (c_int, (c_void_p,)),
    "archive_read_add_passphrase": (c_int, (c_void_p, c_char_p)),
    "archive_entry_filetype": (c_uint, (c_void_p,)),
    "archive_entry_hardlink": (c_char_p, (c_void_p,)),
    "archive_entry_size": (c_int64, (c_void_p,)),
    "archive_entry_pathname": (c_char_p, (c_void_p,)),
    "archive_entry_pathname_utf8": (c_char_p, (c_void_p,)),
}


def places() -> tuple[str, ...]:
    """Where the library may be."""
    triplet = getattr(sys.implementation, "_multiarch", "")
    return tuple(
        f"{folder}/{FILE}" for folder in (f"/usr/lib/{triplet}", "/usr/lib64", "/usr/lib", "/usr/local/lib")
    )


def found() -> str:
    """The library's file, or "" where there is none."""
    from os.path import exists

    return next((place for place in places() if exists(place)), "")


def library(file: str) -> ctypes.CDLL:
    """The library in that file, ready for use."""
    loaded = ctypes.CDLL(file)
    for name, (result, arguments) in _SHAPES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    import _locale

    _locale.setlocale(_locale.LC_CTYPE, "C.UTF-8")
    return loaded


class Locked(Broken):
    """The archive, or a member of it, is encrypted."""


def members(
    library: ctypes.CDLL,
    view: "View",
    formats: tuple[str, ...],
    filters: tuple[str, ...] = (),
    password: bytes = b"",
) -> "Iterator[tuple[bytes, Iterator[bytes]]]":
    """Each file's name and content, in order: a content is to be used before the next is asked for.

    A hard link is a name without content: that is with the file it leads to. Symbolic links, devices and
    folders without content are left out. Broken where the archive is damaged, Locked where
    it is encrypted; `password` serves for zip.
    """
    archive = library.archive_read_new()
    if archive is None:
        raise MemoryError
    try:
        enabled = [f"format_{name}" for name in formats] + [f"filter_{name}" for name in filters]
        for name in enabled:
            enable = getattr(library, "archive_read_support_" + name)
            enable.argtypes = (c_void_p,)
            enable(archive)
        if password:
            library.archive_read_add_passphrase(archive, password)
        with _Pinned(view) as address:
            _check(library, archive, library.archive_read_open_memory(archive, address, len(view)))
            if formats == ("raw",) and library.archive_filter_count(archive) < _WITH_FILTER:
                raise Broken("not compressed")  # it would be given as it is, as its own content
            yield from _entries(library, archive, password, "iso9660" in formats)
    finally:
        library.archive_read_free(archive)


def _entries(
    library: ctypes.CDLL, archive: int, password: bytes, image: bool
) -> "Iterator[tuple[bytes, Iterator[bytes]]]":
    entry, buffer, skipped = c_void_p(), ctypes.create_string_buffer(OUTPUT), False
    while True:
        result = library.archive_read_next_header(archive, ctypes.byref(entry))
        if result == _END and skipped:
            raise Broken("bytes were skipped")
        if result == _END:
            return
        _check(library, archive, result)
        skipped = skipped or (result == _WARN and "kipped" in _error(library, archive))
        kind, size = library.archive_entry_filetype(entry), library.archive_entry_size(entry)
        if kind == _LINK:  # in a 7z its target is its content, and who doesn't care for links has a file
            base = library.archive_format(archive) & _FORMATS
            skipped = skipped or size > _TARGET or base == _SEVEN
        if kind in _NO_FILES and size <= 0:
            continue
        if library.archive_entry_hardlink(entry) and not size:
            # the last link to a file may have its content; in an image what begins at one place may be longer
            skipped = skipped or image
            yield _name(library, entry), iter(())
            continue
        if library.archive_entry_is_encrypted(entry) and not password:
            raise Locked("encrypted")
        first = next(_content(library, archive, buffer), b"") if kind in _NO_FILES else b""
        if kind in _NO_FILES and not first:
            continue  # else it is a file to others, whatever it calls itself
        yield _name(library, entry), _content(library, archive, buffer, first)


def _name(library: ctypes.CDLL, entry: c_void_p) -> bytes:
    name: bytes = library.archive_entry_pathname(entry) or library.archive_entry_pathname_utf8(entry) or b""
    return name


def _content(
    library: ctypes.CDLL, archive: int, buffer: "Array[c_char]", first: bytes = b""
) -> "Iterator[bytes]":
    """What is left of the current entry's content, behind what was read of it before."""
    if first:
        yield first
    while True:
        size = library.archive_read_data(archive, buffer, OUTPUT)
        if size == 0:
            return
        if size < 0:
            raise Broken(_error(library, archive))
        yield ctypes.string_at(buffer, size)


def _check(library: ctypes.CDLL, archive: int, result: int) -> None:
    """Raise Broken for a result that is neither success nor a warning."""
    if result not in (_OK, _WARN):
        text = _error(library, archive)
        raise (Locked if "ncrypt" in text else Broken)(text)


def _error(library: ctypes.CDLL, archive: int) -> str:
    text: bytes = library.archive_error_string(archive) or b"damaged"
    return text.decode("ascii", "replace")


class _Pinned:
    """The address of a view's bytes, good within the `with`. Layout: PEP 3118, fixed since 3.11."""

    class Buffer(ctypes.Structure):
        _fields_ = [("address", c_void_p), ("rest", c_char_p * 15)]

    def __init__(self, view: "View") -> None:
        self._view = view
        self._buffer = self.Buffer()

    def __enter__(self) -> int | None:
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(self._view), ctypes.byref(self._buffer), 0)
        address: int | None = self._buffer.address
        return address

    def __exit__(self, *_: object) -> None:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(self._buffer))
