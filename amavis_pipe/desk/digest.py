"""Sends digests: to admins one mail a day or an hour of what was found, to recipients of what was kept back.

Where the last digest ended stands in `state/digest`, written anew (temporary file, synced, renamed) after a
mail was handed over. So a crash can send a digest twice, and never lose one: what was begun is noted first,
with its bounds, and ended by the next run for those who did not get it. A lock lets one run do this at a
time. Nothing found, nothing sent. Times are UTC, as in the journal.
"""

import fcntl
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import gmtime, strftime
from typing import Any

from amavis_pipe import forward, notice
from amavis_pipe.desk.table import counted
from amavis_pipe.model import AmavisPipeError, Envelope, Receipt, SpoolTrouble
from amavis_pipe.notices import compose, rate, render
from amavis_pipe.notices.tally import Tallies, Tally
from amavis_pipe.notices.window import Window
from amavis_pipe.policy import CATEGORIES
from amavis_pipe.settings import Settings, slurp
from amavis_pipe.spool import Blob
from amavis_pipe.text import ascii_of, readable

FILE, LOCK = b"/digest", b"/digest.lock"
MAIL_SECONDS = 60
NOTED_EACH = 50
"""Recipients' digests between two notes of who got one."""
GIVEN_UP = 3 * 86400
"""Seconds after which a digest that can't be sent to somebody is given up, so that newer ones go out."""
PERIODS = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
LARGEST = 64 << 20
LATEST = 253_402_300_799
"""The last second of the year 9999: gmtime() has no later one."""

State = dict[str, Any]


def run(settings: Settings, now: float, quiet: bool) -> int:
    """Send what is due at `now` (seconds): 0, or 2 if something could not be read or sent.

    The caller has the rights of the filter's user.
    """
    if not settings.journal_days or not is_wanted(settings):
        return 0
    try:
        with _locked(settings.state) as mine:
            return Digest(settings, now, quiet).run() if mine else 0
    except OSError as error:
        return _failed(f"{readable(settings.state)}: {error.strerror or error}")


def is_wanted(settings: Settings) -> bool:
    """Whether the settings ask for a digest to anybody."""
    if settings.values["notices.digest_recipients"]:
        return True
    if settings.values["notices.admin"] == "each":
        return False
    keys = [f"{label}.admin" for label in CATEGORIES]
    named = [settings.values[key] for key in keys]
    named += [rule[2].get(key) for rule in settings.rules for key in keys]
    return any(any(one.values()) if isinstance(one, dict) else one for one in named)


