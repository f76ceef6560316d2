"""decide(): from facts and settings to one action."""

import itertools

import pytest

from amavis_pipe.model import Envelope, Facts, Finding
from amavis_pipe.policy import ACTIONS, decide, names_of

ENVELOPE = Envelope(b"a@example.org", (b"b@example.net", b"c@example.net"))
VIRUS = Finding("virus", "Eicar", "1", "clamd")
SUSPECT = Finding("suspect", "Heuristics.Foo", "1", "clamd")
BROKEN = Finding("unchecked", "broken:gzip", "2")
CRASHED = Finding("unchecked", "crash:rar", "2")
POISON = Finding("unchecked", "poison")
NOTE = Finding("note", "odd header", "1")


def facts(*findings):
    return Facts([], list(findings), [])


def said(settings, *findings):
    """(label, action) for these findings."""
    verdict = decide(facts(*findings), ENVELOPE, settings)
    return verdict.label, verdict.action


@pytest.mark.parametrize(
    ("findings", "expect"),
    [
        ((), ("clean", "pass")),
        ((NOTE,), ("clean", "pass")),
        ((VIRUS,), ("infected", "discard")),
        ((SUSPECT,), ("infected", "discard")),
        ((BROKEN,), ("unchecked", "pass")),
        ((CRASHED,), ("unchecked", "discard")),
        ((POISON,), ("unchecked", "discard")),
        ((BROKEN, VIRUS), ("infected", "discard")),
        ((CRASHED, VIRUS), ("infected", "discard")),
        ((BROKEN, NOTE), ("unchecked", "pass")),
    ],
    ids=[
        "nothing",
        "note",
        "virus",
        "suspect",
        "broken",
        "crash",
        "poison",
        "broken and virus",
        "crash and virus",
        "broken and note",
    ],
)
def test_by_default_a_virus_is_discarded_and_what_was_not_looked_at_passes(settings_of, findings, expect):
    assert said(settings_of(), *findings) == expect


@pytest.mark.parametrize(("infected", "unchecked"), list(itertools.product(ACTIONS, ACTIONS)))
def test_the_action_is_the_strictest_and_the_label_the_heaviest(settings_of, infected, unchecked):
    settings = settings_of(infected={"action": infected}, unchecked={"action": unchecked})
    strictest = max(infected, unchecked, key=ACTIONS.index)
    assert said(settings, VIRUS, BROKEN) == ("infected", strictest)
    assert said(settings, VIRUS) == ("infected", infected)
    assert said(settings, BROKEN) == ("unchecked", unchecked)


@pytest.mark.parametrize("order", [(BROKEN, VIRUS), (VIRUS, BROKEN)], ids=["unchecked first", "virus first"])
def test_the_order_of_findings_makes_no_difference(settings_of, order):
    assert said(settings_of(unchecked={"action": "bounce"}, infected={"action": "tag"}), *order) == (
        "infected",
        "bounce",
    )


def test_the_reason_names_the_category_that_decided(settings_of):
    settings = settings_of(infected={"action": "tag"}, unchecked={"action": "defer"})
    assert decide(facts(VIRUS, BROKEN), ENVELOPE, settings).reason == "unchecked broken:gzip"
    assert decide(facts(VIRUS), ENVELOPE, settings).reason == "infected Eicar"


def test_a_suspicion_counts_as_infected_only_if_the_site_wants_it(settings_of):
    assert said(settings_of(infected={"suspect": False}), SUSPECT) == ("clean", "pass")
    assert said(settings_of(infected={"suspect": False}), SUSPECT, VIRUS) == ("infected", "discard")


@pytest.mark.parametrize(
    ("crash", "action", "quarantine", "withheld"),
    [("quarantine", "discard", True, True), ("defer", "defer", False, False), ("pass", "pass", False, False)],
)
def test_a_crash_is_handled_as_configured(settings_of, crash, action, quarantine, withheld):
    (verdict,) = decide(facts(CRASHED), ENVELOPE, settings_of(unchecked={"crash": crash})).verdicts
    assert (verdict.action, bool(verdict.place), verdict.withheld) == (action, quarantine, withheld)


def test_a_crash_never_makes_the_action_milder(settings_of):
    settings = settings_of(unchecked={"action": "bounce", "crash": "pass"})
    assert said(settings, CRASHED) == ("unchecked", "bounce")


def test_nobody_is_told_of_an_infected_mail_that_was_not_examined_either(settings_of):
    (verdict,) = decide(facts(CRASHED, VIRUS), ENVELOPE, settings_of()).verdicts
    assert verdict.withheld is False
    assert verdict.place == "quarantine"


@pytest.mark.parametrize(
    ("infected", "unchecked", "expect"),
    [(True, False, True), (False, True, True), (False, False, False), (True, True, True)],
)
def test_a_copy_is_kept_if_any_category_wants_it(settings_of, infected, unchecked, expect):
    settings = settings_of(infected={"quarantine": infected}, unchecked={"quarantine": unchecked})
    (verdict,) = decide(facts(VIRUS, BROKEN), ENVELOPE, settings).verdicts
    assert bool(verdict.place) is expect


def test_only_mail_that_is_not_clean_is_marked(settings_of):
    settings = settings_of()
    said = [
        decide(facts(*found), ENVELOPE, settings).verdicts[0].alert
        for found in ([NOTE], [BROKEN], [BROKEN, VIRUS])
    ]
    assert said == ["", "UNCHECKED broken:gzip", "INFECTED Eicar"]


def test_the_verdict_is_for_the_envelopes_recipients(settings_of):
    assert decide(facts(), ENVELOPE, settings_of()).verdicts[0].recipients == ENVELOPE.recipients


def test_names_are_listed_once_bounded_and_in_ascii():
    many = [Finding("virus", f"Virus-{number}") for number in range(9)]
    assert names_of([VIRUS, VIRUS, SUSPECT]) == "Eicar, Heuristics.Foo"
    assert names_of(many) == "Virus-0, Virus-1, Virus-2, Virus-3, Virus-4 and 4 more"
    assert names_of([Finding("virus", "\u00e9" * 500)]) == "\\xe9" * 20
