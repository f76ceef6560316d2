"""Asking the scanners: what is asked again, and what may be remembered."""

import os

import pytest
from stand_in.clamd import Clamd

from amavis_pipe.ask import Inquiry
from amavis_pipe.cache import Cache
from amavis_pipe.inquire import witnesses
from amavis_pipe.model import Facts, Finding, Part, ScannerTrouble
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.spool import Blob

MAIL = Blob(b"Subject: x\n\nthe mail\n")


def part(path, data):
    blob = Blob(data)
    return Part(path, size=blob.size, sha256=blob.sha256(), blob=blob)


@pytest.fixture
def databases(tmp_path):
    folder = tmp_path / "signatures"
    folder.mkdir()
    return folder


@pytest.fixture
def site(settings_of, clamd, databases):
    """Settings with the stand-in clamd as the scanner; its signatures count as loaded."""
    row = {"name": "clamd", "at": clamd.at, "databases": str(databases), "conf": "/nonexistent"}
    settings = settings_of(scanners=["clamd"], scanner=[row])
    settings.rows[0].self_check = -settings.settle_seconds - 1
    return settings


@pytest.fixture
def ask(site):
    """A function: asks about these parts; whether all may be remembered, and the facts."""

    def asked(*parts, mail=MAIL, settings=None):
        settings = settings or site
        facts = Facts(list(parts), [], [])
        inquiry = Inquiry(settings, Cache(settings.state + b"/cache", 7))
        lasting = inquiry.ask(mail, facts)
        return lasting, facts

    return asked


def found(facts):
    return [(one.grade, one.name, one.part, one.source) for one in facts.findings]


def test_the_mail_and_every_part_is_asked_about(ask, clamd):
    lasting, facts = ask(part("1", b"one"), part("2", eicar()))
    assert lasting is True
    assert clamd.scanned == [MAIL.head(100), b"one", eicar()]
    assert found(facts) == [("virus", "Eicar-Signature", "2", "clamd")]
    assert [(answer.name, answer.version, answer.cached) for answer in facts.answers] == [
        ("clamd", clamd.versions[0], False)
    ]


def test_a_part_seen_before_is_not_asked_about_again(ask, clamd):
    ask(part("1", b"one"), part("2", eicar()))
    clamd.scanned.clear()
    _, facts = ask(part("1.1", eicar()), part("3", b"one"), part("4", b"new"))
    assert clamd.scanned == [MAIL.head(100), b"new"]
    assert found(facts) == [("virus", "Eicar-Signature", "1.1", "clamd")]


def test_a_file_without_new_parts_makes_no_connection(ask, clamd):
    ask(part("1", b"one"), mail=None)
    before = clamd.connections
    lasting, facts = ask(part("1", b"one"), mail=None)
    assert clamd.connections == before
    assert lasting is True
    assert facts.answers[0].cached is True


def test_an_empty_part_or_structure_is_not_asked_about(ask, clamd):
    ask(Part("1", kind="multipart/mixed", size=10, flags=("structure",)), part("1.1", b""))
    assert clamd.scans == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "own.ndb").write_bytes(b"a signature"),
        lambda folder: (folder / "daily.cvd").write_bytes(b"new"),
    ],
    ids=["hand-written signature", "another file"],
)
def test_after_a_change_of_signatures_everything_is_asked_again(ask, clamd, databases, change):
    ask(part("1", b"one"), part("2", eicar()))
    change(databases)
    clamd.scanned.clear()
    ask(part("1", b"one"), part("2", eicar()))
    assert len(clamd.scanned) == 3


def test_a_clean_answer_is_not_kept_while_the_newest_signatures_may_not_be_loaded(
    ask, clamd, site, databases
):
    site.rows[0].self_check = 600
    (databases / "own.ndb").write_bytes(b"just written")
    lasting, _ = ask(part("1", b"one"))
    assert lasting is False
    clamd.scanned.clear()
    ask(part("1", b"one"))
    assert clamd.scanned == [MAIL.head(100), b"one"]


def test_a_virus_is_kept_even_then(ask, clamd, site, databases):
    site.rows[0].self_check = 600
    (databases / "own.ndb").write_bytes(b"just written")
    lasting, _ = ask(part("1", eicar()))
    assert lasting is True
    clamd.scanned.clear()
    _, facts = ask(part("1", eicar()))
    assert clamd.scanned == [MAIL.head(100)]
    assert found(facts) == [("virus", "Eicar-Signature", "1", "clamd")]


def test_an_answer_from_a_clamd_that_changed_meanwhile_is_not_kept(ask, clamd):
    clamd.versions = ["ClamAV 1/1/x", "ClamAV 1/2/x"]
    lasting, _ = ask(part("1", b"one"))
    assert lasting is False
    ask(part("1", b"one"))
    assert clamd.scanned.count(b"one") == 2


