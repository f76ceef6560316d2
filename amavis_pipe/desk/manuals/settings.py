"""amavis-pipe.toml(5): every option, from the tables that the settings are read by."""

import importlib.util
from typing import Any

from amavis_pipe.config import rules
from amavis_pipe.config.categories import IN_RULES, RULE_ONLY, SAME
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.config.sample import toml
from amavis_pipe.config.schema import OPTIONS, SECTIONS
from amavis_pipe.config.types import Option
from amavis_pipe.desk.manuals.blocks import Block, Code, Heading, Item, Page, Para

NAME = "amavis-pipe.toml"
EXAMPLES = (
    (
        "A small server: mail with a virus is kept back, the administrator gets a digest.",
        'scanners = ["clamd"]\n\n[infected]\nadmin = "postmaster@example.org"',
    ),
    (
        "Two scanners that must both answer, a third for when one of them does not.",
        'scanners = ["clamd", "uvscan"]\nbackups = ["clamscan"]\nrequire = "all"',
    ),
    (
        "A scanner that is known by no name.",
        '[[scanner]]\nname = "fpscan"\nrun = "/opt/f-prot/fpscan --report {dir}"\nclean = [0, 8, 64]\n'
        "infected = [1, 2, 3]\nvirus = '<([^ \\t(>]*)'",
    ),
    (
        "Nobody checks the mail of one address; one domain gets what could not be looked at only when it "
        "asks for it; what this network sends is bounced when it is infected.",
        '[[recipient]]\nmatch = ["abuse@example.org"]\nbypass = ["spam"]\nlover = ["infected", "banned"]\n\n'
        '[[recipient]]\nmatch = [".example.net"]\nunchecked = { action = "discard", quarantine = true }\n\n'
        '[[client]]\nmatch = ["192.0.2.0/24"]\ninfected.action = "bounce"',
    ),
    (
        "A false positive, until the scanner knows better.",
        '[[allow]]\nname = "Win.Test.Sample-1"\nreason = "the vendor has been told"',
    ),
    (
        "An archive in front of mailboxes: nothing is held back, everything is marked.",
        '[infected]\naction = "tag"\nheaders = ["X-Warning: infected"]\n\n[unchecked]\naction = "tag"\n'
        'subject_tag = "[unchecked] "',
    ),
)
"""What it is for, and the settings; tests load each."""


def page() -> Page:
    """The page."""
    return Page(NAME, 5, "settings of amavis-pipe", (*_intro(), *_sections(), *_tables(), *_end()))


def _intro() -> list[Block]:
    return [
        Heading(1, "Description"),
        Para(
            "`/etc/amavis-pipe.toml` is a TOML file. Every option has a default, so it may be empty; the "
            "filter wants it to exist. `amavis-pipe config default` prints one with all options as comments, "
            "`config test` tells each fault with its line and what was wanted, `config show` what is in "
            "force. There is nothing to reload: the next mail is treated by the new settings. While the file "
            "has a fault, mail is kept and tried again."
        ),
        Para(
            'Sizes are numbers of bytes, or such texts as `"100 KiB"`, with B, KiB, MiB, GiB, kB, MB or GB. '
            "In parentheses stands what amavisd-new calls an option; `amavis-pipe config import` reads an "
            "amavisd.conf."
        ),
    ]


def _sections() -> list[Block]:
    blocks: list[Block] = [Heading(1, "Options")]
    for section, title in SECTIONS.items():
        blocks += [Heading(2, f"[{section}]" if section else "Before any section"), Para(title + ".")]
        for option in OPTIONS:
            if option.key.rpartition(".")[0] == section:
                blocks.append(_option(option, option.key.rpartition(".")[2]))
    return blocks


def _option(option: Option, name: str) -> Item:
    known = f" ({', '.join(f'`{one}`' for one in _variables(option.amavis))})" if option.amavis else ""
    if option.text == SAME:
        return Item(f"{name} = {toml(option.default)}", (f"As in [infected]{known}.",))
    texts = (f"{option.text}{known}", f"Wants {option.type.wants}.")
    return Item(f"{name} = {toml(option.default)}", texts)


def _variables(text: str) -> list[str]:
    return [one.strip(" …") for one in text.split(",")]


def _tables() -> list[Block]:
    return [
        Heading(1, "Tables"),
        Para("Of each of these there may be several; their order is that of the file."),
        *_scanner(),
        *_allow(),
        *_rules(),
        *_map(),
        *_banned(),
    ]


