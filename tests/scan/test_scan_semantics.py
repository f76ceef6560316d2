"""Several scanners: who is asked, in whose place, again, or not yet; and what of it is remembered."""

import os
import socket

import pytest
from stand_in.clamd import Clamd
from stand_in.program import Program

from amavis_pipe import cache as caching
from amavis_pipe.ask import Inquiry
from amavis_pipe.cache import Cache
from amavis_pipe.examine import _is_alike, examine
from amavis_pipe.inquire import scanner_of, witnesses
from amavis_pipe.intake import of_bytes
from amavis_pipe.model import Facts, Finding, Part, ScannerTrouble
from amavis_pipe.recent import Recent
from amavis_pipe.scan import pool
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.spool import Blob

MAIL = b"Subject: x\n\nthe mail\n"
COMMAND = {"clean": [0], "infected": [1], "virus": ": (.*) FOUND", "timeout": 20}
CLAMD = {"conf": "/nonexistent", "retry": 0}


def part(path, data, kind="application/octet-stream"):
    blob = Blob(data)
    return Part(path, kind=kind, size=blob.size, sha256=blob.sha256(), blob=blob)


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path / "first")


@pytest.fixture
def second(tmp_path):
    return Program(tmp_path / "second")


@pytest.fixture
def site(settings_of, program, second, clamd, tmp_path):
    """A function: settings with these scanners, of "first", "second" (programs) and "clamd"; more by option."""
    (tmp_path / "signatures").write_bytes(b"one")
    (tmp_path / "databases").mkdir()

    def make(*names, rows=None, **tree):
        rows = rows or {}
        stamp = [str(tmp_path / "signatures")]
        known = {
            "first": {**COMMAND, "run": f"{program.path} {{dir}}", "stamp": stamp},
            "second": {**COMMAND, "run": f"{second.path} {{files}}", "stamp": stamp},
            "clamd": {**CLAMD, "at": clamd.at, "databases": str(tmp_path / "databases")},
        }
        tables = [{"name": name, **row, **rows.get(name, {})} for name, row in known.items()]
        return settings_of(scanners=list(names), scanner=tables, **tree)

    return make


def ask(settings, *parts, mail=MAIL):
    facts = Facts(list(parts), [], [])
    kept = Inquiry(settings, Cache(settings.state + b"/cache", 7)).ask(Blob(mail) if mail else None, facts)
    return kept, facts


def found(facts):
    return sorted((one.name, one.part, one.source) for one in facts.findings)


def troubles(facts):
    return [(answer.name, bool(answer.trouble)) for answer in facts.answers]


class TestBackups:
    def test_a_backup_stands_in_for_a_scanner_that_fails_and_is_not_asked_else(self, site, program, second):
        settings = site("first", backups=["second"])
        ask(settings, part("1", b"a"))
        assert not second.called()
        program.says(99, "license expired")
        second.says(1, "p000001: Bad FOUND\n")
        kept, facts = ask(settings, part("1", b"b"))
        assert found(facts) == [("Bad", "1", "second")] and not kept
        assert troubles(facts) == [("first", True), ("second", False)]

    def test_what_the_scanner_said_before_stands(self, site, program, second):
        settings = site("first", backups=["second"])
        program.says(1, "p000001: Old FOUND\n")
        ask(settings, part("1", b"a"))
        program.says(99, "")
        _, facts = ask(settings, part("1", b"a"), part("2", b"new"))
        assert found(facts) == [("Old", "1", "first")]
        assert [len(call.split()) for call in second.called()] == [1]

    def test_a_backup_of_another_scanner_is_not_asked(self, site, program, second):
        settings = site("first", "clamd", rows={"second": {"backup_of": "clamd"}})
        program.says(99, "")
        with pytest.raises(ScannerTrouble, match=r"^first: exit status 99"):
            ask(settings, part("1", b"a"))
        assert not second.called()

    def test_a_backup_of_one_scanner_needs_no_other_mention(self, site, program, second):
        settings = site("first", rows={"second": {"backup_of": "first"}})
        program.says(99, "")
        ask(settings, part("1", b"a"))
        assert len(second.called()) == 1

    def test_without_an_answer_from_a_backup_it_is_trouble(self, site, program, second):
        settings = site("first", backups=["second"])
        program.says(99, "")
        second.crashes()
        with pytest.raises(ScannerTrouble, match=r"^first: "):
            ask(settings, part("1", b"a"))

    def test_a_clamd_that_is_not_there_is_replaced(self, site, clamd, second):
        settings = site("clamd", backups=["second"])
        clamd.fault = "closes-connect"
        second.says(1, "p000001: Bad FOUND\n")
        facts = examine(of_bytes(MAIL, settings.work), settings, Cache(settings.state + b"/cache", 7)).facts
        assert ("Bad", "1", "second") in found(facts)

    def test_nothing_that_a_backup_said_is_taken_for_the_scanners_own(self, site, program, second):
        settings = site("first", backups=["second"])
        program.says(99, "")
        cache = Cache(settings.state + b"/cache", 7)
        assert not examine(of_bytes(MAIL, settings.work), settings, cache).cached
        program.says(1, "p000001: Bad FOUND\n")
        again = examine(of_bytes(MAIL, settings.work), settings, cache)
        assert not again.cached and found(again.facts) == [("Bad", "1", "first")]


