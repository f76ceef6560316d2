"""What a score makes of a mail: levels, cutoffs, lists, and that it is one recipient's alone."""

import pytest

from amavis_pipe.config import load
from amavis_pipe.model import Envelope, Facts, Finding
from amavis_pipe.policy import ACTIONS, decide
from amavis_pipe.settings import Settings
from amavis_pipe.spam.score import Score

A, B = b"a@example.org", b"b@example.org"
LEVELS = {"checker": "spamd", "tag": 4.0, "required": 6.9, "kill": 10.0}


def decided(score, to=(A, B), findings=(), **tree):
    """The decision on a mail for which `to` have this score."""
    spam = {**LEVELS, **tree.pop("spam", {})}
    settings = Settings(load.read({"scanners": ["builtin"], "spam": spam, **tree}, "", "")[0])
    value = Score(score, 5.0, (("GTUBE", 1000.0), ("BAYES_99", None)), "", "spamd")
    envelope = Envelope(b"s@x.example", (A, B))
    return decide(Facts([], list(findings), []), envelope, settings, None, dict.fromkeys(to, value))


def of(decision, recipient):
    return next(verdict for verdict in decision.verdicts if recipient in verdict.recipients)


@pytest.mark.parametrize(
    ("score", "label", "action", "place", "fields"),
    [
        (-1.0, "clean", "pass", "", []),
        (3.9, "clean", "pass", "", []),
        (4.0, "clean", "pass", "", ["Score", "Level", "Status: No"]),
        (6.8, "clean", "pass", "", ["Score", "Level", "Status: No"]),
        (6.9, "spam", "tag", "", ["Flag", "Score", "Level", "Status: Yes"]),
        (9.9, "spam", "tag", "", ["Flag", "Score", "Level", "Status: Yes"]),
        (10.0, "spam", "discard", "quarantine", ["Flag", "Score", "Level", "Status: Yes"]),
    ],
)
def test_levels_decide_about_fields_tag_and_action(score, label, action, place, fields):
    verdict = of(decided(score, spam={"action": "discard", "quarantine": True}), A)
    assert (verdict.label, verdict.action, verdict.place) == (label, action, place)
    wanted = [f"X-Spam-{field}".encode() for field in fields]
    assert [line.startswith(start) for line, start in zip(verdict.spam, wanted, strict=True)] == [True] * len(
        fields
    )


def test_a_mild_action_is_done_from_required_on():
    assert of(decided(7.0, spam={"action": "pass"}), A).action == "pass"
    assert of(decided(70.0, spam={"action": "pass"}), A).action == "pass"


@pytest.mark.parametrize(
    ("score", "copies", "told"), [(15.0, True, True), (20.0, False, True), (30.0, False, False)]
)
def test_over_the_cutoffs_nothing_is_kept_and_nobody_told(score, copies, told):
    more = {"action": "discard", "quarantine": True, "quarantine_cutoff": 20.0, "notice_cutoff": 30.0}
    verdict = of(decided(score, spam={**more, "admin": "x@example.org", "notify_recipients": True}), A)
    assert (bool(verdict.place), bool(verdict.admin), verdict.notify_recipients) == (copies, told, told)


def test_levels_are_a_recipients_own():
    rules = [{"match": "a@example.org", "spam": {"kill": 5.0, "action": "discard"}}]
    decision = decided(7.0, recipient=rules)
    assert (of(decision, A).action, of(decision, B).action) == ("discard", "tag")
    assert (decision.label, decision.score.score) == ("spam", 7.0)


def test_who_was_not_asked_for_has_no_score():
    decision = decided(70.0, to=(A,), spam={"action": "discard"})
    assert of(decision, A).action == "discard"
    assert (of(decision, B).action, of(decision, B).spam, of(decision, B).label) == ("pass", (), "clean")


@pytest.mark.parametrize(("bonus", "action"), [(-5.0, "pass"), (0.0, "tag"), (5.0, "discard")])
def test_a_rule_may_add_to_the_points(bonus, action):
    decision = decided(7.0, spam={"action": "discard"}, sender=[{"match": "x.example", "score": bonus}])
    assert of(decision, A).action == action


def test_a_whitelisted_sender_s_mail_is_no_spam_whatever_its_score():
    decision = decided(70.0, spam={"action": "discard"}, sender=[{"match": "x.example", "list": "white"}])
    assert (of(decision, A).label, of(decision, A).action) == ("clean", "pass")


