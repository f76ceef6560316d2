"""Mail in a mailbox file: found in it, read out of it byte for byte, removed from it.

To remove some, the others are written to a new file, which takes the old one's place while its lock is held;
whoever waits for that lock looks afterwards whether the file still is the one of that name (mailbox.py).
How mail was released is put down in a file beside it, `NAME.mbox.released`, a line of JSON for each time.
Mail that others have put there is neither listed nor removed.
"""

import fcntl
import json
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from amavis_pipe import kept, mailbox
from amavis_pipe.desk.held.copy import NAME, Copy, Known, dicts, of_name, read_head
from amavis_pipe.desk.held.places import Place
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.record import to_json
from amavis_pipe.spool import CHUNK, Blob, Store, write_all

RELEASED = b".released"
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Extent:
    """One mail in the file: from its "From " line to the next one's; `body` is where ours end.

    name is "" for a mail of others, body -1 where our lines are not whole.
    """

    start: int
    body: int
    end: int
    name: str
    head: bytes


def copies(place: Place) -> Iterator["MailboxCopy"]:
    """All mail of ours in the mailbox; OSError if it can't be read."""
    found: dict[str, MailboxCopy] = {}
    with _reading(place.path) as view:
        releases = _releases(place.path)
        for extent in extents(view):
            if extent.name and extent.name not in found:
                found[extent.name] = MailboxCopy(place, extent.name, _known(extent, releases))
    yield from found.values()


def extents(view: "mmap.mmap | bytes") -> Iterator[Extent]:
    """Every mail in the file, in order."""
    start = 0
    while start < len(view):
        following = view.find(b"\nFrom ", start)
        end = following + 1 if following >= 0 else len(view)
        yield _extent(view, start, end)
        start = end


def rewrite(path: bytes, left: Callable[[list[Extent]], list[Extent]], wait: bool = True) -> tuple[int, int]:
    """Remove of the mail of ours what `left` does not give back; how many mails, and their bytes.

    Without `wait`, nothing is done while someone holds the lock.
    """
    fd = _opened(path, wait)
    if fd < 0:
        return 0, 0
    try:
        with _mapped(fd) as view:
            found = list(extents(view))
            stay = {extent.start for extent in left([extent for extent in found if extent.name])}
            kept_ones = [extent for extent in found if not extent.name or extent.start in stay]
            if len(kept_ones) == len(found):
                return 0, 0
            _replace(path, view, kept_ones)
            _forget_releases(path, {extent.name for extent in kept_ones})
            removed = len(view) - sum(extent.end - extent.start for extent in kept_ones)
            return len(found) - len(kept_ones), removed
    finally:
        os.close(fd)


class MailboxCopy(Copy):
    """The first mail of that name in the mailbox; what was known of it when it was found."""

    def __init__(self, place: Place, name: str, known: Known) -> None:
        super().__init__(place, name)
        self._seen = known

    @property
    def file(self) -> bytes:
        return self.place.path

    def known(self) -> Known:
        return self._seen

    @contextmanager
    def original(self, work: bytes) -> Iterator[Blob]:
        with _reading(self.place.path) as view:
            extent = self._found(view)
            known = _known(extent, [])
            if known.trouble:
                raise SpoolTrouble(known.trouble)
            spool = Store(work)
            blob = spool.put(_cut(mailbox.original(_chunks(view, extent.body, extent.end)), known.size))
        try:
            if (blob.size, blob.sha256()) != (known.size, known.sha256):
                raise SpoolTrouble("damaged: its bytes are not those that were kept")
            yield blob
        finally:
            if spool.arena >= 0:
                os.close(spool.arena)

    def note_release(self, release: dict[str, Any]) -> None:
        fd = mailbox.opened(self.place.path)
        try:
            line = to_json({"quarantine_id": self.name, **release}).encode() + b"\n"
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            beside = os.open(self.place.path + RELEASED, flags, 0o600)
            try:
                write_all(beside, (line,))
                os.fsync(beside)
            finally:
                os.close(beside)
            mailbox.sync_folder(self.place.path)
        finally:
            os.close(fd)

    def remove(self) -> None:
        def others(found: list[Extent]) -> list[Extent]:
            return [extent for extent in found if extent.name != self.name]

        if not rewrite(self.place.path, others)[0]:
            raise FileNotFoundError(2, "gone")

    def _found(self, view: "mmap.mmap | bytes") -> Extent:
        for extent in extents(view):
            if extent.name == self.name:
                return extent
        raise FileNotFoundError(2, "gone")


