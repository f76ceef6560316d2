"""What a checker is shown: the mail, whole or its head, below the lines that tell of its envelope."""

import pytest
from hypothesis import given, strategies

from amavis_pipe import intake
from amavis_pipe.model import Envelope
from amavis_pipe.spam import given as room
from amavis_pipe.spam.given import Given, top
from amavis_pipe.spool import Blob

ENVELOPE = Envelope(
    b"a@example.org", (b"b@example.org",), b"4bX7", b"192.0.2.1", b"mx.example.org", b"helo.example.org"
)
OWN = (
    b"Received: from helo.example.org (mx.example.org [192.0.2.1])\n\tby host.example.org (Postfix) with ESMTP id "
    b"4bX7\n\tfor <b@example.org>; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)\n"
)
MAIL = b"From: a@example.org\nSubject: hello\n\nhello\n"


@pytest.fixture
def shown(tmp_path):
    """A function: the bytes that are shown of a mail."""

    def make(data, envelope=ENVELOPE, most=1 << 20):
        shown = Given(intake.of_bytes(data, str(tmp_path).encode()), envelope, most)
        made = b"".join(shown.chunks())
        assert len(made) == shown.size
        return made

    return make


def lines_of(data, envelope, tmp_path):
    return top(intake.of_bytes(data, str(tmp_path).encode()), envelope)


def test_the_sender_stands_on_top_of_the_mail_as_it_came(shown):
    assert shown(OWN + MAIL) == b"Return-Path: <a@example.org>\n" + OWN + MAIL
    assert shown(OWN + MAIL, Envelope(queue_id=b"4bX7")).startswith(b"Return-Path: <>\nReceived:")


def test_a_mail_of_crlf_gets_lines_of_crlf(shown):
    made = shown(MAIL.replace(b"\n", b"\r\n"))
    assert made.count(b"\n") == made.count(b"\r\n")
    assert b"192.0.2.1])\r\n\tby " in made


def test_a_received_line_is_made_where_postfix_added_none(shown, monkeypatch):
    monkeypatch.setattr(room, "time", lambda: 1_793_613_600)
    monkeypatch.setattr(room, "_own_name", lambda: b"host.example.org")
    assert shown(MAIL) == b"Return-Path: <a@example.org>\n" + OWN + MAIL


OWNS = {
    "by smtpd": (OWN, ENVELOPE),
    "by pickup": (
        b"Received: by host.example.org (Postfix, from userid 0)\n\tid 4bX7; Mon,  2 Nov 2026 10:00:00 +0000 (UTC)\n",
        ENVELOPE,
    ),
    "in CRLF": (OWN.replace(b"\n", b"\r\n"), ENVELOPE),
    "by hand": (OWN, Envelope(client_address=b"192.0.2.1")),
    "by hand, IPv6": (
        OWN.replace(b"192.0.2.1", b"IPv6:2001:db8::1"),
        Envelope(client_address=b"2001:db8::1"),
    ),
}


@pytest.mark.parametrize(("received", "envelope"), OWNS.values(), ids=OWNS)
def test_postfix_own_line_is_known(received, envelope, tmp_path):
    mail = MAIL.replace(b"\n", b"\r\n") if b"\r" in received else MAIL
    assert len(lines_of(received + mail, envelope, tmp_path)) == 1


OTHERS = {
    "of another host": OWN.replace(b"4bX7", b"4bX8"),
    "with the id as a part of another": OWN.replace(b"4bX7", b"4bX77"),
    "with the id elsewhere": OWN.replace(b"id 4bX7", b"id 1 (4bX7)"),
    "below another": b"Received: from x by y; date\n" + OWN,
    "none": b"",
}


@pytest.mark.parametrize("received", OTHERS.values(), ids=OTHERS)
def test_a_line_that_is_not_its_own_is_not_taken_for_it(received, tmp_path):
    assert len(lines_of(received + MAIL, ENVELOPE, tmp_path)) == 2


def test_who_logged_in_is_told_as_postfix_tells_it(tmp_path):
    envelope = Envelope(b"a@example.org", (), b"", b"2001:db8::1", sasl_username=b"alice")
    line = lines_of(MAIL, envelope, tmp_path)[1]
    assert line.startswith(b"Received: from unknown (unknown [IPv6:2001:db8::1])\n\tby ")
    assert b" (Postfix) with ESMTPA id none; " in line
    assert b"alice" not in line


@pytest.mark.parametrize("address", [b"", b"unknown", b"1.2.3.4]\n\tx", b"1" * 50], ids=repr)
def test_without_an_address_there_is_nothing_to_tell(address, tmp_path):
    assert len(lines_of(MAIL, Envelope(client_address=address), tmp_path)) == 1


@given(strategies.binary(max_size=40))
def test_nothing_from_outside_makes_a_line(tmp_path_factory, value):
    envelope = Envelope(value, (value,), value, b"192.0.2.1", value, value, value)
    mail = intake.of_bytes(MAIL, b"/nowhere")
    for line in top(mail, envelope):
        assert not line.replace(b"\n\t", b" ").translate(None, bytes(range(32, 127)) + bytes(range(128, 256)))
        assert len(line.split(b"\n")) in (1, 3, 4)


def test_other_fields_stay(shown):
    head = OWN + b"Authentication-Results: host; dkim=pass\nX-Spam-Flag: YES\nDKIM-Signature: v=1; a=\xe4\n"
    assert shown(head + MAIL).endswith(head + MAIL)


def test_a_body_without_header_does_not_become_a_fold(shown):
    assert b"\n\n hello" in shown(b" hello\nFrom: x\n")


def test_an_mbox_line_is_no_part_of_it(shown):
    assert shown(b"From a@example.org Mon Nov  2 10:00:00 2026\n" + OWN + MAIL) == shown(OWN + MAIL)


def test_of_a_large_mail_the_first_whole_lines_are_shown(shown):
    data = OWN + MAIL + b"0123456789\n" * 10_000
    made = shown(data, most=65_536)
    rest = made.removeprefix(b"Return-Path: <a@example.org>\n")
    assert data.startswith(rest)
    assert rest.endswith(b"\n")
    assert 65_536 - 11 < len(rest) <= 65_536
    assert shown(data, most=len(data)).endswith(data)


def test_a_line_without_end_is_cut_where_the_room_ends(shown):
    data = OWN + MAIL + b"x" * 100_000
    assert len(shown(data, most=65_536)) == 65_536 + len(b"Return-Path: <a@example.org>\n")


@pytest.mark.parametrize("most", [0, 1, 50, 300])
def test_a_small_room_is_enough(shown, most):
    data = b"From a@example.org Mon Nov  2 10:00:00 2026\n" + OWN + MAIL
    assert shown(data, most=most).startswith(b"Return-Path: <a@example.org>\n")


def test_a_mail_on_disk_is_shown_as_one_in_memory(tmp_path, shown):
    data = OWN + MAIL + b"0123456789\n" * 200_000
    path = tmp_path / "mail"
    path.write_bytes(data)
    with path.open("rb") as file:
        folder = str(tmp_path).encode()
        mail = intake.Mail(Blob(None, file.fileno(), 0, len(data)), "", folder)
        for most in (65_536, 1_000_000, 10_000_000):
            assert b"".join(Given(mail, ENVELOPE, most).chunks()) == shown(data, most=most)
