"""libarchive through ctypes: the files in an archive, from memory, never a path.

Only these few functions: the module libarchive-c costs 22 ms of CPU to import (it loads logging and
sysconfig), this 6. What to know of the library: some of its filters run programs and its xar reader
may loop for ever, so the caller names the formats and no filter is enabled; a name is given in the
locale's charset, so that must be UTF-8. Sources: archive_read(3), archive_read_data(3),
archive_entry(3).
"""

import ctypes
import sys
from ctypes import c_char_p, c_int, c_size_t, c_ssize_t, c_uint, c_void_p

from amavis_pipe.decompose.streams import OUTPUT, Broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from ctypes import Array, c_char

    from amavis_pipe.spool import View

FILE = "libarchive.so.13"
_OK, _END, _WARN = 0, 1, -20
_WITH_FILTER = 2
_NO_FILES = (0o040000, 0o120000, 0o020000, 0o060000, 0o010000, 0o140000)
"""File types without content: folder, link, devices, pipe, socket. An odd one (0) has content."""

_SHAPES: dict[str, tuple[type, tuple[type, ...]]] = {
    "archive_read_new": (c_void_p, ()),
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

    Links, devices and folders are left out. Broken where the archive is damaged, Locked where it is
    encrypted; `password` serves for zip.
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
            yield from _entries(library, archive, password)
    finally:
        library.archive_read_free(archive)


def _entries(
    library: ctypes.CDLL, archive: int, password: bytes
) -> "Iterator[tuple[bytes, Iterator[bytes]]]":
    entry, buffer = c_void_p(), ctypes.create_string_buffer(OUTPUT)
    while True:
        result = library.archive_read_next_header(archive, ctypes.byref(entry))
        if result == _END:
            return
        _check(library, archive, result)
        if library.archive_entry_filetype(entry) in _NO_FILES or library.archive_entry_hardlink(entry):
            continue
        if library.archive_entry_is_encrypted(entry) and not password:
            raise Locked("encrypted")
        name = library.archive_entry_pathname(entry) or library.archive_entry_pathname_utf8(entry) or b""
        yield name, _content(library, archive, buffer)


def _content(library: ctypes.CDLL, archive: int, buffer: "Array[c_char]") -> "Iterator[bytes]":
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
