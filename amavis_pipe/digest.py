"""SHA-256 of mails and parts, by whichever implementation is cheaper for the amount.

OpenSSL's hashes nine times as fast as the interpreter's own, but loading it costs what half a
megabyte costs the own one.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable

    Buffer = bytes | mmap.mmap

LARGE = 600 << 10
"""Bytes from which loading OpenSSL pays."""

_total = 0


def sha256(data: "Buffer", size: int) -> str:
    """SHA-256 of `data` (`size` bytes long) in hex."""
    return sha256_of((data,), size)


def sha256_of(chunks: "Iterable[Buffer]", size: int) -> str:
    """SHA-256 of all chunks in hex; `size` is about how many bytes they hold."""
    global _total
    _total += size
    if _total > LARGE:
        from _hashlib import openssl_sha256

        state = openssl_sha256()
    else:
        state = _own()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


if TYPE_CHECKING:
    from hashlib import sha256 as _own
else:
    try:
        from _sha256 import sha256 as _own  # CPython 3.11
    except ImportError:
        from _sha2 import sha256 as _own  # CPython 3.12 and later
