"""What is remembered on disk, shared by many processes: two files, read by pread, never mapped.

folder/current   gets all that is put; when it is full or old it becomes
folder/previous  which is read, too, until the next one takes its place (generation.py)

So the cache is bounded by size and age at any time, without a scan, and a put costs no inode. A file is a
head, an index of buckets of slots, and entries, appended by single writes that the kernel puts in order:

head    MAGIC, 6 bytes of birth (seconds), 4 of how many buckets, 16 of BLAKE2b over these
slot    3 bytes of the key, 5 of the entry's offset; all zero if free; set when the entry is written
entry   16 bytes of BLAKE2b over key, time and payload; 8 of time (seconds), 4 of length; the payload

An entry is believed only if it is whole and of this very key: whatever is damaged, torn or lost, in the
index as well, is a miss, never an error, and the mail goes its way without. No locks but for the change
of generations, no fsync: what a crash or two writers at one slot lose is a miss. Nothing is kept open, so
nothing goes stale and no other process inherits it. Design: contrib/design/0005-cache-store.rst.
"""

import posix
from _blake2 import blake2b
from _stat import S_IFREG
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC = b"amavis-pipe 2\n"
CURRENT, PREVIOUS = b"/current", b"/previous"
LARGEST = 1 << 20
"""A larger payload is not kept."""
SIZE = 256 << 20
"""Bytes on disk unless told otherwise; the default of `cache.size`, too."""
HEAD = len(MAGIC) + 6 + 4 + 16
SLOT = 8
BUCKET = 64 * SLOT
"""Bytes; the head has the place of the first one."""
INDEX_SHARE = 16
"""A generation has one byte of index for so many: enough for entries of 128 bytes, the mean is larger."""
_LARGEST_HALF = 1 << 36
"""More than `cache.size` will ever ask for; a slot has room for offsets below 1 << 40."""
ENTRY = 16 + 8 + 4
_FIRST = 4096
"""Bytes that are read of an entry at first; few are longer."""


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
    """Entries below `folder`, none older than `days`, at most `size` bytes; 0 days keep and find nothing.

    A key is what digest() gives.
    """

    __slots__ = ("_days", "_folder", "_half")

    def __init__(self, folder: bytes, days: int, size: int = SIZE) -> None:
        self._folder = folder
        self._days = days
        self._half = min(size // 2, _LARGEST_HALF)

    def get(self, key: bytes) -> tuple[float, bytes] | None:
        """Its age in seconds and the payload of an entry, or None. A time in the future is a miss."""
        if not self._days:
            return None
        return self._look(CURRENT, key) or self._look(PREVIOUS, key)

    def put(self, key: bytes, payload: bytes, age: float = 0.0) -> bool:
        """Remember what is `age` seconds old already; False if it could not be written.

        That costs nothing but a later miss.
        """
        if not self._days or len(payload) > LARGEST:
            return False
        stamp = max(int(time() - age), 0).to_bytes(8, "big")  # the clock may be in 1970
        data = _seal(key, stamp, payload) + stamp + len(payload).to_bytes(4, "big") + payload
        try:
            fd, buckets = self._room(len(data))
            try:
                # one call finds the end and writes there, whoever else does so; and tells where it was
                if posix.pwritev(fd, [data], -1, posix.RWF_APPEND) != len(data):
                    return False  # the disk is full
                _enter(fd, _bucket(key, buckets), key, posix.lseek(fd, 0, 1) - len(data))
            finally:
                posix.close(fd)
        except OSError:
            return False
        return True

    def _look(self, name: bytes, key: bytes) -> tuple[float, bytes] | None:
        """What one generation holds under a key."""
        try:
            fd, _ = opened(self._folder + name, posix.O_RDONLY)
            try:
                head = posix.pread(fd, HEAD, 0)  # a wrong head sends us to the wrong bucket: a miss
                slots = posix.pread(fd, BUCKET, _bucket(key, _buckets(head)))
                at = _find(slots, key[8:11])
                while at >= 0:
                    found = self._entry(fd, int.from_bytes(slots[at + 3 : at + SLOT], "big"), key)
                    if found is not None:
                        return found
                    at = _find(slots, key[8:11], at + 1)
            finally:
                posix.close(fd)
        except OSError:
            pass
        return None

    def _entry(self, fd: int, offset: int, key: bytes) -> tuple[float, bytes] | None:
        """The entry at an offset, if there is one, of this key, and of an age that counts."""
        data = posix.pread(fd, _FIRST, offset)
        end = ENTRY + int.from_bytes(data[24:ENTRY], "big")
        if len(data) < end <= ENTRY + LARGEST:
            data += posix.pread(fd, end - len(data), offset + len(data))
        stamp, payload = data[16:24], data[ENTRY:end]
        if data[:16] != _seal(key, stamp, payload):
            return None
        age = time() - int.from_bytes(stamp, "big")
        return (max(age, 0.0), payload) if -2 < age < self._days * 86400 else None

    def _room(self, size: int) -> tuple[int, int]:
        """A descriptor of a current generation with room, for the caller to close, and its buckets.

        OSError if there is none.
        """
        spare = self._half // 8  # for what others write before they see that it is full
        most, wanted = self._half - spare - size, max(self._half // INDEX_SHARE // BUCKET, 1)
        if BUCKET * (1 + wanted) > most:
            raise OSError
        fd, end, birth, buckets = current(self._folder)
        if buckets and end <= most and -2 < time() - birth < self._days * 43200:
            return fd, buckets
        from amavis_pipe.generation import renew

        for _ in range(2):  # the second time if another process is between removing and making
            renew(self._folder, fd, bool(buckets), wanted)
            fd, end, birth, buckets = current(self._folder)
            # still the old one if another is just about it: that is read as the previous one, too
            if buckets and end <= most + spare:
                return fd, buckets
        if fd >= 0:
            posix.close(fd)
        raise OSError


def current(folder: bytes) -> tuple[int, int, int, int]:
    """The current generation: descriptor, bytes, birth, buckets; -1 if it can't be used, 0 if damaged."""
    try:
        fd, end = opened(folder + CURRENT, posix.O_RDWR)
    except OSError:
        return -1, 0, 0, 0
    try:
        return fd, end, *parsed(posix.pread(fd, HEAD, 0), end)
    except OSError:
        return fd, end, 0, 0


def opened(path: bytes, access: int) -> tuple[int, int]:
    """A descriptor of a regular file of our own that nobody else can use, and its size; or OSError.

    Owner and mode count: what is read there goes through marshal.
    """
    fd = posix.open(path, access | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK)
    found = posix.fstat(fd)
    if found.st_mode != S_IFREG | 0o600 or found.st_uid != posix.geteuid():
        posix.close(fd)
        raise OSError
    return fd, found.st_size


def head_of(birth: int, buckets: int) -> bytes:
    """The head of a generation that was made at `birth`."""
    head = MAGIC + birth.to_bytes(6, "big") + buckets.to_bytes(4, "big")
    return head + blake2b(head, digest_size=16).digest()


def parsed(head: bytes, end: int) -> tuple[int, int]:
    """Birth and buckets of a generation of `end` bytes with this head; 0 buckets if it is damaged."""
    birth, buckets = int.from_bytes(head[14:20], "big"), _buckets(head)
    whole = head == head_of(birth, buckets) and BUCKET * (1 + buckets) <= end
    return birth, buckets if whole else 0


def _buckets(head: bytes) -> int:
    return int.from_bytes(head[20:24], "big")


def _bucket(key: bytes, buckets: int) -> int:
    """Where the bucket of a key begins."""
    return BUCKET * (1 + int.from_bytes(key[:8], "big") % (buckets or 1))


def _find(slots: bytes, piece: bytes, at: int = 0) -> int:
    """Where the next slot begins with `piece`, not before `at`; -1 if none does."""
    at = slots.find(piece, at)
    while at >= 0 and at % SLOT:
        at = slots.find(piece, at + 1)
    return at


def _enter(fd: int, bucket: int, key: bytes, offset: int) -> None:
    """Set a slot: the key's own, else a free one, else the key's place in a full bucket."""
    slots, free = posix.pread(fd, BUCKET, bucket), bytes(SLOT)
    place = key[11] % (BUCKET // SLOT) * SLOT  # not all at the first: two writers would take the same
    at = _find(slots, key[8:11])
    if at < 0:
        at = _find(slots, free, place)
    if at < 0:
        at = _find(slots, free)
    posix.pwrite(fd, key[8:11] + offset.to_bytes(5, "big"), bucket + (place if at < 0 else at))


def _seal(key: bytes, stamp: bytes, payload: bytes) -> bytes:
    state = blake2b(key, digest_size=16)
    state.update(stamp)
    state.update(payload)
    return state.digest()
