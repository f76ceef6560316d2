"""amavisd's lookups by recipient, as [[recipient]] tables and options: bypasses, lovers, levels, domains."""

from typing import Any

from amavis_pipe.config.categories import IN_RULES
from amavis_pipe.config.imported import lookups
from amavis_pipe.config.imported.lookups import Options, Table
from amavis_pipe.config.imported.plain import Wrong, plain
from amavis_pipe.config.imported.tables import Tables
from amavis_pipe.config.imported.values import FileMap, Value, Where

BYPASS = {
    "bypass_virus_checks": "infected",
    "bypass_banned_checks": "banned",
    "bypass_header_checks": "bad-header",
    "bypass_spam_checks": "spam",
}
LOVERS = {
    "virus_lovers": "infected",
    "banned_files_lovers": "banned",
    "unchecked_lovers": "unchecked",
    "bad_header_lovers": "bad-header",
    "spam_lovers": "spam",
}
FURTHER = {
    "message_size_limit": "oversized.limit",
    "spam_tag_level": "spam.tag",
    "spam_tag2_level": "spam.required",
    "spam_kill_level": "spam.kill",
    "spam_quarantine_cutoff_level": "spam.quarantine_cutoff",
    "spam_dsn_cutoff_level": "spam.notice_cutoff",
    "spam_subject_tag2": "spam.subject_tag",
    "addr_extension_virus": "infected.extension",
    "addr_extension_banned": "banned.extension",
    "addr_extension_spam": "spam.extension",
    "addr_extension_bad_header": "bad-header.extension",
    "warnvirusrecip": "infected.notify_recipients",
    "warnbannedrecip": "banned.notify_recipients",
    "warnbadhrecip": "bad-header.notify_recipients",
}
"""Lookups by recipient that give an option's value."""
_BY_RECIPIENT = "@…_maps by recipient"


class Rules:
    """Works through all of them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._result = tables.result

    def carry(self) -> None:
        """Put rules and options into the result."""
        self._local()
        self._recipients()

    def bypassed(self) -> set[str]:
        """Categories that are left out for all recipients."""
        line = self._result.options.get("bypass")
        return set(line.value) if line else set()

    def _local(self) -> None:
        files = [value for value, _, _ in self._tables.values("local_domains") if isinstance(value, FileMap)]
        tables = self._tables.tables("local_domains")
        given = self._tables.given("local_domains")
        if given is None:
            return
        words = [file.path for file in files if self._tables.files.fits(file.path)]
        entries = {entry for table in tables for entry in table.entries} - self._tables.files.covered(words)
        for entry in sorted(entries):
            if lookups.is_true(lookups.looked_up(tables, lookups.keys_of(entry))):
                words.append(entry)
            else:
                self._result.leave(given.where, "@local_domains_maps", f"the exception {entry}")
        if words:
            self._result.option(("local",), words, given.where, "@local_domains_maps")

    def _recipients(self) -> None:
        """Bypasses, lovers, and values of single options."""
        bypass = {label: self._tables.tables(base) for base, label in BYPASS.items()}
        lovers = {label: self._tables.tables(base) for base, label in LOVERS.items()}
        known = {base: key for base, key in FURTHER.items() if key in IN_RULES and self._tables.given(base)}
        further = {key: self._tables.tables(base) for base, key in known.items()}
        where = self._tables.first([*BYPASS, *LOVERS, *known])

        def options_of(keys: list[str]) -> Options:
            options: Options = {"bypass": _labels(bypass, keys), "lover": _labels(lovers, keys)}
            return options | {key: self._said(key, one, keys, where) for key, one in further.items()}

        every = [*bypass.values(), *lovers.values(), *further.values()]
        entries = {entry for tables in every for table in tables for entry in table.entries}
        for match, fields in _spare(
            lookups.rules(entries, options_of, self._tables.doubt(where, _BY_RECIPIENT))
        ):
            if match == ["."]:
                self._for_all(fields, where)
            elif fields:
                self._result.table("recipient", {"match": match, **fields}, where, _BY_RECIPIENT)

    def _said(self, key: str, tables: list[Table], keys: list[str], where: Where) -> Any:
        """The value of an option that a lookup gives, None if it gives none that the option may have."""
        value = lookups.looked_up(tables, keys)
        made = _value(key, value)
        if value is not None and made is None:
            self._result.leave(where, _BY_RECIPIENT, f"the value for {keys[0]}, which {key} can't have")
        return made

    def _for_all(self, fields: dict[str, Any], where: Where) -> None:
        lover = fields.pop("lover", None)
        if lover:
            self._result.table("recipient", {"match": ["."], "lover": lover}, where, _BY_RECIPIENT)
        for key, value in fields.items():
            before = self._result.options.get(key)
            if before is None or before.value != value:
                self._result.option((key,), value, where, _BY_RECIPIENT)


def _value(key: str, value: Value) -> Any:
    """The value of an option from that of a lookup, None if there is none or it can't have it."""
    if value is None:
        return None
    try:
        made = plain("$sa_" if key.startswith("spam.") else "", key, value)
        IN_RULES[key].type.read(made)
    except (Wrong, ValueError):
        return None
    return made


def _spare(rules: list[tuple[list[str], Options]]) -> list[tuple[list[str], Options]]:
    """The same rules, less options that are empty where no later rule would set them."""
    found: list[tuple[list[str], Options]] = []
    set_later: set[str] = set()
    for match, options in reversed(rules):
        fields = {
            key: value for key, value in options.items() if value or (key in set_later and value is not None)
        }
        set_later |= {key for key, value in fields.items() if value}
        found.append((match, fields))
    return found[::-1]


def _labels(tables: dict[str, list[Table]], keys: list[str]) -> list[str]:
    return [label for label, several in tables.items() if lookups.is_true(lookups.looked_up(several, keys))]
