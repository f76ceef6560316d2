"""Where the site wants it, nobody's name is in journal or log."""

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.model import Envelope
from amavis_pipe.veil import Veil

A, B = b"alice@example.org", b"bob.alice@example.org"


def veil(tmp_path):
    return Veil(os.fsencode(tmp_path))


def test_one_address_is_the_same_each_time_and_no_other(tmp_path):
    first, second = veil(tmp_path), veil(tmp_path)
    assert first.of(A) == second.of(A) == first.of(b"Alice@example.org")
    assert len({first.of(one) for one in (A, B, b"alice@example.net")}) == 3
    assert first.of(A).endswith(b"@example.org")
    assert b"alice" not in first.of(A)


def test_another_site_has_another_key(tmp_path):
    (tmp_path / "other").mkdir()
    assert veil(tmp_path).of(A) != veil(tmp_path / "other").of(A)
    assert (tmp_path / "journal.key").stat().st_mode & 0o777 == 0o600


def test_the_null_sender_stays_what_it_is(tmp_path):
    assert veil(tmp_path).of(b"") == b""


def test_no_address_is_left_anywhere_in_a_record(tmp_path):
    made = {
        "envelope": {"sender": A.decode(), "recipients": [B.decode()], "sasl_username": "alice"},
        "sent": [
            {"replies": [{"recipient": B.decode(), "reply": "550 5.1.1 <bob.alice@example.org>: unknown"}]}
        ],
        "size": 3,
    }
    found = veil(tmp_path).record(made, Envelope(A, (B,), sasl_username=b"alice"))
    text = json.dumps(found)
    assert "alice" not in text and "bob" not in text
    assert text.count("@example.org") == 4
    assert found["size"] == 3


@given(st.binary(max_size=40))
def test_whatever_an_address_is_its_local_part_is_gone(tmp_path_factory, address):
    made = veil(tmp_path_factory.getbasetemp()).of(b"secret-name" + address + b"@example.org")
    assert b"secret-name" not in made
