"""The command `config`: the settings in force, the commented default, what is wrong with a file."""

import os
from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import load
from amavis_pipe.config.sample import sample, toml
from amavis_pipe.config.schema import OPTIONS, SECTIONS
from amavis_pipe.text import readable

ROW_FIELDS = ("name", "via", "at", "how", "timeout", "databases")
"""What of a scanner row is an option; the rest is what clamd.conf says."""
TOLD = {"self_check": "seconds", "largest": "bytes", "longest": "seconds"}


def show(config: bytes | None) -> int:
    """Print the values in force, as a settings file that means the same."""
    path = config or settings.DEFAULT_PATH
    if config is None and not os.path.exists(path):
        head, values = f"# no {readable(path)}: these are the defaults", load.defaults()
    else:
        head, values = f"# settings in {readable(path)}", load.load(path)[0]
    print(head)
    print("\n".join(_lines(values)))
    return 0


def default() -> int:
    """Print the commented default file."""
    print(sample(), end="")
    return 0


def test(config: bytes | None) -> int:
    """Print all faults of a file: 1; or that there are none: 0. SettingsError if it can't be read."""
    path = config or settings.DEFAULT_PATH
    try:
        settings.slurp(path)
    except OSError as error:
        raise settings.SettingsError([f"{readable(path)}: {error.strerror}"]) from None
    try:
        load.load(path)
    except settings.SettingsError as error:
        print("\n".join(error.faults))
        return 1
    print(f"{readable(path)}: no faults")
    return 0


def _lines(values: dict[str, Any]) -> list[str]:
    lines = []
    for section in SECTIONS:
        lines += ["", f"[{section}]"] if section else []
        for option in OPTIONS:
            before, _, name = option.key.rpartition(".")
            if before == section:
                lines.append(f"{name} = {toml(_plain(values[option.key]))}")
    for row in values["rows"]:
        lines += ["", "[[scanner]]"]
        lines += [f"{name} = {toml(_plain(row[name]))}" for name in ROW_FIELDS if row[name]]
        lines += [f"# {name}: {row[name]} {unit}" for name, unit in TOLD.items() if row[name]]
    return lines


def _plain(value: Any) -> Any:
    """A value as TOML has it: text for bytes, a list for a tuple."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return list(value) if isinstance(value, tuple) else value
