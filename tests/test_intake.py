"""intake: the canonical mail is the same for each delivery of a mail, and other for every other mail."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import intake
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.spool import SMALL

BODY = b"MIME-Version: 1.0\nContent-Type: text/plain\n\nhello\n"
HEAD = b"Received: from a by b;\n\tMon, 1 Jan 2024 00:00:00 +0000\nFrom: a@example.org\nSubject: x\n"


def mail(data: bytes, folder="/tmp") -> intake.Mail:
    return intake.of_bytes(data, os.fsencode(folder))


def canonical(data: bytes) -> bytes:
    return b"".join(mail(data).canonical.chunks())


def test_trace_fields_are_left_out_and_nothing_else():
    assert canonical(HEAD + BODY) == b"From: a@example.org\nSubject: x\n" + BODY


TRACES = {
    "another way": b"Received: from c by d; Tue, 2 Jan 2024 00:00:00 +0000\n",
    "signed": b"DKIM-Signature: v=1; a=rsa-sha256;\n b=abc=\n",
    "another time": b"Date: Tue, 2 Jan 2024 00:00:00 +0000\n",
    "another id": b"Message-ID: <2@example.org>\n",
    "judged": b"Authentication-Results: mx.example.org; dkim=pass\n",
}


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
def test_another_delivery_has_the_same_key(trace):
    assert mail(trace + HEAD + BODY).key == mail(HEAD + BODY).key


OTHERS = {
    "body": HEAD + BODY + b"x",
    "type": HEAD + BODY.replace(b"plain", b"html"),
    "another boundary": HEAD + b'Content-Type: multipart/mixed; boundary="b"\n' + BODY,
    "control in a trace field": b"Date: x\rContent-Type: text/html\n" + HEAD + BODY,
    "8-bit in a trace field": b"Date: \xff\n" + HEAD + BODY,
    "NUL in a trace field": b"Date: \0\n" + HEAD + BODY,
    "blank before the colon": b"Date : x\n" + HEAD + BODY,
    "junk line": b"Date: x\njunk\n" + HEAD + BODY,
    "mixed line ends": b"Date: x\r\n" + HEAD + BODY,
    "unknown field": b"X-Date: x\n" + HEAD + BODY,
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_whatever_a_reader_may_read_differently_has_another_key(other):
    assert mail(other).key != mail(HEAD + BODY).key


@pytest.mark.parametrize(
    "head", [b"Date : x\n", b" indented\n", b"junk\n", b"MZ: 1\nX : y\n", b"From x\nTo: y\n"]
)
def test_an_irregular_head_is_kept_whole_and_scanned_behind_a_field_that_scanners_know(head):
    one = mail(head + HEAD + BODY)
    assert b"".join(one.canonical.chunks()) == head + HEAD + BODY
    assert b"".join(one.scanned.chunks()) == b"Subject:\n" + head + HEAD + BODY


@pytest.mark.parametrize(
    ("head", "first"),
    [
        (b"Content-Type: text/plain\nSubject: x\n", b"Subject: x\n"),
        (b"Content-Type: text/plain\nTo: y\nFrom: z\n", b"From: z\n"),
        (b"Content-Type: text/plain\n", b"Subject:\n"),
    ],
)
def test_the_first_field_is_one_that_scanners_know_mail_by(head, first):
    text = canonical(head + b"\nbody\n")
    assert text.startswith(first) and text.endswith(b"\n\nbody\n")
    assert all(line in text for line in head.splitlines(keepends=True))


def test_a_field_in_the_body_stays():
    assert canonical(b"Subject: x\n\nReceived: y\n") == b"Subject: x\n\nReceived: y\n"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_mail(data):
    one = mail(data)
    assert b"".join(one.raw.chunks()) == data


@pytest.mark.parametrize("size", [10, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL])
def test_a_mail_from_a_descriptor_is_the_same_as_from_memory(tmp_path, size):
    data = HEAD + BODY + (b"line of text\n" * (size // 13 + 1))[:size]
    path = tmp_path / "mail"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    one, other = intake.read(fd, os.fsencode(tmp_path)), mail(data, tmp_path)
    os.close(fd)
    assert (one.key, one.sha256) == (other.key, other.sha256)
    assert b"".join(one.raw.chunks()) == data
    assert b"".join(one.canonical.chunks()) == b"".join(other.canonical.chunks())


def test_no_mail_is_trouble(tmp_path):
    with open("/dev/null", "rb") as empty, pytest.raises(SpoolTrouble):
        intake.read(empty.fileno(), os.fsencode(tmp_path))


def test_a_descriptor_that_cannot_be_read_is_trouble(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(SpoolTrouble):
        intake.read(fd, os.fsencode(tmp_path))
    os.close(fd)
