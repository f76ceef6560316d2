"""decide(): what this site does with a mail of which the facts are known. Pure: no I/O, no clock.

Each category that is present names an action; the strictest of them is done, so an encrypted archive
in an infected mail can't free it. The label is the heaviest category, which may be another one.
Recipients for whom other options are in force (rules.py) fare by those: one verdict for each group.
"""

from amavis_pipe.model import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope, Facts
    from amavis_pipe.settings import Profile, Settings
    from amavis_pipe.spam.score import Score

    Present = list[tuple[str, list[Finding]]]

ACTIONS = ("pass", "tag", "defer", "bounce", "discard")
"""Mildest first."""
SENDABLE = ("pass", "tag")
CATEGORIES = ("infected", "banned", "unchecked", "spam", "bad-header", "oversized", "clean")
"""Heaviest first."""
NAMES_SHOWN = 5
"""Findings named in a header, a log line or a notice; the record has them all."""


class Verdict:
    """What is to be done with a mail, for some of its recipients.

    label       heaviest category present
    action      pass, tag, defer, bounce or discard
    reason      the category and findings that decided, e.g. "infected Eicar-Signature"
    place       where a copy is kept, as in the settings, or ""
    withheld    whether recipients and admin are to be told that the mail was kept back unexamined
    alert       text of X-Amavis-Alert for mail that goes on, ASCII, or ""
    notify_sender, notify_recipients  whether they are told; admin: who else, b"" for nobody
    subject_tag, extension, headers   marks for mail that goes on
    spam        header lines that tell of the score, for mail that goes on
    scanned     whether viruses were looked for
    recipients  whom it concerns
    rules       the rules that hold for some of them, and banned rules that applied, by kind and line of the
                settings: "recipient:12"
    """

    __slots__ = (
        "action",
        "admin",
        "alert",
        "extension",
        "headers",
        "label",
        "notify_recipients",
        "notify_sender",
        "place",
        "reason",
        "recipients",
        "rules",
        "scanned",
        "spam",
        "subject_tag",
        "withheld",
    )

    def __init__(self, label: str, action: str, reason: str, recipients: tuple[bytes, ...] = ()) -> None:
        self.label = label
        self.action = action
        self.reason = reason
        self.recipients = recipients
        self.place = ""
        self.withheld = False
        self.alert = ""
        self.notify_sender = False
        self.notify_recipients = False
        self.admin = b""
        self.subject_tag = b""
        self.extension = b""
        self.headers: tuple[bytes, ...] = ()
        self.scanned = True
        self.spam: tuple[bytes, ...] = ()
        self.rules: tuple[str, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether anybody is told of it."""
        return bool(self.withheld or self.notify_sender or self.notify_recipients or self.admin)

    @property
    def fate(self) -> tuple[object, ...]:
        """All but recipients and rules: whoever has the same fares alike."""
        return tuple(getattr(self, name) for name in self.__slots__ if name not in ("recipients", "rules"))


class Decision:
    """The verdicts on one mail, one for each group of recipients that fare alike, the strictest first.

    score     the highest that a spam checker gave, or None
    findings  what policy itself found for some recipient: banned, bad-header, oversized, spam
    label, action, reason  of the mail as a whole: the heaviest, and the strictest with its reason
    """

    __slots__ = ("findings", "score", "verdicts")

    def __init__(
        self, verdicts: tuple[Verdict, ...], findings: tuple[Finding, ...] = (), score: "Score | None" = None
    ) -> None:
        self.verdicts = verdicts
        self.findings = findings
        self.score = score

    @property
    def label(self) -> str:
        return min((verdict.label for verdict in self.verdicts), key=CATEGORIES.index)

    @property
    def action(self) -> str:
        return self.verdicts[0].action

    @property
    def reason(self) -> str:
        return self.verdicts[0].reason


def decide(
    facts: "Facts",
    envelope: "Envelope",
    settings: "Settings",
    mail: "Mail | None" = None,
    scores: "dict[bytes, Score] | None" = None,
) -> Decision:
    """The verdicts for these facts and this envelope under the site's settings.

    `mail` gives header and size, for the categories that depend on these; None for what is no mail. `scores`
    are of recipients for whom a spam checker was asked.
    """
    if not settings.rules:
        groups = [(settings.profile, envelope.recipients)]
    else:
        from amavis_pipe import rules

        groups = rules.profiles(envelope, settings)
    found: list[Finding] = []
    seen: set[tuple[str, str, str]] = set()
    fates: dict[tuple[object, ...], Verdict] = {}
    for profile, everybody in groups:
        about_all, lines = _own(facts, profile, settings, mail)
        held = (*profile.rules, *(f"banned_rule:{line}" for line in lines))
        for score, recipients in _by_score(everybody, scores or {}):
            own = [*about_all, *_spam(score, profile)]
            found += [one for one in own if (one.grade, one.name, one.part) not in seen]
            seen.update((one.grade, one.name, one.part) for one in own)
            present = _present(facts, own, profile, settings)
            verdict = judged(present, profile, settings, envelope.sender, score)
            known = fates.setdefault(verdict.fate, verdict)
            known.recipients += recipients
            known.rules += tuple([rule for rule in held if rule not in known.rules])
    verdicts = sorted(fates.values(), key=lambda verdict: ACTIONS.index(verdict.action), reverse=True)
    score = max((scores or {}).values(), key=lambda one: one.score, default=None)
    return Decision(tuple(verdicts), tuple(found), score)


def judged(
    present: "Present",
    profile: "Profile",
    settings: "Settings",
    sender: bytes,
    score: "Score | None" = None,
) -> Verdict:
    """What these options make of categories, each with its findings, heaviest first; for nobody yet.

    `score` is what a spam checker said.
    """
    verdict = Verdict("clean", profile.category("clean").action, "clean")
    loved = profile.get("lover") or ()
    for label, found in present:
        if verdict.label == "clean":
            _take_notices(verdict, label, profile, sender, loved)
        action, place, withheld = _wanted(label, found, profile, settings)
        if label == "spam" and score is not None:
            action, place = _by_levels(action, place, found, verdict, profile, score)
        if label in loved:
            action, place, withheld = min(action, "tag", key=ACTIONS.index), "", False
        milder = ACTIONS.index(action) < ACTIONS.index(verdict.action)
        if ACTIONS.index(action) > ACTIONS.index(verdict.action) or (verdict.label == "clean" and not milder):
            verdict.reason = f"{label} {names_of(found)}"
        if verdict.label == "clean":
            verdict.label = label
        verdict.action = max(verdict.action, action, key=ACTIONS.index)
        verdict.place = verdict.place or place
        verdict.withheld = verdict.withheld or withheld
        verdict.alert = verdict.alert or f"{label.upper()} {names_of(found)}"
    verdict.place = verdict.place or profile.category("clean").place
    # mail of which something was not looked at never says that it was, unless an alert says more
    verdict.scanned = not {"infected", *(() if verdict.alert else ("unchecked",))} & {*profile.get("bypass")}
    if verdict.label == "infected":
        verdict.withheld = False
    if score is not None:
        from amavis_pipe.spam import headers

        tag, required = profile.get("spam.tag"), profile.get("spam.required")
        hits = score.score + (profile.get("score") or 0)
        verdict.spam = tuple(headers.lines(score, tag, required, hits, profile.get("spam.report")))
    if verdict.action == "tag":
        _mark(verdict, ["clean", *(label for label, _ in present)], profile)
    return verdict


def is_scanned(envelope: "Envelope", settings: "Settings") -> bool:
    """Whether viruses are looked for: not if every recipient is spared that check."""
    if not settings.rules:
        return "infected" not in settings.profile.get("bypass")
    from amavis_pipe import rules

    return any("infected" not in profile.get("bypass") for profile, _ in rules.profiles(envelope, settings))


def names_of(findings: list[Finding]) -> str:
    """The findings' names, each once, the first few: "Eicar-Signature, Clam.Exe"."""
    names = list(dict.fromkeys(finding.name for finding in findings))
    names = [name.encode("ascii", "backslashreplace").decode() for name in names]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(name[:80] for name in names[:NAMES_SHOWN]) + more


def is_forging(facts: "Facts", settings: "Settings") -> bool:
    """Whether a virus was found of a name that is known to forge senders."""
    from amavis_pipe.judge.glob import matches

    names = [found.name.lower().encode() for found in facts.findings if found.grade in ("virus", "suspect")]
    patterns = [pattern.lower().encode() for pattern in settings.values["infected.forging"]]
    return any(matches(pattern, name) for name in names for pattern in patterns)


def _own(
    facts: "Facts", profile: "Profile", settings: "Settings", mail: "Mail | None"
) -> tuple[list[Finding], list[int]]:
    """What policy itself finds under these options, and the lines of banned rules that applied."""
    found: list[Finding] = []
    lines: list[int] = []
    bypass = profile.get("bypass")
    rules = profile.get("banned_rules")
    if rules and "banned" not in bypass:
        from amavis_pipe.judge import banned

        found, lines = banned.applied(facts, settings.banned(rules))
    if profile.get("list") == "black":
        found.append(Finding("spam", "blacklisted", "", "policy"))
    if mail is None:
        return found, lines
    limit = profile.get("oversized.limit")
    if limit and mail.raw.size > limit:
        found.append(Finding("oversized", f"size:{limit}", "", "policy"))
    if "bad-header" not in bypass and not profile.category("bad-header").is_idle:
        from amavis_pipe.judge import badheader

        found += badheader.findings(mail.raw.head(mail.head.body), profile.get("bad-header.tests"))
    return found, lines


def _by_score(
    recipients: tuple[bytes, ...], scores: "dict[bytes, Score]"
) -> "list[tuple[Score | None, tuple[bytes, ...]]]":
    """The recipients by the score that their mail has."""
    if not scores or not recipients:
        return [(scores.get(b""), recipients)]
    groups: dict[int, tuple[Score | None, tuple[bytes, ...]]] = {}
    for recipient in recipients:
        score = scores.get(recipient)
        groups[id(score)] = (score, (*groups.get(id(score), (None, ()))[1], recipient))
    return list(groups.values())


def _spam(score: "Score | None", profile: "Profile") -> list[Finding]:
    """That the points are enough to call it spam."""
    if score is None:
        return []
    hits = score.score + (profile.get("score") or 0)
    if hits < min(profile.get("spam.required"), profile.get("spam.kill")):
        return []
    from amavis_pipe.spam.headers import shown

    return [Finding("spam", "score:" + shown(hits), "", score.checker)]


def _by_levels(
    action: str,
    place: str,
    found: list[Finding],
    verdict: Verdict,
    profile: "Profile",
    score: "Score",
) -> tuple[str, str]:
    """Action and place for these points; nobody is told of what is over the cutoff for that."""
    hits = score.score + (profile.get("score") or 0)
    quarantine_cutoff, notice_cutoff = (
        profile.get("spam.quarantine_cutoff"),
        profile.get("spam.notice_cutoff"),
    )
    if verdict.label == "clean" and 0 < notice_cutoff <= hits:
        verdict.notify_sender = verdict.notify_recipients = False
        verdict.admin = b""
    if 0 < quarantine_cutoff <= hits:
        place = ""
    if hits < profile.get("spam.kill") and all(one.name.startswith("score:") for one in found):
        return min(action, "tag", key=ACTIONS.index), ""
    return action, place


def _present(facts: "Facts", own: list[Finding], profile: "Profile", settings: "Settings") -> "Present":
    """Each category that is present with its findings, heaviest first."""
    if not (facts.findings or own):
        return []
    grades = {"virus": "infected", "unchecked": "unchecked"}
    if settings.suspect:
        grades["suspect"] = "infected"
    by_label: dict[str, list[Finding]] = {}
    for finding in facts.findings:
        if finding.grade in grades:
            by_label.setdefault(grades[finding.grade], []).append(finding)
    for finding in own:
        by_label.setdefault(finding.grade, []).append(finding)
    left_out = {*profile.get("bypass")} | ({"spam"} if profile.get("list") == "white" else set())
    return [(label, by_label[label]) for label in CATEGORIES if label in by_label and label not in left_out]


def _take_notices(
    verdict: Verdict, label: str, profile: "Profile", sender: bytes, loved: tuple[str, ...]
) -> None:
    """Who is told: as the heaviest category says, and not of what somebody asked for."""
    if label in loved:
        return
    category = profile.category(label)
    verdict.notify_sender = category.notify_sender
    verdict.notify_recipients = category.notify_recipients
    if isinstance(category.admin, dict):
        from amavis_pipe.rules import by_domain

        verdict.admin = by_domain(category.admin, sender)
    else:
        verdict.admin = category.admin


def _mark(verdict: Verdict, labels: list[str], profile: "Profile") -> None:
    """Set the marks: of each sort those of the heaviest category that has one."""
    for label in (*labels[1:], labels[0]):
        category = profile.category(label)
        verdict.subject_tag = verdict.subject_tag or category.subject_tag
        verdict.extension = verdict.extension or category.extension
        verdict.headers += category.headers


def _wanted(
    label: str, found: list[Finding], profile: "Profile", settings: "Settings"
) -> tuple[str, str, bool]:
    """Action, place and withheld that the options name for one category."""
    category = profile.category(label)
    action, place = category.action, category.place
    if label == "unchecked" and any(_is_crash(finding.name) for finding in found):
        if settings.crash == "quarantine":
            return "discard", place or profile.get("quarantine.place"), True
        action = max(action, settings.crash, key=ACTIONS.index)
    return action, place, False


def _is_crash(name: str) -> bool:
    return name.startswith("crash:") or name == "poison"
