"""`check` on what policy wants done: bounces to forged senders, places, marks, notices."""

import pytest

from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, deeds


@pytest.fixture
def look(settings_of):
    return lambda **tree: list(deeds.check(settings_of(**tree), None))


def test_the_defaults_are_right(look):
    assert [one.level for one in look()] == [OK]


@pytest.mark.parametrize(
    ("tree", "level", "expect"),
    [
        ({"infected": {"action": "bounce"}}, WARNING, 'infected.action = "bounce" returns mail'),
        ({"spam": {"action": "bounce"}}, WARNING, 'spam.action = "bounce"'),
        ({"banned": {"action": "reject"}}, WARNING, 'banned.action = "bounce"'),
        (
            {"recipient": [{"match": ".", "banned": {"action": "bounce"}}]},
            WARNING,
            "[[recipient]]: banned.action",
        ),
        ({"infected": {"quarantine": "/nowhere/q"}}, PROBLEM, "quarantine /nowhere/q is not there"),
        ({"infected": {"quarantine": "/usr"}}, OK, ""),
        ({"infected": {"quarantine": "viruses"}}, OK, ""),
        ({"infected": {"quarantine": "/bin"}}, PROBLEM, "is a link"),
        (
            {"infected": {"quarantine": "/tmp"}},
            PROBLEM,
            "wants a folder that only the filter's user can write",
        ),
        ({"infected": {"quarantine": "/nowhere/q.mbox"}}, PROBLEM, "quarantine /nowhere is not there"),
        ({"infected": {"extension": "virus"}}, WARNING, "`local` names none"),
        ({"infected": {"admin": "a@example.org"}, "journal": {"days": 0}}, WARNING, "journal.days = 0"),
        ({"notices": {"digest_recipients": True}}, WARNING, "`local` names no domain"),
        (
            {
                "notices": {"digest_recipients": True},
                "journal": {"hash_addresses": True},
                "local": ["example.org"],
            },
            WARNING,
            "hides who they are",
        ),
    ],
)
def test_each_fault_is_told(look, tree, level, expect):
    (found,) = look(**tree)
    assert (found.level, expect in found.what) == (level, True)


@pytest.mark.parametrize(
    "tree",
    [
        {"unchecked": {"action": "bounce"}},
        {"client": [{"match": "user:.", "infected": {"action": "bounce"}}]},
        {"sender": [{"match": ".", "client": "user:.", "infected": {"action": "bounce"}}]},
        {"infected": {"quarantine": "virus@example.org"}},
        {"infected": {"extension": "virus"}, "local": ["example.org"]},
    ],
)
def test_what_is_right_is_no_fault(look, tree):
    assert [one.level for one in look(**tree)] == [OK]


def test_notices_want_their_library(look, monkeypatch):
    monkeypatch.setattr(deeds, "find_spec", lambda _: None)
    (found,) = look()
    assert "no notice can be sent" in found.what
