"""The fully commented default settings file, made from the option table.

`python -m amavis_pipe.config.sample --check FILE` says whether FILE is up to date.
"""

import sys
from typing import Any

from amavis_pipe.config.banned import OPTIONS as BANNED_OPTIONS
from amavis_pipe.config.categories import RULE_ONLY, SAME
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.config.schema import OPTIONS, SECTIONS
from amavis_pipe.config.types import Option

HEAD = """\
# Settings of amavis-pipe. Every option is shown with its default; take the "#" away to change one.
# `amavis-pipe config test` says what is wrong with this file, and where.
"""


def sample(given: dict[str, Any] | None = None) -> str:
    """The default file; the keys in `given` stand uncommented with that value."""
    given = given or {}
    lines = [HEAD]
    for section, title in SECTIONS.items():
        lines.append(f"# {title}")
        if section:
            lines.append(f"[{section}]")
        for option in OPTIONS:
            if option.key.rpartition(".")[0] == section:
                lines += _lines(option, given)
        lines.append("")
    return "\n".join(lines + _row_lines() + _allow_lines() + _rule_lines() + _banned_lines()) + "\n"


def _lines(option: Option, given: dict[str, Any]) -> list[str]:
    name = option.key.rpartition(".")[2]
    if option.text == SAME and option.key not in given:
        return [f"#{name} = {toml(option.default)}" + (f"  # {option.amavis}" if option.amavis else "")]
    known = f" (amavisd-new: {option.amavis})" if option.amavis else ""
    head = [f"# {option.text}{known}", f"#   wants {option.type.wants}"]
    if option.key in given:
        return [*head, f"{name} = {toml(given[option.key])}"]
    return [*head, f"#{name} = {toml(option.default)}"]


def _row_lines() -> list[str]:
    lines = ['# A further scanner, or other values for a built-in one ("clamd", "builtin")', "#[[scanner]]"]
    for option in ROW_OPTIONS:
        lines += [
            f"# {option.text}",
            f"#{option.key} = {toml(option.default or 'clamd' if option.key == 'name' else option.default)}",
        ]
    return lines


def _allow_lines() -> list[str]:
    return [
        "",
        "# What is harmless whatever a scanner says: a part's content, or all that has one signature's name",
        "#[[allow]]",
        "# The part's SHA-256, as the record shows it; or, in its place, name: the signature's name.",
        '#sha256 = ""',
        "# Why; it stands in the record of each mail.",
        '#reason = ""',
    ]


def _rule_lines() -> list[str]:
    return [
        "",
        "# What is otherwise for some mail: [[recipient]], [[sender]], [[client]]. Each option is from the",
        "# first rule that holds and names it, recipients' before senders' before clients', else from above.",
        "#[[recipient]]",
        '# user@example.org, user@, example.org, .example.org (and all below it), "." (any), "<>" (the null',
        "# sender); /FILE for a file of such entries, one a line; map:NAME for what `config refresh` got.",
        "# For clients: an IP address, a network, user:NAME, user:. (whoever authenticated).",
        '#match = ["boss@example.org", "/etc/amavis-pipe.vips"]',
        "# Further conditions, written like match: all must hold.",
        "#sender = []",
        "#client = []",
        "# Any option of the categories above, bypass, banned_rules, and:",
        *(f"# {line}" for option in RULE_ONLY for line in (option.text, f"  wants {option.type.wants}")),
        *(f"#{option.key} = {toml(option.default)}" for option in RULE_ONLY),
        '#infected.action = "discard"',
        "",
        "# A map that `amavis-pipe config refresh`, from cron, gets by a command: one entry a line.",
        "#[[map]]",
        '#name = "users"',
        '#command = ["/usr/local/sbin/dump-users"]',
        "# Time that it may take, and the least number of entries; else the map stays as it was.",
        "#seconds = 60",
        "#least = 1",
    ]


def _banned_lines() -> list[str]:
    lines = ["", "# A banned rule of the site's own: docs/banned.rst", "#[[banned_rule]]"]
    for option in BANNED_OPTIONS:
        lines += [f"# {option.text}", f"#{option.key} = {toml(option.default)}"]
    return lines


def toml(value: Any) -> str:
    """A value as TOML writes it: booleans, numbers, strings, lists of these, tables in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(_escaped(char) for char in value) + '"'
    return str(value)


def _escaped(char: str) -> str:
    """A character in a basic string (https://toml.io, String)."""
    if char in '"\\':
        return "\\" + char
    return char if char >= " " and char != "\x7f" else f"\\u{ord(char):04x}"


def toml_key(key: str) -> str:
    """A key as TOML writes it, in quotes where it must be."""
    bare = key.isascii() and key.replace("-", "a").replace("_", "a").isalnum()
    return key if bare else toml(key)


def main(arguments: list[str]) -> int:
    """Print the sample, or compare it with a file: 0 equal, 1 not."""
    if arguments[:1] != ["--check"]:
        sys.stdout.write(sample())
        return 0
    with open(arguments[1], encoding="utf-8") as file:
        same = file.read() == sample()
    if not same:
        print(f"{arguments[1]} is out of date: amavis-pipe config default > {arguments[1]}", file=sys.stderr)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
