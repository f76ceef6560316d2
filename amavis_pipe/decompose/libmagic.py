"""libmagic through ctypes: what it says of some bytes. Source: libmagic(3)."""

import ctypes
import sys
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from functools import lru_cache

FILE = "libmagic.so.1"
_FLAGS = 0x0004000 | 0x0008000 | 0x0010000 | 0x0020000 | 0x0040000 | 0x0100000
"""No look at tars' neighbours: not for texts, tokens, CDF, ELF, encodings, devices (MAGIC_NO_CHECK_*)."""


def places() -> tuple[str, ...]:
    """Where the library may be."""
    triplet = getattr(sys.implementation, "_multiarch", "")
    return tuple(f"{folder}/{FILE}" for folder in (f"/usr/lib/{triplet}", "/usr/lib64", "/usr/lib"))


def describe(file: str, data: bytes) -> bytes:
    """What the library in `file` says of these bytes; b"" where it fails."""
    library, cookie = _loaded(file)
    told: bytes | None = library.magic_buffer(cookie, data, len(data)) if cookie else None
    return told or b""


@lru_cache
def _loaded(file: str) -> tuple[ctypes.CDLL, int | None]:
    """The library with its table, which is 8 MB large and mapped once for all of a mail; None if it fails."""
    library = ctypes.CDLL(file)
    for name, result, arguments in (
        ("magic_open", c_void_p, (c_int,)),
        ("magic_load", c_int, (c_void_p, c_char_p)),
        ("magic_buffer", c_char_p, (c_void_p, c_char_p, c_size_t)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    cookie: int | None = library.magic_open(_FLAGS)
    return library, None if cookie and library.magic_load(cookie, None) else cookie
