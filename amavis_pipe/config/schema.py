"""The one table of options: validation, the commented default file and the manual come from it.

A type is an object with `wants` (what the user is told) and `read(value)`, which gives the value in
base units (bytes, seconds, bytes strings) or raises ValueError.
"""

import ipaddress
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACTIONS = ("pass", "tag", "defer", "bounce", "discard")
SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Type:
    """What an option takes: the words for the user, and the reader."""

    wants: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Option:
    """One option: dotted key, type, default as it is written in TOML, text, amavisd-new's name for it."""

    key: str
    type: Type
    default: Any
    text: str
    amavis: str = ""


def _is(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError
        return value

    return read


def integer(low: int, high: int) -> Type:
    """An integer from low to high, both included."""

    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return Type(f"an integer from {low} to {high}", read)


def choice(*words: str) -> Type:
    """One of the words."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Type("one of " + ", ".join(words), read)


def _size(value: Any) -> int:
    if type(value) is int and value >= 0:
        return value
    if not isinstance(value, str) or not value.isascii():
        raise ValueError
    unit = value.lstrip("0123456789")
    digits = value[: len(value) - len(unit)]
    if not digits or unit.strip() not in SIZES:
        raise ValueError
    return int(digits) * SIZES[unit.strip()]


def _folder(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError
    return value.rstrip("/").encode() or b"/"


def _file(value: Any) -> bytes:
    return b"" if value == "" else _folder(value)


def _route(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    if (
        value == "sendmail"
        or value.startswith("file:/")
        or (value.startswith("smtp:") and _is_host(value[5:]))
    ):
        return value
    raise ValueError


def _is_host(value: str) -> bool:
    """HOST:PORT with an IP address for HOST, in brackets if it is IPv6: names would have to be looked up."""
    host, _, port = value.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    brackets = host.startswith("[") and host.endswith("]")
    return (
        brackets == (address.version == 6) and port.isdecimal() and port.isascii() and 0 < int(port) < 65536
    )


def _line(value: Any) -> bytes:
    """Printable ASCII that fits one header line."""
    if not isinstance(value, str) or len(value) > 900 or not value.isascii() or not _printable(value):
        raise ValueError
    return value.encode()


def _printable(value: str) -> bool:
    return all(" " <= char <= "~" for char in value)


def _field_name(value: Any) -> bytes:
    if value == "":
        return b""
    if not isinstance(value, str) or len(value) > 70 or not value.replace("-", "a").isalnum():
        raise ValueError
    return _line(value)


def _address(value: Any) -> bytes:
    """An address for `-f` or a recipient: no blanks or controls; empty means none."""
    if not isinstance(value, str) or len(value) > 320 or not _printable(value) or " " in value:
        raise ValueError
    if value and not 0 < value.find("@") < len(value) - 1:
        raise ValueError
    return value.encode()


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise ValueError
    return tuple(value)


def _place(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or "@" in value or ".." in value.split("/"):
        raise ValueError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    """A command line: a list of its words, or one text that is split as a shell would."""
    words = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError
    if any("\0" in word for word in words):
        raise ValueError
    return tuple(words)


def _addresses(value: Any) -> tuple[str, ...]:
    """One address or several: a socket's path, HOST:PORT, a URL."""
    several = [value] if isinstance(value, str) and value else value
    if not isinstance(several, list) or not all(
        isinstance(one, str) and one.isprintable() for one in several
    ):
        raise ValueError
    return tuple(several)


def _judgement(value: Any) -> tuple[int, ...] | str:
    """Exit statuses, or a pattern."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(type(one) is int and 0 <= one < 256 for one in value):
        return tuple(value)
    raise ValueError


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError
    return value


BOOL = Type("true or false", _is(bool))
SIZE = Type('a size such as 4096 or "100 KiB"', _size)
FOLDER = Type("an absolute path", _folder)
FILE = Type('an absolute path, or ""', _file)
ROUTE = Type('"sendmail", "smtp:ADDRESS:PORT" with an IP address, or "file:/FOLDER"', _route)
LINE = Type("printable ASCII, one line", _line)
FIELD = Type('the name of a header field, or ""', _field_name)
ADDRESS = Type('an address, or ""', _address)
WORDS = Type("a list of words", _words)
PLACE = Type('a folder (below state, or absolute), or "" for none', _place)
ACTION = choice(*ACTIONS)

SECTIONS = {
    "": "Where things are and go",
    "limits": "Limits of decomposition; meeting one makes the mail *unchecked*, never clean",
    "passwords": "Encrypted archives: words of the mail's text and subject are tried, and a list",
    "smtp": "Forwarding by smtp",
    "headers": "The header line that says a mail was scanned",
    "cache": "What is remembered, so that nothing is scanned twice",
    "quarantine": "Where mail goes that is kept back",
    "journal": "One JSON record per mail, without subject or content",
    "signatures": "The scanners' signatures and engines: when they are old, and `signatures update`",
    "infected": "Mail with a virus",
    "unchecked": "Mail with something that could not be looked at: encrypted, broken, over a limit",
}

OPTIONS = (
    Option(
        "state",
        FOLDER,
        "/var/lib/amavis-pipe",
        "Folder of the filter's user, mode 0700; holds cache, journal, quarantine and work.",
        "$MYHOME",
    ),
    Option(
        "forward",
        ROUTE,
        "sendmail",
        "How checked mail goes on: sendmail, smtp:HOST:PORT (an smtpd of this machine), or file:DIR (one "
        "file per mail).",
        "$forward_method",
    ),
    Option(
        "notify", ROUTE, "sendmail", "How notices and delivery reports of our own go out.", "$notify_method"
    ),
    Option(
        "scanners",
        WORDS,
        ["clamd"],
        'Scanners that every part is given to; "builtin" is the EICAR check alone.',
        "@av_scanners",
    ),
    Option(
        "backups",
        WORDS,
        [],
        "Scanners that are asked, in this order, in place of one that gives no answer.",
        "@av_scanners_backup",
    ),
    Option(
        "require",
        choice("all", "one"),
        "all",
        "Which scanners must have answered, by themselves or by a backup, before a mail can be clean; it is "
        "deferred else.",
    ),
    Option(
        "path",
        LINE,
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "Where scanners' programs are looked for; also their PATH.",
        "$path",
    ),
    Option(
        "mail_scan",
        choice("new", "full"),
        "new",
        "What scanners see besides the parts: the mail less the attachments that were clean in a mail before "
        "(new), or all of it each time (full).",
    ),
    Option(
        "sandbox",
        choice("require", "prefer"),
        "require",
        "Decoders run under Landlock and seccomp; require defers mail where the kernel lacks them.",
    ),
    Option(
        "sender",
        ADDRESS,
        "",
        "From address of notices; empty means postmaster at this host.",
        "$mailfrom",
    ),
    Option("limits.depth", integer(1, 64), 14, "Levels of nesting.", "$MAXLEVELS"),
    Option("limits.files", integer(1, 1000000), 1500, "Parts in one mail.", "$MAXFILES"),
    Option(
        "limits.min_quota",
        SIZE,
        "100 KiB",
        "A mail may unpack to this much in any case.",
        "$MIN_EXPANSION_QUOTA",
    ),
    Option(
        "limits.max_quota",
        SIZE,
        "300 MiB",
        "… and to max_factor times its size, but not to more than this,",
        "$MAX_EXPANSION_QUOTA",
    ),
    Option(
        "limits.min_factor",
        integer(1, 1000),
        5,
        "except that min_factor times its size is always allowed.",
        "$MIN_EXPANSION_FACTOR",
    ),
    Option("limits.max_factor", integer(1, 100000), 500, "See max_quota.", "$MAX_EXPANSION_FACTOR"),
    Option("limits.seconds", integer(1, 3600), 120, "Time for taking one mail apart."),
    Option("limits.memory", SIZE, "512 MiB", "Memory of the sandboxed decoder."),
    Option(
        "limits.hard_seconds",
        integer(10, 86400),
        540,
        "After this the filter is ended by a signal and Postfix tries again; keep it below "
        "amavis_time_limit in main.cf (600 s).",
        "$child_timeout",
    ),
    Option(
        "passwords.file",
        FILE,
        "",
        "Passwords to try first, one a line; readable by the filter's user alone.",
    ),
    Option("passwords.tries", integer(0, 10000), 100, "Passwords tried for one archive at most."),
    Option("passwords.seconds", integer(0, 3600), 20, "Time for trying them in one mail."),
    Option(
        "smtp.stray_cr",
        choice("sendmail", "blank"),
        "sendmail",
        "A CR that ends no line can't go by smtp. sendmail: such a mail goes by sendmail, unchanged; "
        "blank: the CR becomes a blank, as Postfix itself makes it one at the door.",
    ),
    Option(
        "headers.tag", FIELD, "X-Virus-Scanned", 'Field added to checked mail; "" for none.', "$X_HEADER_TAG"
    ),
    Option("headers.line", LINE, "by amavis-pipe", "Its text.", "$X_HEADER_LINE"),
    Option(
        "headers.remove_foreign",
        BOOL,
        False,
        "Remove fields of that name which others added before us.",
        "$remove_existing_x_scanned_headers",
    ),
    Option("cache.days", integer(0, 365), 7, "Age at which what is remembered is forgotten; 0 = no cache."),
    Option(
        "cache.size",
        SIZE,
        "256 MiB",
        "The cache is never larger: its older half goes when the newer is full.",
    ),
    Option(
        "cache.clean_minutes",
        integer(0, 10080),
        60,
        "A clean answer is believed for at most this long, whatever the signatures say.",
    ),
    Option(
        "cache.settle_minutes",
        integer(0, 1440),
        5,
        "How long a scanner may take to load its signatures. A clean answer is not kept while they are "
        "younger than the scanner's own check interval plus this.",
    ),
    Option(
        "quarantine.place",
        PLACE,
        "quarantine",
        'Folder for quarantined mail, one file each; "" keeps none.',
        "$QUARANTINEDIR",
    ),
    Option("quarantine.days", integer(1, 3650), 30, "prune removes older mail."),
    Option("quarantine.size", SIZE, "1 GiB", "prune removes the oldest mail above this size."),
    Option("journal.days", integer(0, 3650), 30, "prune removes older records; 0 = no journal."),
    Option(
        "signatures.warn_days",
        integer(0, 3650),
        3,
        "Age of the newest signatures above which `check` and `signatures status` warn; 0 = never.",
    ),
    Option(
        "signatures.engine_warn_days",
        integer(0, 3650),
        180,
        "Age of a scanner's program above which they warn; 0 = never.",
    ),
    Option("signatures.seconds", integer(1, 86400), 900, "Time for updating one scanner's signatures."),
    Option(
        "infected.action",
        ACTION,
        "discard",
        "pass, tag, defer, bounce (a delivery report without the content), or discard.",
        "$final_virus_destiny",
    ),
    Option("infected.quarantine", BOOL, True, "Keep a copy in the quarantine.", "$virus_quarantine_to"),
    Option(
        "infected.suspect",
        BOOL,
        True,
        "What a scanner's heuristic merely suspects counts as infected, too.",
    ),
    Option(
        "unchecked.action",
        ACTION,
        "pass",
        "For what is encrypted, broken, undecoded or over a limit; passes with X-Amavis-Alert.",
    ),
    Option("unchecked.quarantine", BOOL, False, "Keep a copy in the quarantine."),
    Option(
        "unchecked.crash",
        choice("quarantine", "defer", "pass"),
        "quarantine",
        "For mail on which a decoder crashed; quarantine keeps it back and tells recipients and admin.",
    ),
    Option("unchecked.admin", ADDRESS, "", "Who is told of mail kept back after a crash.", "$virus_admin"),
)

ROW_OPTIONS = (
    Option("name", Type("a name of letters, digits, - and _", _words), "", "Used in `scanners` and reports."),
    Option(
        "via",
        choice("clamd", "command", "line", "icap", "sssp", "drweb", "yara", "builtin"),
        "clamd",
        "How it is asked: command (a program), line (a daemon that answers by lines), icap, sssp (Sophos "
        "SAVDI), drweb (drwebd), yara (rules, in a process of ours).",
    ),
    Option(
        "at",
        Type('a socket path, "HOST:PORT" or "icap://HOST:PORT/SERVICE", or a list of such', _addresses),
        "",
        "Where it listens; of several, one is asked at random. Default for clamd: what clamd.conf says.",
    ),
    Option(
        "run",
        Type("a command line, as text or as a list of words", _texts),
        "",
        "The program and its arguments; {dir} is the folder with the parts, {files} each of them, {tmp} a "
        "folder for the scanner's own files.",
    ),
    Option(
        "ask",
        Type("a text", _text),
        "",
        'What a daemon is told, "SCAN {file}\\n"; {file} is a part, which it must be able to read.',
    ),
    Option("greeting", Type("a pattern", _text), "", "What such a daemon says first."),
    Option("bye", Type("a text", _text), "", "What it is told at the end."),
    Option(
        "clean",
        Type("a list of exit statuses, or a pattern", _judgement),
        "",
        "How it says that it found nothing; what is neither clean nor infected is a failure.",
    ),
    Option(
        "infected",
        Type("a list of exit statuses, or a pattern", _judgement),
        "",
        "How it says that it found something.",
    ),
    Option("virus", Type("a pattern", _text), "", "The virus's name is what the first group matches."),
    Option("suspect", Type("a pattern", _text), "", "Names that mean a mere suspicion."),
    Option("unchecked", Type("a pattern", _text), "", "Names that mean that it did not look."),
    Option(
        "end", Type("a pattern", _text), "", "The last line of such a daemon's answer, if it has several."
    ),
    Option(
        "sees",
        choice("parts", "mail", "both"),
        "both",
        "What it is shown; default parts for command and line.",
    ),
    Option("kinds", WORDS, [], 'Kinds of parts that it is shown, "application/*"; none means all.'),
    Option(
        "max_file_size",
        SIZE,
        "25 MiB",
        "Larger parts are graded unchecked. Default: what clamd.conf says, else 25 MiB for clamd, none for "
        "others.",
    ),
    Option("timeout", integer(1, 600), 60, "Seconds without any answer that count as trouble."),
    Option("retry", integer(0, 60), 2, "Seconds for which a daemon that is not there is tried again."),
    Option(
        "backup_of",
        Type("a scanner's name", _text),
        "",
        'The scanner that this one stands in for when it gives no answer; "*" for any.',
    ),
    Option(
        "databases",
        Type("an absolute path", _is(str)),
        "",
        "Its folder of signatures. Default: what clamd.conf says.",
    ),
    Option(
        "stamp",
        WORDS,
        [],
        "Files (shell patterns) that change with its signatures and engine. Without any, no answer is kept.",
    ),
    Option(
        "self_check",
        integer(0, 1 << 20),
        0,
        "Seconds within which a daemon notices changed signatures; a clean answer is not kept for so long.",
    ),
    Option("version", WORDS, [], "Arguments with which the program tells its version."),
    Option(
        "folder",
        FILE,
        "",
        "Where parts are put for a daemon of another user: a folder of the filter's user with that user's "
        "group, mode 2750. Default: below state, which only the filter's user and root can read.",
    ),
    Option("method", choice("respmod", "reqmod"), "respmod", "How an ICAP service is asked."),
    Option(
        "rules", FILE, "", "YARA rules: a file, or a folder of *.yar and *.yara; `include` is an error there."
    ),
    Option(
        "update",
        Type("a command line, as text or as a list of words", _texts),
        "",
        "What `signatures update` runs for it; freshclam for ClamAV.",
    ),
    Option(
        "mirror", FILE, "", "Or a folder from which `signatures update` fetches new files into `databases`."
    ),
    Option(
        "conf",
        Type("an absolute path", _is(str)),
        "/etc/clamav/clamd.conf",
        "clamd's own settings; else those of the process at the socket.",
    ),
    Option(
        "how",
        choice("auto", "descriptor", "stream"),
        "auto",
        "auto: clamd gets descriptors on a unix socket.",
    ),
)
"""The fields of a `[[scanner]]` row."""


@dataclass
class Fault:
    """One fault in a settings file: where it stands, and what is wrong there."""

    path: str
    line: int
    text: str
    key: str = field(default="")

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: " + (f"{self.key}: " if self.key else "") + self.text
