"""Where the bytes of a mail and its parts are kept: small ones in memory, the rest in unnamed files.

Nothing here has a name on disk: files are O_TMPFILE (open(2)) or memfd, so a crash leaves nothing
behind and no other process can open them. A Blob is bytes in memory or a slice of such a file.
"""

import posix
from errno import EISDIR, EOPNOTSUPP

from amavis_pipe.digest import sha256, sha256_of
from amavis_pipe.model import SpoolTrouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Iterator

    View = bytes | mmap.mmap

CHUNK = 1 << 18
SMALL = 1 << 20
"""A blob up to this size may stay in memory."""
IN_MEMORY = 4 << 20
"""All blobs of one store that are kept in memory, together."""
PAGE = posix.sysconf("SC_PAGESIZE")


class Blob:
    """Some bytes, read only: in memory, or `size` bytes of the file `fd` from `offset` on.

    The file belongs to whoever made it and must stay open; `offset` is a multiple of PAGE.
    """

    __slots__ = ("_data", "fd", "offset", "size")

    def __init__(self, data: bytes | None = None, fd: int = -1, offset: int = 0, size: int = -1) -> None:
        self._data = data
        self.fd = fd
        self.offset = offset
        self.size = size if data is None else len(data)

    def view(self) -> "View":
        """The bytes as something with find(), len() and slices: bytes, or a read-only mapping."""
        if self._data is not None:
            return self._data
        if self.size <= CHUNK:
            return self.head(self.size)
        from mmap import MAP_PRIVATE, PROT_READ  # a shared object of its own, for large mails only

        from amavis_pipe.mapping import Mapping

        try:
            return Mapping(self.fd, self.size, MAP_PRIVATE, PROT_READ, offset=self.offset)
        except (OSError, ValueError) as error:
            raise SpoolTrouble(f"spool: {error}") from None

    def head(self, size: int) -> bytes:
        """The first `size` bytes, fewer if there are no more."""
        if self._data is not None:
            return self._data[:size]
        return _read_at(self.fd, self.offset, min(size, self.size))

    def at(self, start: int, size: int) -> bytes:
        """`size` bytes from `start` on, fewer if there are no more."""
        if self._data is not None:
            return self._data[start : start + size]
        return _read_at(self.fd, self.offset + start, max(0, min(size, self.size - start)))

    def chunks(self, start: int = 0, step: int = CHUNK) -> "Iterator[bytes]":
        """The bytes from `start` on in order: all that is in memory, or `step` at a time."""
        if self._data is not None:
            if self._data:
                yield self._data[start:] if start else self._data
            return
        for at in range(start, self.size, step):
            yield _read_at(self.fd, self.offset + at, min(step, self.size - at))

    def sha256(self) -> str:
        """SHA-256 in hex."""
        if self._data is not None:
            return sha256(self._data, self.size)
        return sha256_of(self.chunks(), self.size)

    def descriptor(self, folder: bytes) -> int:
        """A new descriptor of a regular file with just these bytes, at its start; the caller closes it.

        A blob that is a whole file is opened a second time, for reading; a small one becomes a memfd,
        a large slice an unnamed file below `folder`. SpoolTrouble if that fails.
        """
        try:
            if self.fd >= 0 and not self.offset and posix.fstat(self.fd).st_size == self.size:
                return posix.open(b"/proc/self/fd/%d" % self.fd, posix.O_RDONLY | posix.O_CLOEXEC)
            fd = unnamed(folder) if self.size > SMALL else posix.memfd_create("part")
        except OSError as error:
            raise SpoolTrouble(f"spool: {error.strerror}") from None
        try:
            write_all(fd, self.chunks())
            posix.lseek(fd, 0, 0)
        except BaseException:
            posix.close(fd)
            raise
        return fd


