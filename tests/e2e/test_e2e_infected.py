"""Infected mail is discarded and kept, refused, held back or marked, as the site wants it."""

import email
import email.policy
import re
from email.message import EmailMessage
from typing import cast

import pytest
from harness import mails
from harness.clamd import EICAR, EICAR_NAME, SAMPLE, SAMPLE_NAME
from harness.site import ALICE, BOB, Site
from harness.smtp import Arrived

ARCHIVE = mails.zipped("outer.tar.gz", mails.tar_gz("folder/clam.exe", SAMPLE.read_bytes()))
MAILS = {
    "plain": (mails.mail(EICAR, subject=b"plain"), EICAR_NAME),
    "attached": (mails.with_attachment(b"e.com", EICAR), EICAR_NAME),
    "in-tar-gz-in-zip": (mails.with_attachment(b"a.zip", ARCHIVE), SAMPLE_NAME),
    "in-an-enclosed-mail": (
        mails.multipart(
            mails.enclosed(mails.multipart(mails.enclosed(mails.with_attachment(b"e.com", EICAR))))
        ),
        EICAR_NAME,
    ),
}
CASES = [pytest.param(mail, name, id=case) for case, (mail, name) in MAILS.items()]
SECRET = b"words of the body that nobody is to read again"
LETTER = mails.multipart(mails.text(SECRET), mails.attachment(b"e.com", EICAR), subject=b"the letter")


def as_postfix_kept(mail: bytes) -> re.Pattern[bytes]:
    """The mail as it came to the filter: below one Received field, with LF."""
    return re.compile(
        rb"Received: from client[^\n]*\n(?:\t[^\n]*\n)+" + re.escape(mail.replace(b"\r\n", b"\n"))
    )


