"""The command `config`: the settings in force, the commented default, what is wrong with a file."""

import os
from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import load
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.config.rows import known as known_rows
from amavis_pipe.config.sample import sample, toml, toml_key
from amavis_pipe.config.schema import OPTIONS, SECTIONS
from amavis_pipe.text import readable

ROW_FIELDS = ("name", "via", "at", "how", "timeout", "retry", "sees", "kinds", "backup_of")
"""What of every scanner row is an option; the rest is what clamd.conf says, or in `more`."""
OTHERS = {"self_check": "self_check", "largest": "max_file_size"}
"""Options of all scanners but clamd, by the row's words for them."""
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


def test(config: bytes | None, quiet: bool = False) -> int:
    """Print all faults of a file: 1; or, unless `quiet`, that there are none: 0.

    SettingsError if it can't be read.
    """
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
    if not quiet:
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
        lines += ["", "[[scanner]]", *_row_lines(row)]
    for kind, value, reason, _ in values["allow"]:
        lines += ["", "[[allow]]", f"{kind} = {toml(value)}", f"reason = {toml(reason)}"]
    for name, tables in values["tables"].items():
        for table in tables:
            lines += [
                "",
                f"[[{name}]]",
                *(f"{toml_key(key)} = {toml(value)}" for key, value in table.items()),
            ]
    return lines


def _row_lines(row: dict[str, Any]) -> list[str]:
    """A scanner's options; of one that is known by name those that are not as known."""
    known = known_rows().get(row["name"], {})
    given = {name: row[name] for name in ROW_FIELDS if row[name]}
    if row["via"] in ("clamd", "builtin"):
        told = [f"# {name}: {row[name]} {unit}" for name, unit in TOLD.items() if row[name]]
    else:
        given |= {option: row[name] for name, option in OTHERS.items() if row[name]}
        told = []
    options = {option.key for option in ROW_OPTIONS}
    given |= {
        name: value for name, value in row["more"].items() if name in options and known.get(name) != value
    }
    return [f"{name} = {toml(_plain(value))}" for name, value in given.items()] + told


def _plain(value: Any) -> Any:
    """A value as TOML has it: text for bytes, a list for a tuple."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value
