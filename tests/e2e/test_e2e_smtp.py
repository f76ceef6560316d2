"""Re-entry by SMTP: refusals, traces, and whatever can happen on the line or after the commit."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGKILL

import pytest
from harness import mails
from harness.postfix import alive
from harness.site import ALICE, BOB, Site
from harness.smtp import original
from harness.waiting import wait_for
from stand_in.faults import changed

BY_SMTP = pytest.mark.parametrize("running", ["smtp"], indirect=True)
MAIL = mails.with_attachment(b"data.bin", bytes(range(256)) * 30)
WRITING = "    facts, times, cached"
STRANGER = b"nobody@refused.example"


@BY_SMTP
def test_status_line_log_and_journal_tell_the_new_queue_id_and_every_reply(site: Site) -> None:
    recipients = tuple(b"user%d@site.example" % number for number in range(3))
    site.send(MAIL, recipients=recipients)
    arrived = site.finished()
    assert sorted(address for one in arrived for address in one.recipients) == sorted(recipients)
    ((sent,), *_) = (record["sent"] for record in site.journal())
    new = sent["queue_id"]
    assert re.search(
        rf"status=sent \(delivered via amavis service \(passed clean, queued as {new}\)\)", site.postfix.log()
    )
    assert re.search(rf"postfix/qmgr\[\d+\]: {new}: from=<alice@sender.example>", site.postfix.log())
    assert any(line.endswith(f" queued={new}") for line in site.syslog.lines)
    assert [reply["recipient"].encode() for reply in sent["replies"]] == list(recipients)
    assert all(reply["reply"] == f"250 2.0.0 Ok: queued as {new}" for reply in sent["replies"])


@BY_SMTP
def test_the_log_traces_a_mail_over_both_queue_ids(site: Site) -> None:
    old = site.send(MAIL, helo=b"he+lo=x")
    site.finished()
    new = site.journal()[0]["sent"][0]["queue_id"]
    # client= is the filter's connection, orig_client= who came to the door
    expect = rf"{new}: client=\S+\[127\.0\.0\.1\], orig_queue_id={old}, orig_client=\S+\[127\.0\.0\.1\]"
    assert re.search(expect, site.postfix.log())


def with_a_refusing_reentry(site: Site, reply: str) -> None:
    """Let the smtpd where mail comes back refuse recipients of one domain."""
    entry = site.reentry.removeprefix("smtp:") + "/inet"
    table = site.postfix.config / "refused"
    table.write_text(f"/@refused\\.example$/ {reply}\n")
    rules = f"check_recipient_access,regexp:{table},permit_mynetworks,reject"
    site.postfix.postconf("-P", f"{entry}/smtpd_recipient_restrictions={rules}")
    site.postfix.reload()


@pytest.fixture
def refusing(site: Site) -> None:
    """The same for a test."""
    entry = site.reentry.removeprefix("smtp:") + "/inet/smtpd_recipient_restrictions"
    before = site.postfix.postconf("-P", entry).partition(" = ")[2].strip()
    with_a_refusing_reentry(site, "550 5.1.1 no such user here")
    yield
    site.postfix.postconf("-P", f"{entry}={before}")
    site.postfix.reload()


@BY_SMTP
def test_one_refused_recipient_is_reported_and_the_others_get_the_mail(site: Site, refusing: None) -> None:
    site.send(MAIL, recipients=(BOB, STRANGER))
    arrived = site.finished()
    (mail,) = [one for one in arrived if one.sender == ALICE]
    (report,) = [one for one in arrived if one.sender == b""]
    assert mail.recipients == (BOB,)
    assert original(mail) == MAIL
    assert report.recipients == (ALICE,)
    assert b"Final-Recipient: rfc822; nobody@refused.example\r\n" in report.data
    assert b"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 " in report.data
    assert b"bob@site.example" not in report.data.partition(b"text/rfc822-headers")[0]
    assert b"AAECAwQFBgcICQ" not in report.data, "the content came along"


@BY_SMTP
def test_a_mail_refused_for_all_is_returned_by_postfix_with_the_reply(site: Site, refusing: None) -> None:
    site.send(MAIL, recipients=(STRANGER,))
    (bounce,) = site.finished()
    assert (bounce.sender, bounce.recipients) == (b"", (ALICE,))
    assert b"Status: 5.1.1\r\n" in bounce.data
    assert b"no such user here" in bounce.data


@BY_SMTP
def test_a_recipient_refused_for_a_while_holds_the_mail_back_for_all(site: Site, refusing: None) -> None:
    with_a_refusing_reentry(site, "450 4.2.0 not now")
    site.send(MAIL, recipients=(BOB, STRANGER))
    wait_for(
        lambda: len(site.postfix.queue()) == 1 and site.postfix.queue()[0]["queue_name"] == "deferred",
        "a deferral",
    )
    assert site.sink.mails == []
    assert any("RCPT: 450 4.2.0" in line for line in site.syslog.lines)
    with_a_refusing_reentry(site, "permit")
    arrived = site.retried()
    assert sorted(address for one in arrived for address in one.recipients) == sorted((BOB, STRANGER))


@BY_SMTP
def test_while_nobody_listens_where_mail_comes_back_it_waits(site: Site) -> None:
    site.configure(forward="smtp:127.0.0.1:1")
    site.send(MAIL)
    assert "could not be checked" in site.deferred()
    assert any("smtp:127.0.0.1:1: connection: Connection refused" in line for line in site.syslog.lines)
    site.configure()
    (arrived,) = site.retried()
    assert original(arrived) == MAIL


def stopped_in_the_middle(site: Site, word: bytes, mail: bytes = MAIL) -> int:
    """Send a mail, and hold what the filter says from `word` on; the filter's process id."""
    site.configure(forward=site.line.route)
    site.line.hold(word)
    site.send(mail)
    site.line.wait()
    (pid,) = site.filters()
    return pid