def parsed(arrived: Arrived) -> EmailMessage:
    message = email.message_from_bytes(arrived.data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


@pytest.mark.parametrize(("mail", "name"), CASES)
def test_an_infected_mail_is_discarded_and_kept_whole(site: Site, mail: bytes, name: str) -> None:
    queue_id = site.send(mail, recipients=(BOB, b"carol@site.example"))
    assert site.finished() == []
    (kept,) = site.quarantined()
    ours, _, rest = kept.partition(b"\nReceived: ")
    assert as_postfix_kept(mail).fullmatch(b"Received: " + rest)
    assert all(
        line.startswith((b"X-Quarantine-ID:", b"X-Envelope-", b"X-Amavis-")) for line in ours.split(b"\n")
    )
    for said in (b"X-Envelope-From: <%s>" % ALICE, b"X-Envelope-To: <%s>" % BOB, b"<carol@site.example>"):
        assert said in ours
    (record,) = site.journal()
    assert (record["id"], record["verdict"]) == (queue_id, "infected")
    assert name in {found["name"] for found in record["findings"] if found["grade"] == "virus"}
    assert [action["action"] for action in record["actions"]] == ["discard"]


def test_the_same_infected_mail_again_is_kept_once_and_asked_about_once(site: Site) -> None:
    mail = MAILS["attached"][0]
    site.send(mail)
    site.finished()
    asked = site.relay.scans
    site.send(mail)
    assert site.finished() == []
    assert [record["cache"] for record in site.journal()] == ["miss", "hit"]
    assert site.relay.scans == asked
    assert len(site.quarantined()) == 2, "the two came with different Received fields"


def test_a_bounce_tells_the_sender_in_a_report_without_the_content(site: Site) -> None:
    site.configure(infected={"action": "bounce"})
    queue_id = site.send(LETTER, recipients=(BOB, b"carol@site.example"))
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (b"", (ALICE,))
    report = parsed(arrived)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    words, status, head = report.iter_parts()
    assert [part.get_content_type() for part in (words, status, head)] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    ours, *each = cast("list[EmailMessage]", status.get_payload())
    assert ours["Reporting-MTA"].startswith("dns;")
    assert ours["X-Postfix-Queue-ID"] == queue_id
    assert [block["Final-Recipient"] for block in each] == [
        f"rfc822; {address.decode()}" for address in (BOB, b"carol@site.example")
    ]
    for block in each:
        assert (block["Action"], block["Status"]) == ("failed", "5.7.1")
        assert EICAR_NAME in block["Diagnostic-Code"]
    assert "Subject: the letter" in head.get_content()
    assert SECRET not in arrived.data
    assert arrived.data.count(b"base64") == 0
    assert site.clamd.scan(arrived.data).endswith(b"OK")
    assert len(site.quarantined()) == 1
    assert arrived.field(b"Auto-Submitted") == b"auto-replied"
    assert len(site.journal()) == 1, "the report went through the filter, too"


@pytest.mark.parametrize(
    "sender", [b"-x@sender.example", b'"a,b c(d)"@sender.example'], ids=["dash", "quoted"]
)
def test_a_report_reaches_an_odd_sender(site: Site, sender: bytes) -> None:
    site.configure(infected={"action": "bounce"})
    site.send(LETTER, sender, (b'"e,f g(h)"@site.example',))
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (b"", (sender,))
    assert b'\r\nFinal-Recipient: rfc822; "e,f g(h)"@site.example\r\n' in arrived.data


@pytest.mark.parametrize(
    ("sender", "field"),
    [
        pytest.param(b"", b"", id="null-sender"),
        pytest.param(ALICE, b"List-Id: <some.list.example>\r\n", id="list"),
        pytest.param(ALICE, b"Precedence: bulk\r\n", id="bulk"),
        pytest.param(ALICE, b"Auto-Submitted: auto-generated\r\n", id="robot"),
    ],
)
def test_whoever_cannot_want_a_report_gets_none(site: Site, sender: bytes, field: bytes) -> None:
    site.configure(infected={"action": "bounce"})
    site.send(mails.mail(EICAR, field), sender)
    assert site.finished() == []
    assert len(site.quarantined()) == 1
    assert [record["verdict"] for record in site.journal()] == ["infected"]


def test_deferred_by_policy_the_mail_stays_queued(site: Site) -> None:
    site.configure(infected={"action": "defer"})
    site.send(LETTER)
    assert "held back by policy: infected" in site.deferred()
    site.configure(infected={"action": "discard"})
    assert site.retried() == []
    assert len(site.quarantined()) == 1


@pytest.mark.parametrize("action", ["pass", "tag"])
def test_passed_by_policy_the_mail_carries_an_alert(site: Site, action: str) -> None:
    site.configure(infected={"action": action, "quarantine": False})
    site.send(LETTER)
    (arrived,) = site.finished()
    assert (arrived.field(b"X-Amavis-Alert") or b"").startswith(b"INFECTED " + EICAR_NAME.encode())
    assert arrived.data.endswith(LETTER)
    assert site.quarantined() == []


def test_an_encrypted_archive_passes_with_an_alert(site: Site) -> None:
    locked = mails.encrypted_zip(b"secret.exe", SAMPLE.read_bytes(), b"zq7-told-elsewhere")
    mail = mails.with_attachment(b"locked.zip", locked)
    site.send(mail)
    (arrived,) = site.finished()
    assert (arrived.field(b"X-Amavis-Alert") or b"").startswith(b"UNCHECKED encrypted:zip")
    assert arrived.data.endswith(mail)
    assert [record["verdict"] for record in site.journal()] == ["unchecked"]


def test_a_password_that_the_mail_tells_opens_an_encrypted_archive(site: Site) -> None:
    locked = mails.encrypted_zip(b"secret.exe", SAMPLE.read_bytes(), b"Xy!42-tulip")
    told = mails.text(b"The invoice is attached. Password: Xy!42-tulip, as always.")
    site.send(mails.multipart(told, mails.attachment(b"locked.zip", locked)))
    assert site.finished() == []
    (record,) = site.journal()
    assert record["verdict"] == "infected"
    assert {SAMPLE_NAME, "decrypted:zip"} <= {found["name"] for found in record["findings"]}


def test_an_encrypted_archive_does_not_free_an_infected_mail(site: Site) -> None:
    locked = mails.attachment(b"locked.zip", mails.encrypted_zip(b"a.txt", b"nothing", b"pw"))
    site.send(mails.multipart(locked, mails.attachment(b"e.com", EICAR)))
    assert site.finished() == []
    assert [record["verdict"] for record in site.journal()] == ["infected"]


def test_a_decoder_that_crashes_keeps_the_mail_back_and_says_so(site: Site) -> None:
    site.configure(unchecked={"admin": "admin@site.example"})
    crash = b"from amavis_pipe.decompose.api import Decoder\ndef unpack(blob, sink):\n    import os\n    os.abort()\n"
    crash += b"DECODER = Decoder('zip', ('application/zip',), unpack, (b'PK\\3\\4',))\n"
    mail = mails.with_attachment(b"a.zip", mails.zipped("a.txt", SECRET))
    with site.broken(site.package / "amavis_pipe/decompose/formats/zip.py", crash, 0o644):
        site.send(mail)
        notices = site.finished()
    assert sorted((notice.sender, notice.recipients) for notice in notices) == [
        (b"", (b"admin@site.example",)),
        (b"", (BOB,)),
    ]
    (kept,) = site.quarantined()
    assert kept.endswith(mail.replace(b"\r\n", b"\n"))
    name = kept.partition(b"X-Quarantine-ID: <")[2].partition(b">")[0]
    assert all(name in notice.data for notice in notices)
    (record,) = site.journal()
    assert record["verdict"] == "unchecked"
    assert {"crash:zip"} <= {found["name"] for found in record["findings"]}


def test_a_mail_refused_for_another_reason_is_returned_by_postfix(site: Site) -> None:
    site.configure(unchecked={"action": "bounce"})
    site.send(mails.with_attachment(b"locked.zip", mails.encrypted_zip(b"a.txt", b"nothing", b"pw")))
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (b"", (ALICE,))
    assert b"Status: 5.7.1" in arrived.data
    assert b"message refused: unchecked encrypted:zip" in arrived.data
