"""From the variables of an amavisd.conf to options and tables of ours; nothing is left out in silence."""

from collections.abc import Callable
from typing import Any

from amavis_pipe.config.imported import banks, banned, known
from amavis_pipe.config.imported.assigned import Assigned
from amavis_pipe.config.imported.files import Files
from amavis_pipe.config.imported.lookups import is_true
from amavis_pipe.config.imported.plain import Wrong, plain
from amavis_pipe.config.imported.result import BY_KEY, Result
from amavis_pipe.config.imported.rules import Rules
from amavis_pipe.config.imported.scanners import Scanners
from amavis_pipe.config.imported.senders import Senders
from amavis_pipe.config.imported.tables import Tables
from amavis_pipe.config.imported.values import Given, Pattern, Patterns, Ref, Unknown, Value, find_unknown

_BY_AMAVIS = {
    option.amavis: option.key
    for option in BY_KEY.values()
    if option.amavis[:1] == "$" and "," not in option.amavis
}
"""Options that stand for one plain variable, as their tables say."""
_QUIET = ("@av_scanners", "@av_scanners_backup", "$banned_filename_re", "@score_sender_maps", "%policy_bank")


class Carrier:
    """Works through all variables."""

    def __init__(self, assigned: Assigned, files: Files, found: Callable[[tuple[str, ...]], bool]) -> None:
        self._assigned = assigned
        self._found = found
        self.result = Result()
        self._tables = Tables(assigned, self.result, files)
        self._rules = Rules(self._tables)

    def carry(self) -> Result:
        """The whole result."""
        for where, what, why in self._assigned.passed:
            self.result.leave(where, what, why)
        for name, given in list(self._assigned.variables.items()):
            self._plain(name, given)
        self._rules.carry()
        Senders(self._tables).carry()
        Scanners(self.result, self._found).carry(
            self._assigned.get("@av_scanners"), self._assigned.get("@av_scanners_backup")
        )
        self._banned()
        self._destinies()
        self._header_tests()
        self._forging()
        self._quarantine()
        self._admins()
        self._marks()
        banks.carry(self._assigned, self.result)
        self._rest()
        self._whole()
        return self.result

    def _plain(self, name: str, given: Given) -> None:
        named = known.ALIASES.get(name, name)
        keys = known.PLAIN.get(name) or ((_BY_AMAVIS[named],) if named in _BY_AMAVIS else ())
        if not keys or name in known.BY_HAND:
            return
        given.used = True
        if isinstance(given.value, Unknown):
            self.result.leave(given.where, name, given.value.why)
            return
        try:
            value = plain(name, keys[0], given.value)
        except Wrong as error:
            self.result.leave(given.where, name, str(error))
            return
        if value is not None:
            self.result.option(keys, value, given.where, name)

    def _banned(self) -> None:
        given = self._assigned.get("$banned_filename_re")
        if given is not None:
            banned.carry(given, self.result)

    def _destinies(self) -> None:
        """%final_destiny_by_ccat, where the older variables say nothing."""
        given = self._assigned.get("%final_destiny_by_ccat")
        if given is None or not isinstance(given.value, dict):
            return
        for content, value in given.value.items():
            label = known.CONTENTS.get(content)
            name = f"$final_destiny_by_ccat{{{content[:30]}}}"
            if label is None or not isinstance(value, (str, int)):
                self.result.leave(given.where, name, "there is no such category")
                continue
            try:
                self.result.option(
                    (f"{label}.action",), plain("$final_", f"{label}.action", value), given.where, name
                )
            except Wrong as error:
                self.result.leave(given.where, name, str(error))

    def _header_tests(self) -> None:
        """%allowed_header_tests: all but those that are switched off."""
        given = self._assigned.get("%allowed_header_tests")
        option = BY_KEY["bad-header.tests"]
        if given is None or not isinstance(given.value, dict):
            return
        on = [test for test in option.default if is_true(given.value.get(test, 1))]
        self.result.option((option.key,), on, given.where, "%allowed_header_tests")

    def _forging(self) -> None:
        """@viruses_that_fake_sender_maps: carried over where it says that all do; else the default stands."""
        given = self._assigned.get("@viruses_that_fake_sender_maps")
        if given is None:
            return
        last = given.value[-1] if isinstance(given.value, list) and given.value else given.value
        all_do = last == 1 or (isinstance(last, Patterns) and last.pairs[-1:] == ((Pattern(".*"), 1),))
        if all_do:
            self.result.option(("infected.forging",), ["*"], given.where, "@viruses_that_fake_sender_maps")
        else:
            why = "names stand as shell patterns in infected.forging; the default has the usual ones"
            self.result.leave(given.where, "@viruses_that_fake_sender_maps", why)

    def _quarantine(self) -> None:
        """Where mail is kept, and of which categories: $…_quarantine_to and $…_quarantine_method."""
        folder = self._assigned.get("$QUARANTINEDIR")
        if folder is not None:
            self._place(folder)
        for word, label in known.CATEGORIES.items():
            names = (f"${word}_quarantine_method", f"@{word}_quarantine_to_maps", f"${word}_quarantine_to")
            found = [(name, given) for name in names if (given := self._assigned.get(name))]
            if label == "clean" and not (found and found[0][0] == names[0]):
                continue  # amavisd keeps none of it unless there is a method
            for name, given in found:
                self._kept(name, label, given)

    def _place(self, given: Given) -> None:
        if isinstance(given.value, str) or given.value is None:
            comment = "the filter's user must own it" if given.value else ""
            self.result.option(
                ("quarantine.place",), given.value or "", given.where, "$QUARANTINEDIR", comment
            )
        else:
            self.result.leave(given.where, "$QUARANTINEDIR", _why(given.value))

    def _kept(self, name: str, label: str, given: Given) -> None:
        value: Value = given.value
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, Ref):
            return
        if not isinstance(value, (str, int, float, type(None))) or str(value).startswith(("sql:", "bsmtp:")):
            self.result.leave(given.where, name, _why(value))
            return
        key = f"{label}.quarantine"
        before = self.result.options.get(key)
        if not is_true(value):
            self.result.option((key,), False, given.where, name)
        elif before is not None and before.value is False:
            return  # switched off by the other of both variables
        elif (
            isinstance(value, str)
            and not name.endswith("_method")
            and ("@" in value or value.startswith("/"))
        ):
            self.result.option((key,), value, given.where, name)
        else:
            self.result.option((key,), True, given.where, name)

    def _admins(self) -> None:
        """$virus_admin, or a hash by the sender's domain."""
        for word in ("virus", "banned", "spam", "bad_header", "unchecked"):
            for name in (f"@{word}_admin_maps", f"%{word}_admin", f"${word}_admin"):
                given = self._assigned.get(name)
                if given is None:
                    continue
                value: Value = given.value
                if isinstance(value, list) and len(value) == 1:
                    value = value[0]
                if _names_others(value):
                    continue
                if isinstance(value, (Unknown, list)) or find_unknown(value):
                    self.result.leave(given.where, name, _why(find_unknown(value) or value))
                    continue
                self._admin(f"{known.CATEGORIES[word]}.admin", name, value, given)

    def _admin(self, key: str, name: str, value: Value, given: Given) -> None:
        made: Any = value or ""
        if isinstance(value, dict):
            made = {domain: address or "" for domain, address in value.items()}
        elif made and "@" not in str(made):
            self.result.leave(given.where, name, "it is no whole address")
            return
        if key not in self.result.options:
            comment = 'by the digest; notices.admin = "each" for a mail for each hit' if made else ""
            self.result.option((key,), made, given.where, name, comment)

    def _marks(self) -> None:
        """Subject tags: $sa_spam_subject_tag, $undecipherable_subject_tag."""
        changes = self._assigned.get("$sa_spam_modifies_subj")
        for name, label in (("$sa_spam_subject_tag", "spam"), ("$undecipherable_subject_tag", "unchecked")):
            given = self._assigned.get(name)
            if given is None or (label == "spam" and changes is not None and not is_true(changes.value)):
                continue
            if not isinstance(given.value, str):
                if given.value is not None:
                    self.result.leave(given.where, name, _why(given.value))
                continue
            done = self.result.option((f"{label}.subject_tag",), given.value, given.where, name)
            if done and given.value and f"{label}.action" not in self.result.options:
                self.result.option(
                    (f"{label}.action",), "tag", given.where, name, "so that the subject is marked"
                )

    def _rest(self) -> None:
        """Everything that nothing has asked for: by hand, not needed, or unknown."""
        for name, given in self._assigned.variables.items():
            if name in _QUIET or (given.used and not known.elsewhere(name)):
                continue
            if why := known.moot(name) or (
                "it only names other settings" if _names_others(given.value) else ""
            ):
                self.result.moot.append((given.where, name, why))
            elif not isinstance(given.value, (Unknown, dict, list)) and not is_true(given.value):
                self.result.moot.append((given.where, name, "it is off"))
            else:
                self.result.leave(given.where, name, known.elsewhere(name) or "there is nothing like it here")

    def _whole(self) -> None:
        """What options want of each other."""
        options = self.result.options
        if "infected" in self._rules.bypassed():
            line = options["bypass"]
            self.result.option(
                ("scanners",), ["builtin"], line.where, line.name, "nobody's mail is scanned for viruses"
            )
            options.pop("backups", None)
            options.pop("infected.quarantine", None)
        place = options.get("quarantine.place")
        if place is not None and not place.value:
            self.result.option(("unchecked.crash",), "defer", place.where, place.name, "nothing is kept back")
        spam = [key for key in options if key.startswith("spam.") and key.rpartition(".")[2] in _LEVELS]
        if spam and "spam" not in self._rules.bypassed():
            first = options[spam[0]]
            comment = "SpamAssassin's daemon must run; amavisd was one itself"
            self.result.option(("spam.checker",), "spamd", first.where, first.name, comment)


_LEVELS = ("tag", "required", "tag2", "kill")


def _names_others(value: Value) -> bool:
    """Whether it consists of references to other variables, as @…_maps and %…_by_ccat do by default."""
    several = (
        list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    )
    return bool(several) and all(
        isinstance(one, Ref) or (isinstance(one, list) and bool(one) and all(isinstance(x, Ref) for x in one))
        for one in several
    )


def _why(value: Value) -> str:
    return value.why if isinstance(value, Unknown) else "it is more than one value"
