"""Delivery status notifications of our own: what they hold, and to whom they do not go."""

import email
import email.policy

import pytest
from stand_in import mails

from amavis_pipe import intake, notice
from amavis_pipe.model import Envelope, Reply
from amavis_pipe.policy import Verdict

HOSTILE = b"b\r\nBcc: evil@example.com\n\n\x1b[2J\xff@example.org"
INFECTED = Verdict("infected", "bounce", "infected Eicar-Signature")
BANNED = Verdict("banned", "bounce", "banned name:a.exe")
ENVELOPE = Envelope(b"a@example.org", (b"b@example.org", b'"c, d"@example.net'), b"4bQ7Xz")
FAILED = [(b"b@example.org", INFECTED), (b'"c, d"@example.net', BANNED)]


def read(mail, folder):
    return intake.of_bytes(mail, bytes(folder))


def parsed_of(text):
    """A message as a strict reader sees it, its parts included."""
    parsed = email.message_from_bytes(text, policy=email.policy.default)
    assert [part.defects for part in parsed.walk() if part.defects] == []
    return parsed


def report(settings, mail=None, envelope=ENVELOPE, failed=FAILED):
    """The notification that policy refuses a mail."""
    mail = read(mails.infected() if mail is None else mail, settings.work)
    return parsed_of(notice.bounced(mail, envelope, failed, settings))


def test_the_notification_is_a_delivery_report_of_three_parts(settings_of):
    parsed = report(settings_of())
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    kinds = [part.get_content_type() for part in parsed.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["To"].addresses[0].addr_spec == "a@example.org"


def test_it_says_of_each_recipient_that_delivery_failed(settings_of):
    _, status, _ = report(settings_of()).iter_parts()
    about, *recipients = status.get_payload()
    assert about["Reporting-MTA"].startswith("dns; ")
    assert about["X-Postfix-Queue-ID"] == "4bQ7Xz"
    assert [(one["Final-Recipient"], one["Action"], one["Status"]) for one in recipients] == [
        ("rfc822; b@example.org", "failed", "5.7.1"),
        ('rfc822; "c, d"@example.net', "failed", "5.7.1"),
    ]


def test_each_recipient_has_the_reason_of_its_own_verdict(settings_of):
    text, status, _ = report(settings_of()).iter_parts()
    _, *recipients = status.get_payload()
    assert [one["Diagnostic-Code"] for one in recipients] == [
        "x-unix; 5.7.1 infected Eicar-Signature",
        "x-unix; 5.7.1 banned name:a.exe",
    ]
    shown = text.get_content()
    assert shown.count("infected Eicar-Signature") == shown.count("banned name:a.exe") == 1
    assert "<b@example.org>" in shown


def test_of_recipients_whom_the_next_host_refused_it_gives_the_reply(settings_of):
    settings = settings_of()
    replies = [
        Reply(b"b@example.org", "550 5.1.1 no such user"),
        Reply(b"c@example.org", "552 mailbox full"),
    ]
    text = notice.refused(read(mails.plain(), settings.work), ENVELOPE, replies, settings)
    _, status, _ = parsed_of(text).iter_parts()
    _, *recipients = status.get_payload()
    assert [(one["Status"], one["Diagnostic-Code"]) for one in recipients] == [
        ("5.1.1", "smtp; 550 5.1.1 no such user"),
        ("5.0.0", "smtp; 552 mailbox full"),
    ]


def test_its_lines_end_in_lf_alone(settings_of):
    settings = settings_of()
    mail = read(mails.plain(), settings.work)
    assert b"\r" not in notice.bounced(mail, ENVELOPE, FAILED, settings)


def test_it_carries_the_header_and_nothing_of_the_content(settings_of):
    settings = settings_of()
    mail = mails.infected()
    text = notice.bounced(read(mail, settings.work), ENVELOPE, FAILED, settings)
    head, _, body = mail.partition(b"\n\n")
    assert head in text
    assert not any(line in text for line in body.split(b"\n") if len(line) > 60)


def test_a_long_header_is_cut(settings_of):
    mail = mails.plain(b"x\n", *[b"X-Long: " + b"x" * 900] * 100)
    *_, head = report(settings_of(), mail).iter_parts()
    assert len(head.get_payload()) <= notice.HEADER_SHOWN + 2


@pytest.mark.parametrize("field", ["sender", "recipients", "queue_id", "name"])
def test_words_from_outside_can_not_break_out_of_their_lines(settings_of, field):
    values = {"sender": b"a@example.org", "recipients": (b"b@example.org",), "queue_id": b"x"}
    verdict = INFECTED
    if field == "name":
        verdict = Verdict("infected", "bounce", "infected \u202e\xff\r\nBcc: evil@example.com", ())
    elif field == "recipients":
        values[field] = (HOSTILE,)
    else:
        values[field] = HOSTILE
    envelope = Envelope(values["sender"], values["recipients"], values["queue_id"])
    failed = [(one, verdict) for one in envelope.recipients]
    parsed = report(settings_of(), envelope=envelope, failed=failed)
    assert parsed["Bcc"] is None
    for part in list(parsed.iter_parts())[:2]:
        shown = part.as_bytes()
        assert all(byte == 10 or 32 <= byte < 127 for byte in shown)
        assert b"\nBcc:" not in shown


@pytest.mark.parametrize(
    ("sender", "fields", "expect"),
    [
        (b"a@example.org", (), True),
        (b"", (), False),
        (b"MAILER-DAEMON@example.org", (), False),
        (b"MAILER-DAEMON", (), False),
        (b"owner-list@example.org", (), False),
        (b"list-request@example.org", (), False),
        (b"list-bounces+b=example.org@example.net", (), False),
        (b"owner@example.org", (), True),
        (b"a@example.org", (b"Precedence: bulk",), False),
        (b"a@example.org", (b"Precedence:  List ",), False),
        (b"a@example.org", (b"Precedence: first-class",), True),
        (b"a@example.org", (b"List-Id: <list.example.org>",), False),
        (b"a@example.org", (b"Auto-Submitted: auto-generated",), False),
        (b"a@example.org", (b"Auto-Submitted: no",), True),
        (b"a@example.org", (b"Auto-Submitted: no (by hand)",), True),
        (b"a@example.org", (b"Auto-Submitted: no", b"Auto-Submitted: auto-replied"), False),
        (b"a@example.org", (b"List-Unsubscribe: <mailto:x@example.org>",), False),
        (b"a@example.org", (b"Content-Type: multipart/report; report-type=delivery-status",), False),
    ],
    ids=[
        "person", "null sender", "daemon", "bare daemon", "list owner", "list request", "list bounces",
        "person called owner", "bulk", "list precedence", "other precedence", "list id", "robot", "no robot",
        "no robot with comment", "robot in second field", "list unsubscribe", "bounce",
    ],
)  # fmt: skip
def test_who_can_not_want_an_answer_gets_none(settings_of, sender, fields, expect):
    mail = read(mails.plain(b"x\n", *fields), settings_of().work)
    assert notice.may_answer(mail, Envelope(sender, (b"b@example.org",))) is expect


def test_the_configured_address_is_the_author(settings_of):
    settings = settings_of()
    settings.notice_sender = b"virus@example.org"
    assert report(settings)["From"].addresses[0].addr_spec == "virus@example.org"
