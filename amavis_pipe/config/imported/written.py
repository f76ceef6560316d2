"""Writes the settings as TOML: each value with the line it comes from, texts quoted whatever is in them."""

from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import load
from amavis_pipe.config.imported.result import Line, Result, Table
from amavis_pipe.config.imported.values import NOWHERE, Where
from amavis_pipe.config.schema import SECTIONS

HEAD = """\
# Settings of amavis-pipe, made from {files}
# by `amavis-pipe config import`. What isn't here has its default: `amavis-pipe config default`.
"""


def checked(result: Result, files: list[str]) -> str:
    """The whole file, less the options and tables by which it would have faults: these are left."""
    for _ in range(_ROUNDS):
        text = written(result, files)
        try:
            load.parsed(text.encode(), "the result")
        except settings.SettingsError as error:
            for fault in error.faults:
                _, _, told = fault.partition(": ")
                _leave_out(*told.partition(": ")[::2], result)
        else:
            break
    return text


_ROUNDS = 4
"""What is left out may be missed by something else, which is left out then."""


def _leave_out(key: str, why: str, result: Result) -> None:
    """Take what has a fault out of the result: an option, or the tables of that kind that have one."""
    line = result.options.pop(key, None)
    faulty = [one for one in result.tables if one[0] == key.partition(".")[0] and not _is_sound(one, result)]
    for _, _, where, name, _ in faulty:
        result.leave(where, name, f"{key}: {why}")
    result.tables = [one for one in result.tables if one not in faulty]
    if line or not faulty:
        result.leave(line.where if line else NOWHERE, line.name if line else key, why)


def _is_sound(table: tuple[str, Table, Where, str, str], result: Result) -> bool:
    """Whether a table has no fault of its own, beside the banned rules that it may name."""
    rules = [one for one in result.tables if one[0] == "banned_rule" != table[0]]
    try:
        load.parsed(written(Result(tables=[*rules, table]), []).encode(), "a table")
    except settings.SettingsError as error:
        return not any(f": {table[0]}" in fault for fault in error.faults)
    return True


def written(result: Result, files: list[str]) -> str:
    """The whole file."""
    lines = [HEAD.format(files=", ".join(_plain(file) for file in files))]
    known = {key.rpartition(".")[0] for key in result.options}
    for section in [*SECTIONS, *sorted(known - set(SECTIONS))]:
        found = {key: line for key, line in result.options.items() if key.rpartition(".")[0] == section}
        if found and section:
            lines += [f"[{section}]"]
        lines += [text for key, line in found.items() for text in _option(key, line)]
        lines += [""] if found else []
    for kind, fields, where, name, comment in result.tables:
        lines += [*_comments(where, name, comment), f"[[{kind}]]"]
        lines += [f"{_key(key)} = {toml(value)}" for key, value in fields.items()]
        lines += [""]
    lines += ["# " + _plain(hint) for hint in result.hints]
    return "\n".join(lines).rstrip("\n") + "\n"


def _option(key: str, line: Line) -> list[str]:
    mark = "#" if line.is_planned else ""
    name = key.rpartition(".")[2]
    return [*_comments(line.where, line.name, line.comment), f"{mark}{name} = {toml(line.value)}"]


def _comments(where: Where, name: str, comment: str) -> list[str]:
    place = f"{where.file}:{where.line}: " if where.line else ""
    return [_plain(f"# {place}{name}{'; ' if comment else ''}{comment}")]


def _key(key: str) -> str:
    return ".".join(
        toml(part) if not part.replace("-", "a").replace("_", "a").isalnum() else part
        for part in key.split(".")
    )


def toml(value: Any) -> str:
    """A value as TOML: texts, numbers, truth values, lists, and tables of texts."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        if sum(len(str(item)) for item in value) < 80:
            return "[" + ", ".join(toml(item) for item in value) + "]"
        return "[\n" + "".join(f"    {toml(item)},\n" for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(str(key))} = {toml(one)}" for key, one in value.items()) + " }"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return "\\ufffd" if 0xD800 <= code < 0xE000 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _plain(text: str) -> str:
    """On one line, without anything that a terminal would act on."""
    return "".join(char if char.isprintable() else "?" for char in text)
