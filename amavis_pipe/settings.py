"""The settings as the filter uses them, and their compiled snapshot.

Reading TOML costs three bare interpreters, so the first run after a change leaves a marshal snapshot
below `state`, and the next ones read that: keyed by every file that was read (device, inode, size,
times), this program's version and the interpreter's, like a .pyc. A snapshot is believed only if it is
a regular file of our own, unreadable for others, in a folder that only we can write, and whole.
"""

import marshal
import posix
import sys
from _blake2 import blake2b
from _stat import S_ISDIR, S_ISREG

from amavis_pipe import __version__
from amavis_pipe.budget import Limits
from amavis_pipe.model import AmavisPipeError, SpoolTrouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from amavis_pipe.kinds import Formats

    Identity = tuple[int, int, int, int, int] | None
    Values = dict[str, Any]
    Rule = tuple[str, tuple[tuple[str, Any], ...], Values, int]

DEFAULT_PATH = b"/etc/amavis-pipe.toml"
DEFAULT_STATE = b"/var/lib/amavis-pipe"
FOLDERS = (b"cache", b"journal", b"quarantine", b"work")
"""What `state` holds; work is made last, so that where it is the others are."""
RESERVE = 30
"""Seconds of `limits.hard_seconds` that scanners are not given: the mail has to go on, too."""
LARGEST = 4 << 20
"""Bytes of a settings file or snapshot that are read at most."""

LARGEST_SNAPSHOT = 256 << 20
"""Bytes of a snapshot: it holds the maps, too."""


