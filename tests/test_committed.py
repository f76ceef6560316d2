"""committed: who got a mail is not served again, and nobody else is ever taken for served."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import committed, intake
from amavis_pipe.committed import SLOT, SLOTS, Committed
from amavis_pipe.model import Envelope

A, B, C = b"a@site.example", b"b@site.example", b"c@site.example"
MAIL = b"Received: by mx with ESMTP id 4bQ7; Wed, 25 Nov 2026 07:00:00 +0000\nSubject: x\n\nx\n"


@pytest.fixture
def notes(tmp_path):
    """A function: what is noted of a mail with this envelope."""

    def make(mail=MAIL, sender=b"s@x", queue_id=b"4bQ7"):
        folder = os.fsencode(tmp_path)
        return Committed(folder, intake.of_bytes(mail, folder), Envelope(sender, (A, B, C), queue_id))

    make.file = tmp_path / "sent"
    return make


def test_at_first_everybody_is_left(notes):
    assert notes().left((A, B, C)) == (A, B, C)


def test_who_was_served_is_left_out_of_a_retry_whatever_the_group(notes):
    notes().note((A, C))
    assert notes().left((A, B, C)) == (B,)
    assert notes().left((C,)) == ()


def test_a_report_is_not_the_mail(notes):
    notes().note((A,), b"report")
    assert notes().left((A,)) == (A,)
    assert notes().left((A, B), b"report") == (B,)


@pytest.mark.parametrize(
    "other",
    [
        {"queue_id": b"4bQ8"},
        {"sender": b"t@x"},
        {"sender": b""},
        {"mail": MAIL.replace(b"07:00:00", b"07:00:01")},
        {"mail": MAIL + b"\n"},
    ],
    ids=["other id", "other sender", "null sender", "id used again", "other content"],
)
def test_another_mail_is_never_taken_for_this_one(notes, other):
    notes().note((A, B, C))
    assert notes(**other).left((A, B, C)) == (A, B, C)


def test_the_borders_between_the_fields_count(notes):
    notes(sender=b"s@x", queue_id=b"4bQ7").note((A,))
    assert notes(sender=b"7s@x", queue_id=b"4bQ").left((A,)) == (A,)


def test_a_mail_without_a_queue_id_is_not_noted(notes):
    notes(queue_id=b"").note((A,))
    assert notes(queue_id=b"").left((A,)) == (A,)
    assert not notes.file.exists()


@pytest.mark.parametrize(("days", "left"), [(6.9, ()), (7.1, (A,)), (-1, (A,))])
def test_a_note_lasts_seven_days(notes, monkeypatch, days, left):
    notes().note((A,))
    now = committed.time()
    monkeypatch.setattr(committed, "time", lambda: now + days * 86400)
    assert notes().left((A,)) == left


def test_the_file_is_private_and_never_larger_than_its_slots(notes):
    notes().note(tuple(b"%d@x" % number for number in range(2000)))
    found = notes.file.stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_size <= SLOTS * SLOT == 8 << 20


def test_a_later_note_in_the_same_place_costs_only_the_earlier_one(notes, monkeypatch):
    monkeypatch.setattr(committed, "SLOTS", 1)
    notes().note((A,))
    notes().note((B,))
    assert notes().left((A, B)) == (A,)


@given(st.binary(max_size=200))
def test_a_damaged_file_means_not_sent_and_raises_nothing(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("sent")
    (folder / "sent").write_bytes(data)
    here = os.fsencode(folder)
    noted = Committed(here, intake.of_bytes(MAIL, here), Envelope(b"s@x", (A,), b"4bQ7"))
    assert noted.left((A,)) == (A,)
    noted.note((A,))
    assert noted.left((A,)) == ()


@pytest.mark.parametrize("bit", range(0, 8 * SLOT, 7))
def test_a_flipped_bit_means_not_sent(notes, bit):
    notes().note((A,))
    data = bytearray(notes.file.read_bytes())
    start = len(data) - SLOT
    data[start + bit // 8] ^= 1 << bit % 8
    notes.file.write_bytes(data)
    at = 24 * 8
    if bit < at:  # in the digest; one in the time makes it older, younger or from the future
        assert notes().left((A,)) == (A,)
    else:
        assert notes().left((A,)) in ((A,), ())


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "closed"])
def test_where_nothing_can_be_noted_nothing_is_and_nothing_fails(notes, kind, tmp_path):
    if kind == "folder":
        notes.file.mkdir()
    elif kind == "link":
        (tmp_path / "target").write_bytes(b"")
        notes.file.symlink_to("target")
    elif kind == "pipe":
        os.mkfifo(notes.file)
    else:
        folder = os.fsencode(tmp_path / "missing")
        gone = Committed(folder, intake.of_bytes(MAIL, folder), Envelope(b"s@x", (A,), b"4bQ7"))
        gone.note((A,))
        assert gone.left((A,)) == (A,)
        return
    notes().note((A,))
    assert notes().left((A,)) == (A,)
    if kind == "link":
        assert (tmp_path / "target").read_bytes() == b""
