"""decide() for several recipients, by categories, lists, lovers and marks; and what holds whatever is found."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from amavis_pipe import intake
from amavis_pipe.config import load
from amavis_pipe.config.categories import CHECKS
from amavis_pipe.model import Envelope, Facts, Finding
from amavis_pipe.policy import ACTIONS, decide
from amavis_pipe.settings import Settings

A, B, C = b"a@example.org", b"b@example.org", b"c@example.net"
SENDER = b"s@x.example"
VIRUS = Finding("virus", "Eicar", "1", "clamd")
BROKEN = Finding("unchecked", "broken:gzip", "2")
CRASHED = Finding("unchecked", "crash:rar", "2")


def site(**tree):
    return Settings(load.read({"scanners": ["builtin"], **tree}, "", "")[0])


def decided(tree, *findings, to=(A, B, C), sender=SENDER, mail=None, **envelope):
    read = intake.of_bytes(mail, b"/tmp") if mail is not None else None
    return decide(Facts([], list(findings), []), Envelope(sender, to, **envelope), site(**tree), read)


def actions(decision):
    return {one: verdict.action for verdict in decision.verdicts for one in verdict.recipients}


def test_recipients_fare_as_their_own_rules_say():
    tree = {
        "unchecked": {"action": "discard"},
        "recipient": [
            {"match": "a@example.org", "unchecked": {"action": "pass"}},
            {"match": "example.org", "unchecked": {"action": "bounce"}},
        ],
    }
    decision = decided(tree, BROKEN)
    assert actions(decision) == {A: "pass", B: "bounce", C: "discard"}
    assert (decision.label, decision.action, decision.reason) == (
        "unchecked",
        "discard",
        "unchecked broken:gzip",
    )


def test_those_who_fare_alike_are_one_group_whatever_rules_hold():
    tree = {"recipient": [{"match": "a@example.org", "spam": {"action": "discard"}}]}
    (verdict,) = decided(tree, BROKEN).verdicts
    assert verdict.recipients == (A, B, C)


def test_a_bypassed_category_is_left_out_for_that_recipient_alone():
    tree = {"recipient": [{"match": "a@example.org", "bypass": ["infected"]}]}
    decision = decided(tree, VIRUS)
    assert actions(decision) == {A: "pass", B: "discard", C: "discard"}
    scanned = {one: verdict.scanned for verdict in decision.verdicts for one in verdict.recipients}
    assert scanned == {A: False, B: True, C: True}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_lover_gets_what_others_do_not(action):
    tree = {
        "infected": {"action": action, "subject_tag": "***VIRUS***"},
        "recipient": [{"match": "a@example.org", "lover": ["infected"]}],
    }
    decision = decided(tree, VIRUS, to=(A,))
    (verdict,) = decision.verdicts
    assert verdict.action == ("pass" if action == "pass" else "tag")
    assert verdict.alert == "INFECTED Eicar"
    assert verdict.place == ""
    assert verdict.subject_tag == (b"" if action == "pass" else b"***VIRUS***")


def test_what_a_lover_loves_does_not_free_what_else_is_in_the_mail():
    tree = {"unchecked": {"action": "bounce"}, "recipient": [{"match": ".", "lover": ["unchecked"]}]}
    assert actions(decided(tree, VIRUS, BROKEN, to=(A,))) == {A: "discard"}


def test_a_blacklisted_sender_is_spam_and_a_whitelisted_one_is_none():
    tree = {
        "spam": {"action": "discard"},
        "sender": [
            {"match": "s@x.example", "recipient": "a@example.org", "list": "white"},
            {"match": "x.example", "list": "black"},
        ],
    }
    decision = decided(tree)
    assert actions(decision) == {A: "pass", B: "discard", C: "discard"}
    assert decision.label == "spam"
    assert [(found.grade, found.name) for found in decision.findings] == [("spam", "blacklisted")]


def test_a_whitelist_never_skips_the_virus_check():
    tree = {"sender": [{"match": ".", "list": "white"}]}
    assert actions(decided(tree, VIRUS, to=(A,))) == {A: "discard"}


def test_mail_may_be_too_large_for_some():
    tree = {"recipient": [{"match": "a@example.org", "oversized": {"limit": 10, "action": "bounce"}}]}
    decision = decided(tree, mail=b"Subject: x\n\nlarge\n")
    assert actions(decision) == {A: "bounce", B: "pass", C: "pass"}
    assert decision.label == "oversized"


def test_headers_are_looked_at_only_where_something_is_done_about_them():
    broken = b"Subject: \xff\n\nx\n"
    assert decided({}, mail=broken).label == "clean"
    decision = decided({"bad-header": {"action": "tag"}}, mail=broken)
    assert (decision.label, decision.action) == ("bad-header", "tag")
    assert decided({"bad-header": {"action": "tag", "tests": ["long"]}}, mail=broken).label == "clean"


def test_outgoing_mail_is_known_by_its_client():
    tree = {"client": [{"match": "user:.", "infected": {"action": "bounce"}}]}
    assert decided(tree, VIRUS).action == "discard"
    assert decided(tree, VIRUS, sasl_username=b"alice").action == "bounce"


def test_marks_are_set_on_tagged_mail_alone_and_by_the_heaviest_category():
    marks = {"subject_tag": "[?]", "extension": "odd", "headers": ["X-Odd: yes"]}
    (verdict,) = decided({"unchecked": {"action": "pass", **marks}}, BROKEN).verdicts
    assert (verdict.subject_tag, verdict.extension, verdict.headers) == (b"", b"", ())
    tree = {
        "unchecked": {"action": "tag", **marks},
        "infected": {"action": "tag", "subject_tag": "[!]", "headers": ["X-Virus: yes"]},
    }
    (verdict,) = decided(tree, BROKEN, VIRUS).verdicts
    assert (verdict.subject_tag, verdict.extension) == (b"[!]", b"odd")
    assert verdict.headers == (b"X-Virus: yes", b"X-Odd: yes")


def test_who_is_told_is_said_by_the_heaviest_category():
    tree = {
        "infected": {"admin": {"x.example": "vx@example.org", ".": "v@example.org"}},
        "unchecked": {"notify_sender": True, "notify_recipients": True, "admin": "u@example.org"},
    }
    (verdict,) = decided(tree, BROKEN, VIRUS).verdicts
    assert (verdict.notify_sender, verdict.notify_recipients, verdict.admin) == (
        False,
        False,
        b"vx@example.org",
    )
    (verdict,) = decided(tree, BROKEN).verdicts
    assert (verdict.notify_sender, verdict.notify_recipients, verdict.admin) == (True, True, b"u@example.org")


def test_a_category_may_have_a_place_of_its_own_and_clean_mail_too():
    tree = {"infected": {"quarantine": "viruses"}, "clean": {"quarantine": "/srv/archive"}}
    assert [verdict.place for verdict in decided(tree, VIRUS).verdicts] == ["viruses"]
    assert [verdict.place for verdict in decided(tree).verdicts] == ["/srv/archive"]


# what holds whatever the site says and the mail contains

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        label: st.fixed_dictionaries(
            {}, optional={"action": st.sampled_from(ACTIONS), "quarantine": st.booleans()}
        )
        for label in (*CHECKS, "clean")
    },
)
MATCHES = st.lists(st.sampled_from(["a@example.org", "example.org", ".", "b@", "s@x.example"]), min_size=1)
RULE = st.builds(
    lambda match, options, lover, bypass: {"match": match, **options, "lover": lover, "bypass": bypass},
    MATCHES,
    OPTIONS,
    st.lists(st.sampled_from(CHECKS), max_size=1),
    st.lists(st.sampled_from(CHECKS), max_size=1),
)
TREES = st.builds(
    lambda options, recipients, senders: {**options, "recipient": recipients, "sender": senders},
    OPTIONS,
    st.lists(RULE, max_size=3),
    st.lists(RULE, max_size=2),
)
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(["note", "unchecked", "suspect", "virus"]),
        st.sampled_from(["Eicar", "broken:gzip", "crash:rar", "encrypted:zip"]),
    ),
    max_size=4,
)


@hypothesis(max_examples=300)
@given(TREES, FINDINGS, FINDINGS)
def test_a_further_finding_never_makes_the_action_milder(tree, findings, more):
    before, after = actions(decided(tree, *findings)), actions(decided(tree, *findings, *more))
    assert all(ACTIONS.index(after[one]) >= ACTIONS.index(before[one]) for one in (A, B, C))


@hypothesis(max_examples=300)
@given(TREES, FINDINGS, st.permutations([A, B, C]))
def test_the_order_of_recipients_makes_no_difference(tree, findings, order):
    assert actions(decided(tree, *findings, to=tuple(order))) == actions(decided(tree, *findings))


@hypothesis(max_examples=300)
@given(TREES, FINDINGS)
def test_a_recipient_fares_alone_as_among_others_and_is_in_one_verdict(tree, findings):
    decision = decided(tree, *findings)
    assert sorted(one for verdict in decision.verdicts for one in verdict.recipients) == sorted((A, B, C))
    assert actions(decision) == {one: decided(tree, *findings, to=(one,)).action for one in (A, B, C)}
