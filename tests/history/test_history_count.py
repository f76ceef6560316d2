"""What is counted of a record, and that the base and the journal count alike."""

from time import time

import pytest
from stand_in import journals

from amavis_pipe import history
from amavis_pipe.history import count
from amavis_pipe.history.count import Counts, bucket, ms_of, percentile

NOON = 1_790_000_000 // 3600 * 3600


def made(**more):
    """A record of a clean mail that went out, but for `more`."""
    return {
        "schema": 1, "verdict": "clean", "cache": "miss", "size": 100, "findings": [], "parts": [], "scanners": [],
        "actions": [{"action": "pass", "recipients": ["r@example.org"]}], "ms": {"total": 1.0}, "sent": [],
    } | more  # fmt: skip


def action(*names):
    return [{"action": name, "recipients": []} for name in names]


def found(*pairs):
    return [{"grade": grade, "name": name, "part": "1", "source": "x"} for grade, name in pairs]


def counts_of(*records):
    counts = Counts()
    for record in records:
        counts.add(record, NOON + 61)
    return counts


REFUSED = [{"replies": [{"recipient": "a", "reply": "550 5.1.1 no"}, {"recipient": "b", "reply": "250 ok"}]}]
DEFERRED = [{"replies": [{"recipient": "a", "reply": "450 4.1.1 later"}]}]


@pytest.mark.parametrize(
    ("record", "expect"),
    [
        (made(), {"received", "sent"}),
        (made(actions=action("tag")), {"received", "sent"}),
        (made(actions=action("discard"), verdict="infected"), {"received", "virus"}),
        (made(actions=action("bounce")), {"received", "bounced"}),
        (made(actions=action("pass", "discard")), {"received", "sent"}),
        (made(actions=action("pass", "defer")), {"deferred"}),
        (made(actions=action("defer"), verdict="spam"), {"deferred"}),
        (made(actions=[], verdict=None), {"deferred"}),
        (made(verdict="spam"), {"received", "sent", "spam"}),
        (made(verdict="infected", findings=found(("spam", "spam"))), {"received", "sent", "virus", "spam"}),
        (made(sent=REFUSED), {"received", "sent", "rejected"}),
        (made(sent=DEFERRED), {"received", "sent"}),
    ],
    ids=["passed", "tagged", "virus", "bounced", "some discarded", "some deferred", "deferred", "trouble", "spam",
         "virus in spam", "refused", "refused for now"],
)  # fmt: skip
def test_the_flow_of_a_mail(record, expect):
    assert counts_of(record).minutes == {(NOON + 60, what): 1 for what in expect}


def test_a_try_that_ended_in_trouble_says_nothing_of_cache_and_scanners():
    tried = made(trouble=["trouble: clamd: no answer"], verdict=None, actions=[])
    counts = counts_of(tried)
    assert {what for _, what in counts.minutes} == {"deferred"}
    assert {what for _, what, _ in counts.hours} == {"label"}


def test_minutes_and_hours_begin_at_whole_ones():
    counts = counts_of(made(), made())
    assert counts.minutes[NOON + 60, "received"] == 2
    assert {hour for hour, _, _ in counts.hours} == {NOON}


@pytest.mark.parametrize(
    ("findings", "expect"),
    [
        (
            found(("virus", "B"), ("virus", "A"), ("virus", "B")),
            {"combination": ["A, B"], "name": ["A", "B"]},
        ),
        (found(("virus", "A"), ("suspect", "S")), {"combination": ["A, S"], "name": ["A", "S"]}),
        (found(("note", "n"), ("unchecked", "u")), {"unchecked": ["u"]}),
        (found(("banned", "exe")), {"banned": ["exe"]}),
        ([], {}),
    ],
    ids=["two names", "suspect", "unchecked", "banned", "none"],
)
def test_names_are_counted_by_mail_alone_and_together(findings, expect):
    hours = counts_of(made(findings=findings)).hours
    whats = ("combination", "name", "unchecked", "banned")
    told = {what: sorted(key for _, kind, key in hours if kind == what) for what in whats}
    assert {what: keys for what, keys in told.items() if keys} == expect


@pytest.mark.parametrize(
    ("cache", "cached", "expect"),
    [("hit", [True], "hit"), ("miss", [True, True], "parts"), ("miss", [True, False], "miss"), ("miss", [], "miss")],
    ids=["facts", "all parts", "some parts", "nobody asked"],
)  # fmt: skip
def test_what_the_cache_answered(cache, cached, expect):
    answers = [{"name": "x", "cached": one, "ms": 1, "trouble": ""} for one in cached]
    hours = counts_of(made(cache=cache, scanners=answers)).hours
    assert [key for _, what, key in hours if what == "cache"] == [expect]


