"""The command `config refresh`: gets the maps that settings name from their commands.

A map is replaced as a whole, or stays as it was: when its command fails, takes too long, prints something
that is no entry, or too few. Run as root, the commands run as the filter's user.
"""

import os
import resource
import signal
import subprocess
import sys
from tempfile import TemporaryFile
from typing import NamedTuple

from amavis_pipe import settings
from amavis_pipe.config import load, maps
from amavis_pipe.desk import progress, site
from amavis_pipe.desk.table import counted
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import readable

SHOWN = 200
"""Bytes of what a failed command printed to its standard error."""


class Map(NamedTuple):
    """One [[map]]: its name, what is run, for how many seconds, how many entries it must have at least."""

    name: str
    command: tuple[str, ...]
    seconds: int
    least: int


class StaleError(Exception):
    """A map could not be made anew; the text says why."""


def run(config: bytes | None, names: tuple[str, ...], quiet: bool) -> int:
    """Make the maps of these names anew, or all; 0, or 2 if one stays as it was."""
    path = config or settings.DEFAULT_PATH
    try:
        data = settings.slurp(path)
    except OSError as error:
        raise settings.SettingsError([f"{readable(path)}: {error.strerror}"]) from None
    site.become_filter_user(config)
    values = load.maps(data, readable(path))
    known = {one.name: one for one in (Map(*fields) for fields in values["maps"])}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise settings.SettingsError([f'{readable(path)}: no [[map]] named "{name}"' for name in unknown])
    folder = values["state"] + maps.FOLDER.rstrip(b"/")
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
    except OSError as error:
        raise SpoolTrouble(f"{readable(folder)}: {error.strerror}") from None
    failed = 0
    with progress.bar(len(known), "refreshing") as step:
        for one in known.values():
            if not names or one.name in names:
                failed += not _refreshed(
                    one, folder, values["path"].decode(), quiet, values["sorts"][one.name]
                )
            step()
    return 2 if failed else 0


def _refreshed(one: Map, folder: bytes, path: str, quiet: bool, sorts: set[str]) -> bool:
    target = folder + b"/" + one.name.encode()
    try:
        data = _printed(one, folder, path)
        found = _entries(one, data, sorts)
        before = _number(target)
        _replace(target, data)
    except (StaleError, OSError) as error:
        why = str(error) if isinstance(error, StaleError) else f"{readable(target)}: {error.strerror}"
        progress.clear()
        print(f"amavis-pipe: map {one.name}: {why}; it stays as it was", file=sys.stderr)
        return False
    if not quiet:
        progress.clear()
        was = "new" if before is None else f"{before:,} before"
        print(f"{one.name}: {found:,} entries ({was})")
    return True


def _printed(one: Map, folder: bytes, path: str) -> bytes:
    """What the command prints; Stale if it fails."""
    with TemporaryFile(dir=folder) as out, TemporaryFile(dir=folder) as errors:
        try:
            child = subprocess.Popen(  # noqa: S603 - the site's own command
                one.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env={"PATH": path, "LC_ALL": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
                preexec_fn=_limit,  # noqa: PLW1509  there are no threads
            )
        except OSError as error:
            raise StaleError(f"{readable(one.command[0].encode())}: {error.strerror}") from None
        try:
            status = child.wait(one.seconds)
        except subprocess.TimeoutExpired:
            raise StaleError(f"no end in {counted(one.seconds, 'second')}") from None
        finally:
            _end(child)
        if status:
            errors.seek(0)
            said = readable(errors.read(SHOWN).strip()).replace("\\n", " ")
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise StaleError(f"{how} of {readable(one.command[0].encode())}" + (f": {said}" if said else ""))
        out.seek(0)
        return out.read(maps.LARGEST)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (maps.LARGEST - 1, maps.LARGEST - 1))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End whatever is left of the command."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def _entries(one: Map, data: bytes, sorts: set[str]) -> int:
    """How many entries there are; Stale if a line is none, or they are too few."""
    number = 0
    for line, entry in maps.lines(data):
        if not maps.is_entry(entry, sorts):
            raise StaleError(f'line {line} is no entry: "{ascii(entry)[1:-1][:80]}"')
        number += 1
    if number < one.least:
        raise StaleError(f"only {counted(number, 'entry', 'entries')}, wants {one.least:,}")
    return number


def _number(target: bytes) -> int | None:
    try:
        return sum(1 for _ in maps.lines(maps.read(target)))
    except OSError:
        return None


def _replace(target: bytes, data: bytes) -> None:
    temporary = b"%s/.%s.%d" % (*os.path.split(target), os.getpid())
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.rename(temporary, target)
    except OSError:
        os.unlink(temporary)
        raise
