"""amavis-pipe(8): the three forms, the commands as click knows them, what statuses mean, files, examples."""

import click

from amavis_pipe.arguments import SWITCHES, VALUES
from amavis_pipe.desk import cli
from amavis_pipe.desk.manuals.blocks import Block, Code, Heading, Item, Page, Para

NAME = "amavis-pipe"
PIPE = """\
amavis    unix  -       n       n       -       2       pipe
  -o pipe_delivery_status_filter=regexp:/etc/postfix/amavis-pipe.dsn
  flags=q user=vscan null_sender=
  argv=/usr/local/bin/amavis-pipe --queue-id ${queue_id}
  --client-address ${client_address} --client-name=${client_hostname}
  --helo=${client_helo} --sasl-username=${sasl_username} --size=${size}
  -f ${sender} -- ${recipient}"""
EXAMPLES = (
    ("What is in a mail, what is found, what would be done:", "amavis-pipe < message.eml"),
    ("The same, as a record for other programs:", "amavis-pipe --json < message.eml"),
    (
        "What would be done for this envelope:",
        "amavis-pipe --dry-run -f a@example.org -- b@example.org < message.eml",
    ),
    ("Files, folders and Maildirs:", "amavis-pipe scan Maildir suspicious.zip"),
    ("Whether everything is there, and works:", "amavis-pipe check"),
    ("What is wrong with new settings, before they are put in place:", "amavis-pipe config test new.toml"),
    (
        "Settings from those of amavisd-new:",
        "amavis-pipe config import amavisd.conf --output amavis-pipe.toml",
    ),
    ("Why a mail was treated as it was:", "amavis-pipe explain message.eml"),
    (
        "What would happen to a mail with a virus for this recipient, and which line says so:",
        "amavis-pipe config test --recipient b@example.org --category infected",
    ),
    ("The last week, as text:", "amavis-pipe report --since 7d --text"),
    ("What was kept back:", "amavis-pipe quarantine list"),
    ("After a false positive:", "amavis-pipe cache forget Eicar-Signature"),
    ("What cron does:", "amavis-pipe prune"),
)
"""What it is for, and the command; tests run each."""
_VALUES = {
    b"--config": ("FILE", "Settings file; default /etc/amavis-pipe.toml."),
    b"--queue-id": (
        "ID",
        "Postfix's queue id; it stands in the log, the journal and names in the quarantine.",
    ),
    b"--client-address": ("ADDRESS", "Where the mail came from; [[client]] tables match it."),
    b"--client-name": ("NAME", "The client's name."),
    b"--helo": ("NAME", "What the client called itself."),
    b"--sasl-username": ("USER", "Who authenticated, if anybody did; [[client]] tables match it."),
    b"--size": ("BYTES", "The mail's size as Postfix tells it; it is not relied on."),
}
_SWITCHES = {
    b"--dry-run": "Show what would be done; send and store nothing.",
    b"--json": "Print the record, one line of JSON.",
    b"--debug": "Tell each step on standard error.",
    b"--no-cache": "Look at everything anew, and remember nothing.",
}


def page() -> Page:
    """The page."""
    return Page(
        NAME,
        8,
        "content filter for Postfix",
        (*_head(), *_forms(), *_commands(), *_statuses(), *_files(), *_security(), *_end()),
    )


def _head() -> list[Block]:
    return [
        Heading(1, "Synopsis"),
        Code(
            "amavis-pipe [OPTION...] -f SENDER -- RECIPIENT... < MAIL\n"
            "amavis-pipe [--json] [--debug] < MAIL\n"
            "amavis-pipe COMMAND [OPTION...] [ARGUMENT...]"
        ),
        Heading(1, "Description"),
        Para(
            "`amavis-pipe` reads one mail from standard input, takes it apart (every MIME part, every "
            "archive in an archive), has each part scanned, decides by the settings, and hands the mail back "
            "to Postfix, or discards, bounces, quarantines it. Postfix's `pipe`(8) starts it for each mail; "
            "there is no daemon. Whatever goes wrong leaves the mail in Postfix's queue."
        ),
    ]


def _forms() -> list[Block]:
    return [
        Heading(1, "Filter form"),
        Para(
            "This is how Postfix calls it, by an entry of `master.cf`, which `contrib/postfix/setup` writes:"
        ),
        Code(PIPE),
        Item("-f SENDER", ("Envelope sender, verbatim; an empty argument is the null sender.",)),
        Item("-- RECIPIENT...", ("Envelope recipients, verbatim, to the end of the line.",)),
        *(Item(f"{name.decode()} {_VALUES[name][0]}", (_VALUES[name][1],)) for name in VALUES),
        Para(
            "It never guesses: without a settings file, with a fault in it, with arguments that are not "
            "understood, or run as root it leaves with 75, and Postfix keeps the mail. It prints one short "
            "line, for Postfix's log."
        ),
        Heading(1, "Trial form"),
        Para(
            "A mail on standard input without an envelope, or with one of the switches below, is examined "
            "and told of; nothing is sent, stored or notified. The status is what the filter form would "
            "leave with."
        ),
        *(Item(name.decode(), (_SWITCHES[name],)) for name in SWITCHES),
    ]


