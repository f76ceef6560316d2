"""Nothing is scanned twice, and nothing is taken for what it is not; counted at clamd's socket."""

import base64
import random

from harness import mails
from harness.clamd import EICAR
from harness.site import Site

WORDS = b"some words that a signature may be made of"
MAIL = mails.multipart(mails.text(WORDS), mails.attachment(b"data.bin", bytes(range(256)) * 9))


def test_a_second_delivery_of_the_same_content_makes_no_scanner_call(site: Site) -> None:
    site.send(MAIL)
    site.finished()
    before = site.relay.connections, +site.relay.commands
    assert before[0] == 1
    assert site.relay.scans >= 3
    site.send(MAIL, b"other@sender.example", (b"carol@site.example",))
    assert len(site.finished()) == 2
    assert (site.relay.connections, +site.relay.commands) == before
    assert [record["cache"] for record in site.journal()] == ["miss", "hit"]


def test_another_date_and_message_id_do_not_make_it_another_mail(site: Site) -> None:
    site.send(MAIL)
    site.finished()
    before = site.relay.scans
    later = MAIL.replace(b"Message-ID: <", b"Message-ID: <again-").replace(b"07:00:00", b"08:30:00")
    assert later != MAIL
    site.send(later)
    assert site.finished()[1].data.endswith(later)
    assert site.relay.scans == before


def test_a_part_known_from_another_mail_is_not_scanned_again(site: Site) -> None:
    site.send(MAIL)
    site.finished()
    before = site.relay.scans
    site.send(mails.multipart(mails.attachment(b"data.bin", bytes(range(256)) * 9), subject=b"other"))
    site.finished()
    assert site.relay.scans == before + 1, "only the mail as a whole is new"


LETTER = mails.zipped("letter.bin", random.Random(8).randbytes(60_000))
PICTURE = random.Random(7).randbytes(150_000)


def brochure(words: bytes) -> bytes:
    """A mail with a picture and an archive, the same in each, and these words."""
    return mails.multipart(
        mails.text(words),
        mails.attachment(b"a.png", PICTURE, b"image/png"),
        mails.attachment(b"letter.zip", LETTER, b"application/zip"),
        subject=words,
    )


def test_known_attachments_in_a_new_mail_are_not_shown_again_even_as_a_piece_of_the_mail(site: Site) -> None:
    site.send(brochure(b"first"))
    site.finished()
    assert max(site.relay.sizes) > 200_000
    site.relay.sizes.clear()
    for number in range(2):
        site.send(brochure(b"again %d" % number))
    arrived = site.finished()
    assert len(arrived) == 3
    assert len(site.relay.sizes) == 4, "the mails and their words"
    assert max(site.relay.sizes) < 4000
    records = site.journal()
    assert [record["cache"] for record in records] == ["miss"] * 3
    assert [len(record["parts"]) for record in records] == [5] * 3
    assert [part["sha256"] for part in records[2]["parts"][2:]] == [
        part["sha256"] for part in records[0]["parts"][2:]
    ]


def test_with_mail_scan_full_the_mail_is_shown_whole_each_time(site: Site) -> None:
    site.configure(mail_scan="full")
    for number in range(2):
        site.relay.sizes.clear()
        site.send(brochure(b"number %d" % number))
        site.finished()
        assert max(site.relay.sizes) > 200_000


def test_a_signature_on_the_encoded_text_is_found_in_the_second_mail_too(site: Site) -> None:
    """What only shows in the mail as a whole is not hidden by knowing its attachment."""
    coded = base64.encodebytes(PICTURE)[40:76]
    try:
        site.clamd.add("mail.ndb", f"Test.Coded:4:*:{coded.hex()}")
        site.clamd.reload(b"From: a\nSubject: x\n\n" + coded)
        site.relay.close()
        site.relay.open()
        for number in range(3):
            site.send(brochure(b"number %d" % number))
        assert site.finished() == []
        assert [record["verdict"] for record in site.journal()] == ["infected"] * 3
    finally:
        site.clamd.remove("mail.ndb")
        site.clamd.stop()


def test_a_rule_for_names_is_not_escaped_by_sending_the_file_under_another_first(site: Site) -> None:
    """clamd applies it to what it finds in a mail, by the entity's header."""
    try:
        site.clamd.add("names.cdb", "Test.Name:CL_TYPE_MAIL:*:(?i)\\.png\\.exe$:*:*:*:*:*:*")
        site.clamd.reload(brochure(b"x").replace(b"a.png", b"a.png.exe"))
        site.relay.close()
        site.relay.open()
        for number in range(2):
            site.send(brochure(b"number %d" % number))
        assert len(site.finished()) == 2
        site.send(brochure(b"number 3").replace(b"a.png", b"a.png.exe"))
        assert len(site.finished()) == 2
        assert [record["verdict"] for record in site.journal()] == ["clean", "clean", "infected"]
    finally:
        site.clamd.remove("names.cdb")
        site.clamd.stop()


