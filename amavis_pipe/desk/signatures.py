"""The command `signatures`: updates the scanners' signatures (for cron), and says how old they are.

Started as root it stays root for the updates alone (freshclam takes another user's rights itself), and only
if root wrote the settings; scanners are asked, and mail is sent, with the rights of the filter's user.
"""

import fcntl
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from amavis_pipe import forward, notice
from amavis_pipe import settings as hot_settings
from amavis_pipe.config import load
from amavis_pipe.desk import ages, aside, scanners, site, updates
from amavis_pipe.desk.table import table
from amavis_pipe.model import Envelope, SpoolTrouble, Trouble
from amavis_pipe.record import to_json
from amavis_pipe.settings import Row, Settings
from amavis_pipe.spool import Blob
from amavis_pipe.text import ascii_of, readable

if TYPE_CHECKING:
    from amavis_pipe.record import Json

LOCK = b"/signatures.lock"
MAIL_SECONDS = 60
MAILED = 16 << 10
"""Bytes of an update's output that a mail carries."""
WIDEST = 300
HEAD = ("NAME", "VERSION", "SIGNATURES", "ENGINE", "UPDATED BY")


class Told(NamedTuple):
    """What became of one scanner: its line, the words for a subject ("" for no news), whether it failed."""

    line: str
    news: str = ""
    failed: bool = False


def update(config: bytes | None, names: tuple[str, ...], quiet: bool, address: bytes) -> int:
    """Update the signatures of the named scanners, or all: 0, or 2 if one failed or can't be begun."""
    settings = _settings(config)
    rows = _chosen(settings, names)
    os.chdir("/")
    with _locked(settings.state) as mine:
        if not mine:
            print("another update of signatures is under way")
            return 0 if quiet else 2
        with _ended_well():
            return Updating(settings, config, quiet, address).run(rows)


class Updating:
    """One run."""

    def __init__(self, settings: Settings, config: bytes | None, quiet: bool, address: bytes) -> None:
        self._settings = settings
        self._config = config
        self._quiet = quiet
        self._address = address

    def run(self, rows: list[tuple[Row, updates.Job]]) -> int:
        """Do each job once; the status."""
        if not rows and not self._quiet:
            print("no configured scanner is updated from here: none has `update` or `mirror`")
        before = self._states(rows)
        done: dict[updates.Job, updates.Done] = {}
        for _, job in rows:
            if job not in done:
                done[job] = updates.do(job, self._settings)
        after = self._states(rows)
        told = [
            _told(row.name, done[job], old, new)
            for (row, job), old, new in zip(rows, before, after, strict=True)
        ]
        for one in told:
            if one.news or not self._quiet:
                print(one.line)
        news = [one for one in told if one.news]
        sent = not news or not self._address or self._mail(news, [done[job] for job in done])
        return 2 if not sent or any(one.failed for one in told) else 0

    def _states(self, rows: list[tuple[Row, updates.Job]]) -> list[updates.State]:
        settings = self._settings

        def asked() -> list[list[str]]:
            return [list(updates.state_of(row, settings)) for row, _ in rows]

        said = aside.as_filter_user(self._config, asked) if rows else []
        return [
            updates.State(*[readable(str(word).encode("utf-8", "replace"), WIDEST) for word in one])
            for one in said
        ]

    def _mail(self, news: list[Told], done: list[updates.Done]) -> bool:
        """Send word of what is new; whether that went well."""
        worst = sorted(news, key=lambda one: not one.failed)
        subject = "signatures: " + "; ".join(one.news for one in worst)
        text = notice.report(self._address, subject, _body(news, done), self._settings)
        settings, address = self._settings, self._address

        def send() -> None:
            forward.submit(
                settings.notify,
                Blob(text),
                Envelope(b"", (address,)),
                (address,),
                lambda _: None,
                MAIL_SECONDS,
                settings.work,
                settings.stray_cr,
            )

        try:
            aside.as_filter_user(self._config, send)
        except Trouble as error:
            print(f"amavis-pipe: mail to {ascii_of(address)} not sent: {error}", file=sys.stderr)
            return False
        return True


