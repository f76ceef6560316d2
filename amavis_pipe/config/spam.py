"""The options of [spam] beyond those of every category: who is asked, how, and what its points mean.

checker() makes of them what amavis_pipe.spam.check.Checker takes. Off by default; `spam.checker` alone
switches it on.
"""

from ipaddress import ip_address
from typing import Any

from amavis_pipe import settings
from amavis_pipe.config.types import BOOL, FILE, NUMBER, SIZE, Option, Type, choice, integer

Values = dict[str, Any]
Files = list[tuple[bytes, "settings.Identity"]]


def _at(value: Any) -> tuple[str, ...]:
    """Sockets' paths and HOST:PORT, one or several; "" for none."""
    several = [value] if isinstance(value, str) and value else value or []
    if not isinstance(several, list) or not all(_is_address(one) for one in several):
        raise ValueError
    return tuple(several)


def _is_address(one: Any) -> bool:
    if not isinstance(one, str) or not one.isascii() or not one.isprintable() or " " in one:
        return False
    if one.startswith("/"):
        return True
    host, _, port = one.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536 or len(port) > 5:
        return False
    bare = host.removeprefix("[").removesuffix("]")
    if bare != host or ":" in host:
        try:
            return host == f"[{bare}]" and ip_address(bare).version == 6
        except ValueError:
            return False
    return bool(host) and host.replace(".", "a").replace("-", "a").isalnum()


def _users(value: Any) -> bool | dict[bytes, bytes]:
    if type(value) is bool:
        return value
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise ValueError
    return {address.lower().encode(): name.encode() for address, name in value.items()}


AT = Type('a socket\'s path or "HOST:PORT" (IPv6 in brackets), a list of such, or ""', _at)
USERS = Type("true, false, or a table of names by address, domain or .", _users)

OPTIONS = (
    Option(
        "spam.checker",
        choice("", "spamd", "rspamd"),
        "",
        'Who is asked whether mail is spam: spamd (SpamAssassin), rspamd, or "": nobody.',
        "@bypass_spam_checks_maps",
    ),
    Option(
        "spam.at",
        AT,
        "",
        'Where it listens; of several, one at random. "" means 127.0.0.1:783 for spamd, 127.0.0.1:11333 for '
        "rspamd.",
    ),
    Option("spam.timeout", integer(1, 3600), 60, "Seconds that it may take for a mail.", "$sa_timeout"),
    Option(
        "spam.max_size",
        SIZE,
        "64 KiB",
        "Size above which a mail is not shown to it as a whole;",
        "$sa_mail_body_size_limit",
    ),
    Option(
        "spam.over_size",
        choice("skip", "head"),
        "skip",
        "such a mail goes without a score (skip), or only its beginning of that size is shown (head).",
    ),
    Option(
        "spam.trouble",
        choice("pass", "defer"),
        "pass",
        "When it gives no answer: the mail goes on without a score, and the log says so, or it is deferred.",
    ),
    Option(
        "spam.cache_minutes",
        integer(0, 10080),
        15,
        "For so long it is not asked again about the very same mail; 0 = always.",
        "$spam_check_negative_ttl",
    ),
    Option(
        "spam.users",
        USERS,
        False,
        "true: spamd checks under the preferences of each recipient's address; a table names its users.",
    ),
    Option(
        "spam.password_file", FILE, "", "File with rspamd's password; readable by the filter's user alone."
    ),
    Option("spam.tag", NUMBER, 4.0, "Points from which X-Spam fields are added.", "$sa_tag_level_deflt"),
    Option(
        "spam.required",
        NUMBER,
        6.9,
        "Points from which mail is called spam: X-Spam-Flag, X-Spam-Status: Yes, subject_tag.",
        "$sa_tag2_level_deflt",
    ),
    Option("spam.kill", NUMBER, 6.9, "Points from which the action is done.", "$sa_kill_level_deflt"),
    Option(
        "spam.quarantine_cutoff",
        NUMBER,
        0.0,
        "Points from which no copy is kept any more; 0 = one is always kept.",
        "$sa_quarantine_cutoff_level",
    ),
    Option(
        "spam.notice_cutoff",
        NUMBER,
        0.0,
        "Points from which nobody is told any more; 0 = always.",
        "$sa_dsn_cutoff_level",
    ),
    Option("spam.report", BOOL, False, "Add X-Spam-Report: each test with its points."),
)


def checker(values: Values, files: Files) -> tuple[Any, ...] | None:
    """The arguments of a Checker from an option's values, None where there is none; marshal takes them.

    A password file is added to `files`; OSError if it can't be read, ValueError if it holds no password.
    """
    via = values["spam.checker"]
    if not via:
        return None
    password = b""
    path = values["spam.password_file"]
    if path:
        files.append((path, settings.identity(path)))
        password = settings.slurp(path).partition(b"\n")[0].strip()
        if not password or not password.decode("utf-8").isprintable():
            raise ValueError("wants a password in its first line")
    taken = ("spam.at", "spam.timeout")
    rest = (values["spam.max_size"], values["spam.over_size"], password, values["spam.report"])
    return (via, *(values[key] for key in taken), RETRY, *rest)


RETRY = 2.0
"""Seconds for which one that is away is tried again; as of scanners."""
