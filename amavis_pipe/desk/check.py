"""The command `check`: the self-test of the whole installation, as the filter's user sees it."""

import os
import pwd
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from amavis_pipe import journal, settings
from amavis_pipe.config import load
from amavis_pipe.desk import site
from amavis_pipe.desk.account import Paint
from amavis_pipe.desk.checks import (
    OK,
    PROBLEM,
    WARNING,
    Result,
    deeds,
    ground,
    launcher,
    passage,
    postfix,
    reentry,
    rights,
    scanning,
)
from amavis_pipe.desk.table import counted
from amavis_pipe.record import to_json
from amavis_pipe.text import readable

if TYPE_CHECKING:
    from amavis_pipe.record import Json

COLOURS = {OK: "green", WARNING: "yellow", PROBLEM: "red"}
INDENT = " " * 10
SHOWN = 5
"""Results in the line for a monitor."""
UNKNOWN = 3


SETTINGS, MASTER = "docs/amavis-pipe.toml.5.rst", "contrib/postfix/master.cf"
INSTALLATION, SECURITY, FORMATS = "docs/installation.rst", "docs/security.rst", "docs/formats.rst"
SCANNERS, POLICY, OPERATIONS = "docs/scanners.rst", "docs/policy.rst", "docs/operations.rst"
SCANNER = ("Found av scanner ", "No av scanner: ")


def run(config: bytes | None, postfix_folder: str | None, as_json: bool, log: bool = False) -> int:
    """Print all results, and log those of scanners and problems if asked: 1 if one is a problem, else 0."""
    mta = postfix.here(postfix_folder)  # while we may read all of its files
    site.become_filter_user(config, postfix.group_of(mta))
    told, results = Told(as_json), []
    for result in _results(config or settings.DEFAULT_PATH, mta):
        results.append(result)
        told.add(result)
        if log and (result.level == PROBLEM or result.what.startswith(SCANNER)):
            log = _logged(result)
    told.end(results)
    return 1 if any(result.level == PROBLEM for result in results) else 0


def nagios(config: bytes | None, postfix_folder: str | None) -> int:
    """Print one line as a monitoring plugin does, the worst first, and numbers; its status.

    Source: Monitoring Plugins Development Guidelines.
    """
    try:
        mta = postfix.here(postfix_folder)
        site.become_filter_user(config, postfix.group_of(mta))
        path = config or settings.DEFAULT_PATH
        owner = ground.owner_of(_values(path)["state"])
        if owner not in (None, "root", pwd.getpwuid(os.geteuid()).pw_name):
            print(f"AMAVIS-PIPE UNKNOWN: wants the rights of {owner} or root: sudo -u {owner}, say")
            return UNKNOWN
        results = list(_results(path, mta))
    except Exception as error:  # whatever it is, the monitor has to show it
        print(f"AMAVIS-PIPE UNKNOWN: {readable(str(error).encode(), 200)}")
        return UNKNOWN
    levels = [result.level for result in results]
    problems, warnings = levels.count(PROBLEM), levels.count(WARNING)
    word, status = ("CRITICAL", 2) if problems else ("WARNING", 1) if warnings else ("OK", 0)
    worst = [one.what for level in (PROBLEM, WARNING) for one in results if one.level == level][:SHOWN]
    said = "; ".join(worst) or counted(len(results), "check")
    said = readable(said.encode(), 600).replace("|", "/")
    print(f"AMAVIS-PIPE {word}: {said} | problems={problems};;0 warnings={warnings};0")
    return status


def _logged(result: Result) -> bool:
    """Write a result to syslog; False, which is said, if that takes none."""
    level = {OK: journal.INFO, WARNING: journal.WARNING, PROBLEM: journal.ERR}[result.level]
    if journal.log(level, "check: " + readable(result.what.encode())):
        return True
    print(f"amavis-pipe: nothing takes log lines at {journal.LOG}", file=sys.stderr)
    return False


class Told:
    """Prints results: as they come for people, at the end as one line of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._paint = Paint(sys.stdout.isatty())

    def add(self, result: Result) -> None:
        """A further result."""
        if not self._json:
            level = self._paint(COLOURS[result.level], f"{result.level:<9}")
            print(f"{level} {result.what}", flush=True)
            for line in filter(None, (result.advice, result.read and f"see {result.read}")):
                print(INDENT + line)

    def end(self, results: list[Result]) -> None:
        """All of them, or their numbers."""
        if self._json:
            checks: list[Json] = [
                {"level": one.level, "what": one.what, "advice": one.advice, "read": one.read}
                for one in results
            ]
            print(to_json({"schema": 1, "checks": checks}))
            return
        levels = [result.level for result in results]
        print(f"{counted(levels.count(PROBLEM), PROBLEM)}, {counted(levels.count(WARNING), WARNING)}")


def _results(path: bytes, mta: "postfix.Postfix | None") -> Iterator[Result]:
    """Every result, in the order in which things are needed."""
    values = _values(path)
    state: bytes = values["state"]
    yield from _see(SETTINGS, ground.check_settings(path))
    yield from _see(INSTALLATION, ground.check_user(state, pwd.getpwuid(os.geteuid()).pw_name))
    yield from _see(INSTALLATION, ground.check_folders(state))
    yield from _see(FORMATS, ground.check_program())
    yield from _see(SECURITY, ground.check_sandbox(values["sandbox"]))
    here = site.placed(settings.Settings(values))
    yield from _see(INSTALLATION, ground.check_sendmail(here))
    yield from _see(MASTER, reentry.check(here, mta))
    yield from _see(SCANNERS, scanning.check_scanners(here))
    yield from _see(SCANNERS, rights.check_rights(here))
    yield from _see(POLICY, deeds.check(here, mta))
    yield from scanning.check_unused(here)
    yield from _see(SCANNERS, scanning.check_find(here))
    if mta is not None:
        yield from _see(SCANNERS, scanning.check_sizes(here, mta.message_size_limit))
        yield from _see(MASTER, postfix.check(mta, ground.owner_of(state), here.hard_seconds))
        yield from _see(SECURITY, launcher.check(mta))
        yield from _see(MASTER, passage.check(here, mta))
    yield from _see(OPERATIONS, passage.check_room(here, mta))


def _see(where: str, results: Iterator[Result]) -> Iterator[Result]:
    """The same, those that are not well with where to read."""
    return (one if one.level == OK else one._replace(read=where) for one in results)


def _values(path: bytes) -> "load.Values":
    """The settings' values, the defaults where the file is no good: check_settings says so."""
    try:
        return load.load(path)[0]
    except settings.SettingsError:
        return load.defaults()