class TestRequire:
    def test_all_scanners_are_asked_and_all_names_are_told(self, site, program, second, clamd):
        program.says(1, "p000001: One FOUND\n")
        second.says(1, "p000001: Two FOUND\n")
        _, facts = ask(site("first", "second", "clamd"), part("1", eicar()))
        assert found(facts) == [
            ("Eicar-Signature", "1", "clamd"),
            ("One", "1", "first"),
            ("Two", "1", "second"),
        ]

    def test_one_that_fails_is_trouble_if_all_must_answer(self, site, program):
        program.says(99, "")
        with pytest.raises(ScannerTrouble, match=r"^first: "):
            ask(site("first", "clamd"), part("1", b"a"))

    def test_it_is_enough_that_one_answers_if_the_site_says_so(self, site, program):
        program.says(99, "")
        kept, facts = ask(site("first", "clamd", require="one"), part("1", b"a"))
        assert (kept, found(facts), troubles(facts)) == (False, [], [("first", True), ("clamd", False)])

    def test_none_that_answers_is_trouble_even_then(self, site, program, second):
        program.says(99, "")
        second.says(98, "")
        with pytest.raises(ScannerTrouble, match=r"^first: "):
            ask(site("first", "second", require="one"), part("1", b"a"))

    def test_a_virus_that_another_has_found_counts_in_spite_of_the_trouble(self, site, program):
        program.says(99, "")
        _, facts = ask(site("first", "clamd"), part("1", eicar()))
        assert found(facts) == [("Eicar-Signature", "1", "clamd")]


class TestSees:
    def test_a_scanner_is_shown_what_its_row_says(self, site, clamd):
        for sees, shown in {"parts": [b"a"], "mail": [MAIL], "both": [MAIL, b"a"]}.items():
            clamd.scanned.clear()
            settings = site("clamd", rows={"clamd": {"sees": sees}})
            Inquiry(settings, Cache(b"", 0)).ask(Blob(MAIL), Facts([part("1", b"a")], [], []))
            assert clamd.scanned == shown, sees

    def test_kinds_of_parts_that_it_does_not_want_are_not_shown(self, site, clamd):
        settings = site("clamd", rows={"clamd": {"sees": "parts", "kinds": ["application/*"]}})
        ask(settings, part("1", b"text", "text/plain"), part("2", b"program", "application/x-dosexec"))
        assert clamd.scanned == [b"program"]

    def test_what_is_larger_than_it_looks_at_is_unchecked_and_not_shown(self, site, program):
        settings = site("first", rows={"first": {"max_file_size": 3}})
        kept, facts = ask(settings, part("1", b"long"), part("2", b"abc"))
        assert [(one.grade, one.name, one.part) for one in facts.findings] == [
            ("unchecked", "limit:first", "1")
        ]
        assert not kept

    def test_one_that_sees_the_mail_alone_is_shown_all_of_it(self, site, clamd):
        settings = site("clamd", "builtin", rows={"clamd": {"sees": "mail"}}, mail_scan="new")
        assert not _is_alike(settings) and _is_alike(site("clamd"))


