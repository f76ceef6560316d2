"""The envelope arrives as it was given, whatever characters it is made of."""

import pytest
from harness import mails
from harness.site import ALICE, BOB, Site

SENDERS = {
    "null": b"",
    "leading-dash": b"-x@sender.example",
    "option-like": b"--config=/etc/passwd@sender.example",
    "two-dashes": b"--@sender.example",
    "quoted": b'"a,b c(d)"@sender.example',
    "quoted-dash": b'"-f x"@sender.example',
    "shell": b"`id`$HOME|&'*?@sender.example",
    "quoted-shell": b'"$(id);"@sender.example',
    "verp": b"list-return-17-bob=site.example@sender.example",
    "percent": b"a%b%s@sender.example",
}
RECIPIENTS = {
    "leading-dash": b"-x@site.example",
    "option-like": b"--dry-run@site.example",
    "quoted-dash": b'"- x"@site.example',
    "blank-comma-parentheses": b'"a,b c(d)"@site.example',
    "only-blanks": b'" "@site.example',
    "quoted-at": b'"a@b"@site.example',
    "backslash": rb'"a\\b"@site.example',
    "quote": rb'"a\"b"@site.example',
    "shell": b"$HOME`id`{a}~@site.example",
    "extension": b"bob+ext=1@site.example",
    "long": b"x" * 64 + b"@site.example",
}


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_a_sender_arrives_as_it_was_given(site: Site, sender: bytes) -> None:
    site.send(mails.mail(b"who wrote this?"), sender)
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (sender, (BOB,))
    assert len(site.journal()) == 1


@pytest.mark.parametrize("recipient", RECIPIENTS.values(), ids=RECIPIENTS)
def test_a_recipient_arrives_as_it_was_given(site: Site, recipient: bytes) -> None:
    site.send(mails.mail(b"who reads this?"), recipients=(recipient,))
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (ALICE, (recipient,))
    assert len(site.journal()) == 1


def test_needless_quotes_are_all_that_postfix_takes_away(site: Site) -> None:
    site.send(mails.mail(b"quoted"), b'"-y"@sender.example', (b'"-x"@site.example',))
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (b"-y@sender.example", (b"-x@site.example",))


@pytest.mark.parametrize(
    "helo", [b"--config=/etc/passwd", b"-f", b"$(id)", b"[127.0.0.1]", b"a\xc3\xbcb\x01c"]
)
def test_a_helo_name_is_no_option(site: Site, helo: bytes) -> None:
    site.send(mails.mail(b"hello"), helo=helo)
    assert len(site.finished()) == 1
    assert len(site.journal()) == 1


def test_aliases_and_automatic_copies_are_applied_once_behind_the_filter(site: Site) -> None:
    site.send(mails.mail(b"to a team"), recipients=(b"team@site.example", b"watched@site.example"))
    arrived = sorted(address for mail in site.finished() for address in mail.recipients)
    assert arrived == [b"%s@site.example" % name for name in (b"archive", b"dave", b"erin", b"watched")]
    (record,) = site.journal()
    assert sorted(record["actions"][0]["recipients"]) == ["team@site.example", "watched@site.example"]


def test_all_odd_recipients_of_one_mail_arrive_in_one_run(site: Site) -> None:
    recipients = (*RECIPIENTS.values(), *(b"user%d@site.example" % number for number in range(29)))
    assert len(recipients) == 40
    site.send(mails.mail(b"to forty"), recipients=recipients)
    arrived = site.finished()
    assert sorted(address for mail in arrived for address in mail.recipients) == sorted(recipients)
    (record,) = site.journal()
    assert len(record["actions"][0]["recipients"]) == 40
