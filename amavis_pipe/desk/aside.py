"""What root has to do itself, and what it leaves to the filter's user.

Only settings that nobody but root can have written may make root run something.
"""

import json
import os
import stat
import sys
from collections.abc import Callable
from typing import Any

from amavis_pipe import settings
from amavis_pipe.desk import site
from amavis_pipe.model import AmavisPipeError, Trouble
from amavis_pipe.text import readable

LARGEST = 1 << 20
"""Bytes that are believed of the filter's user."""


def roots_own(path: bytes) -> bytes | None:
    """The content of a settings file, for root to act on; None if there is none.

    PermissionError, with the reason, if somebody else may have written it.
    """
    shown = readable(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PermissionError(f"{shown}: {error.strerror}") from None
    try:
        _check_folders(os.path.abspath(path))
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(f"{shown} is no regular file")
        if found.st_uid != 0:
            raise PermissionError(f"{shown} does not belong to root")
        if found.st_mode & 0o022:
            raise PermissionError(f"{shown} can be written by others than root")
        with open(fd, "rb", closefd=False) as file:
            return file.read(settings.LARGEST)
    finally:
        os.close(fd)


def _check_folders(path: bytes) -> None:
    """PermissionError unless all folders above are root's: others could put another file in its place."""
    folder = os.path.dirname(path)
    while True:
        found = os.lstat(folder)
        sticky = found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or (found.st_mode & 0o022 and not sticky) or stat.S_ISLNK(found.st_mode):
            raise PermissionError(f"{readable(folder)} is not root's alone")
        if folder == b"/":
            return
        folder = os.path.dirname(folder)


def as_filter_user(config: bytes | None, work: Callable[[], Any]) -> Any:
    """What `work` gives (a value as JSON knows it), done with the rights of the filter's user.

    As root that is in a process of its own, of which nothing but that value is believed. Trouble if it fails.
    """
    if os.geteuid() != 0:
        return work()
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        os.close(reading)
        _answer(config, work, writing)
    os.close(writing)
    try:
        with open(reading, "rb") as file:
            data = file.read(LARGEST)
    finally:
        os.waitpid(pid, 0)
    try:
        said = json.loads(data)
        value, trouble = said["value"], said["trouble"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Trouble("the process of the filter's user gave no answer") from None
    if trouble:
        raise Trouble(str(trouble))
    return value


def _answer(config: bytes | None, work: Callable[[], Any], writing: int) -> None:
    """The child: do the work, write what it gave, and end; nothing of the parent's is cleaned up."""
    status = 1
    try:
        site.become_filter_user(config)
        try:
            said = {"value": work(), "trouble": ""}
        except AmavisPipeError as error:
            said = {"value": None, "trouble": str(error)}
        with open(writing, "wb") as file:
            file.write(json.dumps(said).encode())
        status = 0
    finally:
        os._exit(status)