class TestMemory:
    def test_an_answer_dies_with_the_signatures(self, site, program, tmp_path):
        settings = site("first")
        program.says(1, "p000001: Bad FOUND\n")
        ask(settings, part("1", b"a"))
        ask(settings, part("1", b"a"))
        assert len(program.called()) == 1
        (tmp_path / "signatures").write_bytes(b"two")
        program.says(0, "")
        _, facts = ask(settings, part("1", b"a"))
        assert found(facts) == []

    @pytest.mark.parametrize("output", [(0, ""), (1, "p000001: Bad FOUND\n")], ids=["clean", "infected"])
    def test_without_anything_to_tell_of_signatures_no_answer_is_remembered(self, site, program, output):
        settings = site("first", rows={"first": {"stamp": []}})
        program.says(*output)
        for _ in range(2):
            ask(settings, part("1", b"a"))
        assert len(program.called()) == 2
        assert [one.digest() for one in witnesses(settings, Cache(b"", 0))] == [b""]

    def test_an_answer_dies_with_the_options(self, site, program):
        ask(site("first"), part("1", b"a"))
        settings = site("first", rows={"first": {"run": f"{program.path} --deep {{dir}}"}})
        ask(settings, part("1", b"a"))
        assert len(program.called()) == 2

    def test_of_an_infected_folder_what_the_scanner_did_not_name_is_shown_again(self, site, program):
        settings = site("first")
        program.says(1, "p000002: Bad FOUND\n")
        ask(settings, part("1", b"a"), part("2", b"b"))
        program.says(0, "")
        ask(settings, part("1", b"a"), part("2", b"b"))
        assert len(program.called()) == 2

    def test_after_a_mere_suspicion_the_others_are_shown_again(self, site, program):
        settings = site("first", rows={"first": {"suspect": "^Maybe"}})
        program.says(1, "p000001: Maybe.X FOUND\n")
        with pytest.raises(ScannerTrouble, match="suspects something in each of 5 runs"):
            ask(settings, *[part(str(number), b"%d" % number) for number in range(9)])


class TestSlow:
    def test_what_it_had_no_time_for_is_not_given_to_it_again_at_once(self, site, clamd, monkeypatch):
        settings = site("clamd")
        settings.rows[0].timeout = 0.2
        clamd.fault = "silent"
        with pytest.raises(ScannerTrouble, match=r"no answer in 0\.2 s"):
            ask(settings, part("1", b"a"))
        clamd.fault = ""
        settings.rows[0].timeout = 60
        before = clamd.connections
        with pytest.raises(ScannerTrouble, match="had no time for"):
            ask(settings, part("1", b"a"))
        assert clamd.connections == before
        ask(settings, part("1", b"another"), mail=None)
        now = caching.time()
        monkeypatch.setattr(caching, "time", lambda: now + 121)
        ask(settings, part("1", b"a"))

    def test_a_backup_is_asked_meanwhile(self, site, clamd, second):
        settings = site("clamd", backups=["second"])
        settings.rows[0].timeout = 0.2
        clamd.fault = "silent"
        ask(settings, part("1", b"a"))
        settings.rows[0].timeout = 60
        before = clamd.connections
        _, facts = ask(settings, part("1", b"a"))
        assert clamd.connections == before and troubles(facts) == [("clamd", True), ("second", False)]

    def test_scanners_end_in_time_for_the_mail_to_go_on(self, site, clamd):
        settings = site("clamd", limits={"hard_seconds": 200, "seconds": 100})
        clamd.fault = "silent"
        inquiry = Inquiry(settings, Cache(b"", 0))
        inquiry._until -= 200 - 30 - 0.2
        with pytest.raises(ScannerTrouble, match="no answer in"):
            inquiry.ask(Blob(MAIL), Facts([], [], []))


