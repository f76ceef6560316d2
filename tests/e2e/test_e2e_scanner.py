"""A scanner that gives no answer delays mail; it never lets it pass, and never returns it."""

import re
from signal import SIGKILL

import pytest
from harness import mails
from harness.clamd import EICAR
from harness.postfix import OLD_LIMIT
from harness.site import Site
from harness.waiting import wait_for

MAIL = mails.with_attachment(b"data.bin", bytes(range(256)))


def test_clamd_killed_defers_mail_until_it_is_back(site: Site) -> None:
    site.clamd.stop(SIGKILL)
    queue_id = site.send(MAIL)
    assert "mail could not be checked" in site.deferred()
    site.postfix.flush()
    tried = re.compile(queue_id + r": to=.*relay=amavis.*status=deferred")
    wait_for(lambda: len(tried.findall(site.postfix.log())) == 2, "a second try")
    assert "mail could not be checked" in site.deferred()
    site.clamd.start()
    (arrived,) = site.retried()
    assert arrived.data.endswith(MAIL)
    *tries, last = site.records()
    assert [bool(one["trouble"]) for one in (*tries, last)] == [True, True, False]
    assert {one["id"] for one in (*tries, last)} == {queue_id}
    assert all("clamd at " in one["trouble"][0] for one in tries)


def test_clamd_killed_while_it_scans_defers_mail(site: Site) -> None:
    site.relay.hold()
    site.send(MAIL)
    wait_for(lambda: site.relay.commands[b"IDSESSION"], "the filter to ask")
    site.clamd.stop(SIGKILL)
    site.relay.release()
    assert "mail could not be checked" in site.deferred()
    site.clamd.start()
    assert len(site.retried()) == 1


def test_a_socket_that_is_not_there_defers_mail(site: Site) -> None:
    site.configure({"at": str(site.folder / "nobody.ctl")})
    site.send(MAIL)
    assert "mail could not be checked" in site.deferred()
    site.configure()
    assert len(site.retried()) == 1


def test_clamd_that_takes_the_question_and_never_answers_defers_mail(site: Site) -> None:
    site.configure({"timeout": 1})
    site.relay.hold()
    site.send(MAIL)
    assert "mail could not be checked" in site.deferred()
    site.relay.release()
    assert len(site.retried()) == 1


def test_what_was_remembered_does_not_stand_in_for_a_dead_scanner(site: Site) -> None:
    site.send(MAIL)
    site.finished()
    other = mails.with_attachment(b"data.bin", bytes(range(256)), subject=b"another mail, the same file")
    site.clamd.stop(SIGKILL)
    site.send(other)
    wait_for(lambda: any(entry["queue_name"] == "deferred" for entry in site.postfix.queue()), "deferral")
    assert len(site.sink.mails) == 1
    site.clamd.start()
    assert len(site.retried()) == 2


@pytest.mark.parametrize("infected", [False, True], ids=["clean", "infected"])
@pytest.mark.parametrize("how", ["tcp", "stream"])
def test_clamd_is_asked_by_stream_too(site: Site, how: str, infected: bool) -> None:
    by_port = {"at": f"127.0.0.1:{site.clamd.port}"}
    site.configure(by_port if how == "tcp" else {"how": "stream"})
    site.send(mails.with_attachment(b"file", EICAR if infected else bytes(5000)))
    assert len(site.finished()) == (0 if infected else 1)
    assert len(site.quarantined()) == (1 if infected else 0)


def test_a_large_mail_is_scanned_as_a_whole(site: Site) -> None:
    filler = mails.lines(OLD_LIMIT // 2)
    site.send(mails.multipart(mails.text(filler), mails.attachment(b"e.com", EICAR)))
    assert site.finished() == []
    assert len(site.quarantined()) == 1


def test_what_clamd_says_nothing_about_for_its_size_is_not_called_clean(site: Site) -> None:
    conf = site.folder / "small-clamd.conf"
    conf.write_text(site.clamd.conf.read_text() + "MaxFileSize 100K\n")
    site.configure({"conf": str(conf)})
    site.send(mails.with_attachment(b"data.bin", mails.lines(200_000)))
    (arrived,) = site.finished()
    assert (arrived.field(b"X-Amavis-Alert") or b"").startswith(b"UNCHECKED limit:clamd")


def test_the_builtin_check_alone_wants_no_clamd(site: Site) -> None:
    site.configure(scanners=["builtin"])
    site.clamd.stop(SIGKILL)
    site.send(mails.with_attachment(b"e.com", EICAR))
    site.send(MAIL)
    (arrived,) = site.finished()
    assert arrived.data.endswith(MAIL)
    assert len(site.quarantined()) == 1
