"""The facts of a mail: asked for once, remembered as long as they hold, never mistaken."""

import os
import threading
from time import time

import pytest
from stand_in import mails
from stand_in.clamd import Clamd

from amavis_pipe import budget, cache, dissect, intake, session
from amavis_pipe.cache import Cache
from amavis_pipe.examine import examine, examine_file
from amavis_pipe.model import Facts, Finding, ScannerTrouble
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.spool import Blob

PLAIN = mails.plain(b"the body\n")


@pytest.fixture
def databases(tmp_path):
    folder = tmp_path / "signatures"
    folder.mkdir()
    return folder


@pytest.fixture
def site(settings_of, clamd, databases):
    """Settings with the stand-in clamd as the scanner; its signatures count as loaded."""
    return _site(settings_of, clamd, databases)


def _site(settings_of, clamd, databases, **tree):
    row = {"name": "clamd", "at": clamd.at, "databases": str(databases), "conf": "/nonexistent"}
    settings = settings_of(scanners=["clamd"], scanner=[row], **tree)
    settings.rows[0].self_check = -settings.settle_seconds - 1
    return settings


def look(settings, mail=PLAIN):
    read = intake.of_bytes(mail, settings.work)
    return examine(read, settings, Cache(settings.state + b"/cache", 7))


def look_at_file(settings, data, *names, as_mail=False):
    mail = intake.of_bytes(data, settings.work) if as_mail else None
    return examine_file(Blob(data), names, mail, settings, Cache(settings.state + b"/cache", 7))


def shape(facts):
    """Everything the facts say, for comparing."""
    parts = [
        (part.path, part.names, part.claimed, part.kind, part.size, part.sha256, part.decoder, part.flags)
        for part in facts.parts
    ]
    findings = [(one.grade, one.name, one.part, one.source) for one in facts.findings]
    return parts, findings, facts.quota, facts.used, facts.hit


@pytest.mark.parametrize(
    "mail", [PLAIN, mails.infected(), mails.with_file(b"x" * 5000)], ids=["plain", "infected", "attachment"]
)
def test_the_second_look_makes_no_connection_and_says_the_same(site, clamd, mail):
    first = look(site, mail)
    connections, scans = clamd.connections, clamd.scans
    again = look(site, mail)
    assert (first.cached, again.cached) == (False, True)
    assert (clamd.connections, clamd.scans) == (connections, scans)
    assert shape(first.facts) == shape(again.facts)
    assert [answer.cached for answer in again.facts.answers] == [True]
    assert scans > 0


def test_the_same_mail_by_another_way_is_the_same(site, clamd):
    look(site, b"Received: from a by b\nMessage-ID: <1@x>\n" + PLAIN)
    scans = clamd.scans
    assert look(site, b"Received: from c by d\n by e\nDate: today\n" + PLAIN).cached
    assert clamd.scans == scans


def test_a_hand_written_signature_makes_it_look_again(site, clamd, databases):
    assert look(site).facts.findings == []
    (databases / "own.ndb").write_bytes(b"a signature")
    clamd.viruses = {b"the body": "Found-Now"}
    again = look(site)
    assert again.cached is False
    assert {one.name for one in again.facts.findings} == {"Found-Now"}


def test_a_restart_of_clamd_makes_it_look_again(site, clamd, tmp_path):
    look(site)
    os.unlink(clamd.at)
    other = Clamd(tmp_path / "clamd.ctl")
    try:
        assert look(site).cached is False
        assert other.scans > 0
    finally:
        other.close()


def test_the_same_body_under_another_boundary_is_not_mistaken_for_it(site):
    def mail(boundary):
        return (
            b'Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="%s"\n\n' % boundary
            + b"--one\nContent-Type: text/plain\n\n--two\nContent-Type: application/octet-stream\n"
            + b'Content-Disposition: attachment; filename="a.com"\n\n'
            + eicar()
            + b"\n--two--\n--one--\n"
        )

    one, two = look(site, mail(b"one")), look(site, mail(b"two"))
    assert two.cached is False
    assert [part.names for part in one.facts.parts] != [part.names for part in two.facts.parts]
    assert shape(look(site, mail(b"one")).facts) == shape(one.facts)
    assert shape(look(site, mail(b"two")).facts) == shape(two.facts)


@pytest.mark.parametrize(
    "tree",
    [{"limits": {"depth": 3}}, {"limits": {"files": 7}}, {"sandbox": "prefer"}],
    ids=["depth", "files", "sandbox"],
)
def test_other_limits_are_other_facts(settings_of, clamd, databases, tree):
    look(_site(settings_of, clamd, databases))
    assert look(_site(settings_of, clamd, databases, **tree)).cached is False


def test_another_decoder_is_other_facts(site, tmp_path):
    library = tmp_path / "library.so"
    library.write_bytes(b"old")
    site.decoder_files = (os.fsencode(library),)
    look(site)
    assert look(site).cached is True
    library.write_bytes(b"newer")
    assert look(site).cached is False
    site.decoders = (*site.decoders, "a format more")
    assert look(site).cached is False


def test_facts_are_not_kept_while_signatures_may_not_be_loaded(site, clamd, databases):
    site.rows[0].self_check = 600
    (databases / "own.ndb").write_bytes(b"just written")
    look(site)
    scans = clamd.scans
    assert look(site).cached is False
    assert clamd.scans == 2 * scans


def test_facts_of_something_unchecked_by_the_scanner_are_not_kept(site, clamd):
    clamd.viruses = {b"the body": "Heuristics.Limits.Exceeded.MaxScanTime"}
    for _ in range(2):
        looked = look(site)
        assert looked.cached is False
        assert {one.grade for one in looked.facts.findings} == {"unchecked"}


