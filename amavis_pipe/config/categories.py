"""The options that every category of mail has, and those that a rule for some mail may set anew."""

from typing import Any

from amavis_pipe.config.spam import OPTIONS as SPAM_OPTIONS
from amavis_pipe.config.types import (
    ACTION,
    ADDRESS_MAP,
    BOOL,
    EXTENSION,
    FIELDS,
    NUMBER,
    QUARANTINE,
    SIZE,
    SUBJECT,
    WORDS,
    Option,
    Type,
    choice,
    words_of,
)

CATEGORIES = {
    "infected": "Mail with a virus",
    "banned": "Mail with an attachment that a banned rule names",
    "unchecked": "Mail with something that could not be looked at: encrypted, broken, over a limit",
    "spam": "Mail that is spam, or from a blacklisted sender",
    "bad-header": "Mail with a faulty header; it is looked for only where something is to be done about it",
    "oversized": "Mail larger than its recipient takes",
    "clean": "All mail; what is said here of action and quarantine holds besides the other categories'",
}
"""Heaviest first, each with the title of its section."""
CHECKS = tuple(label for label in CATEGORIES if label != "clean")

_ACTIONS = {
    "infected": ("discard", "$final_virus_destiny"),
    "banned": ("discard", "$final_banned_destiny"),
    "unchecked": ("pass", "$final_unchecked_destiny"),
    "spam": ("tag", "$final_spam_destiny"),
    "bad-header": ("pass", "$final_bad_header_destiny"),
    "oversized": ("discard", "$final_destiny_by_ccat"),
    "clean": ("pass", ""),
}
_KEPT = {
    "infected": (True, "$virus_quarantine_to"),
    "banned": (True, "$banned_quarantine_to"),
    "unchecked": (False, "$unchecked_quarantine_to"),
    "spam": (False, "$spam_quarantine_to"),
    "bad-header": (False, "$bad_header_quarantine_to"),
    "oversized": (True, ""),
    "clean": (False, "$clean_quarantine_to, $archive_quarantine_to"),
}
_ACTION_TEXT = (
    "pass; tag (pass with the marks below); defer; bounce (refuse, telling the sender); or discard. The "
    "strictest of all categories present is done."
)
SAME = "As infected."
"""Text of the options that mean the same for every category."""


def options(label: str) -> tuple[Option, ...]:
    """The options of one category's section."""
    action, destiny = _ACTIONS[label]
    kept, place = _KEPT[label]
    warn = {"infected": "$warnvirussender", "spam": "$warnspamsender", "banned": "$warnbannedsender"}
    admin = {"infected": "$virus_admin", "spam": "$spam_admin", "banned": "$banned_admin"}
    rows: tuple[tuple[str, Type, Any, str, str], ...] = (
        ("action", ACTION, action, _ACTION_TEXT, destiny),
        (
            "quarantine",
            QUARANTINE,
            kept,
            "Keep a copy: in quarantine.place (true), or at a place of its own.",
            place,
        ),
        (
            "notify_sender",
            BOOL,
            False,
            "Tell the sender; never a list, a robot, the null sender, or where a virus forges senders.",
            warn.get(label, ""),
        ),
        (
            "notify_recipients",
            BOOL,
            False,
            "Tell the recipients.",
            "$warnvirusrecip" if label == "infected" else "",
        ),
        (
            "admin",
            ADDRESS_MAP,
            "",
            "Who is told: by the digest, or at once (notices.admin). A table names one by sender domain.",
            admin.get(label, ""),
        ),
        ("subject_tag", SUBJECT, "", 'Put before the subject of mail with action = "tag".', ""),
        (
            "extension",
            EXTENSION,
            "",
            'Address extension for local recipients of mail with action = "tag": user+virus@example.org.',
            "@addr_extension_virus_maps" if label == "infected" else "",
        ),
        ("headers", FIELDS, [], 'Header lines added to mail with action = "tag", "X-Warning: …".', ""),
    )
    first = label == "infected"
    return tuple(
        Option(f"{label}.{name}", kind, default, text if first else SAME, known)
        for name, kind, default, text, known in rows
    )


