"""Whether the ground is firm: settings, folders, the user, packages, decoders, the sandbox."""

import os
import platform
import pwd
import stat
from collections.abc import Iterator
from importlib import metadata

from amavis_pipe import __version__, settings
from amavis_pipe.config import load
from amavis_pipe.desk.checks import Result, ok, problem, warning
from amavis_pipe.forward.sendmail import COMMAND
from amavis_pipe.model import SandboxTrouble
from amavis_pipe.text import readable

PACKAGES = {
    "click": "the commands",
}
"""Distributions that are used, and what for."""


def check_settings(path: bytes) -> Iterator[Result]:
    """Whether the file can be read by the filter's user, has no fault, and only its owner writes it."""
    shown = readable(path)
    try:
        found = os.stat(path)
        settings.slurp(path)
    except OSError as error:
        advice = f"amavis-pipe config default > {shown}; without it the filter defers all mail"
        yield problem(f"settings {shown}: {error.strerror}", advice)
        return
    if found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode):
        others = "everybody" if found.st_mode & 0o002 else "its group"
        yield problem(f"settings {shown} can be written by {others}", f"chmod go-w {shown}")
    try:
        load.load(path)
    except settings.SettingsError as error:
        for fault in error.faults:
            yield problem(fault, "mend the file; until then the filter defers all mail")
        return
    yield ok(f"settings {shown}")


def check_user(state: bytes, became: str) -> Iterator[Result]:
    """Who the filter is; `became` is the user whose rights this process has."""
    owner = owner_of(state)
    if owner is None:
        return  # check_folders tells
    if owner == "root":
        yield problem(
            f"{readable(state)} belongs to root, and the filter never runs as root",
            f"chown it to the user of the entry in master.cf: chown -R vscan {readable(state)}",
        )
    elif owner == became:
        yield ok(f"filter user {owner}, owner of {readable(state)}")
    else:
        yield warning(
            f"filter user {owner}, but this check ran as {became}: what it saw is not what the filter sees",
            f"run it as root or {owner}",
        )


def check_folders(state: bytes) -> Iterator[Result]:
    """Whether the state folder and those in it are the filter user's alone."""
    shown = readable(state)
    try:
        top = os.lstat(state)
    except OSError as error:
        yield problem(f"state folder {shown}: {error.strerror}", f"install -d -m 0700 -o vscan {shown}")
        return
    if not stat.S_ISDIR(top.st_mode):
        yield problem(f"state folder {shown} is no folder", f"install -d -m 0700 -o vscan {shown}")
        return
    wrong = False
    for folder in (state, *(state + b"/" + name for name in settings.FOLDERS)):
        for result in _check_folder(folder, top):
            wrong = True
            yield result
    if not wrong:
        yield ok(f"state folder {shown}, mode 0700")


def _check_folder(folder: bytes, top: os.stat_result) -> Iterator[Result]:
    shown = readable(folder)
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return  # the filter makes them when it first runs
    except OSError as error:
        yield warning(f"{shown}: {error.strerror}", "run this check as root or as the filter's user")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield problem(f"{shown} is no folder", "move it away")
    elif found.st_uid != top.st_uid:
        yield problem(f"{shown} belongs to another user", f"chown --reference={readable(folder)}/.. {shown}")
    elif found.st_mode & 0o077:
        yield problem(f"{shown} has mode {stat.S_IMODE(found.st_mode):04o}", f"chmod 0700 {shown}")


def check_program() -> Iterator[Result]:
    """This program, its interpreter, the packages it can use, and what the formats need."""
    yield ok(f"amavis-pipe {__version__}, Python {platform.python_version()}")
    for name, use in PACKAGES.items():
        try:
            yield ok(f"Python package {name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield warning(f"Python package {name} is missing", f"pip install {name}: {use}")
    yield from _check_decoders()


def _check_decoders() -> Iterator[Result]:
    from amavis_pipe.decompose import registry

    needs = {need for row in registry.table() for need in row.needs}
    for name, path, package in sorted(needs):
        formats = ", ".join(row.name for row in registry.table() if (name, path, package) in row.needs)
        if path:
            yield ok(f"Found decoder {name} at {path}, for {formats}")
        elif package:
            yield warning(f"No decoder: {name}, for {formats}", f"apt install {package}")
        else:
            yield ok(f"No decoder: {name}, for {formats} (pip install {name})")
    yield ok("formats: " + ", ".join(row.name for row in registry.table()))


def check_sandbox(mode: str) -> Iterator[Result]:
    """What the sandbox of the decoders can be made of here."""
    from amavis_pipe.jail import sandbox

    try:
        stands = sandbox.capabilities()
    except SandboxTrouble as trouble:
        yield problem(str(trouble), "without it mail with archives is deferred")
        return
    missing = [
        name for name, there in (("Landlock", stands.landlock), ("seccomp", stands.seccomp)) if not there
    ]
    if not missing:
        yield ok(f"sandbox: Landlock {stands.landlock}, seccomp")
    elif mode == "require":
        advice = 'a newer kernel, or sandbox = "prefer"; until then mail with archives is deferred'
        yield problem(f"sandbox: no {' and no '.join(missing)}", advice)
    else:
        advice = "a newer kernel; decoders run with less protection meanwhile"
        yield warning(f"sandbox: no {' and no '.join(missing)}", advice)


def check_sendmail(site: settings.Settings) -> Iterator[Result]:
    """The program that takes checked mail, or what smtp can't carry."""
    shown = readable(COMMAND)
    if all(route.startswith("file:") for route in (site.forward, site.notify)):
        return
    if os.access(COMMAND, os.X_OK):
        yield ok(f"{shown} is there")
    else:
        yield problem(f"{shown} can't be run by this user", "install Postfix; until then mail is deferred")


def owner_of(folder: bytes) -> str | None:
    """The name of a folder's owner, the number if it has none; None if it can't be told."""
    try:
        uid = os.stat(folder).st_uid
    except OSError:
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