class TestPool:
    @pytest.fixture
    def several(self, settings_of):
        """Two clamds on TCP, and the settings that name them and a port where nobody listens."""
        servers = [Clamd(), Clamd()]
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            dead = f"127.0.0.1:{nobody.getsockname()[1]}"
            row = {**CLAMD, "name": "clamd", "at": [dead, *(one.at for one in servers)]}
            yield servers, settings_of(scanners=["clamd"], scanner=[row]), dead
        for server in servers:
            server.close()

    def test_each_of_them_is_asked_at_times(self, several):
        servers, settings, _ = several
        for _ in range(60):
            scanner_of(settings.rows[0], settings).scan([("1", Blob(b"a"))])
        assert all(server.connections > 5 for server in servers)

    def test_the_dead_one_is_left_in_peace_by_other_processes_for_a_while(self, several, monkeypatch):
        _, settings, dead = several
        cache = Cache(settings.state + b"/cache", 7)
        recent = Recent(cache)
        tried = []
        order = pool._order

        def noted(row, recent):
            tried.append(order(row, recent)[0])
            return [dead, *(at for at in row.pool if at != dead)]

        monkeypatch.setattr(pool, "_order", noted)
        for _ in range(30):
            scanner_of(settings.rows[0], settings, cache).scan([("1", Blob(b"a"))])
        assert dead not in tried[1:]
        now = caching.time()
        monkeypatch.setattr(caching, "time", lambda: now + pool.DEAD_SECONDS + 1)
        assert {order(settings.rows[0], recent)[0] for _ in range(60)} == set(settings.rows[0].pool)

    def test_all_dead_is_trouble(self, several):
        servers, settings, _ = several
        for server in servers:
            server.fault = "closes-connect"
        with pytest.raises(ScannerTrouble, match="clamd at "):
            scanner_of(settings.rows[0], settings).scan([])


class TestRetry:
    def test_one_that_comes_back_is_asked_again(self, settings_of, tmp_path, monkeypatch):
        at = tmp_path / "late.ctl"
        row = {**CLAMD, "name": "clamd", "at": str(at), "retry": 20}
        settings = settings_of(scanners=["clamd"], scanner=[row])
        servers = []
        monkeypatch.setattr(pool, "sleep", lambda _: servers or servers.append(Clamd(at)))
        answers = scanner_of(settings.rows[0], settings).scan([("1", Blob(eicar()))])
        servers[0].close()
        assert [one.name for one in answers["1"]] == ["Eicar-Signature"]

    def test_it_ends_when_the_row_says(self, settings_of, tmp_path, monkeypatch):
        row = {**CLAMD, "name": "clamd", "at": str(tmp_path / "never.ctl"), "retry": 1}
        settings = settings_of(scanners=["clamd"], scanner=[row])
        pauses = []
        monkeypatch.setattr(pool, "sleep", pauses.append)
        now = iter(0.25 * number for number in range(1000))
        monkeypatch.setattr(pool, "monotonic", lambda: next(now))
        with pytest.raises(ScannerTrouble, match="No such file"):
            scanner_of(settings.rows[0], settings).scan([])
        assert 1 < len(pauses) < 6


def test_the_record_tells_who_failed(site, program, second):
    settings = site("first", backups=["second"])
    program.says(99, "license expired")
    _, facts = ask(settings, part("1", b"a"))
    assert [answer.trouble for answer in facts.answers] == ["first: exit status 99, license expired", ""]


def test_a_program_that_is_not_installed_is_trouble(settings_of):
    row = {"name": "gone", **COMMAND, "run": "not-installed {dir}"}
    settings = settings_of(scanners=["gone"], scanner=[row], path="/nonexistent:/usr/bin")
    with pytest.raises(ScannerTrouble, match="gone: not-installed: not found in /nonexistent:/usr/bin"):
        scanner_of(settings.rows[0], settings).scan([])


def test_a_folder_for_another_user_lets_its_group_in_and_nobody_else(settings_of, tmp_path):
    place = tmp_path / "shared"
    place.mkdir()
    script = tmp_path / "look"
    script.write_text('#!/bin/sh\nstat -c "%a %n" "$1" "$1"/* > ' + str(tmp_path / "seen") + "\n")
    script.chmod(0o755)
    row = {"name": "x", **COMMAND, "run": f"{script} {{dir}}", "folder": str(place)}
    settings = settings_of(scanners=["x"], scanner=[row])
    scanner_of(settings.rows[0], settings).scan([("1", Blob(b"a"))])
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert [mode for mode, _ in seen] == ["2750", "640"]
    assert seen[0][1].startswith(os.fspath(place)) and not list(place.iterdir())


def test_a_scanner_that_forgets_a_part_is_trouble(site, monkeypatch):
    settings = site("clamd")
    monkeypatch.setattr("amavis_pipe.clamd.Scanner.scan", lambda self, items, until: {"": []})
    with pytest.raises(ScannerTrouble, match="said nothing of part 1"):
        ask(settings, part("1", b"a"))
    known = {"": [Finding("virus", "X", "", "clamd")]}
    monkeypatch.setattr("amavis_pipe.clamd.Scanner.scan", lambda self, items, until: known)
    assert found(ask(settings, part("1", b"a"))[1]) == [("X", "", "clamd")]