class SettingsError(AmavisPipeError):
    """The settings can't be used; `faults` has one line for each thing that is wrong."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Row:
    """One scanner as configured.

    name, via   "clamd", and how it is asked ("clamd", "command", "icap" …, "builtin")
    at          socket path, HOST:PORT or URL, "" for what is no server
    pool        all such addresses
    how         "descriptor" or "stream"; what else an item of `via` may need is in `more`
    timeout     seconds that it may take for an answer
    retry       seconds for which one that is not there is tried again
    databases   folder of signatures that can be listed here, or b""
    watched     further files that change with the engine or its options
    self_check  seconds within which the scanner notices changed signatures
    largest     bytes above which the scanner does not look at a part (clamd then says OK!), 0 = no limit
    longest     seconds after which it says OK without having looked at all, 0 = no limit
    sees        "parts", "mail" or "both"
    kinds       patterns of the kinds of parts that it is given; none = all
    backup_of   the scanner that it stands in for, "*" for any, "" if it is asked in any case
    more        the other fields of the row, for the rooms that know them
    """

    __slots__ = (
        "at",
        "backup_of",
        "databases",
        "how",
        "kinds",
        "largest",
        "longest",
        "more",
        "name",
        "pool",
        "retry",
        "sees",
        "self_check",
        "timeout",
        "via",
        "watched",
    )

    def __init__(self, values: "Values") -> None:
        self.name: str = values["name"]
        self.via: str = values["via"]
        self.pool: tuple[str, ...] = values["at"]
        self.at = self.pool[0] if self.pool else ""
        self.how: str = values["how"]
        self.timeout: int = values["timeout"]
        self.retry: float = values["retry"]
        self.databases: bytes = values["databases"]
        self.watched: tuple[bytes, ...] = values["watched"]
        self.self_check: int = values["self_check"]
        self.largest: int = values["largest"]
        self.longest: float = values["longest"]
        self.sees: str = values["sees"]
        self.kinds: tuple[str, ...] = values["kinds"]
        self.backup_of: str = values["backup_of"]
        self.more: Values = values["more"]


class Category:
    """What a site does with mail of one category, for some recipients: see config/categories.py.

    place  where a copy is kept, "" for nowhere; admin an address, or a table of them by sender domain
    """

    __slots__ = (
        "action",
        "admin",
        "extension",
        "headers",
        "notify_recipients",
        "notify_sender",
        "place",
        "subject_tag",
    )

    def __init__(self, label: str, get: "Callable[[str], Any]") -> None:
        self.action: str = get(label + ".action")
        kept: bool | str = get(label + ".quarantine")
        self.place: str = kept if isinstance(kept, str) else get("quarantine.place") if kept else ""
        self.notify_sender: bool = get(label + ".notify_sender")
        self.notify_recipients: bool = get(label + ".notify_recipients")
        self.admin: bytes | dict[bytes, bytes] = get(label + ".admin")
        self.subject_tag: bytes = get(label + ".subject_tag")
        self.extension: bytes = get(label + ".extension")
        self.headers: tuple[bytes, ...] = get(label + ".headers")

    @property
    def is_idle(self) -> bool:
        """Whether nothing at all is done about such mail."""
        return self.action == "pass" and not (
            self.place or self.notify_sender or self.notify_recipients or self.admin
        )


class Profile:
    """The options in force for some recipients of a mail: the site's, less what rules set anew.

    rules  those rules, each by kind and line: "recipient:12"
    """

    __slots__ = ("_categories", "_values", "_wanted", "rules")

    def __init__(self, values: "Values", wanted: "Values", rules: tuple[str, ...] = ()) -> None:
        self.rules = rules
        self._values = values
        self._wanted = wanted
        self._categories: dict[str, Category] = {}

    def get(self, key: str) -> "Any":
        """The value of an option; None for one that only rules have, and none has set."""
        return self._wanted[key] if key in self._wanted else self._values.get(key)

    def category(self, label: str) -> Category:
        """What is done with mail of a category."""
        found = self._categories.get(label)
        if found is None:
            found = self._categories[label] = Category(label, self.get)
        return found


class Settings:
    """All settings, typed; made from the flat values of config.load or a snapshot."""

    def __init__(self, values: "Values") -> None:
        self.values = values
        self.state: bytes = values["state"]
        self.work = self.state + b"/work"
        self.forward: str = values["forward"]
        self.notify: str = values["notify"]
        self.mail_scan: str = values["mail_scan"]
        self.stray_cr: str = values["smtp.stray_cr"]
        self.sandbox: str = values["sandbox"]
        self.notice_sender: bytes = values["notices.sender"]
        self.limits = Limits(*(values["limits." + name] for name in _LIMITS))
        self.hard_seconds: int = values["limits.hard_seconds"]
        self.poison_tries: int = values["limits.poison_tries"]
        self.scan_seconds = max(self.hard_seconds - RESERVE, self.hard_seconds // 2)
        self.tag: bytes = values["headers.tag"]
        self.line: bytes = values["headers.line"]
        self.remove_foreign: bool = values["headers.remove_foreign"]
        self.cache_days: int = values["cache.days"]
        self.cache_size: int = values["cache.size"]
        self.clean_seconds: int = values["cache.clean_minutes"] * 60
        self.settle_seconds: int = values["cache.settle_minutes"] * 60
        self.journal_days: int = values["journal.days"]
        self.profile = Profile(values, {})
        self.rules: tuple[Rule, ...] = values["rules"]
        self.local: bytes = values["local_domains"]
        self.delimiter: bytes = values["recipient_delimiter"]
        self.checker: tuple[Any, ...] | None = values["checker"]
        self.bounces: str = values["bounces"]
        self.suspect: bool = values["infected.suspect"]
        self.crash: str = values["unchecked.crash"]
        rows = [Row(row) for row in values["rows"]]
        self.rows = tuple([row for row in rows if not row.backup_of])
        self.backups = tuple([row for row in rows if row.backup_of])
        self.need_all: bool = values["require"] == "all"
        self.path: str = values["path"].decode()
        self.allow: tuple[tuple[str, str, str, int], ...] = values["allow"]
        self.decoders: tuple[str, ...] = values["decoders"]
        self.passwords: tuple[bytes, ...] = values["passwords"]
        self.password_tries: int = values["passwords.tries"]
        self.password_seconds: int = values["passwords.seconds"]
        self.decoder_files: tuple[bytes, ...] = values["decoder_files"]

    def without_scanners(self) -> "Settings":
        """The same for mail of which nobody wants to know whether there is a virus in it."""
        other = Settings.__new__(Settings)
        other.__dict__.update(self.__dict__)
        other.rows = other.backups = ()
        return other

    def banned(self, names: tuple[str, ...]) -> "tuple[Any, ...]":
        """The compiled banned rules of these names, in order."""
        known = self.values["banned"]
        return tuple(rule for name in names for rule in known[name])

    @property
    def formats(self) -> "Formats":
        """What the filter has to know of the formats there are."""
        from amavis_pipe.kinds import Formats  # a remembered mail has no need of it

        return Formats(*self.values["formats"])


_LIMITS = (
    "depth",
    "files",
    "min_quota",
    "max_quota",
    "min_factor",
    "max_factor",
    "seconds",
    "memory",
)


def read(path: bytes) -> Settings:
    """The settings in the file at `path`, from its snapshot if that is fresh.

    SettingsError if the file can't be read or has a fault. A snapshot that can't be read or written
    costs time, nothing else.
    """
    state = _state_hint(path)
    values = _load_snapshot(state, path)
    if values is not None:
        try:
            return Settings(values)
        except KeyError:
            pass  # written by code with other options
    from amavis_pipe.config.load import load

    values, files = load(path)
    _save_snapshot(values, path, files)
    return Settings(values)


def prepare(site: Settings) -> None:
    """Make sure of the folders below `state`; SpoolTrouble if it isn't a usable folder of ours."""
    shown = site.state.decode("utf-8", "backslashreplace")
    try:
        found = posix.stat(site.state)
        if found.st_uid != posix.geteuid() or not S_ISDIR(found.st_mode) or found.st_mode & 0o022:
            raise SpoolTrouble(f"state folder {shown}: wants a folder of uid {posix.geteuid()}, mode 0700")
        try:
            posix.stat(site.work)
        except FileNotFoundError:
            for name in FOLDERS:
                _make_folder(site.state + b"/" + name)
    except OSError as error:
        raise SpoolTrouble(f"state folder {shown}: {error.strerror}") from None