def test_scanners_are_counted_by_what_became_of_asking_them():
    answers = [
        {"name": "a", "cached": False, "ms": 10.0, "trouble": ""},
        {"name": "b", "cached": True, "ms": 0.0, "trouble": ""},
        {"name": "c", "cached": False, "ms": 99.0, "trouble": "no answer"},
    ]
    hours = counts_of(made(scanners=answers)).hours
    assert hours[NOON, "scanner", "a"] == (1, 10.0)
    assert (NOON, "remembered", "b") in hours
    assert (NOON, "trouble", "c") in hours
    assert (NOON, "scanner", "c") not in hours


def test_beyond_the_most_keys_others_are_counted_together(monkeypatch):
    monkeypatch.setattr(count, "MOST_KEYS", 3)
    records = [made(findings=found(("virus", f"V{number}"))) for number in range(10)]
    hours = counts_of(*records, *records).hours
    names = {key: sums.number for (_, what, key), sums in hours.items() if what == "name"}
    assert names == {"V0": 2, "V1": 2, "V2": 2, count.OTHERS: 14}


@pytest.mark.parametrize("ms", [0.001, 0.5, 1.0, 33.3, 1000.0, 300_000.0])
def test_a_time_is_told_within_five_percent(ms):
    assert ms_of(bucket(ms)) == pytest.approx(ms, rel=0.05)


@pytest.mark.parametrize(
    ("times", "share", "expect"),
    [([], 0.95, 0.0), ([7], 0.95, 7), ([1] * 95 + [500] * 5, 0.95, 1), ([1] * 94 + [500] * 6, 0.95, 500),
     (list(range(1, 101)), 0.5, 50)],
    ids=["none", "one", "just", "just not", "median"],
)  # fmt: skip
def test_percentiles(times, share, expect):
    steps = {}
    for ms in times:
        steps[bucket(ms)] = steps.get(bucket(ms), 0) + 1
    assert percentile(steps, share) == pytest.approx(expect, rel=0.05)


class TestLoaded:
    def test_the_base_and_the_journal_count_alike(self, journal):
        journal.add(2, 150)
        journal.add(0, 50)
        before = journal.load()
        journal.fold()
        after = journal.load()
        assert after.minutes == before.minutes
        assert {key: (sums.number, round(sums.total, 3)) for key, sums in after.sums.items()} == {
            key: (sums.number, round(sums.total, 3)) for key, sums in before.sums.items()
        }
        assert after.senders == before.senders
        assert after.recipients == before.recipients

    def test_senders_and_recipients_are_those_of_the_records(self, journal):
        journal.add(1, 100)
        journal.fold()
        journal.add(0, 50)
        envelopes = [journals.record(number, 0)["envelope"] for number in range(1, 151)]
        loaded = journal.load()
        senders = [envelope["sender"] for envelope in envelopes]
        assert dict(loaded.senders) == {name: senders.count(name) for name in senders}
        recipients = [name for envelope in envelopes for name in set(envelope["recipients"])]
        assert dict(loaded.recipients) == {name: recipients.count(name) for name in recipients}
        assert [number for _, number in loaded.senders] == sorted(
            map(senders.count, set(senders)), reverse=True
        )

    def test_only_the_time_that_is_asked_for_is_counted(self, journal):
        journal.add(3, 10)
        journal.add(0, 10)
        for _ in range(2):
            end = (int(time()) // 3600 - 24) * 3600
            loaded = history.load(journal.state, end - 10 * 86400, end)
            assert sum(found.number for (what, _), found in loaded.sums.items() if what == "label") == 10
            journal.fold()

    def test_without_addresses_the_numbers_are_the_same(self, journal):
        journal.add(1, 30)
        whole = journal.load()
        loaded = history.load(journal.state, 0, (int(time()) // 3600 + 48) * 3600, addresses=False)
        assert (loaded.sums, loaded.senders) == (whole.sums, [])

    def test_addresses_are_counted_in_bounded_memory(self, journal, monkeypatch):
        monkeypatch.setattr("amavis_pipe.history.loading.MOST_ADDRESSES", 10)
        journal.add(0, 200)
        loaded = journal.load()
        assert len(loaded.senders) <= 10
        assert loaded.senders[0][0] == "s1@example.org"

    def test_it_wants_whole_hours(self, journal):
        with pytest.raises(ValueError, match="whole hours"):
            history.load(journal.state, 5, 3600)
