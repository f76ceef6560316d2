"""Mail in a folder: a file each, in subfolders of two hex digits, or right in the folder as before."""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amavis_pipe import intake, kept
from amavis_pipe.desk import store
from amavis_pipe.desk.held.copy import NAME, Copy, Known, of_name, read_head, read_record
from amavis_pipe.desk.held.places import Place
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.record import SCHEMA
from amavis_pipe.spool import Blob
from amavis_pipe.text import readable

SUBFOLDER = re.compile("[0-9a-f]{2}")
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def copies(place: Place) -> Iterator["FolderCopy"]:
    """All mail in the folder; OSError if it can't be read."""
    with store.opened(place.path) as top:
        yield from _in(top, place, "")
        for name in store.folders(top):
            if not SUBFOLDER.fullmatch(name):
                continue
            try:
                with store.opened(name, top) as folder:
                    yield from _in(folder, place, name)
            except FileNotFoundError:
                continue  # it was removed meanwhile, empty


def _in(folder: int, place: Place, subfolder: str) -> Iterator["FolderCopy"]:
    found = [file.name for file in store.files(folder) if NAME.fullmatch(file.name)]
    for name in found:
        yield FolderCopy(place, subfolder, name)


class FolderCopy(Copy):
    """A file in the folder, or in its subfolder of that name."""

    def __init__(self, place: Place, subfolder: str, name: str) -> None:
        super().__init__(place, name)
        self._subfolder = subfolder
        self._encoded = name.encode()

    @property
    def file(self) -> bytes:
        return b"/".join(filter(None, (self.place.path, self._subfolder.encode(), self._encoded)))

    def known(self) -> Known:
        with self._folder() as folder, self._open(folder) as fd:
            known = of_name(self.name)
            head = kept.head_of(fd)
            read_head(known, head)
            if not known.trouble and os.fstat(fd).st_size != len(head) + known.size:
                known.trouble = "damaged: the mail is not whole"
            record = kept.read_record(folder, self._encoded)
        if record is not None:
            read_record(known, record)
        return known

    @contextmanager
    def original(self, work: bytes) -> Iterator[Blob]:
        known = self.known()
        if known.trouble:
            raise SpoolTrouble(known.trouble)
        with self._folder() as folder, self._open(folder) as fd:
            os.lseek(fd, len(kept.head_of(fd)), os.SEEK_SET)
            blob = intake.take(fd, work)
        try:
            if (blob.size, blob.sha256()) != (known.size, known.sha256):
                raise SpoolTrouble("damaged: its bytes are not those that were kept")
            yield blob
        finally:
            if blob.fd >= 0:
                os.close(blob.fd)

    def note_release(self, release: dict[str, Any]) -> None:
        with self._locked() as folder:
            known = self.known()
            record = known.record or self._made(known)
            record["released"] = [*known.released, release]
            kept.write_record(folder, self._encoded, record)
            os.fsync(folder)

    def remove(self) -> None:
        with self._locked() as folder:
            # a crash in between leaves a record without a mail, which `prune` takes; never a mail that has
            # lost the recipients who came later
            os.unlink(self._encoded, dir_fd=folder)
            kept.unlink(folder, self._encoded + kept.RECORD)
            os.fsync(folder)

    def _made(self, known: Known) -> dict[str, Any]:
        """A record with what is known, for a mail that has none."""
        return {
            "schema": SCHEMA,
            "quarantine_id": self.name,
            "label": known.label,
            "time": known.time,
            "size": known.size,
            "sha256": known.sha256,
            "envelope": kept.envelope_in(known.envelope()),
        }

    @contextmanager
    def _folder(self) -> Iterator[int]:
        with store.opened(self.place.path) as top:
            if not self._subfolder:
                yield top
                return
            with store.opened(self._subfolder, top) as folder:
                yield folder

    @contextmanager
    def _locked(self) -> Iterator[int]:
        with self._folder() as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield folder

    @contextmanager
    def _open(self, folder: int) -> Iterator[int]:
        fd = os.open(self._encoded, _FILE, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SpoolTrouble(f"{readable(self.file)}: not a regular file")
            yield fd
        finally:
            os.close(fd)