def test_a_new_signature_file_makes_a_new_scan_and_is_found_once_loaded(site: Site) -> None:
    site.send(MAIL)
    site.finished()
    asked = site.relay.scans
    try:
        site.clamd.add("by-hand.ndb", f"Test.Words:0:*:{WORDS.hex()}")
        site.send(MAIL)
        assert len(site.finished()) == 2, "clamd has not loaded it yet"
        assert site.relay.scans > asked
        asked = site.relay.scans
        site.clamd.reload(WORDS)
        site.send(MAIL)
        assert len(site.finished()) == 2
        assert site.relay.scans > asked, "a clean answer was kept before clamd had the signature"
        assert [record["verdict"] for record in site.journal()] == ["clean", "clean", "infected"]
    finally:
        site.clamd.remove("by-hand.ndb")
        site.clamd.stop()


def test_what_a_clamd_without_self_check_calls_clean_is_not_kept_until_it_has_loaded(site: Site) -> None:
    conf = site.folder / "no-self-check.conf"
    conf.write_text(site.clamd.conf.read_text() + "SelfCheck 0\n")
    site.configure({"conf": str(conf)})
    try:
        site.clamd.add("by-hand.ndb", f"Test.Words:0:*:{WORDS.hex()}")
        site.send(MAIL)
        site.finished()
        site.clamd.reload(WORDS)
        site.send(MAIL)
        assert len(site.finished()) == 1
    finally:
        site.clamd.remove("by-hand.ndb")
        site.clamd.stop()


def test_a_signature_file_taken_away_makes_a_new_scan(site: Site) -> None:
    site.clamd.add("by-hand.ndb", f"Test.Words:0:*:{WORDS.hex()}")
    try:
        site.clamd.reload(WORDS)
        site.send(MAIL)
        site.finished()
    finally:
        site.clamd.remove("by-hand.ndb")
        site.clamd.stop()
    site.clamd.start()
    site.send(MAIL)
    assert len(site.finished()) == 1
    assert [record["verdict"] for record in site.journal()] == ["infected", "clean"]


def test_a_changed_limit_makes_a_new_scan(site: Site) -> None:
    for depth in (14, 13):
        site.configure(limits={"depth": depth})
        site.send(MAIL)
        site.finished()
    assert [record["cache"] for record in site.journal()] == ["miss", "miss"]


def test_the_same_body_under_another_boundary_is_not_mistaken_for_it(site: Site) -> None:
    infected = mails.multipart(mails.text(b"see the file"), mails.attachment(b"e.com", EICAR))
    harmless = infected.replace(b'boundary="=_border"', b'boundary="=_another"')
    assert harmless.partition(b"\r\n\r\n")[2] == infected.partition(b"\r\n\r\n")[2]
    site.configure(scanners=["builtin"])  # clamd looks for borders by itself
    for mail in (harmless, infected, harmless):
        site.send(mail)
        site.finished()
    first, second, third = site.journal()
    assert [record["cache"] for record in (first, second, third)] == ["miss", "miss", "hit"]
    assert [record["verdict"] for record in (first, second, third)] == ["infected"] * 3
    # who goes by the boundary sees no parts in the one, who does not may open them
    assert [part["flags"] for part in first["parts"]] == [part["flags"] for part in third["parts"]]
    assert ["ambiguous"] in [part["flags"] for part in first["parts"]]
    assert ["ambiguous"] not in [part["flags"] for part in second["parts"]]


def test_a_damaged_cache_is_a_miss(site: Site) -> None:
    site.send(MAIL)
    site.finished()
    entries = [path for path in (site.state / "cache").rglob("*") if path.is_file()]
    assert entries
    for number, path in enumerate(entries):
        data = path.read_bytes()
        path.write_bytes((data[:-1], b"", data[:30] + b"\xff" + data[31:])[number % 3])
    site.send(MAIL)
    assert len(site.finished()) == 2
    assert [record["cache"] for record in site.journal()] == ["miss", "miss"]


def test_no_cache_is_no_failure(site: Site) -> None:
    cache = site.state / "cache"
    with site.broken(cache, b"not a folder"):
        for number in (1, 2):
            site.send(MAIL)
            assert len(site.finished()) == number
    assert [record["cache"] for record in site.journal()] == ["miss", "miss"]