LARGE = mails.mail(mails.lines(20_000_000))
WORDS = {
    "envelope": (b"MAIL FROM", MAIL),
    "message": (b"data.bin", MAIL),
    "middle of a large one": (b"00020000 ", LARGE),
}


@BY_SMTP
@pytest.mark.parametrize(("word", "mail"), WORDS.values(), ids=WORDS)
def test_postfix_stopped_while_the_mail_comes_back_delivers_it_once_and_whole(
    site: Site, word: bytes, mail: bytes
) -> None:
    pid = stopped_in_the_middle(site, word, mail)
    site.postfix.stop()
    site.line.release()
    wait_for(lambda: not alive(pid), "the end of the filter")
    assert site.sink.mails == []
    site.line.reset()
    site.postfix.start()
    (arrived,) = site.finished()
    assert original(arrived) == mail
    assert len(site.journal()) == 1


@BY_SMTP
@pytest.mark.parametrize(("word", "mail"), WORDS.values(), ids=WORDS)
def test_a_filter_killed_while_the_mail_goes_back_leaves_no_cut_copy(
    site: Site, word: bytes, mail: bytes
) -> None:
    pid = stopped_in_the_middle(site, word, mail)
    os.kill(pid, SIGKILL)
    site.line.reset()
    assert "signal 9" in site.deferred()
    (arrived,) = site.retried()
    assert original(arrived) == mail


@BY_SMTP
def test_a_reload_while_the_mail_comes_back_changes_nothing(site: Site) -> None:
    stopped_in_the_middle(site, b"data.bin")
    site.postfix.reload_lazily()
    site.line.release()
    (arrived,) = site.retried()  # the new queue manager leaves it alone until its next run
    assert original(arrived) == MAIL
    assert len(site.journal()) == 1


@BY_SMTP
def test_a_commit_that_nobody_heard_may_double_the_mail_and_never_loses_it(site: Site) -> None:
    site.configure(forward=site.line.route)
    site.line.mute(b"250 2.0.0 Ok: queued")
    site.send(MAIL)
    site.line.wait()
    (pid,) = site.filters()
    os.kill(pid, SIGKILL)
    site.line.release()
    wait_for(lambda: not alive(pid), "the end of the filter")
    arrived = site.retried()
    assert len(arrived) == 2
    assert all(original(one) == MAIL for one in arrived)


@contextmanager
def held_after_the_commit(site: Site) -> Iterator[int]:
    """Send a mail whose filter hangs on its way from the commit to its end; its process id."""
    with changed(
        site.package / "amavis_pipe/writing.py", WRITING, f"    __import__('signal').pause()\n{WRITING}"
    ):
        site.send(MAIL)
        wait_for(lambda: site.sink.mails, "the mail to arrive")
        (pid,) = site.filters()
        yield pid


@pytest.mark.parametrize("how", ["filter", "postfix"])
def test_who_is_killed_between_the_commit_and_the_end_does_not_double_the_mail(site: Site, how: str) -> None:
    with held_after_the_commit(site) as pid:
        if how == "postfix":
            site.postfix.stop()
        os.kill(pid, SIGKILL)
        wait_for(lambda: not alive(pid), "the end of the filter")
    site.postfix.ensure()
    (arrived,) = site.retried()
    assert original(arrived) == MAIL
    assert "sent before" in site.postfix.log()


def test_a_retry_that_came_after_all_is_no_other_mail_under_the_same_queue_id(site: Site) -> None:
    """The same content again, by another queue id, and the same recipients: it is delivered again."""
    for number in (1, 2):
        site.send(MAIL)
        assert len(site.finished()) == number