def test_what_could_not_be_unpacked_is_remembered_as_unchecked(site):
    first, again = look(site, mails.encrypted()), look(site, mails.encrypted())
    assert again.cached is True
    assert [(one.grade, one.name) for one in first.facts.findings] == [("unchecked", "encrypted:zip")]
    assert shape(first.facts) == shape(again.facts)


@pytest.mark.parametrize("name", ["limit:seconds", "limit:memory", "crash:zip", "poison"])
def test_what_another_run_may_not_meet_is_not_remembered(site, monkeypatch, name):
    def failing(*_):
        return Facts([], [Finding("unchecked", name, "1")], [], 1, 1, ())

    monkeypatch.setattr(dissect, "decompose", failing)
    assert look(site).cached is False
    assert look(site).cached is False


def test_trouble_of_the_scanner_goes_up_and_is_not_remembered(site, clamd):
    clamd.fault = "error"
    with pytest.raises(ScannerTrouble):
        look(site)
    clamd.fault = ""
    assert look(site).cached is False


def test_what_is_remembered_does_not_stand_in_for_a_scanner_that_is_gone(site, clamd):
    look(site)
    os.unlink(clamd.at)
    with pytest.raises(ScannerTrouble):
        look(site)


def test_clean_facts_are_believed_for_so_long_infected_ones_as_long_as_they_are_there(site, monkeypatch):
    look(site)
    look(site, mails.infected())
    now = time()
    monkeypatch.setattr(cache, "time", lambda: now + site.clean_seconds + 5)
    assert look(site).cached is False
    assert look(site, mails.infected()).cached is True


def test_clean_answers_grow_no_younger_by_being_used(site, clamd, monkeypatch):
    now = time()
    look(site, mails.with_file(b"the same file"))
    monkeypatch.setattr(cache, "time", lambda: now + site.clean_seconds - 60)
    other = mails.with_file(b"the same file").replace(b"a file", b"another")
    look(site, other)
    monkeypatch.setattr(cache, "time", lambda: now + site.clean_seconds + 60)
    clamd.scanned.clear()
    assert look(site, other).cached is False
    assert b"the same file" in clamd.scanned


def test_over_tcp_the_version_alone_tells_of_change(settings_of, clamd_tcp):
    row = {"name": "clamd", "at": clamd_tcp.at, "conf": "/nonexistent"}
    settings = settings_of(scanners=["clamd"], scanner=[row])
    look(settings)
    scans = clamd_tcp.scans
    assert look(settings).cached is True
    assert clamd_tcp.scans == scans
    clamd_tcp.versions = ["ClamAV 1.4.6/27501/x"]
    assert look(settings).cached is False


class TestFile:
    """A file that is no mail."""

    def test_it_is_part_1_and_what_is_in_it_lies_below(self, site):
        archive = mails.zipped("eicar.com", eicar())
        facts = look_at_file(site, archive, b"a.zip").facts
        assert [(part.path, part.names, part.flags, part.decoder) for part in facts.parts] == [
            ("1", (b"a.zip",), ("file",), ""),
            ("1.1", (b"eicar.com",), (), "zip"),
        ]
        assert [(one.name, one.part) for one in facts.findings] == [("Eicar-Signature", "1.1")]

    def test_the_second_look_makes_no_connection(self, site, clamd):
        look_at_file(site, b"data", b"a")
        before = clamd.connections
        assert look_at_file(site, b"data", b"a").cached is True
        assert clamd.connections == before

    def test_its_parts_are_known_from_mails(self, site, clamd):
        look(site, mails.with_file(b"the same file"))
        clamd.scanned.clear()
        look_at_file(site, b"the same file", b"a")
        assert clamd.scanned == []

    def test_its_facts_are_not_those_of_the_same_bytes_as_a_mail(self, site):
        look(site)
        looked = look_at_file(site, PLAIN, b"a")
        assert looked.cached is False
        both = look_at_file(site, PLAIN, b"a", as_mail=True)
        assert both.cached is False
        assert look_at_file(site, PLAIN, b"b").cached is False

    def test_read_both_ways_the_mails_parts_follow_the_file(self, site):
        data = b"X-Odd: 1\nContent-Transfer-Encoding: base64\n\n" + b"aGVsbG8=\n"
        facts = look_at_file(site, data, b"a", as_mail=True).facts
        assert [(part.path, part.decoder, part.size) for part in facts.parts] == [
            ("1", "", len(data)),
            ("2", "mime", 5),
        ]

    def test_an_empty_file_is_clean(self, site):
        facts = look_at_file(site, b"").facts
        assert [(part.path, part.kind) for part in facts.parts] == [("1", "application/x-empty")]
        assert facts.findings == []

    def test_a_limit_holds_for_it_too(self, settings_of):
        settings = settings_of(limits={"depth": 1})
        facts = look_at_file(settings, mails.zipped("a", b"x"), b"a.zip").facts
        assert "limit:depth" in {one.name for one in facts.findings}
        assert budget.Limits().depth > 1


def test_what_else_takes_time_is_done_while_scanners_are_waited_for(site, monkeypatch):
    meeting = threading.Barrier(2)
    scan = session.Session.scan

    def meet_and_scan(*given):
        meeting.wait(20)
        return scan(*given)

    monkeypatch.setattr(session.Session, "scan", meet_and_scan)
    done = []

    def beside():
        meeting.wait(20)
        done.append(1)

    read = intake.of_bytes(PLAIN, site.work)
    kept = Cache(site.state + b"/cache", 7)
    assert not examine(read, site, kept, beside=[beside]).cached
    assert examine(read, site, kept, beside=[beside]).cached
    assert done == [1]