INFECTED_TOO = (
    Option(
        "infected.suspect",
        BOOL,
        True,
        "What a scanner's heuristic merely suspects counts as infected, too.",
    ),
    Option(
        "infected.forging",
        WORDS,
        [
            "*worm*",
            "*bagle*",
            "*bugbear*",
            "*emotet*",
            "*klez*",
            "*mydoom*",
            "*netsky*",
            "*nimda*",
            "*sobig*",
            "*yaha*",
            "*Email*",
            "*Phish*",
        ],
        "Names of viruses that forge the sender: nobody is told there.",
        "@viruses_that_fake_sender_maps",
    ),
)
UNCHECKED_TOO = (
    Option(
        "unchecked.crash",
        choice("quarantine", "defer", "pass"),
        "quarantine",
        "For mail on which a decoder crashed; quarantine keeps it back and tells recipients and admin.",
    ),
)
HEADER_TESTS = ("mime", "8bit", "control", "empty", "long", "syntax", "missing", "multiple")
HEADER_TOO = (
    Option(
        "bad-header.tests",
        words_of(*HEADER_TESTS),
        list(HEADER_TESTS),
        "What counts as a fault: broken MIME fields; raw 8-bit bytes; control characters; lines of nothing "
        "but blanks; lines above 998 bytes; what is no field; required fields missing, or given twice.",
        "%allowed_header_tests",
    ),
)
SIZE_TOO = (
    Option("oversized.limit", SIZE, 0, "Size of mail that is taken; 0 = any.", "@message_size_limit_maps"),
)
FURTHER = {
    "spam": SPAM_OPTIONS,
    "infected": INFECTED_TOO,
    "unchecked": UNCHECKED_TOO,
    "bad-header": HEADER_TOO,
    "oversized": SIZE_TOO,
}

OPTIONS = tuple(option for label in CATEGORIES for option in (*options(label), *FURTHER.get(label, ())))

BYPASS = Option(
    "bypass",
    words_of(*CHECKS),
    [],
    "Checks that are left out: nothing is done about these categories.",
    "@bypass_virus_checks_maps, @bypass_spam_checks_maps …",
)
BANNED_RULES = Option(
    "banned_rules",
    WORDS,
    [],
    "Banned rules in force: ready ones (executables, scripts, macros …), and [[banned_rule]] tables by name.",
    "@banned_filename_maps",
)
LOVER = Option(
    "lover",
    words_of(*CHECKS),
    [],
    'Categories whose mail is taken nevertheless, at most with action "tag".',
    "@virus_lovers_maps, @spam_lovers_maps …",
)
LIST = Option(
    "list",
    choice("white", "black"),
    "",
    "white: mail of these senders is no spam; black: it is. Viruses are looked for in any case.",
    "@whitelist_sender_maps, @blacklist_sender_maps",
)
SCORE = Option("score", NUMBER, 0.0, "Added to the spam score.", "@score_sender_maps")

RULE_ONLY = (LOVER, LIST, SCORE)
"""What only a rule for some mail can say."""
_SPAM_IN_RULES = ("tag", "required", "kill", "quarantine_cutoff", "notice_cutoff", "report")
_SITE_ONLY = (
    "infected.suspect",
    "infected.forging",
    "unchecked.crash",
    *(option.key for option in SPAM_OPTIONS if option.key.removeprefix("spam.") not in _SPAM_IN_RULES),
)
IN_RULES = {
    option.key: option
    for option in (*OPTIONS, BYPASS, BANNED_RULES, *RULE_ONLY)
    if option.key not in _SITE_ONLY
}
"""Options that [[recipient]], [[sender]] and [[client]] tables may set."""