def _commands() -> list[Block]:
    blocks: list[Block] = [
        Heading(1, "Commands"),
        Para(
            "Each takes `-c`, `--config` FILE for other settings than `/etc/amavis-pipe.toml`, and `-h`, "
            "`--help`. Run as root, a command opens what it was given, and then takes the rights of the "
            "state folder's owner before it looks into it. Without settings it uses defaults, and says so."
        ),
    ]
    for words, command in commands():
        context = click.Context(command, info_name=" ".join(("amavis-pipe", *words)))
        usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
        blocks += [Heading(2, " ".join((*words, usage)).rstrip()), *_help(command.help or "")]
        blocks += [_option(one, context) for one in command.params if _is_shown(one)]
    return blocks


def commands(
    group: click.Group = cli.commands, before: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words; groups stand for those in them."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        words = (*before, name)
        found += commands(command, words) if isinstance(command, click.Group) else [(words, command)]
    return found


def _help(text: str) -> list[Block]:
    """A help text's paragraphs; those with \\b are as they stand."""
    blocks: list[Block] = []
    for paragraph in text.split("\n\n"):
        lines = [line.strip() for line in paragraph.strip().split("\n")]
        if lines[0] == "\b":
            blocks.append(Code("\n".join(paragraph.strip("\n").split("\n")[1:])))
        else:
            blocks.append(Para(" ".join(lines)))
    return blocks


def _is_shown(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.name != "config" and not parameter.hidden


def _option(parameter: click.Parameter, context: click.Context) -> Item:
    term, text = parameter.get_help_record(context) or ("", "")
    return Item(term, (text,))


def _statuses() -> list[Block]:
    return [
        Heading(1, "Diagnostics"),
        Para("The filter form leaves with one of these, and Postfix does what it means:"),
        Item("0", ("Passed, discarded or quarantined: Postfix is done with the mail.",)),
        Item("69", ("Refused by the settings: Postfix returns the mail to its sender, with the reason.",)),
        Item(
            "75",
            (
                "Any trouble: a scanner that does not answer, faults in the settings, a full disk, a bug. "
                "Postfix keeps the mail and tries again. The mail log says what it was, in a line with "
                "`trouble:`.",
            ),
        ),
        Item("a signal", ("The time of `limits.hard_seconds` is over, or memory: Postfix keeps the mail.",)),
        Para("Commands leave with:"),
        Item("0", ("All is well.",)),
        Item(
            "1", ("Something was found: a virus, a fault, a problem; what that is stands at each command.",)
        ),
        Item("2", ("Wrong usage, or trouble.",)),
        Para(
            "The filter form writes one line for each mail to `syslog`(3), facility mail: what was done, the "
            "heaviest finding, its part, sender, the number of recipients and parts, whether the cache "
            "answered, CPU time. Bytes from outside are escaped there."
        ),
    ]


def _files() -> list[Block]:
    return [
        Heading(1, "Files"),
        Item("/etc/amavis-pipe.toml", ("The settings, `amavis-pipe.toml`(5).",)),
        Item(
            "/var/lib/amavis-pipe",
            (
                "The state folder, mode 0700, of the filter's user: `cache`, `journal`, `quarantine`, "
                "`work`. `prune` bounds what is in it by age and size.",
            ),
        ),
        Item(
            "/usr/local/bin/amavis-pipe",
            ("The launcher that `master.cf` names; `contrib/postfix/setup` writes it.",),
        ),
        Item(
            "/etc/postfix/amavis-pipe.dsn",
            ("Makes Postfix keep the mail where the program can't even be started; it would bounce it.",),
        ),
        Item("/etc/cron.d/amavis-pipe", ("Runs `amavis-pipe prune` every hour.",)),
        Heading(1, "Environment"),
        Item("_AMAVIS_PIPE_COMPLETE", ("Set by the shell's completion: `contrib/completion`.",)),
        Item("MAIL_CONFIG", ("Set by Postfix. Whatever is not a complete filter form leaves with 75 then.",)),
    ]


def _security() -> list[Block]:
    return [
        Heading(1, "Security"),
        Para(
            "No byte of a mail is trusted. Archives are opened in a child process without network and "
            "without writable files, under Landlock and seccomp; the programs that it needs run in jails of "
            "their own; memory, time, files, depth and room are limited. What was found, and names from the "
            "mail, are escaped wherever they are shown. The filter form refuses to run as root."
        ),
        Para(
            "Trusted are the settings, the state folder, and the answers of the scanners within bounds. Who "
            "can write the settings can run programs as the filter's user."
        ),
    ]


def _end() -> list[Block]:
    blocks: list[Block] = [Heading(1, "Examples")]
    for text, command in EXAMPLES:
        blocks += [Para(text), Code(command)]
    return [
        *blocks,
        Heading(1, "See also"),
        Para("`amavis-pipe.toml`(5), `pipe`(8), `master`(5), `clamd`(8), `freshclam`(1)"),
    ]
