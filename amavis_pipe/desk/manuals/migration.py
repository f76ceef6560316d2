"""The table of docs/migration-table.rst: amavisd-new's variables, and what stands for them here."""

from amavis_pipe.config.imported import known
from amavis_pipe.config.imported.rules import BYPASS, LOVERS
from amavis_pipe.config.imported.senders import SENDERS
from amavis_pipe.config.schema import OPTIONS
from amavis_pipe.desk.manuals.rst import table

_INTRO = (
    "What stands for amavisd-new's variables. Where there is nothing, `amavis-pipe config import` says so, "
    "and why."
)
_MORE = {
    **{f"@{base}_maps": f'bypass = ["{label}"], or in [[recipient]]' for base, label in BYPASS.items()},
    **{f"@{base}_maps": f'lover = ["{label}"] in [[recipient]]' for base, label in LOVERS.items()},
    **{f"@{base}_maps": f'list = "{word}" in [[sender]]' for base, word in SENDERS.items()},
    "@score_sender_maps": "score in [[sender]]",
    "@mynetworks": "match in [[client]]",
    "%policy_bank": "[[client]]",
    "$banned_filename_re": "banned_rules and [[banned_rule]]",
    "$undecipherable_subject_tag": "unchecked.subject_tag",
    "$sa_spam_subject_tag": "spam.subject_tag",
    "@viruses_that_fake_sender_maps": "infected.forging",
    "%final_destiny_by_ccat": "action of each category",
    "@message_size_limit_maps": "oversized.limit",
    "$max_servers": "maxproc of the filter's entry in master.cf",
    "$daemon_user": "user= of the filter's entry in master.cf",
    "$inet_socket_port": "nothing: Postfix starts the filter",
}


def page() -> str:
    """The whole page."""
    found: dict[str, str] = {}
    for option in OPTIONS:
        for name in option.amavis.split(","):
            if name.strip(" …"):
                found.setdefault(name.strip(" …"), option.key)
    keys = {option.key for option in OPTIONS}
    for name, several in known.PLAIN.items():
        key = next((key for key in several if key in keys), None)
        if key is not None:
            found[name] = key
    found |= _MORE
    rows = sorted(found.items(), key=lambda pair: (pair[0].strip("$@%").lower(), pair[0]))
    head = ("amavisd-new", "amavis-pipe")
    return table(
        "Settings of amavisd-new", (_INTRO,), [head, *((f"`{name}`", f"`{key}`") for name, key in rows)]
    )