def test_an_answer_is_not_kept_if_signatures_change_while_it_is_given(ask, clamd, databases):
    judge = clamd.judge

    def judge_and_update(data):
        (databases / "own.ndb").write_bytes(b"came just now")
        return judge(data)

    clamd.judge = judge_and_update
    lasting, _ = ask(part("1", b"one"))
    assert lasting is False


@pytest.mark.parametrize(
    "name", ["Heuristics.Limits.Exceeded.MaxFileSize", "Heuristics.Encrypted.Zip"], ids=["limit", "encrypted"]
)
def test_unchecked_is_never_remembered(ask, clamd, name):
    clamd.viruses = {b"large": name}
    lasting, facts = ask(part("1", b"large"), part("2", b"small"))
    assert lasting is False
    assert [one.grade for one in facts.findings] == ["unchecked"]
    clamd.scanned.clear()
    ask(part("1", b"large"), part("2", b"small"))
    assert clamd.scanned == [MAIL.head(100), b"large"]


def test_a_clean_answer_is_believed_for_so_long_and_no_longer(ask, clamd, site, monkeypatch):
    from amavis_pipe import cache

    ask(part("1", b"one"), part("2", eicar()))
    now = cache.time()
    monkeypatch.setattr(cache, "time", lambda: now + site.clean_seconds + 5)
    clamd.scanned.clear()
    _, facts = ask(part("1", b"one"), part("2", eicar()))
    assert clamd.scanned == [MAIL.head(100), b"one"]
    assert found(facts) == [("virus", "Eicar-Signature", "2", "clamd")]


@pytest.mark.parametrize("fault", ["error", "closes-connect", "closes-FILDES", "garbage"])
def test_a_scanner_in_trouble_is_trouble_and_nothing_is_kept(ask, clamd, site, fault):
    clamd.fault = fault
    site.rows[0].timeout = 0.2
    with pytest.raises(ScannerTrouble):
        ask(part("1", b"one"))
    assert not [path for _, _, files in os.walk(site.state + b"/cache") for path in files]


def test_every_scanner_sees_every_part_and_all_names_are_reported(
    settings_of, clamd, databases, tmp_path, ask
):
    second = Clamd(tmp_path / "second.ctl")
    second.viruses = {eicar(): "Other-Name"}
    rows = [
        {"name": name, "at": at, "databases": str(databases), "conf": "/nonexistent"}
        for name, at in (("clamd", clamd.at), ("second", second.at))
    ]
    try:
        settings = settings_of(scanners=["clamd", "second", "builtin"], scanner=rows)
        _, facts = ask(part("1", eicar()), part("2", b"x"), settings=settings)
    finally:
        second.close()
    assert sorted(clamd.scanned) == sorted(second.scanned)
    assert {(one.name, one.source) for one in facts.findings} == {
        ("Eicar-Signature", "clamd"),
        ("Other-Name", "second"),
        ("Eicar-Test-Signature", "builtin"),
    }


def test_two_scanners_do_not_share_answers(settings_of, clamd, databases, ask):
    rows = [
        {"name": name, "at": clamd.at, "databases": str(databases), "conf": "/nonexistent"}
        for name in ("one", "two")
    ]
    ask(part("1", b"x"), settings=settings_of(scanners=["one"], scanner=rows[:1]))
    ask(part("1", b"x"), settings=settings_of(scanners=["two"], scanner=rows[1:]))
    assert clamd.scanned.count(b"x") == 2


def test_stamps_name_the_scanner(settings_of):
    first = settings_of()
    second = settings_of(scanners=["other"], scanner=[{"name": "other", "via": "builtin"}])
    none = Cache(b"", 0)

    def digests(settings):
        return [one.digest() for one in witnesses(settings, none)]

    assert digests(first) == digests(settings_of()) != digests(second)


@pytest.mark.parametrize(
    ("data", "grades"),
    [
        (eicar(), ["virus"]),
        (eicar() + b"\r\n", ["virus"]),
        (eicar() + b" " * 60, ["virus"]),
        (eicar() + b" " * 61, []),
        (eicar()[:-1], []),
        (b" " + eicar(), []),
        (eicar() + b"x", []),
        (b"", []),
    ],
    ids=["alone", "line end", "128 bytes", "129 bytes", "cut", "blank before", "more behind", "empty"],
)
def test_the_built_in_check_follows_the_definition_of_the_test_file(settings_of, ask, data, grades):
    _, facts = ask(part("1", data), settings=settings_of())
    assert [one.grade for one in facts.findings] == grades
    assert all(isinstance(one, Finding) for one in facts.findings)
