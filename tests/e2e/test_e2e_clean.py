"""Clean mail arrives as it was sent, once, and is looked at once."""

import pytest
from harness import mails
from harness.postfix import OLD_LIMIT
from harness.site import ALICE, BOB, USER, Site
from harness.smtp import Refused, original

LINES = (
    b"a line with \xff\xfe\x00\x01 in it\r\n"
    b".\r\n..\r\n.a dot\r\nFrom the start\r\n \r\n\t\r\n"
    b"trailing blanks  \r\n" + bytes(range(0x80, 0x100)) + b"\r\n" + b"x" * 990 + b"\r\n\r\n\r\n"
)
MAILS = {
    "plain": mails.mail(b"Hello Bob.\r\n"),
    "attachment": mails.with_attachment(b"data.bin", bytes(range(256)) * 40),
    "8bit": mails.mail(
        "Grüße\r\n".encode(),
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n",
    ),
    "odd-lines": mails.mail(LINES, b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"),
    "long-lines": mails.mail(b"".join(b"x" * size + b"\r\n" for size in (998, 2047, 2048, 2049, 100_000))),
    "8bit-header": mails.mail(b"raw UTF-8 above\r\n", "X-Name: Jürgen\r\n".encode()),
    "nested": mails.multipart(mails.enclosed(mails.mail(b"the inner mail\r\n")), subject=b"fwd"),
    "torn-multipart": mails.multipart(mails.text(b"no end"))[:-20] + b"\r\n",
    "300-kB": mails.with_attachment(b"a.bin", mails.lines(220_000), subject=b"300 kB"),
    "12-MB": mails.mail(mails.lines(12_000_000), subject=b"12 MB"),
}


@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
def test_clean_mail_arrives_byte_for_byte_below_our_line(site: Site, mail: bytes) -> None:
    site.send(mail)
    (arrived,) = site.finished()
    assert (arrived.sender, arrived.recipients) == (ALICE, (BOB,))
    assert original(arrived) == mail
    assert [record["verdict"] for record in site.journal()] == ["clean"]


def test_a_second_delivery_arrives_byte_for_byte_too(site: Site) -> None:
    mail = MAILS["attachment"]
    for number in (1, 2):
        site.send(mail)
        arrived = site.finished()
        assert len(arrived) == number
        assert original(arrived[-1]) == mail
    assert [record["cache"] for record in site.journal()] == ["miss", "hit"]


def test_one_mail_is_one_run_of_the_filter_and_one_copy_for_each_recipient(site: Site) -> None:
    recipients = tuple(b"user%d@d%d.example" % (number, number % 3) for number in range(5))
    site.send(MAILS["plain"], recipients=recipients)
    arrived = site.finished()
    assert sorted(address for mail in arrived for address in mail.recipients) == sorted(recipients)
    assert len(site.journal()) == 1


def test_mail_that_comes_back_is_not_filtered_again(site: Site) -> None:
    queue_id = site.send(MAILS["plain"])
    (arrived,) = site.finished()
    filtered = [
        line for line in site.postfix.log().splitlines() if "relay=amavis" in line and queue_id in line
    ]
    assert len(filtered) == 1
    assert arrived.data.count(b"X-Virus-Scanned:") == 1
    assert len(site.journal()) == 1


def test_a_mail_that_local_programs_submit_goes_its_way_unfiltered(site: Site) -> None:
    site.postfix.submit("root@site.example", "bob@site.example", MAILS["plain"].replace(b"\r\n", b"\n"), USER)
    (arrived,) = site.finished()
    assert arrived.field(b"X-Virus-Scanned") is None
    assert arrived.data.endswith(MAILS["plain"])
    assert site.journal() == []


def test_a_line_that_others_added_stays_unless_it_is_to_go(site: Site) -> None:
    mail = mails.mail(b"scanned before\r\n", b"X-Virus-Scanned: elsewhere\r\n")
    site.send(mail)
    assert original(site.finished()[0]) == mail
    site.configure(headers={"remove_foreign": True})
    site.send(mail)
    second = original(site.finished()[1])
    assert second == mail.replace(b"X-Virus-Scanned: elsewhere\r\n", b"")


def test_the_old_size_limit_still_holds_at_the_door(site: Site) -> None:
    with pytest.raises(Refused, match=r"552|message size exceeds"):
        site.send(mails.mail(mails.lines(OLD_LIMIT + 1000)))
    assert site.finished() == []


def test_a_mail_that_no_next_hop_takes_yet_is_neither_lost_nor_filtered_again(site: Site) -> None:
    site.sink.busy = True
    site.send(MAILS["plain"])
    assert "451 4.3.2 not now" in site.deferred()
    site.sink.busy = False
    (arrived,) = site.retried()
    assert original(arrived) == MAILS["plain"]
    assert len(site.journal()) == 1
