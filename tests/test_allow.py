"""[[allow]]: what the site declares harmless is but noted, and nothing else with it."""

import pytest

from amavis_pipe.allow import apply
from amavis_pipe.cache import Cache
from amavis_pipe.config import load
from amavis_pipe.examine import examine
from amavis_pipe.intake import of_bytes
from amavis_pipe.model import Facts, Finding, Part
from amavis_pipe.policy import decide
from amavis_pipe.scan.builtin import NAME, eicar
from amavis_pipe.settings import SettingsError

GOOD, OTHER = "a" * 64, "b" * 64
RULE = (("sha256", GOOD, "ticket 1", 7),)


def facts(*findings):
    parts = [
        Part("1", size=9, sha256="1" * 64),
        Part("1.1", size=9, sha256=GOOD),
        Part("1.1.1", size=9, sha256="2" * 64),
        Part("1.2", size=9, sha256=OTHER),
        Part("1.11", size=9, sha256="3" * 64),
    ]
    return Facts(parts, [Finding(*one) for one in findings], [])


def left(found):
    return [one.part for one in found.findings if one.grade in ("virus", "suspect")]


V, S = ("virus", "Bad"), "clamd"
CASES = {
    "the part itself": ([(*V, "1.1", S)], []),
    "what lies in it": ([(*V, "1.1.1", S)], []),
    "its container and the mail": ([(*V, "", S), (*V, "1", S), (*V, "1.1", S)], []),
    "another part": ([(*V, "1.2", S)], ["1.2"]),
    "a part whose path begins alike": ([(*V, "1.11", S)], ["1.11"]),
    "the container alone": ([(*V, "1", S)], ["1"]),
    "another part in the container too": ([(*V, "1", S), (*V, "1.1", S), (*V, "1.2", S)], ["1", "1.2"]),
    "another name in the container": ([("virus", "Worse", "1", S), (*V, "1.1", S)], ["1"]),
    "another scanner's finding of the container": ([(*V, "1", "other"), (*V, "1.1", S)], ["1"]),
    "a container with something unchecked": (
        [(*V, "1", S), (*V, "1.1", S), ("unchecked", "encrypted:zip", "1.2", "decompose")],
        ["1"],
    ),
    "a container that is itself unchecked": (
        [(*V, "1", S), (*V, "1.1", S), ("unchecked", "broken:zip", "1", "decompose")],
        ["1"],
    ),
    "a suspicion": ([("suspect", "Bad", "1.1", S)], []),
}


@pytest.mark.parametrize(("findings", "expected"), CASES.values(), ids=CASES)
def test_content_is_allowed_and_nothing_beside_it(findings, expected):
    found = facts(*findings)
    apply(found, RULE)
    assert left(found) == expected
    assert len(found.findings) == len(findings)


def test_a_name_is_allowed_wherever_it_is_found():
    found = facts((*V, "1.2", S), ("virus", "Worse", "1.2", S))
    apply(found, (("name", "Bad", "too eager", 12),))
    assert [(one.grade, one.name) for one in found.findings] == [
        ("note", "allowed:Bad (too eager; [[allow]] in line 12)"),
        ("virus", "Worse"),
    ]


MAIL = b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: 8bit\n\n" + eicar() + b"\n"


def test_facts_are_remembered_as_they_are_and_the_list_counts_as_it_is_today(settings_of):
    allowing = settings_of(allow=[{"name": NAME, "reason": "a test"}])
    cache = Cache(allowing.state + b"/cache", 7)
    first = examine(of_bytes(MAIL, allowing.work), allowing, cache)
    from amavis_pipe.model import Envelope

    assert decide(first.facts, Envelope(), allowing).label == "clean"

    strict = type(allowing)({**allowing.values, "allow": ()})
    again = examine(of_bytes(MAIL, strict.work), strict, cache)
    assert again.cached and decide(again.facts, Envelope(), strict).label == "infected"
    once_more = examine(of_bytes(MAIL, allowing.work), allowing, cache)
    assert once_more.cached and decide(once_more.facts, Envelope(), allowing).label == "clean"


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"sha256": "x", "reason": "r"}, "allow.sha256: wants 64 hex digits"),
        ({"sha256": GOOD}, "allow: wants sha256 or name, and a reason"),
        ({"sha256": GOOD, "name": "x", "reason": "r"}, "allow: wants sha256 or name, and a reason"),
        ({"reason": "r"}, "allow: wants sha256 or name, and a reason"),
        ({"nam": "x", "reason": "r"}, "did you mean allow.name"),
    ],
)
def test_a_rule_without_its_reason_is_a_fault(table, fault):
    with pytest.raises(SettingsError, match=fault.replace(".", r"\.")):
        load.read({"allow": [table]}, "x.toml", "")
