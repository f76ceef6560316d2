"""Whether what pipe(8) starts is what was installed: the launcher, its interpreter, the package behind it.

Nothing is started: the launcher is read (contrib/postfix/amavis-pipe). Whoever can change one of these gets
to read, and to drop, all mail.
"""

import ast
import os
import re
import stat
from collections.abc import Iterator

from amavis_pipe import __version__
from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.desk.checks.postfix import PROGRAM, SETUP, Postfix
from amavis_pipe.text import readable

LARGEST = 1 << 16
_FOLDERS = re.compile(r"^FOLDERS = (\[.*?\])", re.MULTILINE)
_VERSION = re.compile(r"""^__version__ = ["']([^"']+)["']""", re.MULTILINE)


def check(postfix: Postfix) -> Iterator[Result]:
    """Each launcher that an entry of master.cf names, if it can be run: else postfix.check() tells."""
    for path in dict.fromkeys(entry.argv[0] for entry in postfix.entries):
        if os.path.basename(path) == PROGRAM and os.access(path, os.X_OK):
            yield from _check(path)


def _check(path: str) -> Iterator[Result]:
    text = _read(path)
    found, first = _FOLDERS.search(text), text.partition("\n")[0]
    if not found or not first.startswith("#!"):
        yield warning(f"{_shown(path)} is not the launcher of this version", SETUP)
        return
    interpreter, folder = first[2:].split(" ")[0], _package(path, found[1])
    wrong = [*_check_interpreter(path, interpreter), *_check_package(path, folder)]
    for one in dict.fromkeys((path, interpreter, folder + "/amavis_pipe")):
        wrong += _check_owner(one)
    yield from wrong or [ok(f"launcher {_shown(path)}: version {__version__} in {_shown(folder)}")]


def _check_interpreter(path: str, interpreter: str) -> Iterator[Result]:
    if not os.access(interpreter, os.X_OK):
        yield problem(f"{_shown(path)} starts {_shown(interpreter)}, which can't be run by this user", SETUP)


def _check_package(path: str, folder: str) -> Iterator[Result]:
    """Whether the package can be read, and is the one that this check is of."""
    if not os.access(folder + "/amavis_pipe/entry.py", os.R_OK):
        yield problem(
            f"{_shown(path)}: no amavis_pipe that this user can read in {_shown(folder)}: mail is deferred",
            f"a folder that everybody can enter and read, not below /root; {SETUP}",
        )
        return
    found = _VERSION.search(_read(folder + "/amavis_pipe/__init__.py"))
    if not found or found[1] != __version__:
        version = found[1] if found else "unknown"
        yield warning(
            f"{_shown(path)} runs version {_shown(version)} in {_shown(folder)}, this is {__version__}",
            f"check with that one, or install this one: {SETUP}",
        )


def _check_owner(path: str) -> Iterator[Result]:
    """Whether only root can change it, or a folder above it."""
    place = os.path.realpath(path)
    while True:
        try:
            found = os.stat(place)
        except OSError:
            return
        # in a sticky folder nobody can replace what belongs to root
        open_to_all = found.st_mode & 0o022 and not (
            stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        )
        if found.st_uid or open_to_all:
            yield warning(
                f"{_shown(place)} can be changed by others than root: whoever does gets to read all mail",
                f"chown root {_shown(place)}; chmod go-w {_shown(place)}",
            )
            return
        if place == "/":
            return
        place = os.path.dirname(place)


def _package(path: str, folders: str) -> str:
    """The folder that holds the package: the first that the launcher names, else that of its checkout."""
    try:
        named = ast.literal_eval(folders)
    except (ValueError, SyntaxError):
        named = []
    return str(named[0]) if named else os.path.realpath(path).rsplit("/", 3)[0]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST)
    except OSError:
        return ""


def _shown(text: str) -> str:
    return readable(os.fsencode(text))
