"""The options of a scanner's row, `[[scanner]]`."""

from amavis_pipe.config.types import (
    ADDRESSES,
    COMMAND,
    FILE,
    JUDGEMENT,
    NAME,
    PATH,
    PATTERN,
    SIZE,
    TEXT,
    WORDS,
    Option,
    Type,
    choice,
    integer,
)

ROW_OPTIONS = (
    Option("name", NAME, "", "Used in `scanners` and reports."),
    Option(
        "via",
        choice("clamd", "command", "line", "icap", "sssp", "drweb", "yara", "builtin"),
        "clamd",
        "How it is asked: command (a program), line (a daemon that answers by lines), icap, sssp (Sophos "
        "SAVDI), drweb (drwebd), yara (rules, in a process of ours).",
    ),
    Option(
        "at",
        ADDRESSES,
        "",
        "Where it listens; of several, one is asked at random. Default for clamd: what clamd.conf says.",
    ),
    Option(
        "run",
        COMMAND,
        "",
        "The program and its arguments; {dir} is the folder with the parts, {files} each of them, {tmp} a "
        "folder for the scanner's own files.",
    ),
    Option(
        "ask",
        TEXT,
        "",
        'What a daemon is told, "SCAN {file}\\n"; {file} is a part, which it must be able to read.',
    ),
    Option("greeting", PATTERN, "", "What such a daemon says first."),
    Option("bye", TEXT, "", "What it is told at the end."),
    Option(
        "clean",
        JUDGEMENT,
        "",
        "How it says that it found nothing; what is neither clean nor infected is a failure.",
    ),
    Option(
        "infected",
        JUDGEMENT,
        "",
        "How it says that it found something.",
    ),
    Option("virus", PATTERN, "", "The virus's name is what the first group matches."),
    Option("suspect", PATTERN, "", "Names that mean a mere suspicion."),
    Option("unchecked", PATTERN, "", "Names that mean that it did not look."),
    Option("end", PATTERN, "", "The last line of such a daemon's answer, if it has several."),
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
        Type("a scanner's name", TEXT.read),
        "",
        'The scanner that this one stands in for when it gives no answer; "*" for any.',
    ),
    Option(
        "databases",
        PATH,
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
        COMMAND,
        "",
        "What `signatures update` runs for it; freshclam for ClamAV.",
    ),
    Option(
        "mirror", FILE, "", "Or a folder from which `signatures update` fetches new files into `databases`."
    ),
    Option(
        "conf",
        PATH,
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