def _scanner() -> list[Block]:
    return [
        Heading(2, "[[scanner]]"),
        Para(
            "A further scanner, or other values for one that is known by name; `amavis-pipe scanners --all` "
            "lists those. Which fields it must have depends on `via`: a `command` has `run`, `clean` and "
            "`infected`, a `line` daemon `at`, `ask`, `clean` and `infected`, `yara` has `rules`, the others "
            "have `at`. Patterns are regular expressions of Python, applied to bytes."
        ),
        *(
            Item(
                option.key + ("" if option.key == "name" else f" = {toml(option.default)}"),
                (option.text, f"Wants {option.type.wants}."),
            )
            for option in ROW_OPTIONS
        ),
    ]


def _allow() -> list[Block]:
    return [
        Heading(2, "[[allow]]"),
        Para("What is harmless, whatever a scanner says of it."),
        Item("sha256", ("The part's SHA-256, 64 hex digits, as the record shows it; or, in its place:",)),
        Item("name", ("The signature's name.",)),
        Item("reason", ("Why. It must be there, and stands in the record of each mail.",)),
    ]


def _rules() -> list[Block]:
    only = {option.key for option in RULE_ONLY}
    others = [f"`{key}`" for key in IN_RULES if key not in only]
    return [
        Heading(2, "[[recipient]], [[sender]], [[client]]"),
        Para(
            "Whose mail is treated otherwise, and how. Of several tables that fit, each option comes from "
            "the first that names it: those for recipients before those for senders before those for "
            "clients, and in the order of the file. What none of them names is as in the sections above. In "
            "one call each recipient gets its own."
        ),
        Item(
            "match",
            (
                "Which recipients, senders or clients: one entry, or a list of them. It must be there.",
                "Addresses: `user@example.org`; `user@`, in any domain; `example.org`; `.example.org`, that "
                "domain and all below it; `.` for any; `<>` for the null sender.",
                "Clients: an address; a network, `192.0.2.0/24`; `user:NAME` for who has authenticated under "
                "that name, `user:.` under any.",
                "`/FILE` stands for the entries in a file, one a line, with # before comments; `map:NAME` "
                "for those that a [[map]] got.",
            ),
        ),
        Item(
            "recipient, sender, client",
            ("A further condition, as `match`: mail from this sender to that recipient.",),
        ),
        *(_option(option, option.key) for option in RULE_ONLY),
        Para("Further, with the meaning they have above: " + ", ".join(others) + "."),
    ]


def _map() -> list[Block]:
    texts = {
        "name": "Used in `match` as `map:NAME`.",
        "command": "What prints the entries, one a line: a dump of a database, a search in a directory.",
        "seconds": "Time for it.",
        "least": "With fewer entries than this it counts as failed, and what was got before is kept.",
    }
    items = [
        Item(
            key if default is None else f"{key} = {toml(default)}",
            (texts[key], f"Wants {kind.wants}.") if key in texts else (f"Wants {kind.wants}.",),
        )
        for key, (kind, default) in rules.MAP_OPTIONS.items()
    ]
    text = "Entries that a command tells; `config refresh`, from cron, runs it."
    return [Heading(2, "[[map]]"), Para(text), *items]


def _banned() -> list[Block]:
    blocks: list[Block] = [
        Heading(2, "[[banned_rule]]"),
        Para(
            "What may not be in a mail. Several tables by one name are one rule; it applies where one of "
            "them does, and one does where all that it names is so. A rule is in force where `banned_rules` "
            "names it."
        ),
    ]
    options, sets = _judge()
    blocks += [
        Item(f"{option.key} = {toml(option.default)}", (option.text, f"Wants {option.type.wants}."))
        for option in options
    ]
    if sets:
        blocks.append(Para("Ready rules, which need no table:"))
    return [*blocks, *(Item(name, (text,)) for name, text in sets)]


def _judge() -> tuple[tuple[Option, ...], list[tuple[str, str]]]:
    """The fields of banned rules and the ready ones, if this version has them."""
    if importlib.util.find_spec("amavis_pipe.config.banned") is None:
        return (), []
    fields: Any = importlib.import_module("amavis_pipe.config.banned")
    ready: Any = importlib.import_module("amavis_pipe.judge.ready")
    return fields.OPTIONS, [(name, made[0]) for name, made in ready.SETS.items()]


def _end() -> list[Block]:
    blocks: list[Block] = [Heading(1, "Examples")]
    for text, settings in EXAMPLES:
        blocks += [Para(text), Code(settings)]
    return [
        *blocks,
        Heading(1, "Files"),
        Item("/etc/amavis-pipe.toml", ("The settings. The filter's user must be able to read them.",)),
        Heading(1, "See also"),
        Para("`amavis-pipe`(8), `postconf`(5), `master`(5), `clamd.conf`(5)"),
    ]
