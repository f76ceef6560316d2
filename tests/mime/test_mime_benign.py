"""dissect: an odd but honest mail gives what Python's reader gives, and nothing is said against it."""

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hostile import benign
from hostile.apart import taker

from amavis_pipe.model import Facts, Part

MAILS = benign.mails()
MAIL_TYPES = ("message/rfc822", "message/global", "message/news")


@pytest.fixture
def taken_apart(settings_of, monkeypatch):
    return taker(settings_of(), monkeypatch)


def leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    """What a correct reader shows: the parts without parts; a delivery status is one of them."""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        parts = list(message.iter_parts())
    elif message.get_content_type() in MAIL_TYPES and message.is_multipart():
        parts = message.get_payload()
    elif message.get_content_maintype() == "multipart" and not message.get_payload().strip():
        return
    else:
        yield message
        return
    for part in parts:
        yield from leaves(part)


def body_of(leaf: EmailMessage) -> bytes:
    if leaf.is_multipart():  # a delivery status: the library reads its groups of fields as mails
        as_it_came = leaf.policy.clone(refold_source="none")
        return b"\n\n".join(part.as_bytes(policy=as_it_came).strip() for part in leaf.get_payload())
    return leaf.get_payload(decode=True) or b""


def type_of(leaf: EmailMessage) -> bytes:
    """The leaf's type, or b"" if its field is none; the library takes a comment for a piece of it."""
    value = str(leaf.get("content-type", "")).lower()
    return (
        leaf.get_content_type().partition("(")[0].strip().encode() if "/" in value.partition(";")[0] else b""
    )


def shown(body: bytes, leaf: EmailMessage) -> bytes:
    """The bytes to compare: of what is not encoded, line ends are left to the reader."""
    if str(leaf.get("content-transfer-encoding", "")).strip().lower() in ("base64", "quoted-printable"):
        return body
    return body.replace(b"\r\n", b"\n").rstrip(b"\n ")


def bytes_of(part: Part) -> bytes:
    return b"".join(part.blob.chunks()) if part.blob is not None else b""


def like(facts: Facts, leaf: EmailMessage) -> list[Part]:
    """Our parts with the bytes of this leaf."""
    wanted = shown(body_of(leaf), leaf)
    return [part for part in facts.parts if part.blob is not None and shown(bytes_of(part), leaf) == wanted]


@pytest.mark.parametrize("name", MAILS)
def test_nothing_is_said_against_it(name, taken_apart):
    facts = taken_apart(MAILS[name])
    assert [(found.grade, found.name) for found in facts.findings if found.grade != "note"] == []


@pytest.mark.parametrize("name", MAILS)
def test_every_leaf_is_a_part_with_the_same_bytes_type_and_name(name, taken_apart):
    mail = MAILS[name]
    facts = taken_apart(mail)
    for leaf in leaves(message_from_bytes(mail, policy=default)):
        parts = like(facts, leaf)
        assert parts, leaf.as_bytes()[:300]
        claimed = type_of(leaf)
        assert not claimed or claimed in {part.claimed for part in parts}
        wanted = (leaf.get_filename() or "").encode("utf-8", "surrogateescape")
        assert not wanted or wanted in {known for part in parts for known in part.names}


def test_there_are_enough_of_them():
    assert len(benign.MAILS) >= 50
