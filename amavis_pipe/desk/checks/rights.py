"""Whether the filter's user and the scanners can reach each other: sockets, folders of parts, programs.

Asked as the filter's user. Postfix gives it one group alone, that of `user=` in master.cf: to be a member of
a socket's group in /etc/group does not help (set_ugid() of pipe(8)).
"""

import errno
import grp
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator

from amavis_pipe.desk.checks import Result, problem
from amavis_pipe.scan.run import installed, places
from amavis_pipe.settings import Row, Settings
from amavis_pipe.text import readable

READ, WRITE, ENTER = 4, 2, 1
SHARED = stat.S_ISGID | 0o050
"""What a folder of parts needs for its group: that it can be read, and that what is in it has that group."""


class User:
    """Whom a process on the other side of a socket runs as."""

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gids = {gid}
        self.gid = gid
        try:
            found = pwd.getpwuid(uid)
            self.name = found.pw_name
            self.gids |= set(os.getgrouplist(found.pw_name, found.pw_gid))
        except KeyError:
            self.name = str(uid)

    def may(self, what: int, found: os.stat_result) -> bool:
        """Whether it may do READ, WRITE, ENTER or several of them there."""
        if found.st_uid == self.uid:
            given = found.st_mode >> 6
        else:
            given = found.st_mode >> 3 if found.st_gid in self.gids else found.st_mode
        return not self.uid or given & what == what


def check_rights(site: Settings) -> Iterator[Result]:
    """What can't work because somebody has no right to something."""
    for row in (*site.rows, *site.backups):
        for at in [at for at in row.pool if at.startswith("/")]:
            yield from _check_socket(row, at)
        if row.via == "command":
            yield from _check_program(row, site.path)


def _check_socket(row: Row, at: str) -> Iterator[Result]:
    """Whether we may connect there, and who answers can read what it is told to."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(at)
            found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                yield _closed(row, at)
            return
    _, uid, gid = struct.unpack("3i", found)
    if row.via == "line" and uid not in (0, os.geteuid()):
        yield from _check_folder(row, User(uid, gid))


def _closed(row: Row, at: str) -> Result:
    """The socket is there, but not for us."""
    me = me_by_name()
    try:
        found = os.stat(at)
    except OSError:
        folder = os.path.dirname(at)
        return problem(
            f"{row.name}: {me} may not enter {readable(folder.encode())}",
            f"chmod a+x {readable(folder.encode())}",
        )
    group = group_name(found.st_gid)
    shown, mode = readable(at.encode()), stat.S_IMODE(found.st_mode)
    what = f"{row.name}: {me} may not connect to {shown}, which belongs to group {group}, mode {mode:04o}"
    other = "LocalSocketMode 666 in clamd.conf" if row.via == "clamd" else "a socket of mode 0666"
    advice = (
        f"user={me}:{group} in master.cf, or {other}; adduser {me} {group} is for commands by hand alone: "
        "Postfix takes further groups away"
    )
    return problem(what, advice)


def _check_folder(row: Row, user: User) -> Iterator[Result]:
    """Whether a daemon of another user can read the parts whose names it is told."""
    folder: bytes = row.more.get("folder") or b""
    me, group = me_by_name(), group_name(user.gid)
    place = readable(folder) if folder else f"/var/spool/amavis-pipe-{row.name}"
    advice = f'install -d -o {me} -g {group} -m 2750 {place}, and folder = "{place}" in its row'
    if not folder:
        yield problem(f"{row.name} runs as {user.name}, who can't read the parts it is told of", advice)
        return
    try:
        found = os.stat(folder)
        above = [os.stat(path) for path in _parents(folder)]
    except OSError as error:
        yield problem(f"{row.name}: {place}: {error.strerror}", advice)
        return
    if not stat.S_ISDIR(found.st_mode) or not os.access(folder, os.W_OK | os.X_OK):
        yield problem(f"{row.name}: {place} is no folder that {me} can write to", advice)
    elif found.st_gid not in user.gids or found.st_mode & SHARED != SHARED:
        mode = f"group {group_name(found.st_gid)}, mode {stat.S_IMODE(found.st_mode):04o}"
        yield problem(f"{row.name} runs as {user.name}, who can't read the parts in {place} ({mode})", advice)
    elif not all(user.may(ENTER, one) for one in above):
        yield problem(f"{row.name} runs as {user.name}, who may not enter a folder above {place}", advice)


def _check_program(row: Row, path: str) -> Iterator[Result]:
    """Whether a program is there which we may not run."""
    programs = row.more.get("programs", ())
    if installed(programs, path):
        return
    me = me_by_name()
    for place in places(programs, path):
        shown = readable(os.fsencode(place))
        try:
            found = os.stat(place)
        except PermissionError:
            yield problem(f"{row.name}: {me} may not enter the folder of {shown}", f"let {me} in, or move it")
            return
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            what = f"{row.name}: {me} may not run {shown}, mode {stat.S_IMODE(found.st_mode):04o}"
            yield problem(what, f"chmod a+rx {shown}, or user={me}:{group_name(found.st_gid)} in master.cf")
            return


def _parents(folder: bytes) -> Iterator[bytes]:
    """The folders above it, up to the root."""
    folder = os.path.realpath(folder)
    while folder != b"/":
        folder = os.path.dirname(folder)
        yield folder


def me_by_name() -> str:
    """Whose rights this process has."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def group_name(gid: int) -> str:
    """A group's name, its number if it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
