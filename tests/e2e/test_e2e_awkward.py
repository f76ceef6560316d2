"""Awkward mail, by both ways of re-entry: sent, arrived, counted, compared byte for byte."""

import itertools
import os
import subprocess
from collections.abc import Callable

import pytest
from harness import mails
from harness.postfix import OLD_LIMIT
from harness.site import ALICE, BOB, USER, Site
from harness.smtp import Arrived, original

HEAD = mails.mail(b"", subject=b"awkward").partition(b"\r\n\r\n")[0] + b"\r\n"
BINARY = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
EIGHT_BIT = (
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
)
MAILS: dict[str, bytes] = {
    "lone dots": mails.mail(b".\r\n..\r\n...\r\n.\r\n\r\n.\r\n.x\r\n"),
    "ends in a dot": mails.mail(b"the end\r\n."),
    "From lines": mails.mail(b"From here\r\n>From there\r\n\r\nFrom alice@sender.example Mon Nov 23\r\n"),
    "NUL": mails.mail(b"a\0b\r\n\0\r\nc\0"),
    "8 bit without MIME": mails.mail("Grüße\r\n".encode()),
    "8 bit with MIME": mails.mail("Grüße\r\n".encode(), EIGHT_BIT),
    "8 bit in the header": mails.mail(b"x", "X-Name: Jürgen\r\nX-Latin: J\udcfcrgen\r\n".encode("utf-8", "surrogateescape")),
    "8 bit in a part's header": mails.multipart(mails.attachment("Grüße.txt".encode(), b"x")),
    "all bytes": mails.mail(BINARY + b"\r\n" + BINARY[::-1]),
    "lines of 100 kB": mails.mail(b"".join(b"x" * size + b"\r\n" for size in (998, 999, 2048, 100_000, 4095, 4097))),
    "a line of 100 kB in the header": HEAD + b"X-Long: " + b"y" * 100_000 + b"\r\n\r\nbody\r\n",
    "no body": HEAD + b"\r\n",
    "no body and no empty line": HEAD,
    "an empty line at the end": mails.mail(b"x\r\n\r\n\r\n"),
    "blanks at the end of lines": mails.mail(b"x  \r\n\t\r\n \r\n"),
    "folds of blanks": HEAD + b"X-Fold: a\r\n \r\n\t\r\n b\r\n\r\nbody\r\n",
}  # fmt: skip


@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
def test_it_arrives_once_and_byte_for_byte(site: Site, mail: bytes) -> None:
    site.send(mail)
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (ALICE, (BOB,))
    assert len(site.journal()) == 1
    assert less_top(site, arrived) == mail


