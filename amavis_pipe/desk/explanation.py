"""Says what the settings make of a mail that isn't there: `config test --sender … --category …`.

For each recipient which rules hold, and for each option that counts where its value comes from: the line of
the settings file, or that it is the default.
"""

import json
from typing import Any

import click

from amavis_pipe import policy, rules, settings
from amavis_pipe.config import lines
from amavis_pipe.desk.account import MEANING
from amavis_pipe.model import Envelope, Finding
from amavis_pipe.settings import Profile, Settings
from amavis_pipe.text import readable

EXAMPLES = {
    "infected": Finding("virus", "a virus"),
    "banned": Finding("banned", "a banned name", "", "policy"),
    "unchecked": Finding("unchecked", "encrypted:zip"),
    "spam": Finding("spam", "much", "", "policy"),
    "bad-header": Finding("bad-header", "a fault", "", "policy"),
    "oversized": Finding("oversized", "too large", "", "policy"),
}
ASKED = ("action", "quarantine", "notify_sender", "notify_recipients", "admin", "subject_tag", "extension")
"""Options whose line is told for each category that is present."""

Told = dict[str, Any]
"""One explanation, as `--json` prints it."""


class Explainer:
    """Explains one settings file."""

    def __init__(self, path: bytes, envelope: Envelope) -> None:
        self.settings: Settings = settings.Settings(_values(path))
        self._path = readable(path)
        self._lines = settings.slurp(path).decode().split("\n")
        self._envelope = envelope

    def explain(self, labels: tuple[str, ...]) -> list[Told]:
        """What becomes of a mail with all these categories, for each group of recipients."""
        told = []
        held = rules.held(self._envelope, self.settings)
        profiles = [profile for profile, _ in rules.profiles(self._envelope, self.settings)]
        for (numbers, recipients), profile in zip(held.items(), profiles, strict=True):
            left_out = [label for label in labels if self._is_left_out(label, profile)]
            present = [(label, [EXAMPLES[label]]) for label in labels if label not in left_out]
            verdict = policy.judged(present, profile, self.settings, self._envelope.sender)
            told.append(
                {
                    "recipients": [readable(one) for one in recipients],
                    "categories": list(labels),
                    "left_out": left_out,
                    "action": verdict.action,
                    "reason": verdict.reason,
                    "place": verdict.place,
                    "told": _who(verdict),
                    "marks": _marks(verdict),
                    "rules": [self._rule(number) for number in numbers],
                    "because": self._because(numbers, labels or ("clean",), profile),
                }
            )
        return told

    def _is_left_out(self, label: str, profile: Profile) -> bool:
        return label in profile.get("bypass") or (label == "spam" and profile.get("list") == "white")

    def _rule(self, number: int) -> str:
        kind, _, _, line = self.settings.rules[number]
        return f"{self._path}:{line}: [[{kind}]]"

    def _because(self, numbers: tuple[int, ...], labels: tuple[str, ...], profile: Profile) -> list[str]:
        """The options that count, each with its value and where that is said."""
        keys = [f"{label}.{name}" for label in labels for name in ASKED]
        keys += ["bypass", "lover", "list", "bounces"]
        found = []
        for key in keys:
            where = self._where(key, numbers)
            if where or key.endswith(".action"):
                value = self.settings.values.get(key) if key == "bounces" else profile.get(key)
                found.append(f"{key} = {_shown(value)}  ({where or 'default'})")
        return found

    def _where(self, key: str, numbers: tuple[int, ...]) -> str:
        """Where an option's value is said, "" if nowhere."""
        for number in numbers:
            kind, _, options, line = self.settings.rules[number]
            if key in options:
                nth = sum(1 for rule in self.settings.rules[:number] if rule[0] == kind)
                return f"{self._path}:{lines.in_table(self._lines, kind, nth, key) or line}, [[{kind}]]"
        line = lines.of_key(self._lines, key)
        return f"{self._path}:{line}" if line else ""


def run(config: bytes | None, envelope: Envelope, categories: tuple[str, ...], as_json: bool) -> int:
    """Print the explanation; 0. UsageError for a category that there isn't."""
    known = [*EXAMPLES, "clean"]
    for label in categories:
        if label not in known:
            raise click.UsageError(f'no category "{label}"; there are {", ".join(known)}')
    explainer = Explainer(config or settings.DEFAULT_PATH, envelope)
    wanted = tuple(label for label in EXAMPLES if label in categories)
    cases = [wanted] if categories else [(label,) for label in EXAMPLES] + [()]
    told = [group for case in cases for group in explainer.explain(case)]
    if as_json:
        print(json.dumps(told))
    else:
        print("\n\n".join(_text(group) for group in told))
    return 0


def _text(group: Told) -> str:
    what = " and ".join(group["categories"]) or "clean"
    to = ", ".join(group["recipients"]) or "any recipient"
    rows = [f"{what} mail for {to}: {MEANING[group['action']]}"]
    rows += [f"  {label}: not looked for" for label in group["left_out"]]
    rows += [f"  a copy goes to {group['place']}"] if group["place"] else []
    rows += [f"  told: {', '.join(group['told'])}"] if group["told"] else []
    rows += [f"  marks: {', '.join(group['marks'])}"] if group["marks"] else []
    rows += [f"  rule: {rule}" for rule in group["rules"]]
    return "\n".join([*rows, *(f"  {why}" for why in group["because"])])


def _who(verdict: policy.Verdict) -> list[str]:
    words = ["sender"] if verdict.notify_sender or verdict.action == "bounce" else []
    words += ["recipients"] if verdict.notify_recipients else []
    return words + ([readable(verdict.admin)] if verdict.admin else [])


def _marks(verdict: policy.Verdict) -> list[str]:
    words = (
        [f"X-Amavis-Alert: {verdict.alert}"] if verdict.alert and verdict.action in policy.SENDABLE else []
    )
    words += [f"Subject: {readable(verdict.subject_tag)} …"] if verdict.subject_tag else []
    words += [f"address extension {readable(verdict.extension)}"] if verdict.extension else []
    return words + [readable(line) for line in verdict.headers]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(key)} = {_shown(one)}" for key, one in value.items()) + "}"
    return '"' + readable(value if isinstance(value, bytes) else str(value).encode()) + '"'


def _values(path: bytes) -> dict[str, Any]:
    from amavis_pipe.config import load

    return load.load(path)[0]
