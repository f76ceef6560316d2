"""The command `cache forget`: what scanners said of one part, or of one virus, is to be asked anew.

Entries don't tell their keys, so all are looked at: an answer holds the part's SHA-256 and what was said
(inquire.py), facts hold a mail's parts and findings (examine.py).
"""

import marshal
import os
import re
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from amavis_pipe.desk import progress, site, store
from amavis_pipe.desk.table import counted
from amavis_pipe.generation import contents, entries, strike
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import readable

_SHA256 = re.compile("[0-9a-fA-F]{64}")


def run(config: bytes | None, what: str) -> int:
    """Strike all entries that tell of it, and say how many there were."""
    site.become_filter_user(config)
    here = site.find(config)
    if here.folder is None:
        raise SpoolTrouble(f"no cache: {readable(here.settings.state)} can't be used by this user")
    wanted = what.lower() if _SHA256.fullmatch(what) else what
    number, folder = 0, here.folder + b"/cache"
    try:
        with store.opened(folder) as cache:
            for kept in store.cache_files(cache):
                if not store.is_temporary(kept.name):
                    number += _forgotten(kept, wanted)
    except OSError as error:
        raise SpoolTrouble(store.said(error, folder)) from None
    print(f"{counted(number, 'entry', 'entries')} of {readable(what.encode())} forgotten")
    return 0


def _forgotten(kept: store.Kept, wanted: str) -> int:
    """How many entries of one generation told of it."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(kept.name, flags, dir_fd=kept.folder)
    except FileNotFoundError:
        return 0
    number = 0
    try:
        if os.fstat(fd).st_mode != stat.S_IFREG | 0o600:  # not ours alone: not for marshal
            return 0
        with progress.bar(contents(fd)[1], "looking") as step:
            for offset, payload in entries(fd):
                step()
                if wanted in _told(payload) or any(fnmatchcase(name, wanted) for name in _names(payload)):
                    strike(fd, offset)
                    number += 1
    finally:
        os.close(fd)
    return number


def _told(payload: bytes) -> set[str]:
    """The SHA-256s of all parts that an entry tells of."""
    match _loaded(payload):
        case (str(sha256), tuple()):
            return {sha256}
        case (list(parts), list(), list(), *_):
            return {str(fields[5]) for fields in parts}
    return set()


def _names(payload: bytes) -> Iterator[str]:
    """The names of all that was found."""
    match _loaded(payload):
        case (str(), tuple(said)):
            yield from (name for _, name in said)
        case (list(), list(findings), list(), *_):
            yield from (name for _, name, *_ in findings)


def _loaded(payload: bytes) -> Any:
    try:
        return marshal.loads(payload)  # noqa: S302 - whole, and ours: cache.opened()
    except (EOFError, TypeError, ValueError):
        return None
