"""Where the site wants it, nobody's name is in journal or log."""

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.model import Envelope
from amavis_pipe.veil import Veil

A, B = "alice@example.org", "bob.alice@example.org"


def veil(folder):
    return Veil(os.fsencode(folder))


def made(**more):
    """A record of a mail from A to B."""
    envelope = {
        "sender": A,
        "recipients": [B],
        "client_address": "192.0.2.7",
        "client_name": "alice-laptop.example.net",
        "helo": "alice-laptop",
        "sasl_username": "alice",
    }
    return {
        "id": "4bQ7",
        "source": "pipe",
        "message_id": "<1.2@example.org>",
        "envelope": envelope,
        "verdict": "clean",
        "trouble": [],
        "actions": [{"action": "pass", "recipients": [B], "reason": "clean", "rules": []}],
        "sent": [],
        "quarantined": [],
        "told": ["sender"],
        "size": 3,
    } | more


def test_one_address_is_the_same_each_time_and_no_other(tmp_path):
    first, second = veil(tmp_path), veil(tmp_path)
    assert first.of(A) == second.of(A) == first.of("Alice@example.org")
    found = [first.of(one) for one in (A, B, "alice@example.net")]
    assert len({one.partition("@")[0] for one in found}) == 3
    assert first.of(A).endswith("@example.org")
    assert "alice" not in first.of(A)


def test_another_site_has_another_key(tmp_path):
    (tmp_path / "other").mkdir()
    assert veil(tmp_path).of(A) != veil(tmp_path / "other").of(A)
    assert (tmp_path / "journal.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "other") == ["journal.key"]


def test_all_that_begin_at_once_have_the_same_key(tmp_path, monkeypatch):
    """Each makes one, under a name of its own; the first is everybody's."""
    numbers = iter(range(100, 200))
    monkeypatch.setattr("posix.getpid", lambda: next(numbers))
    found, gate = [], threading.Barrier(8)

    def begin():
        gate.wait()
        found.append(veil(tmp_path).of(A))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert os.listdir(tmp_path) == ["journal.key"]


@pytest.mark.parametrize("damage", ["cut", "gone", "link"])
def test_without_a_key_addresses_are_hidden_all_the_same(tmp_path, damage):
    key = tmp_path / "journal.key"
    if damage == "cut":
        key.write_bytes(b"x" * 31)
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(b"x" * 32)
        key.symlink_to(tmp_path / "elsewhere")
    state = tmp_path / "nowhere" if damage == "gone" else tmp_path
    found = veil(state)
    assert "journal.key: " in found.trouble
    assert "alice" not in found.of(A)
    assert found.of(A) != veil(state).of(A)


def test_who_only_asks_makes_no_key(tmp_path):
    assert Veil(os.fsencode(tmp_path), make=False).trouble
    assert os.listdir(tmp_path) == []


def test_the_null_sender_stays_what_it_is(tmp_path):
    assert veil(tmp_path).of("") == ""


def test_nobody_is_left_in_a_record_and_all_else_is(tmp_path):
    sent = [{"route": "sendmail", "replies": [{"recipient": B, "reply": f"550 5.1.1 <{B}>: unknown"}]}]
    before = made(sent=sent, trouble=[f"451 4.3.0 <{A}>... and Carol@example.org, sorry"])
    after = veil(tmp_path).record(before)
    text = json.dumps(after)
    assert not any(word in text.lower() for word in ("alice", "bob", "carol", "192.0.2.7"))
    assert after["envelope"]["recipients"] == after["actions"][0]["recipients"]
    assert after["sent"][0]["replies"][0]["recipient"] == after["envelope"]["recipients"][0]
    assert after["envelope"]["recipients"][0] in after["sent"][0]["replies"][0]["reply"]
    assert list(after) == list(before)
    for key in ("id", "source", "message_id", "verdict", "told", "size"):
        assert after[key] == before[key]


@pytest.mark.parametrize("name", ["pass", "pipe", "clean", "e", "@", "unknown"])
def test_a_user_who_is_called_like_something_else_in_a_record_changes_only_himself(tmp_path, name):
    before = made()
    before["envelope"]["sasl_username"] = name
    after = veil(tmp_path).record(before)
    assert after["actions"][0]["action"] == "pass"
    assert [after[key] for key in ("source", "verdict", "message_id")] == [
        "pipe",
        "clean",
        "<1.2@example.org>",
    ]


def test_a_client_without_a_name_still_has_none(tmp_path):
    before = made()
    before["envelope"] |= {"client_name": "unknown", "helo": ""}
    after = veil(tmp_path).record(before)
    assert (after["envelope"]["client_name"], after["envelope"]["helo"]) == ("unknown", "")


def test_the_line_for_the_log_has_what_the_record_has(tmp_path):
    hidden = veil(tmp_path)
    found = hidden.envelope(Envelope(A.encode(), (B.encode(),), b"4bQ7", sasl_username=b"alice"))
    assert found.sender.decode() == hidden.of(A)
    assert found.recipients == (hidden.of(B).encode(),)
    assert found.sasl_username.decode() == hidden.of("alice")
    assert found.queue_id == b"4bQ7"


@pytest.mark.parametrize(
    ("told", "secrets"),
    [
        ("550 <alice@example.org>: unknown", ["alice"]),
        ("alice@example.org: no such user", ["alice"]),
        ('550 <"alice smith"@example.org> no', ["alice", "smith"]),
        (r'550 <"al\"ice \"smith"@example.org> no', ["al", "ice", "smith"]),
        ("(alice@example.org),bob@example.org;", ["alice", "bob"]),
        ("to:alice@example.org.", ["alice"]),
        ("alice@example.org@example.net", ["alice"]),
        ("al\\xefce@example.org", ["al\\", "ce@"]),
        ("alice@", ["alice"]),
    ],
    ids=["brackets", "bare", "quoted", "quotes in it", "two", "sentence", "twice", "escaped", "no domain"],
)
def test_every_address_in_a_reply_is_hidden(tmp_path, told, secrets):
    found = veil(tmp_path).text(told)
    assert not any(secret in found for secret in secrets)


@pytest.mark.parametrize("told", ["", "@", "a @ b", "no address", "@@@", '"@"', 'x "@'])
def test_what_has_no_address_does_no_harm(tmp_path, told):
    assert "@" in veil(tmp_path).text(told) or "@" not in told


@given(st.text(max_size=40))
def test_whatever_an_address_is_its_local_part_is_gone(tmp_path_factory, address):
    found = veil(tmp_path_factory.getbasetemp()).of("secret-name" + address + "@example.org")
    assert "secret-name" not in found


@given(st.text(max_size=60))
def test_text_without_an_address_is_left_as_it_is(tmp_path_factory, told):
    told = told.replace("@", "")
    assert veil(tmp_path_factory.getbasetemp()).text(told) == told