class Store:
    """Takes the bytes of parts as they come out of a decoder, and gives Blobs.

    folder  where an unnamed file may be made, once the parts outgrow memory
    arena   an open file to put every part into (the sandboxed child's), or -1
    """

    __slots__ = ("_end", "_folder", "_memory", "arena")

    def __init__(self, folder: bytes, arena: int = -1, memory: int = IN_MEMORY) -> None:
        self._folder = folder
        self.arena = arena
        self._memory = memory if arena < 0 else 0
        self._end = 0

    def writer(self) -> "Writer":
        """A new, empty blob to be written; one at a time."""
        return Writer(self)

    def put(self, chunks: "Iterable[bytes]") -> Blob:
        """The chunks as one Blob."""
        writer = Writer(self)
        for chunk in chunks:
            writer.write(chunk)
        return writer.done()

    def keep(self, data: bytes) -> Blob | None:
        """`data` as a Blob in memory, or None if it has to go to the file."""
        # without room even an empty one goes there: the child tells its parent each offset
        if self._memory <= 0 or len(data) > min(SMALL, self._memory):
            return None
        self._memory -= len(data)
        return Blob(data)

    def drop(self, blob: Blob) -> None:
        """Forget the blob that was written last: the next one takes its place."""
        if blob.fd == self.arena and blob.fd >= 0:
            self._end = blob.offset

    def begin(self) -> int:
        """The offset at which the next slice of the arena begins; opens the arena if need be."""
        if self.arena < 0:
            self.arena = unnamed(self._folder)
        return self._end

    def finish(self, offset: int, size: int) -> Blob:
        """The slice of the arena just written, as a Blob."""
        self._end = offset + (size + PAGE - 1) // PAGE * PAGE
        return Blob(None, self.arena, offset, size)


class Writer:
    """Collects one blob; `size` bytes so far. Goes to the arena as soon as it outgrows memory."""

    __slots__ = ("_offset", "_pieces", "_store", "size")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pieces: list[bytes] | None = []
        self._offset = 0
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append; SpoolTrouble if there is no room."""
        self.size += len(chunk)
        if self._pieces is not None:
            self._pieces.append(chunk)
            if self.size > SMALL:
                self._spill()
            return
        _write_at(self._store.arena, self._offset + self.size - len(chunk), chunk)

    def done(self) -> Blob:
        """What was written, as a Blob."""
        if self._pieces is not None:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            blob = self._store.keep(data)
            if blob is not None:
                return blob
            self._spill()
        return self._store.finish(self._offset, self.size)

    def _spill(self) -> None:
        pieces, self._pieces = self._pieces or [], None
        self._offset = self._store.begin()
        _write_at(self._store.arena, self._offset, b"".join(pieces))


def unnamed(folder: bytes) -> int:
    """A new, empty, unnamed regular file below `folder`, open for reading and writing.

    SpoolTrouble if the folder can't be used. File systems without O_TMPFILE get a file that is
    unlinked at once.
    """
    try:
        return posix.open(folder, posix.O_TMPFILE | posix.O_RDWR | posix.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (EOPNOTSUPP, EISDIR):
            raise SpoolTrouble(f"{_shown(folder)}: {error.strerror}") from None
    name = folder + b"/spool-%d-%s" % (posix.getpid(), posix.urandom(8).hex().encode())
    flags = posix.O_CREAT | posix.O_EXCL | posix.O_RDWR | posix.O_CLOEXEC
    try:
        fd = posix.open(name, flags, 0o600)
        posix.unlink(name)
    except OSError as error:
        raise SpoolTrouble(f"{_shown(folder)}: {error.strerror}") from None
    return fd


def write_all(fd: int, chunks: "Iterable[bytes]") -> None:
    """Write every byte of every chunk to `fd`; SpoolTrouble when there is no room."""
    try:
        for chunk in chunks:
            done = posix.write(fd, chunk)
            while done < len(chunk):
                done += posix.write(fd, memoryview(chunk)[done:])
    except OSError as error:
        raise SpoolTrouble(f"spool: {error.strerror}") from None


def _write_at(fd: int, offset: int, data: bytes) -> None:
    try:
        done = posix.pwrite(fd, data, offset)
        while done < len(data):
            done += posix.pwrite(fd, memoryview(data)[done:], offset + done)
    except OSError as error:
        raise SpoolTrouble(f"spool: {error.strerror}") from None


def _read_at(fd: int, offset: int, size: int) -> bytes:
    data = b""
    try:
        while len(data) < size:
            more = posix.pread(fd, size - len(data), offset + len(data))
            if not more:
                raise SpoolTrouble(f"spool: {size - len(data)} bytes missing")
            data = data + more if data else more
    except OSError as error:
        raise SpoolTrouble(f"spool: {error.strerror}") from None
    return data


def _shown(folder: bytes) -> str:
    return folder.decode("utf-8", "backslashreplace")
