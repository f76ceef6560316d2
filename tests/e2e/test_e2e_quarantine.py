"""Mail held back, seen and handled by an administrator: listed, shown, released, told of in notices and digests."""

import email
import email.policy
import json
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from harness import mails
from harness.clamd import EICAR, EICAR_NAME
from harness.site import ALICE, BOB, USER, Site
from harness.smtp import Arrived
from harness.waiting import wait_for

CAROL, ADMIN = b"carol@site.example", b"admin@site.example"
VIRUS = mails.multipart(
    mails.text(b"From the desk\r\n.\r\n>From it"), mails.attachment(b"e.com", EICAR), subject=b"a virus"
)
ODD = (b'"a,b c(d)"@sender.example', b"", b"-x@sender.example")


def as_kept(site: Site) -> bytes:
    """The original bytes of the one mail in quarantine: what stands below our own lines."""
    (kept,) = site.quarantined()
    _, _, rest = kept.partition(b"\nX-Amavis-Original: ")
    return rest.partition(b"\n")[2]


def listed(site: Site, *words: str) -> list[dict[str, Any]]:
    done = site.command("quarantine", "list", "--json", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def release(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Release mail through the Postfix of these tests."""
    return site.command("quarantine", "release", "--postfix-config", str(site.postfix.config), *words)


def parsed(arrived: Arrived) -> EmailMessage:
    message = email.message_from_bytes(arrived.data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


@pytest.mark.parametrize("sender", [ALICE, *ODD], ids=["plain", "quoted", "null", "dash"])
def test_a_released_mail_arrives_once_whole_with_its_envelope_and_is_not_caught_again(
    site: Site, sender: bytes
) -> None:
    site.send(VIRUS, sender, (BOB, CAROL))
    assert site.finished() == []
    original = as_kept(site)
    (entry,) = listed(site)
    done = release(site, entry["quarantine_id"])
    assert done.returncode == 0, done.stderr
    (arrived,) = site.finished()
    assert (arrived.sender, sorted(arrived.recipients)) == (sender, [BOB, CAROL])
    assert arrived.data.replace(b"\r\n", b"\n").endswith(original)
    assert len(site.journal()) == 1
    (entry,) = listed(site)
    assert len(entry["released"]) == 1
    again = release(site, entry["quarantine_id"])
    assert again.returncode != 0
    assert len(site.finished()) == 1


def test_filters_at_work_on_one_mail_at_once_keep_one_copy_that_goes_to_everybody(site: Site) -> None:
    everybody = [b"user%d@site.example" % number for number in range(8)]
    site.postfix.postconf("-e", "amavis_destination_recipient_limit = 1")
    site.postfix.reload()
    try:
        site.relay.hold()
        site.send(VIRUS, recipients=tuple(everybody))
        wait_for(lambda: len(site.filters()) > 1, "several filters at work on it")
        site.relay.release()
        assert site.finished() == []
    finally:
        site.postfix.postconf("-X", "amavis_destination_recipient_limit")
        site.postfix.reload()
    assert len(site.journal()) == len(everybody)
    (entry,) = listed(site)
    assert sorted(one.encode() for one in entry["recipients"]) == everybody
    done = release(site, entry["quarantine_id"])
    assert done.returncode == 0, done.stderr
    arrived = site.finished()
    assert sorted(address for one in arrived for address in one.recipients) == everybody


def test_it_is_released_to_another_address(site: Site) -> None:
    site.send(VIRUS)
    site.finished()
    (entry,) = listed(site)
    assert release(site, entry["quarantine_id"], "--to", ADMIN.decode()).returncode == 0
    (arrived,) = site.finished()
    assert arrived.recipients == (ADMIN,)


def test_a_release_that_postfix_does_not_take_is_not_called_one(site: Site) -> None:
    site.send(VIRUS)
    site.finished()
    (entry,) = listed(site)
    site.configure(forward="smtp:127.0.0.1:9")
    done = release(site, entry["quarantine_id"])
    assert done.returncode == 2
    assert "refused" in done.stderr
    assert site.finished() == []
    assert not listed(site)[0]["released"]


def test_what_is_shown_can_not_hurt_a_terminal_and_what_is_deleted_is_gone(site: Site) -> None:
    escape = mails.multipart(mails.text(b"x"), mails.attachment(b"e.com", EICAR), subject=b"\x1b]0;owned\x07")
    site.send(escape)
    site.finished()
    (entry,) = listed(site)
    shown = site.command("quarantine", "show", entry["quarantine_id"])
    assert shown.returncode == 0, shown.stderr
    assert EICAR_NAME in shown.stdout
    assert not set(shown.stdout) & set(map(chr, [*range(9), *range(11, 32), 127]))
    assert site.command("quarantine", "delete", "--yes", entry["quarantine_id"]).returncode == 0
    assert listed(site) == []
    assert site.quarantined() == []


@pytest.fixture
def small_disk(site: Site) -> Iterator[Path]:
    """A file system with hardly any room, of the filter's user."""
    folder = site.folder / "small"
    folder.mkdir()
    options = f"size=64k,uid={USER},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def test_a_full_disk_defers_mail_and_loses_none(site: Site, small_disk: Path) -> None:
    site.configure(infected={"quarantine": str(small_disk / "q")})
    large = mails.multipart(
        mails.text(b"x" * 70 + b"\r\n" + b"y" * 200_000), mails.attachment(b"e.com", EICAR)
    )
    site.send(large)
    assert "mail could not be checked" in site.deferred()
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    site.configure()
    assert site.retried() == []
    assert len(site.quarantined()) == 1


def test_notices_reach_sender_recipients_and_admin_with_what_they_are_to_know(site: Site) -> None:
    site.configure(
        local=["site.example"],
        infected={
            "notify_sender": True,
            "notify_recipients": True,
            "admin": ADMIN.decode(),
            "forging": [],
        },
        notices={"admin": "each"},
    )
    queue_id = site.send(VIRUS, recipients=(BOB, CAROL))
    notices = {one.recipients: parsed(one) for one in site.finished()}
    assert sorted(notices) == [(ADMIN,), (ALICE,), (BOB, CAROL)]
    (entry,) = listed(site)
    to_people = notices[(BOB, CAROL)]
    assert to_people["Subject"] == f"VIRUS ({EICAR_NAME}) IN MAIL TO YOU (from ({ALICE.decode()}))"
    assert to_people["To"] == "undisclosed-recipients:;"
    assert "VIRUS ALERT" in to_people.get_content()
    to_admin = notices[(ADMIN,)]
    assert to_admin["Subject"] == f"VIRUS ({EICAR_NAME}) FROM ({ALICE.decode()})"
    told = to_admin.get_content()
    for what in (
        EICAR_NAME,
        queue_id,
        entry["quarantine_id"],
        "clamd",
        BOB.decode(),
        CAROL.decode(),
        "a virus",
    ):
        assert what in told
    for message in notices.values():
        assert message["Auto-Submitted"].startswith("auto-")
    (record,) = site.journal()
    assert sorted(record["told"]) == ["admin", "recipients", "sender"]


def test_nobody_is_told_of_a_virus_under_the_null_sender_but_the_recipients(site: Site) -> None:
    site.configure(infected={"notify_sender": True, "notify_recipients": True, "forging": []})
    site.send(VIRUS, b"")
    (notice,) = site.finished()
    assert (notice.sender, notice.recipients) == (b"", (BOB,))


@pytest.mark.parametrize("running", ["smtp"], indirect=True)
def test_the_admin_gets_one_digest_of_all_that_was_caught_and_no_second_one(site: Site) -> None:
    site.configure(infected={"admin": ADMIN.decode()}, notices={"digest": "hour"}, notify=site.reentry)
    for number in range(3):
        site.send(mails.mail(EICAR, subject=b"virus %d" % number))
    assert site.finished() == []
    done = site.command("prune")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (digest,) = site.finished()
    assert (digest.sender, digest.recipients) == (b"", (ADMIN,))
    text = parsed(digest).get_content()
    assert EICAR_NAME in text
    assert all(entry["quarantine_id"] in text for entry in listed(site))
    assert site.command("prune").returncode == 0
    assert len(site.finished()) == 1
    assert len(site.journal()) == 3  # the digest did not come through the filter
