"""The arguments of the filter form and the trial form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.arguments import ONE_LINE_LIMIT, UsageError, parse


def test_a_complete_filter_form_gives_the_envelope_and_the_options():
    found = parse(
        [
            b"--config", b"/etc/x.toml", b"--queue-id", b"4bQ7Xz", b"--client-address", b"192.0.2.1",
            b"--client-name=mx.example.org", b"--helo=-f", b"--sasl-username=", b"--size=12",
            b"-f", b"a@example.org", b"--", b"b@example.org", b"-x@example.org", b"--json",
        ]
    )  # fmt: skip
    envelope = found.envelope
    assert (envelope.sender, envelope.queue_id, envelope.helo) == (b"a@example.org", b"4bQ7Xz", b"-f")
    assert (envelope.client_address, envelope.client_name) == (b"192.0.2.1", b"mx.example.org")
    assert envelope.recipients == (b"b@example.org", b"-x@example.org", b"--json")
    assert found.options[b"config"] == b"/etc/x.toml"
    assert envelope.sasl_username == b""
    assert found.switches == set()


@pytest.mark.parametrize(
    "sender", [b"", b"-f", b"--", b"--config", b'"a b, (c)"@example.org', b"\xff\xfe@x", b"-oQ/tmp@x"]
)
def test_the_sender_is_taken_verbatim(sender):
    assert parse([b"-f", sender, b"--", b"b@x"]).envelope.sender == sender


@pytest.mark.parametrize("recipient", [b"-f", b"--", b"--json", b'"a b"@x', b"\xe9@x"])
def test_every_word_behind_the_dashes_is_a_recipient(recipient):
    assert parse([b"-f", b"a@x", b"--", recipient, recipient]).envelope.recipients == (recipient, recipient)


@pytest.mark.parametrize(
    ("words", "switches"),
    [([], set()), ([b"--json", b"--debug"], {b"json", b"debug"}), ([b"--no-cache"], {b"no-cache"})],
)
def test_the_trial_form_has_no_envelope(words, switches):
    found = parse(words)
    assert found.envelope is None
    assert found.switches == switches


@pytest.mark.parametrize(
    "words",
    [
        [b"-f", b"a@x"],
        [b"-f"],
        [b"-f", b"a@x", b"--"],
        [b"--", b"b@x"],
        [b"a@x"],
        [b"--unknown"],
        [b"--unknown=1"],
        [b"-fa@x", b"--", b"b@x"],
        [b"--queue-id"],
        [b"--config"],
        [b"-f", b"a@x", b"--", b""],
        [b"-f", b"a\n@x", b"--", b"b@x"],
        [b"-f", b"a@x", b"--", b"b\r@x"],
        [b"--helo=a\0b", b"-f", b"a@x", b"--", b"b@x"],
        [b"-f", b"a" * (ONE_LINE_LIMIT + 1), b"--", b"b@x"],
    ],
    ids=[
        "no recipients", "no sender word", "empty list", "no -f", "bare word", "unknown", "unknown with value",
        "glued sender", "no value", "no file", "empty recipient", "line feed", "carriage return", "nul",
        "too long",
    ],
)  # fmt: skip
def test_what_is_no_complete_form_is_refused(words):
    with pytest.raises(UsageError):
        parse(words)


@given(st.lists(st.binary(max_size=12) | st.sampled_from([b"-f", b"--", b"--json", b"--helo=x"]), max_size=8))
def test_no_words_do_anything_but_give_arguments_or_a_printable_refusal(words):
    try:
        found = parse(words)
    except UsageError as error:
        assert str(error).isprintable()
    else:
        assert found.envelope is None or (b"-f" in words and b"--" in words)
