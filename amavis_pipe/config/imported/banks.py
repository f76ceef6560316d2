"""Policy banks: none is carried over; what could stand in their place is shown as comments."""

from typing import Any

from amavis_pipe.config.imported import lookups
from amavis_pipe.config.imported.assigned import Assigned
from amavis_pipe.config.imported.plain import Wrong, plain
from amavis_pipe.config.imported.result import Result
from amavis_pipe.config.imported.rules import BYPASS
from amavis_pipe.config.imported.values import Value
from amavis_pipe.config.maps import clients

_NAMES = {
    "final_virus_destiny": "infected.action",
    "final_banned_destiny": "banned.action",
    "final_spam_destiny": "spam.action",
    "final_bad_header_destiny": "bad-header.action",
    "virus_admin_maps": "infected.admin",
    "banned_admin_maps": "banned.admin",
    "spam_admin_maps": "spam.admin",
    "warnvirussender": "infected.notify_sender",
    "warnbannedsender": "banned.notify_sender",
    "warnspamsender": "spam.notify_sender",
}
_SENDERS = ("ORIGINATING", "MYUSERS", "SUBMISSION")
_HOW = "write a [[client]] table"


def carry(assigned: Assigned, result: Result) -> None:
    """Tell of each bank, and show the [[client]] table that would do the same where that is simple."""
    given = assigned.get("%policy_bank")
    if given is None:
        return
    if not isinstance(given.value, dict):
        result.leave(given.where, "%policy_bank", _HOW)
        return
    networks = assigned.value("@mynetworks")
    for name, bank in given.value.items():
        if not name:
            continue  # what holds for all mail
        lines = _lines(name, bank, networks)
        shown = f"%policy_bank{{{name[:30]}}}"
        result.leave(given.where, shown, _HOW + (", as the comment shows" if lines else ""))
        if lines:
            result.hints += [f"In place of {shown}, {given.where}:", *lines]


def _lines(name: str, bank: Value, networks: Value) -> list[str]:
    from amavis_pipe.config.imported.written import toml

    match = _match(name, networks)
    if not isinstance(bank, dict) or not match:
        return []
    options: dict[str, Any] = {}
    bypass = [label for base, label in BYPASS.items() if _is_on(bank.get(f"{base}_maps"))]
    if bypass:
        options["bypass"] = bypass
    for word, key in _NAMES.items():
        if word in bank:
            try:
                options[key] = plain("$" + word, key, _single(bank[word]))
            except Wrong:
                continue
    if not options:
        return []
    return [
        "[[client]]",
        f"match = {toml(match)}",
        *(f"{key} = {toml(value)}" for key, value in options.items()),
    ]


def _match(name: str, networks: Value) -> list[str]:
    if name == "MYNETS" and isinstance(networks, list):
        bare = [one.replace("[", "").replace("]", "") for one in networks if isinstance(one, str)]
        return [one for one in bare if _is_network(one)]
    return ["user:."] if name in _SENDERS else []


def _is_network(text: str) -> bool:
    faults: list[str] = []
    if not text.startswith(("/", "map:")):
        clients((text,), b"", [], faults.append)
        return not faults
    return False


def _single(value: Value) -> Value:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _is_on(value: Value) -> bool:
    """Whether a lookup says yes to all: [1], or a list that is "."."""
    one = _single(value)
    return one == ["."] or (not isinstance(one, (list, dict)) and lookups.is_true(one))
