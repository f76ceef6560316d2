"""The files below the state folder, for `prune` and `cache`: listed and removed by descriptors.

Promises: no symbolic link is followed, nothing outside the folder that was opened is touched, only
files of the caller are removed. Files may come and go meanwhile: what is gone is no trouble.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from amavis_pipe.text import readable

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Kept(NamedTuple):
    """A regular file of ours: the descriptor of its folder, its name, seconds, bytes on disk."""

    folder: int
    name: str
    time: float
    size: int

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
                yield Kept(folder, entry.name, found.st_mtime, max(found.st_size, found.st_blocks * 512))


def folders(folder: int) -> list[str]:
    """The names of the folders in an open folder, sorted; links to folders are none."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def cache_files(cache: int) -> Iterator[Kept]:
    """Every file of the cache, temporary ones included; each is to be dealt with before the next."""
    for name in folders(cache):
        if len(name) == 2:
            try:
                with opened(name, cache) as inner:
                    yield from files(inner)
            except FileNotFoundError:
                continue


def is_temporary(name: str) -> bool:
    """Whether a file of the cache is one that was being written."""
    return "." in name


def said(error: OSError, what: bytes) -> str:
    """An error as a line for the user."""
    return f"{readable(what)}: {error.strerror}"
