"""The command `config import`: settings of ours from an amavisd.conf.

Nothing of Perl is run, and nothing is changed but the file that is asked for. It keeps the caller's rights,
root's too: it reads what amavisd ran as root, and files of entries that are named there.
"""

import os
import shutil
import sys
from collections.abc import Callable
from typing import NoReturn

from amavis_pipe.config.imported import files
from amavis_pipe.config.imported.assigned import Assigned
from amavis_pipe.config.imported.carried import Carrier
from amavis_pipe.config.imported.result import BY_KEY, Result
from amavis_pipe.config.imported.values import Where
from amavis_pipe.config.imported.written import checked
from amavis_pipe.model import AmavisPipeError
from amavis_pipe.text import readable

Told = tuple[Where, str, str]
SHOWN = 1000
"""Characters of a line of the report."""


class ImportTrouble(AmavisPipeError):
    """A file that can't be read or written."""


def run(paths: list[bytes], output: bytes | None, force: bool) -> int:
    """Print or write the settings; 0 if all was carried over, 1 if something was left out.

    ImportTrouble if a file can't be read or written.
    """
    if output is not None and not force and os.path.lexists(output):
        _fail(output, "is there already; --force replaces it")
    names = [readable(path) for path in paths]
    text, result = settings_from(dict(zip(names, (_slurp(path) for path in paths), strict=True)))
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text.encode(), force)
    _report(result)
    return 1 if result.left else 0


def settings_from(texts: dict[str, str]) -> tuple[str, Result]:
    """The settings that files mean, given by name and content, one after the other; and the whole result."""
    assigned = Assigned()
    for name, content in texts.items():
        assigned.file(content, name)
    result = Carrier(assigned, files.Files(files.slurped), _finder(assigned)).carry()
    return checked(result, list(texts)), result


def _finder(assigned: Assigned) -> Callable[[tuple[str, ...]], bool]:
    """Tells whether one of several programs is here, on the path of the file's or ours."""
    given = assigned.value("$path")
    path = given if isinstance(given, str) else str(BY_KEY["path"].default)

    def found(programs: tuple[str, ...]) -> bool:
        return any("\0" not in one and shutil.which(one, path=path) for one in programs)

    return found


def _slurp(path: bytes) -> str:
    try:
        return files.slurped(os.fsdecode(path)).decode("utf-8", "backslashreplace")
    except OSError as error:
        _fail(path, error.strerror or "can't be read")


def _write(path: bytes, data: bytes, force: bool) -> None:
    """Create the file; with `force` put it in the place of another."""
    place = path + b".new" if force else path
    try:
        if force and os.path.lexists(place):
            os.unlink(place)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        if force:
            os.replace(place, path)
    except OSError as error:
        _fail(path, error.strerror or "can't be written")


def _fail(path: bytes, why: str) -> NoReturn:
    raise ImportTrouble(f"{readable(path)}: {why}")


def _report(result: Result) -> None:
    """What was left out, and what isn't needed, on standard error, in the order of the lines."""
    _say("Not carried over:", [f"{_at(where)}{name}: {why}" for where, name, why in _sorted(result.left)])
    names: dict[str, list[str]] = {}
    for where, name, why in _sorted(result.moot):
        names.setdefault(why, []).append(f"{name} ({where.line})")
    _say(
        "Not needed here (lines):",
        [f"{', '.join(dict.fromkeys(found))}: {why}" for why, found in names.items()],
    )


def _say(title: str, lines: list[str]) -> None:
    if lines:
        shown = [readable(line.encode("utf-8", "backslashreplace"), SHOWN) for line in dict.fromkeys(lines)]
        print(title, *(f"  {line}" for line in shown), sep="\n", file=sys.stderr)


def _at(where: Where) -> str:
    return f"{where}: " if where.line else ""


def _sorted(found: list[Told]) -> list[Told]:
    order = {file: number for number, file in enumerate(dict.fromkeys(where.file for where, _, _ in found))}
    return sorted(found, key=lambda one: (order[one[0].file], one[0].line))
