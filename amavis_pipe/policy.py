"""decide(): what this site does with a mail of which the facts are known. Pure: no I/O, no clock.

Each category that is present names an action; the strictest of them is done, so an encrypted archive
in an infected mail can't free it. The label is the heaviest category, which may be another one.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.model import Envelope, Facts, Finding
    from amavis_pipe.settings import Category, Settings

ACTIONS = ("pass", "tag", "defer", "bounce", "discard")
"""Mildest first."""
CATEGORIES = ("infected", "banned", "unchecked", "spam", "bad-header", "oversized", "clean")
"""Heaviest first."""
NAMES_SHOWN = 5
"""Findings named in a header, a log line or a notice; the record has them all."""


class Verdict:
    """What is to be done with a mail.

    label       heaviest category present
    action      pass, tag, defer, bounce or discard
    reason      the category and findings that decided, e.g. "infected Eicar-Signature"
    quarantine  whether a copy is kept
    withheld    whether recipients and admin are to be told that the mail was kept back unexamined
    alert       text of X-Amavis-Alert for mail that goes on, ASCII, or ""
    recipients  whom it concerns
    """

    __slots__ = ("action", "alert", "label", "quarantine", "reason", "recipients", "withheld")

    def __init__(self, label: str, action: str, reason: str, recipients: tuple[bytes, ...]) -> None:
        self.label = label
        self.action = action
        self.reason = reason
        self.recipients = recipients
        self.quarantine = False
        self.withheld = False
        self.alert = ""


def decide(facts: "Facts", envelope: "Envelope", settings: "Settings") -> Verdict:
    """The verdict for these facts and this envelope under the site's settings."""
    verdict = Verdict("clean", "pass", "clean", envelope.recipients)
    for label, found in _present(facts, settings):
        action, quarantine, withheld = _wanted(label, found, settings)
        if verdict.label == "clean":
            verdict.label = label
            verdict.reason = f"{label} {names_of(found)}"
        if ACTIONS.index(action) > ACTIONS.index(verdict.action):
            verdict.action = action
            verdict.reason = f"{label} {names_of(found)}"
        verdict.quarantine = verdict.quarantine or quarantine
        verdict.withheld = verdict.withheld or withheld
        verdict.alert = verdict.alert or f"{label.upper()} {names_of(found)}"
    if verdict.label == "infected":
        verdict.withheld = False
    return verdict


def names_of(findings: "list[Finding]") -> str:
    """The findings' names, each once, the first few: "Eicar-Signature, Clam.Exe"."""
    names = list(dict.fromkeys(finding.name for finding in findings))
    names = [name.encode("ascii", "backslashreplace").decode() for name in names]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(name[:80] for name in names[:NAMES_SHOWN]) + more


def _present(facts: "Facts", settings: "Settings") -> "list[tuple[str, list[Finding]]]":
    """Each category that is present with its findings, heaviest first."""
    grades = ("virus", "suspect") if settings.suspect else ("virus",)
    table = (
        ("infected", [finding for finding in facts.findings if finding.grade in grades]),
        ("unchecked", [finding for finding in facts.findings if finding.grade == "unchecked"]),
    )
    return [(label, found) for label, found in table if found]


def _wanted(label: str, found: "list[Finding]", settings: "Settings") -> tuple[str, bool, bool]:
    """Action, quarantine and withheld that the settings name for one category."""
    category: Category = settings.infected if label == "infected" else settings.unchecked
    action, quarantine = category.action, category.quarantine
    if label == "unchecked" and any(_is_crash(finding.name) for finding in found):
        if settings.crash == "quarantine":
            return "discard", True, True
        action = max(action, settings.crash, key=ACTIONS.index)
    return action, quarantine, False


def _is_crash(name: str) -> bool:
    return name.startswith("crash:") or name == "poison"
