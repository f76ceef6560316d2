"""The files below the state folder, for `prune` and `cache`: listed and removed by descriptors.

Promises: no symbolic link is followed, nothing outside the folder that was opened is touched, only
files of the caller are removed. Files may come and go meanwhile: what is gone is no trouble.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from amavis_pipe.cache import CURRENT, PREVIOUS
from amavis_pipe.text import readable

GENERATIONS = (CURRENT[1:].decode(), PREVIOUS[1:].decode())
"""The files of the cache that have entries, the newer one first."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
RECORDS = re.compile(r"\d{4}-\d\d-\d\d\.jsonl")
"""The journal's files, one a day."""
_FORMER = re.compile("[0-9a-f]{2}")


class Kept(NamedTuple):
    """A regular file of ours: the descriptor of its folder, its name, seconds, length, bytes on disk."""

    folder: int
    name: str
    time: float
    length: int
    blocks: int

    @property
    def size(self) -> int:
        """What it counts: the larger one, for a file may have holes, or blocks that are not full."""
        return max(self.length, self.blocks)

    def remove(self) -> bool:
        """Whether it was there to be removed."""
        try:
            os.unlink(self.name, dir_fd=self.folder)
        except FileNotFoundError:
            return False
        return True


@contextmanager
def opened(path: "bytes | str", folder: int | None = None) -> Iterator[int]:
    """A descriptor of a folder; OSError if it is none, or a link."""
    fd = os.open(path, FOLDER, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def files(folder: int) -> Iterator[Kept]:
    """The regular files of ours in an open folder."""
    me = os.geteuid()
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_uid == me:
                yield Kept(folder, entry.name, found.st_mtime, found.st_size, found.st_blocks * 512)


def folders(folder: int) -> list[str]:
    """The names of the folders in an open folder, sorted; links to folders are none."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def cache_files(cache: int) -> Iterator[Kept]:
    """The cache's generations and what a crash left of making one; each to be dealt with before the next."""
    for kept in files(cache):
        if kept.name in GENERATIONS or is_temporary(kept.name):
            yield kept


def former_cache(cache: int) -> Iterator[Kept]:
    """Every file of the form that the cache had before: an entry each, in folders of two hex digits.

    The folders go with the last of them.
    """
    for name in folders(cache):
        if _FORMER.fullmatch(name):
            try:
                with opened(name, cache) as inner:
                    yield from files(inner)
                os.rmdir(name, dir_fd=cache)
            except OSError:
                continue  # gone, or something in it is not ours


def is_temporary(name: str) -> bool:
    """Whether a file of the cache is a generation that was being made."""
    return name.startswith(GENERATIONS[0] + ".")


def said(error: OSError, what: bytes) -> str:
    """An error as a line for the user."""
    return f"{readable(what)}: {error.strerror}"
