"""The site as a person or cron sees it: settings, or defaults that work; a cache that can be used.

Works without settings, as any user, with no daemon running, and says so. Root does nothing to mail:
become_filter_user() takes the rights of whoever owns the state folder, else of nobody.
"""

import grp
import os
import pwd
import socket
import stat
import tempfile
from typing import Any

from amavis_pipe import settings
from amavis_pipe.cache import Cache
from amavis_pipe.config import load
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import readable

USUAL_SOCKETS = (
    "/run/clamav/clamd.ctl",
    "/var/run/clamav/clamd.ctl",
    "/run/clamd.scan/clamd.sock",
    "/run/clamav/clamd.sock",
)


class Site:
    """Settings, the cache to be used with them, and what the user must be told of both.

    path    the settings file, None if defaults are used
    folder  where cache and work are, None if nothing is kept
    notes   lines to be shown first
    """

    def __init__(
        self,
        site: settings.Settings,
        cache: Cache,
        path: bytes | None,
        folder: bytes | None,
        notes: list[str],
    ) -> None:
        self.settings = site
        self.cache = cache
        self.path = path
        self.folder = folder
        self.notes = notes


def absolute(config: bytes | None) -> bytes | None:
    """The path to a settings file as it holds after a change of folder, too."""
    return None if config is None else os.path.abspath(config)


def find(config: bytes | None, use_cache: bool = True) -> Site:
    """The site that the settings at `config` (default: the usual place) describe.

    SettingsError if the file has faults; one that can't be read means defaults, and a note.
    SpoolTrouble if the state folder is the caller's, but not safe.
    """
    path: bytes | None = config or settings.DEFAULT_PATH
    notes: list[str] = []
    try:
        settings.slurp(path or b"")
        values = load.load(path or b"")[0]
    except OSError as error:
        notes.append(f"no settings: {readable(path or b'')}: {error.strerror}; using defaults")
        path, values = None, _defaults(notes)
    folder = _usable_folder(values["state"])
    cached = use_cache and folder is not None
    site = settings.Settings(values)
    if folder == values["state"]:
        settings.prepare(site)
    else:
        _move_work(site, folder)
    place = site.work.rpartition(b"/")[0] + b"/cache"
    cache = Cache(place, site.cache_days if cached else 0, site.cache_size)
    return Site(site, cache, path, folder, notes)


def placed(site: settings.Settings) -> settings.Settings:
    """The same settings, with a temporary work folder if the state folder can't be used."""
    try:
        settings.prepare(site)
    except SpoolTrouble:
        _move_work(site, None)
    return site


def become_filter_user(config: bytes | None = None, group: str = "") -> None:
    """If we are root: take the rights of the state folder's owner, else of nobody, for good.

    `group` is the name of the group to be in; that user's own if it is "", or there is none by that name.
    """
    if os.geteuid() != 0:
        return
    user = _owner(_state_of(config)) or pwd.getpwnam("nobody")
    gid = user.pw_gid
    if group:
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            pass  # Postfix will say so
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    for name in [name for name in os.environ if name == "HOME" or name.startswith("XDG_")]:
        del os.environ[name]
    os.chdir("/")


def _state_of(config: bytes | None) -> bytes:
    try:
        state: bytes = load.load(config or settings.DEFAULT_PATH)[0]["state"]
    except settings.SettingsError:
        return settings.DEFAULT_STATE
    return state


def _owner(folder: bytes) -> pwd.struct_passwd | None:
    try:
        uid = os.stat(folder).st_uid
        return pwd.getpwuid(uid) if uid else None
    except (OSError, KeyError):
        return None


def _defaults(notes: list[str]) -> dict[str, Any]:
    """Default values; clamd only if it is there."""
    places = [*load.defaults()["rows"][0]["at"], *USUAL_SOCKETS]
    at = next((place for place in places if _listens(place)), None)
    if at:
        tree = {"scanner": [{"name": "clamd", "at": at}]}
        return load.read(tree, "", "")[0]
    notes.append("no virus scanner was found: only the built-in EICAR check looks at the parts")
    return load.read({"scanners": ["builtin"]}, "", "")[0]


def _listens(place: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.stat(place).st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(place)
    except OSError:
        return False
    return True


def _usable_folder(state: bytes) -> bytes | None:
    """The state folder if the caller can use it, else one of the caller's own, else None."""
    home = os.environb.get(b"HOME", b"")
    caches = os.environb.get(b"XDG_CACHE_HOME", b"") or (home + b"/.cache" if home else b"")
    if _is_ours(state):
        return state
    if caches.startswith(b"/") and _is_ours(os.path.dirname(caches) or b"/"):
        own = caches + b"/amavis-pipe"
        try:
            os.makedirs(own, 0o700, exist_ok=True)
        except OSError:
            return None
        return own if _is_ours(own) else None
    return None


def _is_ours(folder: bytes) -> bool:
    try:
        found = os.stat(folder)
    except OSError:
        return False
    return found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode) and os.access(folder, os.W_OK)


def _move_work(site: settings.Settings, folder: bytes | None) -> None:
    """Let the spool be below `folder`, or in a temporary one that goes with this process."""
    if folder is None:
        import atexit
        import shutil

        folder = os.fsencode(tempfile.mkdtemp(prefix="amavis-pipe-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    site.work = folder + b"/work"
    for name in (b"/work", b"/cache"):
        os.makedirs(folder + name, 0o700, exist_ok=True)
