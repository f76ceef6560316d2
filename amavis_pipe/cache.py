"""What is remembered on disk, shared by many processes: one small file per entry.

An entry is believed only if it is whole (a digest over key, time and payload) and of this format; a
damaged, missing or unreadable one is a miss, never an error, and the mail goes its way without. Writers
use temp + rename, so readers see all or nothing; no locks. `prune` (desk/prune.py) removes by age and
size, at any time.

folder/ab/cdef…  the key's digest in hex; MAGIC, 16 bytes of BLAKE2b, 8 of time, the payload
"""

import posix
from _blake2 import blake2b
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC = b"amavis-pipe 1\n"
LARGEST = 1 << 20
"""A larger payload is not kept."""
_HEAD = len(MAGIC) + 16 + 8


def digest(*fields: bytes) -> bytes:
    """The key made of these fields; their borders count, so that b"a", b"bc" is not b"ab", b"c"."""
    return digest_of(fields)


def digest_of(fields: "Iterable[bytes]") -> bytes:
    """The same for any number of fields."""
    state = blake2b(digest_size=20)
    for field in fields:
        state.update(b"%d:" % len(field))
        state.update(field)
    return state.digest()


class Cache:
    """Entries below `folder`, none older than `days`; days = 0 keeps and finds nothing."""

    __slots__ = ("_days", "_folder")

    def __init__(self, folder: bytes, days: int) -> None:
        self._folder = folder
        self._days = days

    def get(self, key: bytes) -> tuple[float, bytes] | None:
        """Its age in seconds and the payload of an entry, or None. A time in the future is a miss."""
        if not self._days:
            return None
        flags = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
        try:
            fd = posix.open(self._path(key), flags)
            try:
                data = posix.read(fd, LARGEST + _HEAD)
            finally:
                posix.close(fd)
        except OSError:
            return None
        return self._opened(key, data)

    def put(self, key: bytes, payload: bytes, age: float = 0.0) -> bool:
        """Remember what is `age` seconds old already; False if it could not be written.

        That costs nothing but a later miss.
        """
        if not self._days or len(payload) > LARGEST:
            return False
        path = self._path(key)
        temporary = path + b".%d" % posix.getpid()
        stamp = int(time() - age).to_bytes(8, "big")
        data = MAGIC + _seal(key, stamp, payload) + stamp + payload
        try:
            _write(temporary, data)
            posix.rename(temporary, path)
        except OSError:
            _unlink(temporary)
            return False
        return True

    def _opened(self, key: bytes, data: bytes) -> tuple[float, bytes] | None:
        at = len(MAGIC)
        seal, stamp, payload = data[at : at + 16], data[at + 16 : _HEAD], data[_HEAD:]
        if not data.startswith(MAGIC) or seal != _seal(key, stamp, payload):
            return None
        age = time() - int.from_bytes(stamp, "big")
        return (max(age, 0.0), payload) if -2 < age < self._days * 86400 else None

    def _path(self, key: bytes) -> bytes:
        name = key.hex().encode()
        return self._folder + b"/" + name[:2] + b"/" + name[2:]


def _seal(key: bytes, stamp: bytes, payload: bytes) -> bytes:
    state = blake2b(key, digest_size=16)
    state.update(stamp)
    state.update(payload)
    return state.digest()


def _write(path: bytes, data: bytes) -> None:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    try:
        fd = posix.open(path, flags, 0o600)
    except FileNotFoundError:
        posix.mkdir(path.rpartition(b"/")[0], 0o700)
        fd = posix.open(path, flags, 0o600)
    try:
        if posix.write(fd, data) != len(data):
            raise OSError
    finally:
        posix.close(fd)


def _unlink(path: bytes) -> None:
    try:
        posix.unlink(path)
    except OSError:
        pass
