"""The commands: their names, arguments and help. What they do is in the modules of the same names."""

import os
from collections.abc import Callable

import click

from amavis_pipe import __version__
from amavis_pipe.settings import DEFAULT_PATH

SHORT = {"help_option_names": ["-h", "--help"]}
HELP = """Content filter for Postfix: takes mail apart, has it scanned, decides, reinjects.

\b
There are three forms:
  filter    amavis-pipe [OPTIONS] -f SENDER -- RECIPIENT...    (mail on stdin)
            called by Postfix's pipe(8); leaves with 0, 69 or 75
  trial     amavis-pipe [--json] [--debug] < msg.eml
            shows what a mail is made of, what was found, what would be done
            and why; sends, stores and notifies nothing; --dry-run with -f and
            -- does so for a given envelope
  commands  amavis-pipe COMMAND ...
            those below; status 0, 1 = found something, 2 = usage or trouble

Run as root, a command opens what it was given, and then takes the rights of
the state folder's owner before it looks into it.
"""
EPILOG = """\b
Completion for bash (zsh and fish likewise):
  eval "$(_AMAVIS_PIPE_COMPLETE=bash_source amavis-pipe)"
"""


def run(words: list[str]) -> int:
    """Run the command in `words`; its status."""
    try:
        status = commands.main(args=words, prog_name="amavis-pipe", standalone_mode=False)
    except click.Abort:
        click.echo("amavis-pipe: interrupted", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except SystemExit:  # click's way with a reader that left
        return 2
    return int(status or 0)


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Keep the settings file for this command and those below it."""
    if value is not None:
        context.obj = os.path.abspath(os.fsencode(value))


def _config(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Gives a command the option -c, and as its first argument the file, or None."""
    text = f"Settings file; default {DEFAULT_PATH.decode()}."
    option = click.option("-c", "--config", metavar="FILE", help=text, expose_value=False, callback=_remember)
    return option(click.pass_obj(function))


_JSON = click.option("--json", "as_json", is_flag=True, help="One line of JSON for each.")


@click.group(help=HELP, epilog=EPILOG, context_settings=SHORT)
@_config
@click.version_option(__version__, prog_name="amavis-pipe", message="%(prog)s %(version)s")
def commands(_: bytes | None) -> None:
    """The whole program."""


@commands.command(short_help="Scan files, folders, mails.")
@_config
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_JSON
@click.option("--no-cache", is_flag=True, help="Look at everything anew, remember nothing.")
@click.option("--mail", "reading", flag_value="mail", help="Read every file as a mail, however broken.")
@click.option("--file", "reading", flag_value="file", help="Read no file as a mail unless it is one.")
def scan(
    config: bytes | None, paths: tuple[str, ...], as_json: bool, no_cache: bool, reading: str | None
) -> int:
    """Scan files and folders, and standard input for "-".

    Standard input, *.eml and the files of a Maildir are mails; of other files it is found out, and
    what could be either is read both ways. Prints a line for each file that is not clean.

    Status: 0 all clean, 1 something was found, 2 something could not be examined.
    """
    from amavis_pipe.desk import scan as command

    return command.run([os.fsencode(path) for path in paths], config, reading or "", as_json, not no_cache)


@commands.command(short_help="Test settings, scanners, sandbox, Postfix.")
@_config
@click.option("--postfix-config", metavar="DIR", help="Postfix's folder; default: what postconf(1) says.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.option("--log", is_flag=True, help="Write scanners and problems to syslog, too.")
@click.option("--nagios", is_flag=True, help="One line for Nagios or Icinga, and its statuses.")
def check(config: bytes | None, postfix_config: str | None, as_json: bool, log: bool, nagios: bool) -> int:
    """Test the whole installation, and say what to do about each problem.

    Status: 0 no problem (there may be warnings), 1 problems. With --nagios: 0 OK, 1 WARNING, 2 CRITICAL,
    3 UNKNOWN.
    """
    from amavis_pipe.desk import check as command

    if nagios and as_json:
        raise click.UsageError("--nagios and --json exclude each other")
    folder = os.path.abspath(postfix_config) if postfix_config else None
    return command.nagios(config, folder) if nagios else command.run(config, folder, as_json, log)


@commands.command(short_help="List the scanners.")
@_config
@click.option("--all", "show_all", is_flag=True, help="Those that are not there, too.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON, with all.")
def scanners(config: bytes | None, show_all: bool, as_json: bool) -> int:
    """List the configured scanners: where they are, their versions, how old engine and signatures are.

    Others are listed if their programs are installed; daemons are asked only when they are configured.

    Status: 0, 2 if a configured one does not answer.
    """
    from amavis_pipe.desk import scanners as command

    return command.run(config, show_all, as_json)


@commands.command(short_help="List the formats that can be unpacked.")
@_config
def formats(_: bytes | None) -> int:
    """List the formats that can be unpacked, and what they need."""
    from amavis_pipe.desk import formats as command

    return command.run()


@commands.group(short_help="Update the scanners' signatures; how old they are.")
@_config
def signatures(_: bytes | None) -> None:
    """Update the scanners' signatures; say how old they are."""


def _mailbox(_: click.Context, __: click.Parameter, value: str | None) -> bytes:
    """An address that sendmail takes: printable ASCII."""
    address = value or ""
    if len(address) > 320 or not all("!" <= char <= "~" for char in address) or value == "":
        raise click.BadParameter("wants an address")
    return address.encode()


@signatures.command("update")
@_config
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something changed or failed.")
@click.option(
    "-m", "--mail", "address", metavar="ADDRESS", callback=_mailbox, help="Mail what changed or failed."
)
def signatures_update(config: bytes | None, names: tuple[str, ...], quiet: bool, address: bytes) -> int:
    """Update the signatures of the named scanners, or of all that are configured; for cron.

    Runs `update` of each scanner's row (freshclam for ClamAV), or copies what is new in `mirror`.
    As root it runs that as root if the settings file is root's alone, and all else as the filter's user.

    Status: 0 done, changed or not; 2 an update failed, or is under way (0 with -q).
    """
    from amavis_pipe.desk import signatures as command

    return command.update(config, names, quiet, address)


@signatures.command("status")
@_config
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def signatures_status(config: bytes | None, as_json: bool) -> int:
    """Say for each scanner how old signatures and engine are, and how they are updated.

    Status: 0, 1 if something is older than the settings want, 2 if a scanner does not answer.
    """
    from amavis_pipe.desk import signatures as command

    return command.status(config, as_json)


@commands.group(short_help="Show, test or import settings.")
@_config
def config(_: bytes | None) -> None:
    """Show or test the settings; make them from an amavisd.conf."""


@config.command("show")
@_config
def config_show(config: bytes | None) -> int:
    """Print the settings in force, as TOML."""
    from amavis_pipe.desk import config as command

    return command.show(config)


@config.command("default")
@_config
def config_default(_: bytes | None) -> int:
    """Print a settings file with every option, commented out."""
    from amavis_pipe.desk import config as command

    return command.default()


@config.command("test")
@_config
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-s", "--sender", metavar="ADDRESS", help="Explain what happens to mail of this sender …")
@click.option("-r", "--recipient", "recipients", multiple=True, metavar="ADDRESS", help="… to this recipient")
@click.option("-k", "--category", "categories", multiple=True, metavar="WORD", help="… with these categories")
@click.option("--client", default="", metavar="ADDRESS", help="… from a client with this IP address,")
@click.option("--user", default="", metavar="NAME", help="which authenticated as this user.")
@click.option("--json", "as_json", is_flag=True, help="The explanation as one line of JSON.")
def config_test(
    config: bytes | None,
    file: str | None,
    sender: str | None,
    recipients: tuple[str, ...],
    categories: tuple[str, ...],
    client: str,
    user: str,
    as_json: bool,
) -> int:
    """Print all faults of a settings file, as FILE:LINE: KEY: what is wrong.

    Given a sender, recipients or categories (infected, banned, unchecked, spam, bad-header, oversized,
    clean), say for each recipient what would happen to such mail, and which line says so. Several
    categories are one mail that has them all; without any, each is explained.

    Status: 0 none, 1 faults, 2 the file can't be read.
    """
    from amavis_pipe.desk import config as command

    path = os.path.abspath(os.fsencode(file)) if file else config
    status = command.test(path, quiet=bool(sender or recipients or categories))
    if status or not (sender or recipients or categories):
        return status
    from amavis_pipe.desk import explanation
    from amavis_pipe.model import Envelope

    envelope = Envelope(
        os.fsencode(sender or ""),
        tuple(os.fsencode(one) for one in recipients),
        client_address=os.fsencode(client),
        sasl_username=os.fsencode(user),
    )
    return explanation.run(path, envelope, categories, as_json)


@config.command("refresh")
@_config
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something fails.")
def config_refresh(config: bytes | None, names: tuple[str, ...], quiet: bool) -> int:
    """Make the [[map]] files anew by their commands, all or those named; for cron.

    A map is replaced as a whole; if its command fails or prints what is no map, it stays as it was.

    Status: 0, 2 if a map could not be made.
    """
    from amavis_pipe.desk import refresh as command

    return command.run(config, names, quiet)


@config.command("import")
@_config
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", metavar="FILE", help="Write there; default: to standard output.")
@click.option("--force", is_flag=True, help="Replace that file if it is there.")
def config_import(_: bytes | None, files: tuple[str, ...], output: str | None, force: bool) -> int:
    """Make settings from an amavisd.conf, which is read, not run.

    Several files are read one after the other, as in Debian's conf.d. What could not be carried over is
    listed on standard error, with its line and why.

    Status: 0 all carried over, 1 something left out, 2 trouble.
    """
    from amavis_pipe.desk import importing as command

    return command.run([os.fsencode(file) for file in files], os.fsencode(output) if output else None, force)


@commands.group(short_help="Show or empty the cache.")
@_config
def cache(_: bytes | None) -> None:
    """Show or empty the cache: what is remembered of mails and parts that were examined."""


@cache.command("stats")
@_config
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def cache_stats(config: bytes | None, as_json: bool) -> int:
    """Say how many entries there are, how large, how old, and how many mails they answered."""
    from amavis_pipe.desk import cache as command

    return command.stats(config, as_json)


@cache.command("prune")
@_config
@click.option("-v", "--verbose", is_flag=True, help="Say what was removed.")
def cache_prune(config: bytes | None, verbose: bool) -> int:
    """Remove what is older than cache.days or larger than cache.size."""
    from amavis_pipe.desk import prune as command

    return command.run(config, verbose, only="cache")


@cache.command("forget")
@_config
@click.argument("what", metavar="SHA256|NAME")
def cache_forget(config: bytes | None, what: str) -> int:
    """Forget what is remembered of a part, by its SHA-256, or of a virus, by its name.

    A false positive is asked about again then; where the scanner still says so, see [[allow]] in the
    settings. The name may be a shell pattern.
    """
    from amavis_pipe.desk import forget as command

    return command.run(config, what)


@cache.command("clear")
@_config
def cache_clear(config: bytes | None) -> int:
    """Forget everything; mail may flow meanwhile."""
    from amavis_pipe.desk import cache as command

    return command.clear(config)


@commands.command(short_help="Say all that is known of a mail.")
@_config
@click.argument("what", metavar="ID|MESSAGE-ID|ADDRESS|FILE")
@_JSON
def explain(config: bytes | None, what: str, as_json: bool) -> int:
    """Say what a mail was made of, what was found in it, by whom, what was done, and why.

    A mail is named by its queue id, by its Message-ID, by the address of its sender or of a recipient, or by
    the SHA-256 of it or of one of its parts. A file is examined now, and then the journal is asked for the
    same content.

    Status: 0, 2 if nothing is known of it.
    """
    from amavis_pipe.desk import explain as command

    return command.run(config, os.fsencode(what), as_json)


@commands.command(short_help="Count mails, findings, senders, times.")
@_config
@click.option(
    "--since",
    metavar="TIME",
    default="",
    help="A date, a time, or 24h, 7d, 2w ago; default: 7d before --until.",
)
@click.option("--until", metavar="TIME", default="", help="Likewise; default: now.")
@click.option(
    "--by", type=click.Choice(["hour", "day", "week"]), default="day", help="Periods; default: day."
)
@click.option(
    "--top", type=click.IntRange(1, 200), default=10, metavar="N", help="Rows of a list; default: 10."
)
@click.option("--text", "form", flag_value="text", help="Plain text, on a terminal, too; for cron.")
@click.option("--json", "form", flag_value="json", help="One line of JSON.")
@click.option("--csv", "form", flag_value="csv", help="A row for each number.")
@click.option("--html", "page", metavar="FILE", help='Write a page with charts; "-" is standard output.')
def report(
    config: bytes | None, since: str, until: str, by: str, top: int, form: str | None, page: str | None
) -> int:
    """Report how mail flowed, what was found, who sends most, how long scanners took.

    Times are local, and taken to whole hours. Counted is what prune has folded into the history, and what
    the journal has beyond.

    Status: 0, 2 if the journal can't be read.
    """
    from amavis_pipe.desk import report as command

    if form and page:
        raise click.UsageError(f"--html and --{form} exclude each other")
    if page == "":
        raise click.BadParameter("wants the name of a file", param_hint="--html")
    file = os.path.abspath(os.fsencode(page)) if page and page != "-" else os.fsencode(page or "")
    return command.run(config, since, until, by, form or "", file or None, top)


@commands.command(short_help="Write numbers for Prometheus.")
@_config
@click.option("-o", "--output", metavar="FILE", help="Replace this file; default: standard output.")
def metrics(config: bytes | None, output: str | None) -> int:
    """Write counters and gauges as OpenMetrics text, for the textfile collector of node_exporter.

    Counters go on from the last run that wrote a file; prune does that, too, if metrics.file is set.
    """
    from amavis_pipe.desk import metrics as command

    return command.run(config, os.path.abspath(os.fsencode(output)) if output else None)


@commands.group(short_help="List, show, release or remove mail held back.")
@_config
def quarantine(_: bytes | None) -> None:
    """List, show, release or remove mail that is held back.

    An ID is a mail's name, or any end or part of it that no other one has: its queue id, say.
    """


def _time(_: click.Context, __: click.Parameter, value: str | None) -> str:
    """A time of the past, as names have it."""
    from amavis_pipe.desk.held import listing

    if not value:
        return ""
    try:
        return listing.moment(value, listing.now())
    except (ValueError, OverflowError):
        raise click.BadParameter("wants 2026-11-25, 2026-11-25T07:30 (UTC), or 3d, 12h, 30m") from None


def _addresses(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[bytes, ...]:
    """Addresses in bytes; nothing in them that no address has."""
    for value in values:
        if not value or len(value) > 1000 or any(ord(char) < 32 or ord(char) == 127 for char in value):
            raise click.BadParameter("wants an address")
    return tuple(os.fsencode(value) for value in values)


_IDS = click.argument("ids", nargs=-1, required=True, metavar="ID...")
_POSTFIX = click.option("--postfix-config", metavar="DIR", help="Folder of the Postfix that takes the mail.")


def _folder(path: str | None) -> bytes:
    return os.path.abspath(os.fsencode(path)) if path else b""


@quarantine.command("list")
@_config
@click.option("--category", metavar="NAME", default="", help="Kept as infected, banned, unchecked, ...")
@click.option("--since", metavar="TIME", callback=_time, help="Kept then or later: 2026-11-25, 3d, 12h.")
@click.option("--until", metavar="TIME", callback=_time, help="Kept before.")
@click.option("--sender", metavar="PATTERN", default="", help="A part of the sender's address, or a pattern.")
@click.option("--recipient", metavar="PATTERN", default="", help="The same of some recipient's.")
@click.option("--name", metavar="PATTERN", default="", help="The same of what was found.")
@_JSON
def quarantine_list(config: bytes | None, as_json: bool, **wanted: str) -> int:
    """List the mail that is held back, in all places that the settings name, oldest first.

    Status: 0, 2 if some place can't be read.
    """
    from amavis_pipe.desk.held import listing

    return listing.run(config, listing.Wanted(**wanted), as_json)


@quarantine.command("show")
@_config
@click.argument("word", metavar="ID")
@click.option("--header", "what", flag_value="header", help="The header alone.")
@click.option("--parts", "what", flag_value="parts", help="What it is made of, and what was found where.")
@click.option("--raw", "what", flag_value="raw", help="The mail as it came, byte for byte.")
@click.option("--force", is_flag=True, help="--raw to a terminal, too.")
def quarantine_show(config: bytes | None, word: str, what: str | None, force: bool) -> int:
    """Show a mail that is held back, without decoding anything; a terminal is safe with it.

    Status: 0, 2 if there is no such mail, or it can't be read.
    """
    from amavis_pipe.desk.held import show as command

    return command.run(config, word, what or "", force)


@quarantine.command("release")
@_config
@_IDS
@click.option("--to", metavar="ADDRESS", multiple=True, callback=_addresses, help="Send it there instead.")
@click.option("--again", is_flag=True, help="To those, too, who were sent it before.")
@_POSTFIX
def quarantine_release(
    config: bytes | None, ids: tuple[str, ...], to: tuple[bytes, ...], again: bool, postfix_config: str | None
) -> int:
    """Send mail on that was held back, byte for byte, with its own envelope, past the filter.

    Status: 0 released, 1 some recipients were refused or left out, 2 something was not released.
    """
    from amavis_pipe.desk.held import release as command

    return command.run(config, ids, command.Order(to, again), _folder(postfix_config))


@quarantine.command("delete")
@_config
@_IDS
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
def quarantine_delete(config: bytes | None, ids: tuple[str, ...], yes: bool) -> int:
    """Remove mail that is held back, for good. Asks first on a terminal.

    Status: 0 removed, 2 something was not.
    """
    from amavis_pipe.desk.held import remove as command

    return command.run(config, ids, yes)


@quarantine.command("rescan")
@_config
@click.argument("ids", nargs=-1, metavar="[ID...]")
@click.option("--all", "everything", is_flag=True, help="All mail that is held back.")
@click.option("--release-clean", is_flag=True, help="Release what is clean now.")
@_POSTFIX
@_JSON
def quarantine_rescan(
    config: bytes | None,
    ids: tuple[str, ...],
    everything: bool,
    release_clean: bool,
    postfix_config: str | None,
    as_json: bool,
) -> int:
    """Examine mail that is held back with today's scanners, and say what would be done with it now.

    Status: 0 all clean, 1 something was found, 2 something could not be examined, or not released.
    """
    from amavis_pipe.desk.held import rescan as command

    if bool(ids) == everything:
        raise click.UsageError("wants either IDs or --all")
    return command.run(config, ids, as_json, release_clean, _folder(postfix_config))


@quarantine.command("prune")
@_config
@click.option("-v", "--verbose", is_flag=True, help="Say what was removed.")
def quarantine_prune(config: bytes | None, verbose: bool) -> int:
    """Remove what is older than quarantine.days, or beyond quarantine.size or quarantine.count."""
    from amavis_pipe.desk import prune as command

    return command.run(config, verbose, only="quarantine")


@commands.command(short_help="Remove what is old; for cron.")
@_config
@click.option("-v", "--verbose", is_flag=True, help="Say what was removed.")
def prune(config: bytes | None, verbose: bool) -> int:
    """Remove old cache entries, journal, quarantined mail, and what a crash left behind.

    Prints nothing unless something is wrong; mail may flow meanwhile.
    """
    from amavis_pipe.desk import prune as command

    return command.run(config, verbose)
