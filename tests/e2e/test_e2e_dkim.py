"""A signature is still valid when the mail has arrived, by either way back, with our lines on top.

The checkers' fields are on top, too, and fields of their names that came along are gone; an ARC chain goes on.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import mails
from harness.site import Site
from harness.smtp import Arrived
from spam.replies import SYMBOLS
from stand_in.daemon import Daemon

START = (
    b"From: Alice <alice@sender.example>\r\nTo: bob@site.example\r\nDate: Wed, 25 Nov 2026 08:00:00 +0000\r\n"
)
START += b"Message-ID: <1@sender.example>\r\n"
RESULTS = (
    b"Authentication-Results: mx.sender.example;\r\n\tdkim=pass header.d=sender.example\r\n"
    b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=sender.example; s=s1;\r\n b=abc\r\n"
    b"ARC-Authentication-Results: i=1; mx.sender.example; dkim=pass\r\n"
)
MAILS = {
    "plain": START + b"Subject: hello\r\n\r\nhello\r\n",
    "8-bit": START + b"Subject: hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\nsch\xc3\xb6ne Gr\xc3\xbc\xc3\x9fe\r\n",
    "folded": START + b"Subject: a long\r\n subject\r\n\tthat is   folded\r\n\r\nhello\r\n",
    "odd": START
    + b"Subject:  two  blanks\r\nX-Odd:\t  blanks after the colon\r\n\r\n.\r\n..\r\nFrom here\r\n\r\n",
    "blanks, empty fields, one name twice": START
    + b"Subject:hello \r\nX-Empty:\r\nx-CASE: \t a \t b \t\r\nX-Twice: 1\r\nX-Twice: 2\r\nX-8: \xc3\xbc\xff\r\n\r\n"
    b"a  b \t\r\n\t\r\n" + b"x" * 990 + b"\r\n",
    "fields of ours": START + b"X-Virus-Scanned: elsewhere\r\nX-Spam-Flag: YES\r\nSubject: x\r\n\r\nx\r\n",
    "an archive": mails.with_attachment(b"a.zip", mails.zipped("a.txt", b"hello")),
}
CANONICAL = {"simple": (b"simple", b"simple"), "relaxed": (b"relaxed", b"relaxed")}
Key = tuple[bytes, Callable[..., bytes]]


@pytest.fixture(scope="module")
def key() -> Key:
    """A private key (PEM), and a function that gives the record of its public half."""
    from base64 import b64encode

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forms: dict[str, Any] = {
        "encoding": serialization.Encoding.PEM,
        "format": serialization.PrivateFormat.TraditionalOpenSSL,
        "encryption_algorithm": serialization.NoEncryption(),
    }
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + b64encode(public)
    return private.private_bytes(**forms), lambda name, timeout=5: record


def sent(site: Site, mail: bytes, key: Key, canonical: tuple[bytes, bytes]) -> Arrived:
    """The mail, signed and with results of others on top, as it arrives. All is signed but what may be removed."""
    mail = RESULTS + mail
    names = {field.lower() for field in re.findall(rb"(?m)^([\w-]+):", mail.partition(b"\r\n\r\n")[0])}
    signed = [name for name in sorted(names) if not name.startswith((b"x-virus", b"x-spam"))]
    signature = dkim.sign(
        mail, b"s1", b"sender.example", key[0], canonicalize=canonical, include_headers=signed
    )
    site.send(signature + mail)
    (arrived,) = site.finished()
    return arrived


@pytest.fixture
def checker() -> Iterator[dict[str, object]]:
    """The section that has each mail called spam, and tagged with fields."""
    server = Daemon()
    server.script = [b"", SYMBOLS]
    yield {"checker": "spamd", "at": server.at}
    server.close()


@pytest.mark.parametrize("canonical", CANONICAL.values(), ids=CANONICAL)
@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
def test_a_signature_is_valid_after_delivery_and_others_results_are_untouched(
    site: Site, key: Key, mail: bytes, canonical: tuple[bytes, bytes]
) -> None:
    arrived = sent(site, mail, key, canonical)
    assert b"\r\nX-Virus-Scanned: by amavis-pipe\r\n" in arrived.data
    assert dkim.verify(arrived.data, dnsfunc=key[1])
    assert RESULTS in arrived.data


@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
def test_it_is_valid_below_fields_about_spam(
    site: Site, key: Key, checker: dict[str, object], mail: bytes
) -> None:
    site.configure(spam=checker)
    arrived = sent(site, mail, key, CANONICAL["simple"])
    assert re.search(rb"\r\nX-Spam-Flag: YES\r\nX-Spam-Score: 1009\.9\r\n", arrived.data)
    assert arrived.data.count(b"X-Spam-Flag:") == 1
    assert dkim.verify(arrived.data, dnsfunc=key[1])
    assert RESULTS in arrived.data


def test_an_arc_chain_is_valid_after_delivery(site: Site, key: Key, checker: dict[str, object]) -> None:
    site.configure(spam=checker)
    mail = MAILS["8-bit"]
    results = b"Authentication-Results: mx.sender.example; arc=none; spf=pass\r\n" + mail
    seals = dkim.arc_sign(results, b"s1", b"sender.example", key[0], b"mx.sender.example")
    assert len(seals) == 3
    chain = b"".join(seals) + results
    assert dkim.arc_verify(chain, dnsfunc=key[1])[0] == b"pass"
    site.send(chain)
    (arrived,) = site.finished()
    assert b"X-Spam-Flag: YES\r\n" in arrived.data
    assert dkim.arc_verify(arrived.data, dnsfunc=key[1])[0] == b"pass"
    assert arrived.data.endswith(chain)


TAGGED = {
    "banned": (
        {"banned_rules": ["executables"], "banned": {"action": "tag", "subject_tag": "[!]"}},
        mails.with_attachment(b"x.exe", b"no program"),
    ),
    "spam": ({"spam": {"subject_tag": "[!]"}}, MAILS["plain"]),
}


@pytest.mark.parametrize("case", TAGGED)
def test_a_subject_tag_breaks_a_signature_over_the_subject_alone(
    site: Site, key: Key, checker: dict[str, object], case: str
) -> None:
    """As the manual says of it."""
    settings, mail = TAGGED[case]
    site.configure(**(settings if case == "banned" else {"spam": {**settings["spam"], **checker}}))
    arrived = sent(site, mail, key, CANONICAL["relaxed"])
    assert b"\r\nSubject: [!] " in arrived.data
    assert not dkim.verify(arrived.data, dnsfunc=key[1])
    assert dkim.verify(arrived.data.replace(b"Subject: [!] ", b"Subject: "), dnsfunc=key[1])
