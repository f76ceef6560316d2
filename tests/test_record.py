"""The record: its JSON, and that real ones keep to the schema."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in import mails

import amavis_pipe
from amavis_pipe import intake, policy
from amavis_pipe.cache import Cache
from amavis_pipe.examine import examine
from amavis_pipe.model import Envelope, Facts, Finding, Part, Receipt, Reply
from amavis_pipe.record import record, to_json

SCHEMA = json.loads((Path(amavis_pipe.__file__).parent / "record.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)
HOSTILE = b'a"\\\r\n\0\x1b\xff' + "\u202e\U0001f600\u2028".encode()
SHA256 = "ab" * 32


def is_valid(made):
    """Whether the record, after a way through its JSON, keeps to the schema; AssertionError says why not."""
    read = json.loads(to_json(made))
    assert read == made
    assert [error.message for error in VALID.iter_errors(read)] == []
    return True


def examined(settings, mail, envelope=None):
    """The record of a mail, made as the filter makes it."""
    read = intake.of_bytes(mail, settings.work)
    found = examine(read, settings, Cache(settings.state + b"/cache", 7))
    envelope = envelope or Envelope(b"a@x", (b"b@x",), b"4bQ7Xz")
    decision = policy.decide(found.facts, envelope, settings, read)
    times = {**found.times, "read": 0.1, "total": 1.0}
    return record("pipe", envelope, len(mail), read.sha256, found.facts, decision, [], times, found.cached)


def test_a_record_tells_how_the_mail_was_handed_on():
    receipt = Receipt("smtp:127.0.0.1:10025")
    receipt.queue_id = "4bQ7Xz1y"
    receipt.replies = [Reply(HOSTILE, "250 2.0.0 Ok: queued as 4bQ7Xz1y"), Reply(b"b@x", "550 5.1.1 unknown")]
    round_way = Receipt("sendmail", "a NUL cannot go by smtp")
    facts = Facts([], [], [])
    decision = policy.Decision((policy.Verdict("clean", "pass", "clean", (b"a@x",)),))
    made = record(
        "pipe", Envelope(), 1, SHA256, facts, decision, [], {"total": 1.0}, False, [receipt, round_way]
    )
    assert is_valid(made)
    first, second = made["sent"]
    assert (first["queue_id"], first["replies"][1]["reply"]) == ("4bQ7Xz1y", "550 5.1.1 unknown")
    assert (second["queue_id"], second["replies"], second["note"]) == (None, [], "a NUL cannot go by smtp")


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_object_of_the_schema_is_closed_and_every_field_wanted():
    def objects(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for value in node.values():
                yield from objects(value)
        elif isinstance(node, list):
            for value in node:
                yield from objects(value)

    found = list(objects(SCHEMA))
    assert len(found) >= 6
    assert all(node["additionalProperties"] is False for node in found)
    stages = SCHEMA["properties"]["ms"]
    assert all(set(node["required"]) == set(node["properties"]) for node in found if node is not stages)


@pytest.mark.parametrize(
    ("mail", "verdict"),
    [
        (mails.plain(), "clean"),
        (mails.infected(), "infected"),
        (mails.encrypted(), "unchecked"),
        (mails.with_file(b"x", name="\u00e4\u202e.exe"), "clean"),
        (b"no header\n", "clean"),
    ],
    ids=["plain", "infected", "encrypted", "odd name", "no header"],
)
def test_records_of_mails_keep_to_the_schema(settings_of, mail, verdict):
    envelope = Envelope(HOSTILE, (HOSTILE, b"b@example.org"))
    settings = settings_of()
    first, again = examined(settings, mail, envelope), examined(settings, mail, envelope)
    assert is_valid(first)
    assert is_valid(again)
    assert (first["verdict"], first["cache"], again["cache"]) == (verdict, "miss", "hit")
    assert first["findings"] == again["findings"]
    assert first["parts"] == again["parts"]


def test_a_record_of_trouble_keeps_to_the_schema_and_has_no_verdict():
    made = record("stdin", Envelope(), 3, SHA256, None, None, ["clamd: no answer in 60 s"], {"total": 1.0})
    assert is_valid(made)
    assert made["verdict"] is None
    assert made["actions"] == []


def test_a_verdict_beside_trouble_does_not_keep_to_the_schema(settings_of):
    made = examined(settings_of(), mails.plain())
    assert not VALID.is_valid(made | {"trouble": ["x"]})
    assert not VALID.is_valid(made | {"verdict": None})
    assert not VALID.is_valid(made | {"more": 1})


def test_hostile_names_are_escaped():
    part = Part("1", (HOSTILE, b"b"), b"application/zip", "application/zip", 3, SHA256, "mime", ("partial",))
    facts = Facts([part], [Finding("virus", "X", "1", "clamd")], [])
    decision = policy.Decision((policy.Verdict("infected", "discard", "infected X", (HOSTILE,)),))
    made = record("pipe", Envelope(queue_id=b"x"), 1, SHA256, facts, decision, [], {"total": 1.0})
    assert is_valid(made)
    assert made["parts"][0]["name"].isprintable()
    assert made["actions"][0]["recipients"][0].isprintable()
    assert made["parts"][0]["names"][1] == "b"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_to_json_is_read_back_as_what_it_was(value):
    line = to_json(value)
    assert json.loads(line) == value
    assert line.isascii()
    assert line.isprintable()


@given(st.text(max_size=50))
def test_to_json_takes_any_text(text):
    assert json.loads(to_json([text])) == [text]


def test_lone_surrogates_are_escaped():
    assert json.loads(to_json("a\udcff")) == "a\\udcff"
