"""The one table of options: validation, the commented default file and the manual come from it."""

from dataclasses import dataclass, field

from amavis_pipe.config import categories
from amavis_pipe.config.types import (
    ADDRESS,
    BOOL,
    DELIMITER,
    FIELD,
    FILE,
    FOLDER,
    LINE,
    NAME,
    PLACE,
    ROUTE,
    SIZE,
    WORDS,
    Option,
    choice,
    integer,
)
from amavis_pipe.text import readable

LONGEST_FAULT = 2000
"""Bytes of what is said of one fault."""

SECTIONS = {
    "": "Where things are and go",
    "limits": "Limits of decomposition; meeting one makes the mail *unchecked*, never clean",
    "passwords": "Encrypted archives: words of the mail's text and subject are tried, and a list",
    "smtp": "Forwarding by smtp",
    "headers": "The header line that says a mail was scanned",
    "cache": "What is remembered, so that nothing is scanned twice",
    "quarantine": "Where mail goes that is kept back",
    "journal": "One JSON record per mail, without subject or content",
    "metrics": "Numbers for Prometheus",
    "signatures": "The scanners' signatures and engines: when they are old, and `signatures update`",
    "notices": "Mail of our own: notices and digests",
    **categories.CATEGORIES,
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
    categories.BYPASS,
    categories.BANNED_RULES,
    Option(
        "local",
        WORDS,
        [],
        "Domains whose mail is delivered here, as in `match` of a rule; others get no address extension, and "
        "their senders aren't called local.",
        "@local_domains_maps",
    ),
    Option(
        "recipient_delimiter",
        DELIMITER,
        "+",
        "What stands before an address extension, as in main.cf.",
        "$recipient_delimiter",
    ),
    Option(
        "bounces",
        choice("mixed", "own", "postfix"),
        "mixed",
        "Who tells senders of refused mail: Postfix, which returns all of it, and this program where only "
        "some recipients or a virus are concerned (mixed); this program, always without the content (own); "
        "or Postfix alone, for sites with amavis_destination_recipient_limit = 1; else such mail is deferred "
        "(postfix).",
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
        "limits.poison_tries",
        integer(0, 60),
        3,
        "After so many filters have died of a mail, or run out of time, the step that they died in is left "
        'out, and the mail is unchecked ("poison"); 0 = never.',
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
        "Remove fields of the names that we add which others added before us.",
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
        'Where quarantined mail goes: a folder, one file each; a mailbox file; an address; "" keeps none.',
        "$QUARANTINEDIR",
    ),
    Option("quarantine.days", integer(1, 3650), 30, "prune removes older mail."),
    Option("quarantine.size", SIZE, "1 GiB", "prune removes the oldest mail above this size."),
    Option("quarantine.count", integer(0, 10**9), 0, "prune removes the oldest mail above so many; 0 = any."),
    Option("journal.days", integer(0, 3650), 30, "prune removes older records; 0 = no journal."),
    Option(
        "journal.hash_addresses",
        BOOL,
        False,
        "Name nobody in journal and log: local parts of addresses, user names, clients and HELO are hashed "
        "with a key of this site. Domains stay; recipients get no digests.",
    ),
    Option("journal.size", SIZE, "1 GiB", "prune removes the oldest records above this size."),
    Option(
        "notices.sender",
        ADDRESS,
        "",
        "From address of notices; empty means postmaster at this host.",
        "$mailfrom",
    ),
    Option(
        "notices.admin",
        choice("digest", "each", "both"),
        "digest",
        "How admins of categories are told: by a digest, by a mail for each hit, or both.",
    ),
    Option("notices.digest", choice("day", "hour"), "day", "How often digests are sent, by `prune`."),
    Option(
        "notices.digest_recipients",
        BOOL,
        False,
        "Send local recipients a digest of their mail that was kept back.",
    ),
    Option(
        "notices.per_hour", integer(0, 100000), 60, "Notices of one kind that are sent in an hour at most."
    ),
    Option("notices.folder", FILE, "", "Folder of templates that are used in place of the built-in ones."),
    Option(
        "notices.language",
        NAME,
        "en",
        "Folder of templates in it, and below the built-in ones: en, de.",
    ),
    Option(
        "metrics.file",
        FILE,
        "",
        "Where prune writes numbers for Prometheus: /var/lib/prometheus/node-exporter/amavis-pipe.prom, say; "
        "the filter's user must be able to write in that folder.",
    ),
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
    *categories.OPTIONS,
)


@dataclass
class Fault:
    """One fault in a settings file: where it stands, and what is wrong there."""

    path: str
    line: int
    text: str
    key: str = field(default="")

    def __str__(self) -> str:
        line = f"{self.path}:{self.line}: " + (f"{self.key}: " if self.key else "") + self.text
        return readable(line.encode("utf-8", "backslashreplace"), LONGEST_FAULT)  # a key may be any text
