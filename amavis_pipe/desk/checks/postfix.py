"""Whether Postfix runs the filter as it must: its entries in master.cf, limits, the safety net.

Everything is asked of postconf(1) and postmap(1); nothing is changed. What the entries must hold, and
why, is in contrib/postfix/master.cf.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from amavis_pipe.desk.checks import Result, ok, problem, warning

SETUP = "contrib/postfix/setup install"
PROGRAM = "amavis-pipe"
ENDING = ["-f", "${sender}", "--", "${recipient}"]
HARMFUL = "RDFOB.>huX"
"""Flags of pipe(8) that change the mail or its addresses."""
SPARE = 30
"""Seconds that Postfix must wait longer than the filter's hard limit."""
PROBE = '5.3.0 Command died with status 1: "x"'
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/sbin")


class Entry(NamedTuple):
    """A service of master.cf that runs the filter: its name, and what stands behind "pipe".

    most       how many run at once, 0 for Postfix's default
    unbounded  as many as there is mail (maxproc 0)
    """

    name: str
    attributes: dict[str, str]
    options: dict[str, str]
    argv: list[str]
    most: int = 0
    unbounded: bool = False


class Postfix:
    """What postconf says of one configuration; empty where it says nothing.

    entries   services that run the filter
    services  options of master.cf by "name/type/option"
    smtpds    "name/type" of every smtpd
    doors     those of them that pass mail to the filter
    queue     the folder of its queue
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = ["-c", folder] if folder else []
        lines = self._asked("-M")
        self.entries = [entry for line in lines if (entry := _entry(line))]
        self.smtpds = [name for line in lines if (name := _smtpd(line))]
        self.services = dict(_pair(line) for line in self._asked("-P"))
        self.filter = self.value("content_filter")
        self.nets = {entry.name: self._net(entry) for entry in self.entries}
        self.seconds = {
            entry.name: in_seconds(self.value(entry.name + "_time_limit")) for entry in self.entries
        }
        self.queue = self.value("queue_directory")
        size = self.value("message_size_limit")
        self.message_size_limit = int(size) if size.isdigit() else 0
        self._main = {
            "content_filter": self.filter,
            "message_size_limit": size,
            "receive_override_options": self.value("receive_override_options"),
        }
        names = {entry.name for entry in self.entries}
        self.doors = [name for name in self.smtpds if _is_for(self.setting(name, "content_filter"), names)]
        self.is_readable = bool(lines)

    def value(self, name: str) -> str:
        """A parameter of main.cf, expanded."""
        return next(iter(self._asked("-x", "-h", name)), "")

    def setting(self, service: str, name: str) -> str:
        """One of the parameters in _main, as the service "name/type" has it."""
        return self.services.get(f"{service}/{name}", self._main[name])

    def smtpd_at(self, at: str) -> str:
        """The "name/type" of the smtpd that listens at HOST:PORT, on that address or on all; "" for none."""
        host, _, port = at.rpartition(":")
        hosts = [host, "localhost", ""]
        found = {}
        for service in self.smtpds:
            name, _, kind = service.rpartition("/")
            its_host, _, its_port = name.rpartition(":")
            if kind == "inet" and its_host in hosts and _port(its_port) == port:
                found[its_host] = service
        return next((found[one] for one in hosts if one in found), "")

    def _asked(self, *words: str) -> list[str]:
        return _said(["postconf", *self._folder, *words]).splitlines()

    def _net(self, entry: Entry) -> str:
        """What the delivery status table of an entry makes of a crash."""
        name = "pipe_delivery_status_filter"
        table = entry.options.get(name) or self.value(name)
        for variable in ("${config_directory}", "$config_directory"):
            table = table.replace(variable, self.value("config_directory"))
        return _said(["postmap", *self._folder, "-q", PROBE, table]).strip() if table else ""


def here(folder: str | None) -> Postfix | None:
    """The Postfix of this machine, None if there is none."""
    return Postfix(folder) if _program("postconf") else None


def group_of(postfix: Postfix | None) -> str:
    """The group that the filter is given: GROUP of `user=USER:GROUP`; "" for the user's own."""
    entries = postfix.entries if postfix else []
    return next((entry.attributes.get("user", "").partition(":")[2] for entry in entries), "")


def check(postfix: Postfix, user: str | None, hard_seconds: int) -> Iterator[Result]:
    """All that can be wrong with the filter's place in Postfix; `user` is the owner of the state folder."""
    if not postfix.is_readable:
        yield warning("Postfix is there, but not configured", f"set it up, then {SETUP}")
        return
    if not postfix.entries:
        yield warning("Postfix does not run amavis-pipe: no entry in master.cf", SETUP)
        return
    for entry in postfix.entries:
        wrong = [
            *_check_attributes(entry, user),
            *_check_argv(entry),
            *_check_net(entry, postfix.nets[entry.name]),
            *_check_seconds(entry, postfix.seconds[entry.name], hard_seconds),
        ]
        yield from wrong or [
            ok(f"master.cf: {entry.name} runs {entry.argv[0]} as {entry.attributes['user']}")
        ]
    yield from _check_filters(postfix)


