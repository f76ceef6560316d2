"""Records found again: by id, Message-ID, content; from the base, the packed files and the journal alike."""

import json
from time import time

import pytest
from stand_in import journals

from amavis_pipe import history
from amavis_pipe.history import reading


@pytest.fixture(params=["folded", "not folded"])
def filled(request, journal):
    """Records of three days, in the base or not yet."""
    for age in (2, 1, 0):
        journal.add(age, 15)
    if request.param == "folded":
        journal.fold()
    return journal


def found(journal, what):
    return [record["id"] for record in history.find(journal.state, what)]


@pytest.mark.parametrize("number", [1, 20, 45])
def test_a_mail_is_found_by_each_of_its_names(filled, number):
    record = journals.record(number, 0)
    names = [record["id"], record["message_id"], record["message_id"].strip("<>"), record["sha256"],
             record["sha256"].upper(), record["parts"][-1]["sha256"]]  # fmt: skip
    for name in names:
        assert record["id"] in found(filled, name)
    assert found(filled, record["id"]) == [record["id"]]


@pytest.mark.parametrize(
    "what", ["", "4b", "nobody", "'; DROP TABLE mail; --", "%", "*", "0" * 64, "\ud800", "\0"]
)
def test_what_is_not_there_is_not_found(filled, what):
    assert found(filled, what) == []
    assert len(filled.read()) == 45


def test_a_whole_record_is_given_back_as_it_was_written(filled):
    (record,) = history.find(filled.state, journals.record(17, 0)["id"])
    assert record == journals.record(17, 0) | {"time": record["time"]}


def test_content_that_came_several_times_is_told_oldest_first_and_at_most_so_often(journal, monkeypatch):
    monkeypatch.setattr(reading, "MOST", 4)
    part = journals.record(1, 0)["parts"][1]
    for age in (3, 2, 1, 0):
        for number in range(3):
            record = journals.record(100 + age * 10 + number, time() - age * 86400) | {"parts": [part]}
            journal.append(age, json.dumps(record).encode() + b"\n")
    for _ in range(2):
        records = history.find(journal.state, part["sha256"])
        times = [record["time"] for record in records]
        assert times == sorted(times)
        assert [record["id"] for record in records][1:] == [
            journals.record(number, 0)["id"] for number in (100, 101, 102)
        ]
        journal.fold()


def test_another_digest_with_the_same_beginning_is_not_it(journal):
    record = journals.record(1, time()) | {"sha256": "ab" * 32}
    journal.append(0, json.dumps(record).encode() + b"\n")
    journal.fold()
    assert found(journal, "ab" * 32) == [record["id"]]
    assert found(journal, "ab" * 31 + "cd") == []


def test_a_queue_id_that_postfix_used_twice_gives_both(journal):
    for age in (1, 0):
        journal.append(
            age, json.dumps(journals.record(1 + age, time() - age * 86400) | {"id": "4B"}).encode() + b"\n"
        )
    journal.fold()
    assert len(found(journal, "4B")) == 2


@pytest.mark.parametrize(
    ("since", "until", "expect"), [(2.5, 1.5, 15), (9, 2.5, 0), (9, -1, 45), (0.5, -1, 15), (1.5, 1.5, 0)]
)
def test_records_of_a_time(filled, since, until, expect):
    now = time()
    records = list(history.records(filled.state, now - since * 86400, now - until * 86400))
    assert len(records) == expect
    assert [record["id"] for record in records] == [
        record["id"] for record in sorted(records, key=lambda one: one["time"])
    ]


def test_without_a_journal_there_is_nothing(journal):
    journal.days.rmdir()
    assert history.find(journal.state, "x") == []
    assert list(history.records(journal.state, 0, time())) == []


def test_a_journal_that_is_a_link_is_trouble(journal, tmp_path):
    journal.days.rmdir()
    (tmp_path / "else").mkdir()
    journal.days.symlink_to(tmp_path / "else")
    with pytest.raises(history.HistoryTrouble, match="journal"):
        history.find(journal.state, "x")