def test_a_blacklisted_one_s_is_with_the_whole_action_whatever_its_score():
    tree = {
        "spam": {"action": "discard", "quarantine": True},
        "sender": [{"match": "x.example", "list": "black"}],
    }
    verdict = of(decided(-5.0, **tree), A)
    assert (verdict.label, verdict.action, verdict.place) == ("spam", "discard", "quarantine")


def test_spam_never_frees_what_else_is_in_the_mail():
    locked = Finding("unchecked", "encrypted:zip", "1")
    decision = decided(7.0, findings=[locked], unchecked={"action": "discard"})
    assert (of(decision, A).label, of(decision, A).action) == ("unchecked", "discard")


@pytest.mark.parametrize(("score", "action"), [(4.9, "pass"), (5.0, "discard"), (7.0, "discard")])
def test_the_action_is_done_from_kill_on_even_below_required(score, action):
    verdict = of(decided(score, spam={"kill": 5.0, "required": 6.9, "action": "discard"}), A)
    assert verdict.action == action


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("score", [-1.0, 4.0, 6.9, 10.0])
def test_below_kill_no_action_is_stricter_than_a_tag(score, action):
    verdict = of(decided(score, spam={"action": action, "quarantine": True, "subject_tag": "[spam]"}), A)
    expect = "pass" if score < 6.9 else action if score >= 10.0 else min(action, "tag", key=ACTIONS.index)
    assert (verdict.action, bool(verdict.place)) == (expect, score >= 10.0)
    assert verdict.subject_tag == (b"[spam]" if expect == "tag" else b"")


@pytest.mark.parametrize("tag", [4.0, 8.0, 20.0])
def test_the_levels_do_not_depend_on_each_other_s_order(tag):
    verdict = of(decided(10.0, spam={"tag": tag, "action": "discard"}), A)
    assert (verdict.action, bool(verdict.spam)) == ("discard", tag <= 10.0)


@pytest.mark.parametrize("bonus", [-5.0, 0.25])
def test_points_of_a_rule_are_in_the_fields_and_in_the_reason_and_not_in_the_checker_s_score(bonus):
    decision = decided(12.0, sender=[{"match": "x.example", "score": bonus}])
    verdict = of(decision, A)
    shown = {-5.0: "7.0", 0.25: "12.25"}[bonus]
    assert f"X-Spam-Score: {shown}".encode() in verdict.spam
    assert verdict.reason == f"spam score:{shown}"
    assert decision.score.score == 12.0


def test_points_of_one_recipient_are_not_another_s():
    rule = {"match": "x.example", "recipient": "a@example.org", "score": -5.0}
    decision = decided(7.0, spam={"action": "discard"}, sender=[rule])
    assert (of(decision, A).label, of(decision, B).label) == ("clean", "spam")
    assert (of(decision, A).spam, len(of(decision, B).spam)) == ((), 4)


def test_a_bypass_of_one_recipient_leaves_the_other_s_result_as_it_is():
    spam = {"action": "discard", "quarantine": True}
    alone = of(decided(70.0, spam=spam), B)
    spared = [{"match": "a@example.org", "bypass": ["spam"]}]
    decision = decided(70.0, to=(B,), spam=spam, recipient=spared)
    assert (of(decision, A).action, of(decision, A).spam, of(decision, A).place) == ("pass", (), "")
    beside = of(decision, B)
    assert (beside.action, beside.place, beside.spam) == (alone.action, alone.place, alone.spam)


def test_the_cutoff_for_notices_silences_no_heavier_category():
    virus = Finding("virus", "Eicar", "1", "clamd")
    decision = decided(
        70.0,
        findings=[virus],
        spam={"action": "discard", "notice_cutoff": 30.0},
        infected={"admin": "v@example.org", "quarantine": True},
    )
    verdict = of(decision, A)
    assert (verdict.label, verdict.admin, bool(verdict.place)) == ("infected", b"v@example.org", True)


def test_the_cutoff_for_copies_keeps_no_other_category_s_copy_from_being_made():
    locked = Finding("unchecked", "encrypted:zip", "1")
    spam = {"action": "discard", "quarantine": True, "quarantine_cutoff": 20.0}
    assert of(decided(70.0, spam=spam), A).place == ""
    assert of(decided(70.0, spam=spam, findings=[locked], unchecked={"quarantine": True}), A).place
