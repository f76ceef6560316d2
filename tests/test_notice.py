"""Mail of our own: what it holds, and to whom it does not go."""

import email
import email.policy

import pytest
from stand_in import mails

from amavis_pipe import intake, notice
from amavis_pipe.model import Envelope
from amavis_pipe.policy import Verdict

HOSTILE = b"b\r\nBcc: evil@example.com\n\n\x1b[2J\xff@example.org"
VERDICT = Verdict("infected", "bounce", "infected Eicar-Signature", (b"b@example.org",))
ENVELOPE = Envelope(b"a@example.org", (b"b@example.org", b'"c, d"@example.net'), b"4bQ7Xz")


def read(mail, folder):
    return intake.of_bytes(mail, bytes(folder))


def report(settings, mail=None, envelope=ENVELOPE, verdict=VERDICT):
    """The notification, parsed by a strict reader."""
    mail = read(mails.infected() if mail is None else mail, settings.work)
    text = notice.infected(mail, envelope, verdict, settings)
    parsed = email.message_from_bytes(text, policy=email.policy.default)
    assert parsed.defects == []
    return parsed


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
    assert recipients[0]["Diagnostic-Code"] == "x-unix; 5.7.1 infected Eicar-Signature"


def test_it_carries_the_header_and_nothing_of_the_content(settings_of):
    settings = settings_of()
    mail = mails.infected()
    text = notice.infected(read(mail, settings.work), ENVELOPE, VERDICT, settings)
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
    verdict = VERDICT
    if field == "name":
        verdict = Verdict("infected", "bounce", "infected \u202e\xff", ())
    elif field == "recipients":
        values[field] = (HOSTILE,)
    else:
        values[field] = HOSTILE
    envelope = Envelope(values["sender"], values["recipients"], values["queue_id"])
    parsed = report(settings_of(), envelope=envelope, verdict=verdict)
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
        (b"owner-list@example.org", (), False),
        (b"a@example.org", (b"Precedence: bulk",), False),
        (b"a@example.org", (b"Precedence:  List ",), False),
        (b"a@example.org", (b"Precedence: first-class",), True),
        (b"a@example.org", (b"List-Id: <list.example.org>",), False),
        (b"a@example.org", (b"Auto-Submitted: auto-generated",), False),
        (b"a@example.org", (b"Auto-Submitted: no",), True),
    ],
    ids=[
        "person", "null sender", "daemon", "list owner", "bulk", "list precedence", "other precedence",
        "list id", "robot", "no robot",
    ],
)  # fmt: skip
def test_who_can_not_want_an_answer_gets_none(settings_of, sender, fields, expect):
    mail = read(mails.plain(b"x\n", *fields), settings_of().work)
    assert notice.may_answer(mail, Envelope(sender, (b"b@example.org",))) is expect


def test_the_configured_address_is_the_author(settings_of):
    assert (
        report(settings_of(notices={"sender": "virus@example.org"}))["From"].addresses[0].addr_spec
        == "virus@example.org"
    )


def test_word_of_mail_kept_back_names_it_and_shows_no_content(settings_of):
    settings = settings_of()
    mail = read(mails.plain(b"secret words\n"), settings.work)
    text = notice.withheld(mail, ENVELOPE, "unchecked-20261123-080000-0123456789ab", settings)
    parsed = email.message_from_bytes(text, policy=email.policy.default)
    assert parsed.defects == []
    assert "unchecked-20261123-080000-0123456789ab" in parsed.get_content()
    assert b"secret" not in text
    assert b"plain" not in text.partition(b"\n\n")[2]


def test_word_of_mail_kept_back_is_plain_ascii_whatever_the_envelope(settings_of):
    settings = settings_of()
    mail = read(mails.plain(), settings.work)
    text = notice.withheld(mail, Envelope(HOSTILE, (HOSTILE,) * 100), "x", settings)
    assert all(byte == 10 or 32 <= byte < 127 for byte in text)
    assert b"\nBcc:" not in text
    assert text.count(b"evil") <= 21
