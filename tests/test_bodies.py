"""bodies: what scanners saw in a clean mail is left out of the next, and nothing else ever is."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in.clamd import Clamd

from amavis_pipe import ask, cache, intake
from amavis_pipe.cache import Cache
from amavis_pipe.examine import examine
from amavis_pipe.mime import coding
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.spool import Blob

FILE = bytes(range(256)) * 80
OTHER = FILE[::-1]
BIG = os.urandom(1500) * 1100


def entity(data, kind):
    return b"Content-Type: %s\nContent-Transfer-Encoding: base64\n\n%s" % (kind, base64.encodebytes(data))


def mail(*files, text=b"hello", more=b"", kind=b'application/pdf; name="a.pdf"'):
    parts = [b"Content-Type: text/plain\n\n" + text + b"\n", *(entity(file, kind) for file in files)]
    return (
        b"From: a@x\nSubject: s\nMIME-Version: 1.0\n" + more + b'Content-Type: multipart/mixed; boundary="b1"\n\n'
        + b"".join(b"--b1\n" + part + b"\n" for part in parts) + b"--b1--\n"
    )  # fmt: skip


class Site:
    """Settings with the stand-in clamd, and what it is shown of each mail."""

    def __init__(self, settings_of, clamd: Clamd, folder, **tree):
        row = {"name": "clamd", "at": clamd.at, "databases": str(folder), "conf": "/nonexistent"}
        self.settings = settings_of(scanners=["clamd"], scanner=[row], **tree)
        self.settings.rows[0].self_check = -self.settings.settle_seconds - 1
        self.clamd = clamd

    def look(self, data: bytes):
        """Examine a mail; `shown` is what the scanner was given as the whole mail, None if nothing."""
        self.clamd.scanned.clear()
        read = intake.of_bytes(data, self.settings.work)
        examination = examine(read, self.settings, Cache(self.settings.state + b"/cache", 7))
        self.shown = self.clamd.scanned[0] if self.clamd.scanned else None
        self.parts = self.clamd.scanned[1:]
        return examination


@pytest.fixture
def databases(tmp_path):
    folder = tmp_path / "signatures"
    folder.mkdir()
    return folder


@pytest.fixture
def site(settings_of, clamd, databases):
    return Site(settings_of, clamd, databases)


def less(data, *files):
    for file in files:
        data = data.replace(base64.encodebytes(file), b"")
    return data


def test_a_known_attachment_is_left_out_of_the_next_mail(site):
    first, second = mail(FILE), mail(FILE, text=b"another text")
    site.look(first)
    assert (site.shown, len(site.parts)) == (first, 2)
    facts = site.look(second).facts
    assert site.shown == less(second, FILE)
    assert site.parts == [b"another text\n"]
    assert [part.size for part in facts.parts[1:]] == [13, len(FILE)]


def test_a_large_attachment_is_left_out_too(site):
    site.look(mail(BIG))
    second = mail(BIG, FILE, text=b"two")
    site.look(second)
    assert site.shown == less(second, BIG)


def test_only_what_is_known_is_left_out(site):
    site.look(mail(FILE))
    second = mail(OTHER, FILE, text=b"two")
    site.look(second)
    assert site.shown == less(second, FILE)
    third = mail(FILE, OTHER, text=b"three")
    site.look(third)
    assert site.shown == less(third, FILE, OTHER)


def test_with_full_the_mail_is_shown_whole_each_time(settings_of, clamd, databases):
    site = Site(settings_of, clamd, databases, mail_scan="full")
    for text in (b"one", b"two", b"three"):
        data = mail(FILE, text=text)
        site.look(data)
        assert site.shown == data


def test_facts_of_a_mail_that_was_shown_whole_and_less_are_never_the_same_entry(
    settings_of, clamd, databases
):
    site, full = Site(settings_of, clamd, databases), Site(settings_of, clamd, databases, mail_scan="full")
    data = mail(FILE, text=b"two")
    site.look(mail(FILE))
    site.look(data)
    assert site.shown == less(data, FILE)
    assert site.look(data).cached
    assert not full.look(data).cached
    assert full.shown == data
    assert full.look(data).cached
    # what was said of the whole mail is more: it holds for both
    fourth = mail(FILE, text=b"four")
    full.look(fourth)
    assert site.look(fourth).cached


def test_where_only_some_were_left_out_the_facts_are_not_kept_until_all_are(site):
    site.look(mail(FILE))
    data = mail(FILE, OTHER, text=b"two")
    assert not site.look(data).cached
    assert site.shown == less(data, FILE)
    assert not site.look(data).cached
    assert site.shown == less(data, FILE, OTHER)
    assert site.look(data).cached


def test_a_signature_of_the_mail_as_a_whole_is_not_escaped_by_sending_it_twice(site):
    """The attachment by itself is clean: only the mail with it in, encoded, shows the signature."""
    site.clamd.viruses[base64.encodebytes(FILE)[:60]] = "Mail.Signature"
    for text in (b"one", b"two", b"three"):
        data = mail(FILE, text=text)
        found = site.look(data).facts.findings
        assert site.shown == data
        assert [(one.grade, one.name, one.part) for one in found] == [("virus", "Mail.Signature", "")]


@pytest.mark.parametrize("name", ["Heuristics.Limits.Exceeded.MaxScanSize", "Heuristics.Odd", "Eicar"])
def test_a_mail_about_which_anything_was_said_teaches_nothing(site, name):
    site.clamd.viruses[b"Subject: s"] = name
    site.look(mail(FILE))
    site.clamd.viruses = {}
    data = mail(FILE, text=b"two")
    site.look(data)
    assert site.shown == data


@pytest.mark.parametrize(
    "kind",
    [b'application/pdf; name="a.pdf.exe"', b'application/octet-stream; name="a.pdf"', b"application/pdf"],
    ids=["another name", "another type", "no name"],
)
def test_under_another_header_the_same_body_is_shown(site, kind):
    """Scanners judge a file by its name and type, too."""
    site.look(mail(FILE))
    data = mail(FILE, text=b"two", kind=kind)
    site.look(data)
    assert site.shown == data


@pytest.mark.parametrize("kind", [b"text/html", b"text/plain; name=a.txt"])
def test_a_text_is_shown_each_time(site, kind):
    """Scanners look for phishing in the whole mail."""
    for text in (b"one", b"two"):
        data = mail(FILE, text=text, kind=kind)
        site.look(data)
        assert site.shown == data


def test_a_mail_that_one_scanner_never_passed_teaches_nothing(settings_of, clamd, databases):
    site = Site(settings_of, clamd, databases)
    row = {"name": "clamd", "at": clamd.at, "databases": str(databases), "conf": "/nonexistent"}
    site.settings = settings_of(scanners=["builtin", "clamd"], scanner=[row])
    site.settings.rows[1].self_check = -site.settings.settle_seconds - 1
    clamd.fault = "closes-connect"
    found = site.look(mail(FILE, eicar())).facts.findings
    assert [one.source for one in found] == ["builtin"]
    clamd.fault = ""
    data = mail(FILE, text=b"two")
    site.look(data)
    assert site.shown == data


def test_a_mail_that_was_not_read_to_its_end_teaches_nothing(settings_of, clamd, databases):
    site = Site(settings_of, clamd, databases, limits={"depth": 3})
    deep = b"Content-Type: message/rfc822\n\n" + b"From: b@x\nContent-Type: message/rfc822\n\n" * 4 + b"x\n"
    data = mail(FILE).replace(b"--b1--", b"--b1\n" + deep + b"\n--b1--")
    assert "limit:depth" in [found.name for found in site.look(data).facts.findings]
    other = mail(FILE, text=b"two")
    site.look(other)
    assert site.shown == other


def test_while_signatures_may_not_be_loaded_nothing_is_learnt(site, databases):
    site.settings.rows[0].self_check = 600
    (databases / "own.ndb").write_bytes(b"just written")
    for text in (b"one", b"two"):
        data = mail(FILE, text=text)
        site.look(data)
        assert site.shown == data


def test_a_change_of_signatures_shows_everything_again(site, databases):
    site.look(mail(FILE))
    (databases / "own.ndb").write_bytes(b"a signature")
    data = mail(FILE, text=b"two")
    site.look(data)
    assert site.shown == data
    assert FILE in site.parts


def test_what_is_known_is_known_no_longer_than_clean_minutes_and_grows_no_younger(site, monkeypatch):
    now = cache.time()
    site.look(mail(FILE))
    monkeypatch.setattr(cache, "time", lambda: now + site.settings.clean_seconds - 60)
    data = mail(FILE, text=b"two")
    site.look(data)
    assert site.shown == less(data, FILE)
    monkeypatch.setattr(cache, "time", lambda: now + site.settings.clean_seconds + 60)
    assert not site.look(data).cached, "facts made of old knowledge are as old"
    assert site.shown == data


def test_facts_are_as_old_as_the_oldest_attachment_left_out(site, monkeypatch):
    """Even where all answers for parts are new: only knowing the body is old here."""
    now = cache.time()
    site.look(mail(FILE))
    monkeypatch.setattr(cache, "time", lambda: now + site.settings.clean_seconds - 60)
    real = ask.Source._key
    monkeypatch.setattr(ask.Source, "_key", lambda *words: cache.digest(b"other", real(*words)))
    data = mail(FILE, text=b"two")
    site.look(data)
    assert (site.shown, len(site.parts)) == (less(data, FILE), 2)
    monkeypatch.setattr(cache, "time", lambda: now + site.settings.clean_seconds + 60)
    assert not site.look(data).cached


def test_an_infected_attachment_is_found_in_every_mail(site):
    site.clamd.viruses[FILE[:100]] = "Part.Signature"
    for text in (b"one", b"two"):
        found = site.look(mail(FILE, text=text)).facts.findings
        assert ("virus", "Part.Signature", "1.2") in [(one.grade, one.name, one.part) for one in found]


@pytest.mark.parametrize(
    "more",
    [b"Content-Type: text/plain\n", b"no field\n", b"X-Odd : x\n", b"Content-Transfer-Encoding: base64\n"],
    ids=["two types", "no field", "blank before the colon", "encoded multipart"],
)
def test_a_mail_that_readers_may_read_otherwise_is_shown_whole(site, more):
    site.look(mail(FILE))
    data = mail(FILE, text=b"two", more=more)
    site.look(data)
    assert base64.encodebytes(FILE) in site.shown


def test_another_encoding_of_the_same_attachment_is_another_body(site):
    site.look(mail(FILE))
    data = mail(FILE, text=b"two").replace(
        base64.encodebytes(FILE),
        b"".join(base64.b64encode(FILE)[at : at + 60] + b"\n" for at in range(0, len(FILE) * 4 // 3 + 4, 60)),
    )
    site.look(data)
    assert site.shown == data


def test_two_scanners_must_both_have_seen_it(settings_of, clamd, databases, tmp_path):
    other = Clamd(tmp_path / "other.ctl")
    try:
        rows = [
            {"name": name, "at": one.at, "databases": str(databases), "conf": "/nonexistent"}
            for name, one in (("clamd", clamd), ("second", other))
        ]
        alone = Site(settings_of, clamd, databases)
        alone.look(mail(FILE))
        alone.settings = settings_of(scanners=["clamd", "second"], scanner=rows)
        for row in alone.settings.rows:
            row.self_check = -alone.settings.settle_seconds - 1
        data = mail(FILE, text=b"two")
        alone.look(data)
        assert alone.shown == data == other.scanned[0]
        third = mail(FILE, text=b"three")
        other.scanned.clear()
        alone.look(third)
        assert alone.shown == less(third, FILE) == other.scanned[0]
    finally:
        other.close()


def strict(coded, size=None):
    view = b"head\n" + coded + b"tail"
    decoded = b"".join(coding.decode(coded, 0, len(coded), b"base64"))
    return coding.is_regular(view, 5, 5 + len(coded), len(decoded) if size is None else size)


def coded(data, width=76, end=b"\n"):
    text = base64.b64encode(data)
    return end.join(text[at : at + width] for at in range(0, len(text), width)) + end


@given(
    st.binary(min_size=200, max_size=2000),
    st.sampled_from([60, 64, 72, 76]),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_a_body_as_every_mailer_writes_it_is_strict(data, width, end):
    assert strict(coded(data, width, end))
    assert strict(coded(data, width, end).removesuffix(end))
    assert strict(coded(data, width, end) + end * 3)


BODY = coded(bytes(range(250)) * 4)
LOOSE = {
    "a blank": BODY[:100] + b" " + BODY[100:],
    "a blank for a letter": BODY[:100] + b" " + BODY[101:],
    "a letter more in a line": BODY[:100] + b"A" + BODY[100:],
    "four letters more in a line": BODY[:100] + b"AAAA" + BODY[100:],
    "a dash": BODY[:100] + b"-" + BODY[101:],
    "a colon": BODY[:100] + b":" + BODY[101:],
    "an empty line": BODY[:77] + b"\n" + BODY[77:],
    "padding in the middle": coded(b"a" * 100) + coded(b"b" * 100),
    "padding twice": BODY.rstrip(b"\n=") + b"=\n=\n",
    "lines of odd length": coded(bytes(400), 75),
    "one line CR LF": BODY.replace(b"\n", b"\r\n", 1),
    "one line LF": BODY.replace(b"\n", b"\r\n").replace(b"\r\n", b"\n", 1),
    "a bare CR": BODY[:100] + b"\r" + BODY[101:],
    "a NUL": BODY[:100] + b"\0" + BODY[101:],
    "a delimiter": BODY[:77] + b"--b1\n" + BODY[77:],
    "one long line": base64.b64encode(bytes(3000)),
    "a long line first": coded(bytes(4000), 1000),
    "text behind the padding": coded(b"a" * 100).rstrip(b"\n") + b"AAAA\n",
    "letters missing at the end": BODY[:-3] + b"\n",
}


@pytest.mark.parametrize("body", LOOSE.values(), ids=LOOSE)
def test_a_body_that_might_be_decoded_otherwise_is_not(body):
    assert not strict(body)


@given(st.integers(0, len(BODY) - 1), st.integers(0, 255))
def test_any_other_byte_anywhere_is_seen(at, code):
    changed = BODY[:at] + bytes((code,)) + BODY[at + 1 :]
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    if strict(changed):
        assert changed == BODY or (changed[at] in letters and BODY[at] in letters + b"=")


@pytest.mark.parametrize("size", [1 << 18, (1 << 18) + 57, 3 << 18, 1_000_001])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_body_of_several_pieces_is_looked_at_to_its_end(size, end):
    body = coded(os.urandom(size), end=end)
    assert strict(body)
    for at in (len(body) // 3, len(body) // 2, len(body) - 10):
        assert not strict(body[:at] + b"-" + body[at + 1 :])
        assert not strict(body[:at] + end + body[at:])
    assert not strict(body, size + 3)
    assert strict(Blob(body).head(len(body)))