def _make_folder(path: bytes) -> None:
    try:
        posix.mkdir(path, 0o700)
    except FileExistsError:
        pass


def identity(path: bytes) -> "Identity":
    """What tells one state of a file from another: device, inode, size, mtime, ctime; None if absent."""
    try:
        found = posix.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def slurp(path: bytes, largest: int = LARGEST) -> bytes:
    """The content of the regular file at `path`, at most `largest` bytes; OSError if it can't be read."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    try:
        found = posix.fstat(fd)
        if not S_ISREG(found.st_mode):
            raise OSError(0, "not a regular file")
        if found.st_size >= largest:
            raise OSError(0, f"larger than {largest >> 20} MiB")
        return posix.read(fd, min(found.st_size + 1, largest))
    finally:
        posix.close(fd)


def _state_hint(path: bytes) -> bytes:
    """What `state` probably is: where the snapshot is looked for. The snapshot itself says what it is."""
    try:
        text = slurp(path)
    except OSError as error:
        raise SettingsError([f"{path.decode('utf-8', 'replace')}: {error.strerror}"]) from None
    for line in (b"\n" + text).partition(b"\n[")[0].split(b"\n"):
        key, _, value = line.partition(b"=")
        if key.strip() == b"state":
            return value.strip().strip(b"'\"").partition(b'"')[0].rstrip(b"/")
    return DEFAULT_STATE


def _snapshot_path(state: bytes, path: bytes) -> bytes:
    return state + b"/settings-" + blake2b(path, digest_size=8).hexdigest().encode()


def _version() -> str:
    return f"{__version__} {sys.version}"


def _load_snapshot(state: bytes, path: bytes) -> "Values | None":
    data = trusted(_snapshot_path(state, path), LARGEST_SNAPSHOT)
    if data is None or blake2b(data[32:], digest_size=32).digest() != data[:32]:
        return None
    version, source, files, values = marshal.loads(data[32:])  # noqa: S302 - whole, and ours: trusted()
    if version != _version() or source != path:
        return None
    if any(identity(name) != known for name, known in files):
        return None
    found: Values = values
    return found


def trusted(path: bytes, largest: int = LARGEST) -> bytes | None:
    """The content of a file that only we can have written, at most `largest` bytes, or None."""
    try:
        folder = posix.stat(path.rpartition(b"/")[0])
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = posix.fstat(fd)
        me = posix.geteuid()
        ours = found.st_uid == me == folder.st_uid and not folder.st_mode & 0o022
        if not ours or not S_ISREG(found.st_mode) or found.st_mode & 0o077:
            return None
        return posix.read(fd, found.st_size) if 32 < found.st_size < largest else None
    except OSError:
        return None
    finally:
        posix.close(fd)


def _save_snapshot(values: "Values", path: bytes, files: "list[tuple[bytes, Identity]]") -> None:
    payload = marshal.dumps((_version(), path, files, values))
    keep(_snapshot_path(values["state"], path), blake2b(payload, digest_size=32).digest() + payload)


def keep(name: bytes, data: bytes) -> bool:
    """Write a file that trusted() gives back, whole or not at all; False if it can't be written."""
    temporary = name + b".%d" % posix.getpid()
    try:
        fd = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
        try:
            if posix.write(fd, data) != len(data):
                raise OSError
        finally:
            posix.close(fd)
        posix.rename(temporary, name)
    except OSError:
        _unlink(temporary)
        return False
    return True


def _unlink(path: bytes) -> None:
    try:
        posix.unlink(path)
    except OSError:
        pass
