"""Writes the settings as TOML: each value with the line it comes from, texts quoted whatever is in them."""

from typing import Any

from amavis_pipe import settings
from amavis_pipe.config import load
from amavis_pipe.config.imported.result import Line, Result
from amavis_pipe.config.imported.values import NOWHERE, Where
from amavis_pipe.config.schema import SECTIONS

HEAD = """\
# Settings of amavis-pipe, made from {files}
# by `amavis-pipe config import`. What isn't here has its default: `amavis-pipe config default`.
"""


def checked(result: Result, files: list[str]) -> str:
    """The whole file, less the options by which it would have faults: these are left."""
    for _ in range(3):
        text = written(result, files)
        try:
            load.parsed(text.encode(), "the result")
        except settings.SettingsError as error:
            for fault in error.faults:
                _, _, told = fault.partition(": ")
                key, _, why = told.partition(": ")
                line = result.options.pop(key, None)
                result.leave(line.where if line else NOWHERE, line.name if line else key, why)
        else:
            break
    return text


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