def _check_attributes(entry: Entry, user: str | None) -> Iterator[Result]:
    where, runs_as = f"master.cf: {entry.name}", entry.attributes.get("user", "").partition(":")[0]
    if runs_as in ("", "root", "postfix"):
        yield problem(f"{where}: user={runs_as}", "user= wants the owner of the state folder")
    elif user not in (None, runs_as):
        advice = f"one of both must change; the filter defers all mail until then (chown, or user={user})"
        yield problem(f"{where}: user={runs_as}, but the state folder belongs to {user}", advice)
    flags = entry.attributes.get("flags", "")
    if "q" not in flags:
        yield problem(f"{where}: no flags=q", 'add it: without it "a,b"@example.org becomes two recipients')
    if set(flags) & set(HARMFUL):
        yield problem(f"{where}: flags={flags}", f"leave only q: others of {HARMFUL} change the mail")
    if entry.attributes.get("null_sender") != "":
        advice = "add null_sender= with nothing behind it: else bounces come from MAILER-DAEMON, and loop"
        yield problem(f"{where}: the null sender is not passed as it is", advice)


def _check_argv(entry: Entry) -> Iterator[Result]:
    where, program = f"master.cf: {entry.name}", entry.argv[0]
    if entry.argv[-4:] != ENDING:
        advice = "end argv= with: " + " ".join(ENDING)
        yield problem(f"{where}: argv does not end with sender and recipients", advice)
    if os.path.basename(program) != PROGRAM:
        advice = "call amavis-pipe itself: behind a wrapper or interpreter a fault may bounce mail"
        yield warning(f"{where}: argv starts {program}", advice)
    elif not os.access(program, os.X_OK):
        yield problem(f"{where}: {program} can't be run by this user", f"install it: {SETUP}")


def _check_net(entry: Entry, answer: str) -> Iterator[Result]:
    where = f"master.cf: {entry.name}"
    if not answer.startswith("4.3.0 "):
        advice = (
            "-o pipe_delivery_status_filter=regexp:/etc/postfix/amavis-pipe.dsn, and the file must be there"
        )
        yield problem(f"{where}: a crash of the filter would bounce mail: no delivery status table", advice)


def _check_seconds(entry: Entry, seconds: int, hard_seconds: int) -> Iterator[Result]:
    name = f"{entry.name}_time_limit"
    if seconds and seconds <= hard_seconds + SPARE:
        advice = f"raise it in main.cf above {hard_seconds + SPARE} s, or lower limits.hard_seconds"
        yield problem(f"{name} is {seconds} s, limits.hard_seconds {hard_seconds}", advice)


def _check_filters(postfix: Postfix) -> Iterator[Result]:
    """That mail goes into the filter somewhere, and not again when it comes back."""
    names = {entry.name for entry in postfix.entries}
    ours = [
        key.rpartition("/")[0]
        for key, value in postfix.services.items()
        if key.endswith("/content_filter") and _is_for(value, names)
    ]
    default = _is_for(postfix.filter, names)
    if not ours and not default:
        advice = f"-o content_filter={min(names)}:dummy below the smtpd entries of master.cf; {SETUP}"
        yield warning("no mail goes through the filter: no content_filter names it", advice)
        return
    pickup = _first(postfix.services, ("pickup/unix/content_filter", "pickup/fifo/content_filter"))
    if _is_for(postfix.filter if pickup is None else pickup, names):
        advice = "-o content_filter= below the entry pickup of master.cf: filtered mail comes back there"
        yield problem("mail that comes back is filtered again, without end", advice)
    else:
        places = ", ".join(ours) or "main.cf"
        yield ok(f"mail goes through the filter from {places}, and not again when it comes back")


def in_seconds(value: str) -> int:
    """A time of main.cf, "600s", "10m"; 0 if it is none."""
    digits, factor = (value[:-1], SECONDS[value[-1]]) if value[-1:] in SECONDS else (value, 1)
    return int(digits) * factor if digits.isdigit() else 0


def _is_for(value: str, names: set[str]) -> bool:
    return value.partition(":")[0] in names


def _first(values: dict[str, str], keys: tuple[str, ...]) -> str | None:
    return next((values[key] for key in keys if key in values), None)


def _entry(line: str) -> Entry | None:
    """A line of `postconf -M` if it is a pipe that runs the filter."""
    words = line.split()
    if len(words) < 9 or words[7] != "pipe":
        return None
    attributes: dict[str, str] = {}
    options: dict[str, str] = {}
    rest = iter(words[8:])
    for word in rest:
        name, _, value = word.partition("=")
        if word == "-o":
            name, _, value = next(rest, "").partition("=")
            options[name] = value
        elif name == "argv":
            argv = [value, *rest]
            ours = any(os.path.basename(part) == PROGRAM for part in argv[:4])
            most = int(words[6]) if words[6].isdigit() else 0
            return Entry(words[0], attributes, options, argv, most, words[6] == "0") if ours else None
        else:
            attributes[name] = value
    return None


def _smtpd(line: str) -> str:
    """The "name/type" in a line of `postconf -M` if it is an smtpd, else ""."""
    words = line.split()
    return f"{words[0]}/{words[1]}" if len(words) > 7 and words[7] == "smtpd" else ""


def _port(name: str) -> str:
    """A port of master.cf as a number, in digits; what has none stays as it is."""
    try:
        return name if name.isdigit() else str(socket.getservbyname(name, "tcp"))
    except OSError:
        return name


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(" =")
    return name, value.strip()


def _said(words: list[str]) -> str:
    """What a program of Postfix says, nothing if it fails."""
    program = _program(words[0])
    if not program:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - Postfix's own programs, by full path
            [program, *words[1:]], capture_output=True, text=True, timeout=30, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _program(name: str) -> str:
    return next((path for folder in FOLDERS if os.access(path := f"{folder}/{name}", os.X_OK)), "")
