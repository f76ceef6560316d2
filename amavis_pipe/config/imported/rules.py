"""amavisd's lookups by recipient and by sender, as [[recipient]] and [[sender]] tables and options of ours.

`@virus_lovers_maps` and its kin; where one isn't given, the older variables that it stands for, as in
(\\%virus_lovers, \\@virus_lovers_acl, \\$virus_lovers_re).
"""

from collections.abc import Callable
from typing import Any

from amavis_pipe.config.categories import IN_RULES
from amavis_pipe.config.imported import lookups
from amavis_pipe.config.imported.assigned import Assigned
from amavis_pipe.config.imported.files import Files
from amavis_pipe.config.imported.lookups import Options, Table
from amavis_pipe.config.imported.plain import Wrong, plain
from amavis_pipe.config.imported.result import Result
from amavis_pipe.config.imported.values import FileMap, Given, Ref, Unknown, Value, Where

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
SENDERS = {"whitelist_sender": "white", "blacklist_sender": "black"}


class Rules:
    """Works through all of them."""

    def __init__(self, assigned: Assigned, result: Result, files: Files) -> None:
        self._assigned = assigned
        self._result = result
        self._files = files

    def carry(self) -> None:
        """Put rules and options into the result."""
        self._local()
        self._recipients()
        self._senders()
        self._scores()

    def bypassed(self) -> set[str]:
        """Categories that are left out for all recipients."""
        line = self._result.options.get("bypass")
        return set(line.value) if line else set()

    def given(self, base: str) -> Given | None:
        """The variable by which a lookup was given."""
        for name in (f"@{base}_maps", f"%{base}", f"@{base}_acl", f"${base}_re"):
            if found := self._assigned.get(name):
                return found
        return None

    def values(self, base: str) -> list[tuple[Value, str, Where]]:
        """The tables of a lookup: each value with its variable and line."""
        maps = self._assigned.get(f"@{base}_maps")
        if maps is None:
            names = (f"%{base}", f"@{base}_acl", f"${base}_re")
        elif not isinstance(maps.value, list):
            return [(maps.value, f"@{base}_maps", maps.where)]
        else:
            return [self._resolved(value, f"@{base}_maps", maps.where) for value in maps.value]
        found = [(name, self._assigned.get(name)) for name in names]
        return [(given.value, name, given.where) for name, given in found if given is not None]

    def _resolved(self, value: Value, name: str, where: Where) -> tuple[Value, str, Where]:
        if isinstance(value, Ref):
            given = self._assigned.get(value.name)
            if given is not None:
                return given.value, value.name, given.where
            return None, value.name, where
        return value, name, where

    def tables(self, base: str) -> list[Table]:
        """The same as tables; what can't be told is left."""
        found = []
        for value, name, where in self.values(base):
            try:
                table = Table.of(value, self._files.read)
            except OSError as error:
                self._result.leave(where, name, f"{getattr(value, 'path', name)}: {error.strerror}")
                continue
            for what in table.refused[:5]:
                self._result.leave(where, name, f"not carried over from it: {what[:80]}")
            found.append(table)
        return found

    def _local(self) -> None:
        files = [value for value, _, _ in self.values("local_domains") if isinstance(value, FileMap)]
        tables = self.tables("local_domains")
        given = self.given("local_domains")
        if given is None:
            return
        words = [file.path for file in files if self._files.fits(file.path)]
        entries = {entry for table in tables for entry in table.entries} - self._files.covered(words)
        for entry in sorted(entries):
            if lookups.is_true(lookups.looked_up(tables, lookups.keys_of(entry))):
                words.append(entry)
            else:
                self._result.leave(given.where, "@local_domains_maps", f"the exception {entry}")
        if words:
            self._result.option(("local",), words, given.where, "@local_domains_maps")

    def _recipients(self) -> None:
        """Bypasses, lovers, and values of single options."""
        bypass = {label: self.tables(base) for base, label in BYPASS.items()}
        lovers = {label: self.tables(base) for base, label in LOVERS.items()}
        known = {base: key for base, key in FURTHER.items() if key in IN_RULES and self.given(base)}
        further = {key: self.tables(base) for base, key in known.items()}
        where = self._first([*BYPASS, *LOVERS, *known])

        def options_of(keys: list[str]) -> Options:
            options: Options = {"bypass": _labels(bypass, keys), "lover": _labels(lovers, keys)}
            return options | {key: self._said(key, one, keys, where) for key, one in further.items()}

        every = [*bypass.values(), *lovers.values(), *further.values()]
        entries = {entry for tables in every for table in tables for entry in table.entries}
        for match, fields in _spare(lookups.rules(entries, options_of, self._doubt(where, _BY_RECIPIENT))):
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

    def _doubt(self, where: Where, name: str) -> Callable[[str], None]:
        return lambda what: self._result.leave(where, name, f"not as before: {what}")

    def _first(self, bases: list[str]) -> Where:
        return next((given.where for base in bases if (given := self.given(base))), Where("", 0))

    def _senders(self) -> None:
        """White- and blacklists; a file is named, so that it can be kept up as before."""
        for base, word in SENDERS.items():
            if self.given(base) is None:
                continue
            where = self._first([base])
            paths = [value.path for value, _, _ in self.values(base) if isinstance(value, FileMap)]
            kept = [path for path in paths if self._files.fits(path)]
            for path in kept:
                self._result.table(
                    "sender",
                    {"match": [path], "list": word},
                    where,
                    f"@{base}_maps",
                    "the filter's user must be able to read it",
                )
            tables = self.tables(base)
            entries = {entry for table in tables for entry in table.entries} - self._files.covered(kept)
            true = [
                entry
                for entry in sorted(entries)
                if lookups.is_true(lookups.looked_up(tables, lookups.keys_of(entry)))
            ]
            for entry in sorted(entries - set(true)):
                self._result.leave(where, f"@{base}_maps", f"the exception {entry}")
            if true:
                self._result.table("sender", {"match": true, "list": word}, where, f"@{base}_maps")

    def _scores(self) -> None:
        """@score_sender_maps: for each recipient's entry, tables of senders whose scores are added up."""
        given = self._assigned.get("@score_sender_maps")
        if given is None:
            return
        name = "@score_sender_maps"
        for one in given.value if isinstance(given.value, list) else [given.value]:
            value, _, where = self._resolved(one, name, given.where)
            if not isinstance(value, dict):
                self._result.leave(where, name, value.why if isinstance(value, Unknown) else "it is no hash")
                continue
            for recipient, tables in value.items():
                if recipient != "." and not lookups.is_entry(recipient):
                    self._result.leave(where, name, f"the recipient {recipient[:60]}")
                    continue
                self._scored(recipient, tables if isinstance(tables, list) else [tables], name, where)

    def _scored(self, recipient: str, values: list[Value], name: str, where: Where) -> None:
        tables = []
        for one in values:
            try:
                table = Table.of(self._resolved(one, name, where)[0], self._files.read)
            except OSError as error:
                self._result.leave(where, name, f"{getattr(one, 'path', name)}: {error.strerror}")
                continue
            for what in table.refused[:5]:
                self._result.leave(where, name, f"not carried over from it: {what[:80]}")
            tables.append(table)

        def options_of(keys: list[str]) -> Options:
            said = [value for table in tables if isinstance(value := table.get(keys), (int, float))]
            return {"score": round(sum(said), 3) if said else None}

        entries = {entry for table in tables for entry in table.entries}
        for match, options in lookups.rules(entries, options_of, self._doubt(where, name)):
            score = options["score"]
            if score is None or not -1000 <= score <= 1000:
                self._result.leave(where, name, f"{match[0]}: a score wants a number from -1000 to 1000")
                continue
            narrower = {} if recipient == "." else {"recipient": [recipient]}
            self._result.table("sender", {"match": match, **narrower, "score": score}, where, name)


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