def status(config: bytes | None, as_json: bool) -> int:
    """Print a table: 1 if something is too old, 2 if a scanner does not answer, else 0."""
    site.become_filter_user(config)
    here = site.find(config, use_cache=False)
    for note in here.notes:
        print(note, file=sys.stderr)
    rows = [row for row in (*here.settings.rows, *here.settings.backups) if row.via != "builtin"]
    seen = [scanners.look(row, here.settings) for row in rows]
    old = [list(ages.too_old(one.signatures, one.engine, here.settings)) for one in seen]
    if as_json:
        listed: list[Json] = [_record(one, each) for one, each in zip(seen, old, strict=True)]
        print(to_json({"schema": 1, "scanners": listed}))
    else:
        print(table(HEAD, [_words(one) for one in seen]))
    for one, each in zip(seen, old, strict=True):
        for word in [*([one.trouble] if one.trouble else []), *[f"{one.name}: {age}" for age in each]]:
            print(f"amavis-pipe: {word}", file=sys.stderr)
    if any(one.trouble for one in seen):
        return 2
    return 1 if any(old) else 0


def _settings(config: bytes | None) -> Settings:
    """The settings; what root would run is taken from them only if root wrote them."""
    path = config or hot_settings.DEFAULT_PATH
    data: bytes | None = None
    if os.geteuid() == 0:
        try:
            data = aside.roots_own(path)
        except OSError as error:
            why = str(error) if error.errno is None else f"{readable(path)}: {error.strerror}"
            print(f"amavis-pipe: {why}: not run as root, but as the filter's user", file=sys.stderr)
            site.become_filter_user(config)
    if data is not None:
        return Settings(load.parsed(data, readable(path))[0])
    if not os.path.exists(path):
        print(f"no settings: {readable(path)}: using defaults", file=sys.stderr)
        return Settings(load.defaults())
    if os.geteuid() == 0:
        raise Trouble(f"{readable(path)} has just been made; try again")
    return Settings(load.load(path)[0])


def _chosen(settings: Settings, names: tuple[str, ...]) -> list[tuple[Row, updates.Job]]:
    """The configured scanners to be updated, and how; Trouble if one that is named can't be."""
    rows = {row.name: row for row in (*settings.rows, *settings.backups)}
    jobs = {name: updates.job_of(row) for name, row in rows.items()}
    for name in names:
        if name not in rows:
            raise Trouble(f"{readable(name.encode())}: no such scanner is configured")
        if jobs[name] is None:
            raise Trouble(f"{name}: its row has neither `update` nor `mirror`")
    chosen = names or tuple(rows)
    return [(rows[name], job) for name in dict.fromkeys(chosen) if (job := jobs[name]) is not None]


@contextmanager
def _locked(state: bytes) -> Iterator[bool]:
    """Whether the lock is ours as long as this lasts; SpoolTrouble if there can be none."""
    path = state + LOCK
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            if os.geteuid() == 0:  # the filter's user must be able to take it, too
                owner = os.stat(state)
                os.fchown(fd, owner.st_uid, owner.st_gid)
        except FileExistsError:
            fd = os.open(path, flags)
    except OSError as error:
        raise SpoolTrouble(f"{readable(path)}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SpoolTrouble(f"{readable(path)}: is no regular file")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)


@contextmanager
def _ended_well() -> Iterator[None]:
    """Lets a signal that ends us end the update that is running, too: it is no child of anybody else."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(name: str, done: updates.Done, before: updates.State, after: updates.State) -> Told:
    """The line of one scanner, and what a subject says of it."""
    if done.trouble:
        return Told(f"{name}: update failed: {done.trouble}", f"update of {name} failed", True)
    changed = updates.difference(before, after)
    if changed is None:
        return Told(f"{name}: no change")
    old, new = changed
    return Told(
        f"{name}: update from version {old} to {new} successful", f"{name} updated from {old} to {new}"
    )


def _body(news: list[Told], done: list[updates.Done]) -> str:
    """The lines, and the end of what was printed, in ASCII."""
    lines = [readable(one.line.encode(), 900) for one in news]
    for one in done:
        tail = one.output[-MAILED:].replace(b"\r", b"\n").strip(b"\n")
        if tail:
            lines += ["", *[readable(line, WIDEST) for line in tail.split(b"\n")]]
    return "\n".join(lines) + "\n"


def _how(row: Row) -> str:
    job = updates.job_of(row)
    return str(job) if job else ""


def _words(seen: scanners.Seen) -> tuple[str, ...]:
    said = ["" if age is None else ages.in_words(age) + " old" for age in (seen.signatures, seen.engine)]
    return seen.name, seen.version, *said, _how(seen.row) if seen.row else ""


def _record(seen: scanners.Seen, old: list[ages.Old]) -> "Json":
    found: dict[str, Json] = {
        "name": seen.name,
        "version": seen.version,
        "signatures_seconds": None if seen.signatures is None else int(seen.signatures),
        "engine_seconds": None if seen.engine is None else int(seen.engine),
        "updated_by": _how(seen.row) if seen.row else "",
        "old": [each.what for each in old],
        "trouble": seen.trouble,
    }
    return found