def _known(extent: Extent, releases: list[dict[str, Any]]) -> Known:
    """What our lines tell of a mail, and what was put down beside the mailbox."""
    known = of_name(extent.name)
    read_head(known, extent.head)
    if not known.trouble and extent.end - extent.body < known.size + len(mailbox.END):
        known.trouble = "damaged: the mail is not whole"
    known.released = [one for one in releases if one["quarantine_id"] == extent.name]
    return known


def _extent(view: "mmap.mmap | bytes", start: int, end: int) -> Extent:
    first = view.find(b"\n", start, end) + 1
    if not first or view[first : first + len(kept.FIRST)] != kept.FIRST:
        return Extent(start, -1, end, "", b"")
    name = view[first + len(kept.FIRST) : first + _LONGEST_NAME].partition(b">")[0].decode("latin-1")
    last = view.find(b"\n" + kept.ORIGINAL, first, min(end, first + kept.LARGEST_HEAD))
    body = view.find(b"\n", last + 1, end) + 1 if last >= 0 else 0
    head = view[first:body] if body else b""
    return Extent(start, body or -1, end, name if NAME.fullmatch(name) else "", head)


@contextmanager
def _reading(path: bytes) -> Iterator["mmap.mmap | bytes"]:
    fd = mailbox.opened(path)
    try:
        with _mapped(fd) as view:
            yield view
    finally:
        os.close(fd)


@contextmanager
def _mapped(fd: int) -> Iterator["mmap.mmap | bytes"]:
    """The file's bytes; its lock is held, so nobody of ours makes it shorter meanwhile."""
    if not os.fstat(fd).st_size:
        yield b""
        return
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as view:
        yield view


def _opened(path: bytes, wait: bool) -> int:
    """As mailbox.opened(); -1 if the lock is held by another, and isn't waited for."""
    if not wait:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return -1
        finally:
            os.close(fd)
    return mailbox.opened(path)


def _chunks(view: "mmap.mmap | bytes", start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, CHUNK):
        yield view[at : min(at + CHUNK, end)]


def _cut(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The first `size` bytes."""
    for chunk in chunks:
        yield chunk[:size]
        size -= min(size, len(chunk))


def _replace(path: bytes, view: "mmap.mmap | bytes", left: list[Extent]) -> None:
    """A new file with what is left, in place of the old one."""
    folder, _, name = path.rpartition(b"/")
    fd = os.open(folder or b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    temporary = kept.temporary_of(name)
    try:
        kept.write(fd, temporary, (piece for one in left for piece in _chunks(view, one.start, one.end)))
        os.rename(temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        os.fsync(fd)
    finally:
        kept.unlink(fd, temporary)
        os.close(fd)


def _releases(path: bytes) -> list[dict[str, Any]]:
    """What was put down of releases; lines that can't be understood are left out."""
    found = []
    with suppress(OSError):
        fd = os.open(path + RELEASED, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as lines:
            for line in lines:
                with suppress(ValueError, RecursionError):
                    found.append(json.loads(line))
    return [one for one in dicts(found) if "quarantine_id" in one and isinstance(one.get("to"), list)]


def _forget_releases(path: bytes, names: set[str]) -> None:
    """Take out of what was put down all mail that is gone."""
    lines = [to_json(one).encode() + b"\n" for one in _releases(path) if one["quarantine_id"] in names]
    temporary = path + RELEASED + b".new"
    with suppress(OSError):
        if not lines:
            os.unlink(path + RELEASED)
            return
        with open(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb"
        ) as new:
            new.writelines(lines)
        os.rename(temporary, path + RELEASED)