def less_top(site: Site, arrived: Arrived) -> bytes:
    """The mail as it came to the filter, less Postfix's field from the door."""
    if site.journal()[0]["verdict"] == "clean":
        return original(arrived)
    # what can't be read to its end is passed with a line of ours more
    alert = arrived.field(b"X-Amavis-Alert")
    assert alert
    assert alert.startswith(b"UNCHECKED ")
    lines = arrived.data.split(b"\r\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(b"X-Amavis-Alert:"))
    return original(Arrived(b"", (), b"\r\n".join(lines[:at] + lines[at + 1 :])))


ODD_HEADERS = {
    "NUL in the header": HEAD + b"X-Odd: a\0b\r\n\r\nbody\r\n",
    "NUL and 8 bit in the header": HEAD + b"X-Odd: a\0b \xc3\xbc\r\n\r\nbody \xc3\xbc\r\n",
    "a colon first": HEAD + b": no name\r\n\r\nbody\r\n",
    "no such header": HEAD + b"this is no field\r\nX-After: it\r\n\r\nbody\r\n",
    "no header": b"\r\njust a body\r\n",
    "an indented first line": b" indented\r\nX-Not: a field\r\n",
    "no field at all": b"no field here\r\nnor here\r\n",
    "a From line first": b"From alice@sender.example Mon Nov 23 07:00:00 2026\r\nSubject: x\r\n\r\nbody\r\n",
    "nothing": b"\r\n",
}


@pytest.mark.parametrize("mail", ODD_HEADERS.values(), ids=ODD_HEADERS)
def test_a_mail_with_an_odd_header_arrives_as_postfix_alone_would_bring_it(site: Site, mail: bytes) -> None:
    """With and without the filter: Postfix cleans up such headers, at each of its doors."""
    site.send(mail)
    (filtered,) = site.finished()
    site.sink.mails.clear()
    site.postfix.send(ALICE, (BOB,), mail, port=site.postfix.unfiltered)
    (bare,) = site.finished()
    assert tail_of(filtered.data) == tail_of(bare.data)


def tail_of(data: bytes) -> bytes:
    """What follows the field that Postfix wrote at the door, its own completions of the header left out."""
    rest = data[data.index(b"Received: from client.example") :]
    lines = rest.split(b"\r\n")
    while lines[1].startswith(b"\t"):
        del lines[1]
    kept = [
        line
        for line in lines[1:]
        if not line.startswith((b"Message-Id:", b"Date:", b"From: ", b"To: undisclosed"))
    ]
    return b"\r\n".join(kept)


def test_a_stray_cr_at_the_door_arrives_as_the_blank_that_postfix_makes_of_it(site: Site) -> None:
    mail = mails.mail(b"a\rb\r\nend\r\n", b"X-Odd: c\rd\r\n")
    site.send(mail)
    (arrived,) = site.finished()
    assert original(arrived) == mail.replace(b"a\rb", b"a b").replace(b"c\rd", b"c d")


NUMBERS = itertools.count()


def filtered_directly(site: Site, mail: bytes, recipients: tuple[bytes, ...] = (BOB,)) -> bytes:
    """Give a mail to the installed filter as pipe(8) does; its status line."""
    words = [
        site.program,
        "--config",
        site.settings,
        "--queue-id",
        "4bDIRECT",
        "-f",
        ALICE,
        "--",
        *recipients,
    ]
    done = subprocess.run(
        words,
        input=mail,
        capture_output=True,
        check=False,
        user=USER,
        group=USER,
        extra_groups=[],
        cwd="/",
        env={"MAIL_CONFIG": str(site.postfix.config), "PATH": "/usr/bin:/bin", "LANG": "C"},
    )
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout


BARE = {
    "no newline at the end": (b"Subject: x\n\nno newline", b"Subject: x\r\n\r\nno newline\r\n"),
    "no newline, no body": (b"Subject: x", b"Subject: x\r\n"),
    "an indented first line": (b" indented\nbody\n", b"\r\n indented\r\nbody\r\n"),
    "no header": (b"\nbody\n", b"\r\nbody\r\n"),
    "a lone dot at the end": (b"Subject: x\n\n.", b"Subject: x\r\n\r\n.\r\n"),
    "CR LF": (b"Subject: x\r\n\r\na\r\n.\r\n", b"Subject: x\r\n\r\na\r\n.\r\n"),
    "NUL": (b"Subject: x\n\na\0\n", b"Subject: x\r\n\r\na\0\r\n"),
}


@pytest.mark.parametrize(("mail", "expect"), BARE.values(), ids=BARE)
def test_what_no_smtpd_gives_to_the_filter_arrives_too(site: Site, mail: bytes, expect: bytes) -> None:
    filtered_directly(site, mail)
    (arrived,) = site.finished()
    body = arrived.data.partition(b"X-Virus-Scanned: by amavis-pipe\r\n")[2]
    kept = [
        line
        for line in body.split(b"\r\n")
        if not line.startswith((b"Message-Id:", b"Date:", b"From:", b"To: undis"))
    ]
    assert b"\r\n".join(kept) == expect


@pytest.mark.parametrize(("stray_cr", "by_smtp"), [("sendmail", False), ("blank", True)])
def test_a_stray_cr_arrives_by_sendmail_or_becomes_a_blank(site: Site, stray_cr: str, by_smtp: bool) -> None:
    site.configure(smtp={"stray_cr": stray_cr})
    said = filtered_directly(site, b"Subject: x\n\na\rb\n")
    (arrived,) = site.finished()
    assert arrived.data.endswith(b"\r\n\r\na b\r\n"), "Postfix's cleanup(8) makes the same of it"
    (sent,) = site.journal()[0]["sent"]
    if site.way == "smtp" and by_smtp:
        assert (sent["route"], sent["note"]) == (site.reentry, "1 stray CR became blanks")
        assert b"queued as" in said
    else:
        assert sent["route"] == "sendmail"
        assert sent["note"] == ("a stray CR cannot go by smtp" if site.way == "smtp" else "")


def test_120_recipients_of_several_domains_get_one_copy_each(site: Site) -> None:
    recipients = tuple(b"user%d@d%d.example" % (number, number % 7) for number in range(120))
    mail = mails.mail(b"to many")
    site.send(mail, recipients=recipients)
    arrived = site.finished()
    assert sorted(address for one in arrived for address in one.recipients) == sorted(recipients)
    assert all(original(one) == mail for one in arrived)
    assert len(site.journal()) == 3, "a run takes 50 recipients"


def test_a_mail_of_30_mb_arrives_byte_for_byte(site: Site) -> None:
    mail = mails.with_attachment(b"data.bin", os.urandom(22_200_000))
    assert 30_000_000 < len(mail) < OLD_LIMIT
    site.send(mail)
    (arrived,) = site.finished()
    assert original(arrived) == mail


RAW = mails.mail("Grüße\r\n".encode(), "X-Name: Jürgen\r\n".encode() + EIGHT_BIT)


def test_a_raw_8_bit_header_reaches_a_next_hop_without_smtputf8(site: Site) -> None:
    site.send(RAW)
    (arrived,) = site.finished()
    assert original(arrived) == RAW
    assert arrived.parameters == (b"BODY=8BITMIME",)


ADDRESSES: dict[str, tuple[bytes, bytes]] = {
    "recipient": (ALICE, "jürgen@bücher.example".encode()),
    "sender": ("jürgen@bücher.example".encode(), BOB),
}


@pytest.mark.parametrize(("sender", "recipient"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_not_ascii_arrives_as_it_was(site: Site, sender: bytes, recipient: bytes) -> None:
    site.sink.offers = (b"8BITMIME", b"SMTPUTF8")
    site.send(RAW, sender, (recipient,), parameters=b"SMTPUTF8")
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (sender, (recipient,))
    assert original(arrived) == RAW
    # pickup(8) can't tell that the sender asked for it: contrib/postfix/master.cf
    assert (b"SMTPUTF8" in arrived.parameters) == (site.way == "smtp")


def test_smtputf8_is_asked_for_again_by_smtp_where_the_sender_did(site: Site) -> None:
    site.sink.offers = (b"8BITMIME", b"SMTPUTF8")
    site.send(RAW, parameters=b"SMTPUTF8")
    (arrived,) = site.finished()
    assert original(arrived) == RAW
    assert (b"SMTPUTF8" in arrived.parameters) == (site.way == "smtp")


def sizes() -> dict[str, Callable[[], bytes]]:
    head = mails.mail(b"", subject=b"as large as may be")
    return {
        f"lines of {width}": lambda width=width: head + mails.lines(OLD_LIMIT - len(head) - 1500, width)
        for width in (60, 990)
    }


@pytest.mark.parametrize("build", sizes().values(), ids=sizes())
def test_a_mail_just_under_the_limit_at_the_door_comes_back(site: Site, build: Callable[[], bytes]) -> None:
    mail = build()
    assert OLD_LIMIT - 4000 < len(mail) < OLD_LIMIT
    site.send(mail, recipients=tuple(b"user%d@site.example" % number for number in range(40)))
    arrived = site.finished()
    assert sum(len(one.recipients) for one in arrived) == 40
    assert all(original(one) == mail for one in arrived)
