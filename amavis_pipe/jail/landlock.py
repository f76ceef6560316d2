"""Landlock: no file can be made, changed or removed, and only some folders can be read.

Handled is everything the kernel's version knows, so that what isn't allowed here is denied; the
child writes to descriptors it was born with, which Landlock leaves alone. From version 4 on TCP is
denied as well, from 6 on abstract unix sockets and signals to processes outside. Not covered at any
version: unix sockets with a path, chmod and its like; these are seccomp's (seccomp.py).

Source: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of Linux 6.18.
"""

import posix

from amavis_pipe.jail.libc import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_VERSION = 1
_PATH_BENEATH = 1

EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS = (0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""All rights to files that version 1, 2 (refer), 3 (truncate), 4 and 5 (ioctl) know."""
_TCP = 0b11
_SCOPES = 0b11


def version() -> int:
    """The version of Landlock that the kernel offers, 0 if none."""
    try:
        return syscall(CREATE_RULESET, 0, 0, _VERSION)
    except OSError:
        return 0


def restrict(readable: "Iterable[str | bytes]", executable: "Iterable[str]" = ()) -> int:
    """Deny this process all files for good, but to read those below `readable`; the version in use.

    Of programs, only those in the files `executable` may be executed.

    0 and nothing done if the kernel has no Landlock; OSError if it refuses. Paths that aren't there
    are left out. Needs no_new_privs.
    """
    offered = version()
    if not offered:
        return 0
    ruleset = syscall(CREATE_RULESET, attributes(offered), len(attributes(offered)), 0)
    for path in readable:
        _allow(ruleset, path, READ_FILE | READ_DIR)
    for path in executable:
        _allow(ruleset, path, READ_FILE | EXECUTE)
    syscall(RESTRICT_SELF, ruleset, 0)
    posix.close(ruleset)
    return offered


def attributes(offered: int) -> bytes:
    """`struct landlock_ruleset_attr` as that version of Landlock knows it, with all of its rights."""
    words = [_FILE_RIGHTS[min(offered, len(_FILE_RIGHTS) - 1)]]
    if offered >= 4:
        words.append(_TCP)
    if offered >= 6:
        words.append(_SCOPES)
    return b"".join(word.to_bytes(8, "little") for word in words)


def _allow(ruleset: int, path: str | bytes, rights: int) -> None:
    try:
        fd = posix.open(path, posix.O_PATH | posix.O_CLOEXEC)
    except OSError:
        return
    folder = posix.fstat(fd).st_mode & 0o170000 == 0o040000
    if not folder:
        rights &= ~READ_DIR
    rule = rights.to_bytes(8, "little") + fd.to_bytes(4, "little")
    syscall(ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    posix.close(fd)
