"""Whoever is killed in the middle: the mail arrives once, whole, and not by the hand of an orphan."""

import os
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
from harness import mails
from harness.clamd import EICAR
from harness.postfix import alive
from harness.site import Site
from harness.waiting import wait_for

MAIL = mails.with_attachment(b"data.bin", bytes(range(256)) * 3)


def held(site: Site, mail: bytes = MAIL) -> int:
    """Send a mail, and stop its filter at the scanner; the filter's process id."""
    site.relay.hold()
    site.send(mail)
    wait_for(lambda: site.relay.commands[b"IDSESSION"], "the filter to ask")
    (pid,) = site.filters()
    return pid


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def let_go(site: Site, pid: int) -> None:
    """Let the filter at the scanner go on, and wait for its end."""
    site.relay.release()
    wait_for(lambda: not alive(pid), "the end of the filter")


@pytest.mark.parametrize("how", [SIGKILL, SIGTERM], ids=["killed", "ended"])
def test_an_orphan_of_pipe_sends_nothing_and_the_mail_arrives_once(site: Site, how: int) -> None:
    pid = held(site)
    os.kill(parent(pid), how)
    wait_for(
        lambda: parent(pid) == 1 or "pipe" not in Path(f"/proc/{parent(pid)}/comm").read_text(), "an orphan"
    )
    let_go(site, pid)
    (arrived,) = site.retried()
    assert arrived.data.endswith(MAIL)
    assert len(site.journal()) == 1, "the orphan did something, too"


def test_postfix_stopped_in_the_middle_delivers_the_mail_once_after_its_start(site: Site) -> None:
    pid = held(site)
    site.postfix.stop()
    assert alive(pid)
    let_go(site, pid)
    assert site.sink.mails == []
    assert site.journal() == []
    site.postfix.start()
    (arrived,) = site.finished()
    assert arrived.data.endswith(MAIL)
    assert len(site.journal()) == 1


def test_a_reload_in_the_middle_changes_nothing(site: Site) -> None:
    pid = held(site)
    site.postfix.reload_lazily()
    let_go(site, pid)
    (arrived,) = site.retried()  # the new queue manager leaves it alone until its next run
    assert arrived.data.endswith(MAIL)
    assert len(site.journal()) == 1


def test_an_orphan_with_an_infected_mail_sends_no_report(site: Site) -> None:
    site.configure(infected={"action": "bounce"})
    pid = held(site, mails.with_attachment(b"e.com", EICAR))
    os.kill(parent(pid), SIGKILL)
    let_go(site, pid)
    (report,) = site.retried()
    assert report.sender == b""
    assert len(site.quarantined()) == 1


def test_a_filter_that_is_killed_defers_its_mail(site: Site) -> None:
    pid = held(site)
    os.kill(pid, SIGKILL)
    assert "signal 9" in site.deferred()
    site.relay.release()
    (arrived,) = site.retried()
    assert arrived.data.endswith(MAIL)


def test_many_mails_at_once_each_arrive_once(site: Site) -> None:
    sent = [mails.mail(b"number %d" % number, subject=b"n%d" % number) for number in range(12)]
    for mail in sent:
        site.send(mail)
    arrived = site.finished()
    assert sorted(one.data.partition(b"From: Alice")[2] for one in arrived) == sorted(
        mail.partition(b"From: Alice")[2] for mail in sent
    )
    assert len(site.journal()) == 12