class Digest:
    """One run under the lock."""

    def __init__(self, settings: Settings, now: float, quiet: bool) -> None:
        self._settings = settings
        self._now = now
        self._quiet = quiet
        self._path = settings.state + FILE
        self._troubles = 0

    def run(self) -> int:
        """End what was begun, or begin what is due; the status."""
        state = _state(self._path)
        if state["begun"] is None:
            if self._period(self._now) == state["period"]:
                return 0
            state["begun"] = {"until": int(self._now), "end": None, "told": []}
        elif self._now - state["begun"]["until"] > GIVEN_UP:
            self._fail("a digest of three days ago could not be sent to everybody, and is given up")
            self._close(state)
            return 2
        self._send_all(state)
        if not self._troubles:
            self._close(state)
        return 2 if self._troubles else 0

    def _send_all(self, state: State) -> None:
        begun = state["begun"]
        oldest = strftime("%Y-%m-%d", gmtime((state["until"] or self._now) - 86400))
        window = Window(self._settings.state + b"/journal", state["files"], oldest, begun["end"])
        tallies = Tallies(self._settings)
        for record in window.records():
            tallies.add(record)
        if begun["end"] is None:
            begun["end"] = window.end
        if not tallies.admins and not tallies.people:
            return
        self._save(state)
        held = _held(self._settings.state)
        more = {"held": held, "damaged": window.damaged} | self._times(state)
        for number, (kind, address, tally) in enumerate(_readers(tallies)):
            shown = f"{kind} {address.decode('ascii', 'replace')}"
            if shown in begun["told"]:
                continue
            if self._send(kind, address, tally, more):
                begun["told"].append(shown)
            if kind == "digest-admin" or number % NOTED_EACH == 0:
                self._save(state)
        if not self._troubles and tallies.admins:
            rate.tell(self._settings.state, held)

    def _send(self, kind: str, address: bytes, tally: Tally, more: dict[str, Any]) -> bool:
        """Send one digest; whether that is done with, for good or since nobody will ever take it."""
        settings = self._settings
        values = tally.values() | more | {"recipient": ascii_of(address, 320)}
        values["host"] = notice.host().decode()
        try:
            subject, body = render.rendered(kind, values, settings)
            receipt = self._submit(address, compose.message(address, subject, body, settings))
        except AmavisPipeError as error:
            self._fail(f"to {ascii_of(address)} not sent: {error}")
            return False
        if receipt.refused:
            _failed(f"to {ascii_of(address)} refused: {receipt.refused[0].text}")
        elif not self._quiet:
            print(f"digest: {counted(tally.total, 'message')} told to {ascii_of(address)}")
        return True

    def _submit(self, address: bytes, text: bytes) -> Receipt:
        settings, null, to = self._settings, Envelope(b"", (address,)), (address,)
        return forward.submit(
            settings.notify,
            Blob(text),
            null,
            to,
            lambda _: None,
            MAIL_SECONDS,
            settings.work,
            settings.stray_cr,
        )

    def _times(self, state: State) -> dict[str, str]:
        form = "%Y-%m-%d %H:%M"
        since = strftime(form, gmtime(state["until"])) if state["until"] else ""
        return {"since": since, "until": strftime(form, gmtime(state["begun"]["until"]))}

    def _period(self, when: float) -> str:
        return strftime(PERIODS[self._settings.values["notices.digest"]], gmtime(when))

    def _close(self, state: State) -> None:
        """Note that all is told up to the end of what was begun."""
        begun = state["begun"]
        period = self._period(begun["until"])
        end = state["files"] if begun["end"] is None else begun["end"]
        self._save({"period": period, "until": begun["until"], "files": end, "begun": None})

    def _save(self, state: State) -> None:
        """Write the state: whole or not at all, and on disk."""
        temporary = self._path + b".tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600), "w", encoding="ascii") as file:
            json.dump({"schema": 1, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self._path)
        folder = os.open(self._settings.state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _fail(self, why: str) -> None:
        self._troubles += 1
        _failed(why)


def _readers(tallies: Tallies) -> Iterator[tuple[str, bytes, Tally]]:
    """Who is to be told of what, admins first."""
    for address, tally in tallies.admins.items():
        yield "digest-admin", address, tally
    for address, tally in tallies.people.items():
        yield "digest-recipient", address, tally


def _state(path: bytes) -> State:
    """What the last run noted; of a first one, or a file that can't be understood, nothing."""
    empty: State = {"period": "", "until": 0, "files": {}, "begun": None}
    try:
        found = json.loads(slurp(path, LARGEST))
        state = {key: found[key] for key in empty}
        _require_whole(state)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return empty
    return state


def _require_whole(state: State) -> None:
    """ValueError or its kin unless all is of the right sort."""
    positions = [state["files"]]
    times = [state["until"]]
    if state["begun"] is not None:
        positions += [state["begun"]["end"] or {}]
        times += [state["begun"]["until"]]
        state["begun"]["told"] = [str(one) for one in state["begun"]["told"]]
    whole = all(isinstance(one, int) and one >= 0 for files in positions for one in files.values())
    if not whole or not all(isinstance(one, int) and 0 <= one <= LATEST for one in times):
        raise ValueError


def _held(state: bytes) -> dict[str, int]:
    try:
        return rate.held(state)
    except OSError:
        return {}


def _failed(why: str) -> int:
    print(f"amavis-pipe: digest: {why}", file=sys.stderr)
    return 2


@contextmanager
def _locked(state: bytes) -> Iterator[bool]:
    """Whether the lock is ours as long as this lasts."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(state + LOCK, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SpoolTrouble(f"{readable(state + LOCK)}: is no regular file")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(fd)
