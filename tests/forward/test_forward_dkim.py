"""Signatures of DKIM survive the passage: nothing but our lines is added, whatever the mail looks like."""

import os

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from amavis_pipe import forward, intake
from amavis_pipe.model import Envelope
from amavis_pipe.spam import headers
from amavis_pipe.spam.given import Given
from amavis_pipe.spam.score import Score

SCORE = Score(
    7.1, 5.0, tuple((f"TEST_{number}", 1.0) for number in range(30)), "*   7.1 TEST_1 a test", "spamd"
)
LINES = [b"X-Virus-Scanned: by amavis-pipe", *headers.lines(SCORE, 4.0, 6.9, report=True)]
START = b"From: a@example.org\r\nTo: b@example.org\r\n"
MAILS = {
    "plain": START + b"Subject: hello\r\n\r\nhello\r\n",
    "8-bit": START + "Subject: Grüße\r\n\r\nschöne Grüße\r\n".encode(),
    "latin-1": START + b"Subject: Gr\xfc\xdfe\r\n\r\nsch\xf6ne Gr\xfc\xdfe \xff\x80\r\n",
    "folded": START
    + b"Subject: a long\r\n subject\r\n\tthat is   folded\r\nReferences: <a@b>\r\n <c@d>\r\n\r\nhello\r\n",
    "blanks": START
    + b"Subject:  two  blanks \r\nX-Odd:\t  blanks after the colon\r\n\r\nline with blanks  \r\n\r\n\r\n\r\n",
    "no body": START + b"Subject: x\r\n\r\n",
    "no line end": START + b"Subject: x\r\n\r\nhello",
    "dots": START + b"Subject: x\r\n\r\n.\r\n..\r\n.hidden\r\nFrom here\r\n",
    "fields twice": START + b"Subject: x\r\nSubject: y\r\nReceived: a\r\nReceived: b\r\n\r\nhello\r\n",
    "fields of ours": START
    + b"X-Spam-Status: No\r\n\tfolded\r\nX-Spam-Flag: NO\r\nSubject: x\r\n\r\nhello\r\n",
    "long lines": START + b"Subject: " + b"x" * 900 + b"\r\n\r\n" + b"y" * 900 + b"\r\n",
    "multipart": START
    + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary="b1"\r\n\r\n--b1\r\n\r\nhello\r\n--b1--\r\n',
    "large": START + b"Subject: x\r\n\r\n" + b"0123456789 \r\n" * 200_000,
}


@pytest.fixture(scope="module")
def key():
    """A private key (PEM), and a function that gives the record of its public half."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    from base64 import b64encode

    record = b"v=DKIM1; k=rsa; p=" + b64encode(public)
    return pem, lambda name, timeout=5: record


def signed(mail, pem, canonical):
    """The mail with a DKIM-Signature on top, over its named fields."""
    include = [b"from", b"to", b"subject", b"references", b"mime-version", b"content-type"]
    return dkim.sign(mail, b"s1", b"example.org", pem, canonicalize=canonical, include_headers=include) + mail


def passed(data, folder):
    """What goes on of a mail: our lines added, foreign fields of their names removed."""
    message = forward.Message(intake.of_bytes(data, folder), LINES, headers.NAMES | {b"x-virus-scanned"})
    return b"".join(message.chunks())


CANONICAL = {"simple": (b"simple", b"simple"), "relaxed": (b"relaxed", b"relaxed")}


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("canonical", CANONICAL.values(), ids=CANONICAL)
@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
def test_a_signature_is_valid_after_the_passage(key, tmp_path, mail, canonical, end):
    pem, record = key
    data = signed(mail, pem, canonical).replace(b"\r\n", end)
    assert dkim.verify(data, dnsfunc=record)
    made = passed(data, os.fsencode(tmp_path))
    assert made.startswith(LINES[0] + end)
    assert made.count(b"X-Spam-Flag: ") == 1
    assert dkim.verify(made, dnsfunc=record)


def test_one_changed_byte_would_have_been_seen(key, tmp_path):
    pem, record = key
    made = passed(signed(MAILS["plain"], pem, CANONICAL["relaxed"]), os.fsencode(tmp_path))
    assert not dkim.verify(made.replace(b"hello\r\n", b"hullo\r\n"), dnsfunc=record)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("canonical", CANONICAL.values(), ids=CANONICAL)
def test_a_checker_is_shown_a_valid_signature(key, tmp_path, canonical, end):
    pem, record = key
    envelope = Envelope(b"a@example.org", (b"b@example.org",), b"4bX7", b"192.0.2.1", b"mx", b"mx")
    for mail in MAILS.values():
        data = signed(mail, pem, canonical).replace(b"\r\n", end)
        shown = Given(intake.of_bytes(data, os.fsencode(tmp_path)), envelope, 1 << 30)
        assert dkim.verify(b"".join(shown.chunks()), dnsfunc=record)


def test_other_signatures_and_results_stay_as_they_are(tmp_path):
    fields = (
        b"ARC-Seal: i=1; a=rsa-sha256; cv=none;\n b=abc\nARC-Message-Signature: i=1; b=\n\tdef\n"
        b"ARC-Authentication-Results: i=1; mx; dkim=pass\nAuthentication-Results: mx.example.org;\n\tdkim=pass\n"
        b"DKIM-Signature: v=1; broken\nFrom: a@example.org\n\nhello\n"
    )
    assert passed(fields, os.fsencode(tmp_path)).endswith(fields)
