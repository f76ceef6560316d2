"""The stores that contrib/bench/stores.py sets against amavis_pipe.cache, as short as each can be.

All have its interface, Cache(folder, days, size) with get and put, and a prune() that removes what is
older than `days`. All seal what they keep: neither SQLite nor LMDB notices a flipped bit. What SQLite and
LMDB raise is left to the caller.
"""

import posix
from _blake2 import blake2b
from time import time

Found = tuple[float, bytes] | None

FLAGS = posix.O_CLOEXEC | posix.O_NOFOLLOW


def sealed(key: bytes, payload: bytes, age: float) -> bytes:
    """16 bytes of BLAKE2b over key, time and payload; 8 of time; the payload."""
    stamp = int(time() - age).to_bytes(8, "big")
    return blake2b(stamp + payload, key=key, digest_size=16).digest() + stamp + payload


def unsealed(key: bytes, data: "bytes | None", days: int) -> Found:
    """Age and payload; None if it is not whole, not of this key, or too old."""
    if not data or data[:16] != blake2b(data[16:], key=key, digest_size=16).digest():
        return None
    age = time() - int.from_bytes(data[16:24], "big")
    return (age, data[24:]) if age < days * 86400 else None


class Files:
    """One small file per entry, in 256 folders; temp + rename."""

    def __init__(self, folder: bytes, days: int, _: int) -> None:
        self._folder = folder
        self._days = days

    def get(self, key: bytes) -> Found:
        """The entry of a key."""
        try:
            fd = posix.open(self._path(key), posix.O_RDONLY | FLAGS | posix.O_NONBLOCK)
            try:
                return unsealed(key, posix.read(fd, 1 << 20), self._days)
            finally:
                posix.close(fd)
        except OSError:
            return None

    def put(self, key: bytes, payload: bytes, age: float = 0.0) -> bool:
        """Whether it could be kept."""
        path, data = self._path(key), sealed(key, payload, age)
        temporary = path + b".%d" % posix.getpid()
        try:
            try:
                fd = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | FLAGS, 0o600)
            except FileNotFoundError:
                posix.mkdir(path.rpartition(b"/")[0], 0o700)
                fd = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | FLAGS, 0o600)
            try:
                if posix.write(fd, data) != len(data):
                    raise OSError
            finally:
                posix.close(fd)
            if age:
                posix.utime(temporary, (time() - age, time() - age))
            posix.rename(temporary, path)
        except OSError:
            try:  # noqa: SIM105 (contextlib would cost at every start)
                posix.unlink(temporary)
            except OSError:
                pass
            return False
        return True

    def prune(self) -> None:
        """Remove by age: every file has to be looked at."""
        start = time() - self._days * 86400
        for folder in posix.scandir(self._folder):
            for entry in posix.scandir(folder):
                if entry.stat().st_mtime < start:
                    posix.unlink(entry.path)

    def _path(self, key: bytes) -> bytes:
        name = key.hex().encode()
        return self._folder + b"/" + name[:2] + b"/" + name[2:]


class Sqlite:
    """A table in WAL mode, without fsync; by `_sqlite3`, which costs less to import than sqlite3."""

    def __init__(self, folder: bytes, days: int, _: int) -> None:
        import _sqlite3  # noqa: PLC0415 (only who uses it pays)

        self._days = days
        self._base = _sqlite3.connect(folder.decode() + "/base", timeout=10, isolation_level=None)
        self._base.execute("PRAGMA synchronous=OFF")
        if self._base.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS kept"
                " (key BLOB PRIMARY KEY, time INTEGER, data BLOB) WITHOUT ROWID"
            )
            self._base.execute("CREATE INDEX IF NOT EXISTS by_time ON kept (time)")
            self._base.execute("PRAGMA user_version=1")

    def get(self, key: bytes) -> Found:
        """The entry of a key."""
        row = self._base.execute("SELECT data FROM kept WHERE key = ?", (key,)).fetchone()
        return unsealed(key, row[0], self._days) if row else None

    def put(self, key: bytes, payload: bytes, age: float = 0.0) -> bool:
        """True; raises where it could not be kept."""
        row = (key, int(time() - age), sealed(key, payload, age))
        self._base.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", row)
        return True

    def prune(self) -> None:
        """Remove by age; the file keeps its size."""
        self._base.execute("DELETE FROM kept WHERE time < ?", (int(time() - self._days * 86400),))


class Lmdb:
    """A B+tree that is mapped into memory, without fsync."""

    def __init__(self, folder: bytes, days: int, size: int) -> None:
        import lmdb  # noqa: PLC0415

        self._days = days
        self._base = lmdb.open(
            folder.decode(), map_size=size * 3 + (16 << 20), sync=False, metasync=False, max_readers=256
        )

    def get(self, key: bytes) -> Found:
        """The entry of a key."""
        with self._base.begin() as reading:
            return unsealed(key, reading.get(key), self._days)

    def put(self, key: bytes, payload: bytes, age: float = 0.0) -> bool:
        """Whether it could be kept; raises where it could not."""
        with self._base.begin(write=True) as writing:
            return bool(writing.put(key, sealed(key, payload, age)))

    def prune(self) -> None:
        """Remove by age: every entry has to be looked at; the file keeps its size."""
        start = int(time() - self._days * 86400)
        with self._base.begin(write=True) as writing, writing.cursor() as cursor:
            more = cursor.first()
            while more:
                old = int.from_bytes(cursor.value()[16:24], "big") < start
                more = cursor.delete() if old else cursor.next()
                more = more and bool(cursor.key())
