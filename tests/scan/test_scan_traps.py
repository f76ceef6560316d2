"""Ways in which a scanner's silence, or what the site allows, might pass for "clean"."""

import threading

import pytest
from scan.test_scan_semantics import CLAMD, COMMAND, MAIL, ask, found, part
from stand_in.clamd import Clamd
from stand_in.daemon import Daemon
from stand_in.icap import IcapServer
from stand_in.program import Program

from amavis_pipe import clamd as clamd_module
from amavis_pipe.cache import Cache
from amavis_pipe.examine import examine
from amavis_pipe.inquire import scanner_of
from amavis_pipe.intake import of_bytes
from amavis_pipe.model import Envelope, ScannerTrouble
from amavis_pipe.policy import decide
from amavis_pipe.scan import pool
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.scan.reply import Judge
from amavis_pipe.scan.table import ROWS
from amavis_pipe.spool import Blob

ALLOWED = b"harmless tool"
EVIL = b"evil"


def mail(*contents):
    parts = b"".join(
        b"--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=%d.bin\n\n%s\n"
        % one
        for one in enumerate(contents, 1)
    )
    return b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + parts + b"--b--\n"


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path / "first")


@pytest.fixture
def site(settings_of, clamd, program, tmp_path):
    """A function: settings with these scanners, "first" (a program) and "clamd" among them."""
    (tmp_path / "signatures").write_bytes(b"one")
    (tmp_path / "databases").mkdir()

    def make(*names, rows=None, **tree):
        known = {
            "first": {**COMMAND, "run": f"{program.path} {{dir}}", "stamp": [str(tmp_path / "signatures")]},
            "clamd": {**CLAMD, "at": clamd.at, "databases": str(tmp_path / "databases")},
        }
        tables = [{"name": name, **row, **(rows or {}).get(name, {})} for name, row in known.items()]
        return settings_of(scanners=list(names), scanner=tables, **tree)

    return make


def label(settings, data):
    examination = examine(of_bytes(data, settings.work), settings, Cache(settings.state + b"/cache", 7))
    return decide(examination.facts, Envelope(), settings).label, examination.cached


ALLOW = [{"name": "Tool", "reason": "ours"}]


class TestAllowed:
    """What is excused in the end must not have been a reason to be content with less."""

    def test_a_failed_scanner_is_trouble_beside_it(self, site, clamd, program):
        clamd.viruses = {ALLOWED: "Tool"}
        settings = site("clamd", "first", allow=ALLOW)
        program.says(99, "")
        with pytest.raises(ScannerTrouble, match=r"^first: "):
            label(settings, mail(EVIL, ALLOWED))

    def test_a_failed_scanner_is_no_trouble_beside_a_virus_that_is_not_allowed(self, site, clamd, program):
        clamd.viruses = {ALLOWED: "Tool", EVIL: "Evil"}
        settings = site("clamd", "first", allow=ALLOW)
        program.says(99, "")
        assert label(settings, mail(EVIL, ALLOWED)) == ("infected", False)

    def test_parts_that_were_not_named_with_it_are_shown_again(self, site, program):
        settings = site("first", allow=ALLOW)
        program.says(1, "p000001: Tool FOUND\n")
        with pytest.raises(ScannerTrouble, match="said nothing of part"):
            label(settings, mail(*[b"%d" % number for number in range(9)]))
        assert len(program.called()) == 5

    def test_names_beyond_those_that_are_read_count(self):
        judge = Judge({"infected": [1], "virus": r"(\w+\d) FOUND"})
        hits = judge.read(1, b"".join(b"Bad%d FOUND\n" % number for number in range(60)))
        assert hits[-1].name == b"more-than-50-names" and len(hits) == 51

    def test_an_answer_that_may_be_outdated_is_not_remembered_for_it(self, site, clamd):
        clamd.viruses = {ALLOWED: "Tool"}
        settings = site("clamd", allow=ALLOW)
        assert [label(settings, mail(ALLOWED)) for _ in range(2)] == [("clean", False)] * 2
        strict = site("clamd")
        assert [label(strict, mail(ALLOWED)) for _ in range(2)] == [("infected", False), ("infected", True)]

    def test_what_lies_in_an_allowed_piece_of_an_archive_is_not_excused(self):
        from amavis_pipe.allow import apply
        from amavis_pipe.model import Facts, Finding, Part

        parts = [Part("1", (b"x.001",), sha256="a" * 64, size=1), Part("1.1", size=1, sha256="c" * 64)]
        facts = Facts([*parts, Part("2", (b"x.002",), size=1)], [Finding("virus", "Bad", "1.1", "clamd")], [])
        apply(facts, (("sha256", "a" * 64, "why", 1),))
        assert [one.grade for one in facts.findings] == ["virus"]


class TestNotAsked:
    def test_one_that_was_shown_nothing_has_not_answered(self, site, clamd, program):
        settings = site("clamd", "first", rows={"first": {"kinds": ["application/*"]}}, require="one")
        clamd.fault = "closes-connect"
        with pytest.raises(ScannerTrouble, match=r"^clamd at"):
            ask(settings, part("1", b"text", "text/plain"))
        assert not program.called()

    def test_a_backup_that_was_shown_nothing_has_not_either(self, site, clamd, program):
        rows = {"first": {"kinds": ["application/*"], "backup_of": "clamd"}}
        settings = site("clamd", rows=rows)
        clamd.fault = "closes-connect"
        with pytest.raises(ScannerTrouble, match=r"^clamd at"):
            ask(settings, part("1", b"text", "text/plain"))

    def test_a_backup_is_there_or_it_is_none_even_if_all_parts_are_known(self, site, clamd):
        settings = site("clamd", rows={"first": {"run": "/nonexistent {dir}", "backup_of": "clamd"}})
        settings.rows[0].self_check = -settings.settle_seconds - 1
        ask(settings, part("1", b"a"))
        clamd.fault = "closes-connect"
        with pytest.raises(ScannerTrouble, match=r"^clamd at"):
            ask(settings, part("1", b"a"), mail=b"another mail")

    def test_a_backup_is_shown_all_parts_of_a_mail_that_nobody_saw(self, site, clamd, program):
        settings = site("clamd", rows={"first": {"backup_of": "clamd"}})
        settings.rows[0].self_check = -settings.settle_seconds - 1
        ask(settings, part("1", b"a"))
        clamd.fault = "closes-connect"
        ask(settings, part("1", b"a"), mail=b"another mail")
        assert len(program.called()) == 1

    def test_a_backup_can_look_at_what_a_scanner_of_mails_never_saw(self, site, clamd, program, tmp_path):
        import io
        import zipfile

        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a", b"content")
        rows = {"clamd": {"sees": "mail"}, "first": {"backup_of": "clamd"}}
        settings = site("clamd", rows=rows)
        label(settings, mail(archive.getvalue()))
        clamd.fault = "closes-connect"
        for number in range(3):
            assert label(settings, mail(archive.getvalue(), b"%d" % number))[0] == "clean"


class TestPools:
    def test_an_answer_of_one_is_not_kept_under_the_stamp_of_another(self, settings_of, monkeypatch):
        old, new = Clamd(), Clamd()
        new.versions, new.viruses = ["ClamAV 1/2/x"] * 9, {EVIL: "Evil"}
        row = {**CLAMD, "name": "clamd", "at": [old.at, new.at]}
        settings = settings_of(scanners=["clamd"], scanner=[row])
        monkeypatch.setattr(settings.rows[0], "self_check", -settings.settle_seconds - 1)
        monkeypatch.setattr(clamd_module, "_signatures", lambda row: ([], 0.0))
        order = iter([new.at, old.at, new.at, new.at, new.at, new.at])
        monkeypatch.setattr(pool, "_order", lambda row, recent: [next(order)])
        cache = Cache(settings.state + b"/cache", 7)
        examine(of_bytes(mail(EVIL), settings.work), settings, cache)
        again = examine(of_bytes(mail(EVIL), settings.work), settings, cache)
        assert not again.cached and "Evil" in [one.name for one in again.facts.findings]
        for server in (old, new):
            server.close()

    def test_so_with_icap(self, settings_of):
        server = IcapServer()
        settings = settings_of(scanners=["icap"], scanner=[{"name": "icap", "at": server.at, "retry": 0}])
        asked = scanner_of(settings.rows[0], settings)
        asked.stamp()
        server.tag = '"another"'
        asked.scan([("1", Blob(b"a"))])
        assert asked.steady is False
        server.close()


class TestLines:
    @pytest.fixture
    def daemon(self, tmp_path):
        daemon = Daemon(tmp_path / "daemon.ctl")
        yield daemon
        daemon.close()

    @pytest.fixture
    def asked(self, settings_of, daemon):
        def make(name):
            row = {"name": name, "at": daemon.at, "timeout": 5, "retry": 0}
            settings = settings_of(scanners=[name], scanner=[row])
            return scanner_of(settings.rows[0], settings)

        return make

    def test_all_lines_of_an_answer_count(self, asked, daemon):
        daemon.script = [b"220 x\r\n", b"210 D\r\na|>r\t[+]\r\na|>e\t[L]\tEvil\r\n200 SCAN OK\r\n"]
        answers = asked("avast-daemon").scan([("1", Blob(b"a"))])
        assert [one.name for one in answers["1"]] == ["Evil"]

    def test_more_than_an_answer_is_trouble(self, asked, daemon):
        daemon.script = [b"", b"0 <clean>\n1 <infected: Evil>\n"]
        with pytest.raises(ScannerTrouble, match="says more than it was asked"):
            asked("fpscand").scan([("1", Blob(b"a"))])

    def test_an_answer_for_another_file_is_trouble(self, asked, daemon):
        daemon.script = [b"", b"0 <clean> /d/p000002\n"]
        with pytest.raises(ScannerTrouble, match="answers for another file"):
            asked("fpscand").scan([("1", Blob(b"a")), ("2", Blob(b"b"))])

    def test_signatures_that_a_daemon_may_not_have_noticed_keep_no_clean_answer(self, settings_of, tmp_path):
        (tmp_path / "new.ide").write_bytes(b"just now")
        row = {"name": "sophie", "stamp": [str(tmp_path / "*.ide")]}
        settings = settings_of(scanners=["sophie"], scanner=[row])
        assert scanner_of(settings.rows[0], settings).stamp().settled is False


class TestNames:
    def test_what_clamscan_did_not_look_at_is_unchecked(self, settings_of, program):
        row = {"name": "clamscan", "run": [str(program.path), *ROWS["clamscan"]["run"]]}
        settings = settings_of(scanners=["clamscan"], scanner=[row])
        program.says(1, "p000001: Heuristics.Limits.Exceeded.MaxFileSize FOUND\n")
        asked = scanner_of(settings.rows[0], settings)
        with pytest.raises(ScannerTrouble, match="in each of 5 runs"):
            asked.scan([(str(number), Blob(b"%d" % number)) for number in range(9)])
        answers = asked.scan([("1", Blob(b"a"))])
        assert [(one.grade, one.name) for one in answers["1"]] == [("unchecked", "limit:clamscan")]

    def test_long_names_from_outside_are_cut_before_patterns_see_them(self):
        """Some of these take the square of a line's length."""
        judge = Judge({"clean": r"\A\w{1000}\Z", "infected": r"beyond"})
        assert judge.read(0, b"x" * 1000 + b" beyond") == []


def test_a_mail_is_whole_to_a_scanner_only_if_it_says_so(site, program, monkeypatch):
    """A program that is shown the mail, too, and names another file says nothing of the mail."""
    learned = []
    monkeypatch.setattr("amavis_pipe.bodies.Bodies.learn", lambda self: learned.append(1))
    settings = site("first", rows={"first": {"sees": "both"}})
    program.says(1, "p000002: Evil FOUND\n")
    import base64

    body = base64.encodebytes(bytes(range(256)) * 40)
    head = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    head += b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
    label(settings, head + body + b"--b--\n")
    assert not learned


def test_parts_that_were_answered_in_time_are_not_held_back(settings_of, tmp_path):
    server = Clamd(tmp_path / "c.ctl")
    row = {**CLAMD, "name": "clamd", "at": server.at, "timeout": 1, "databases": str(tmp_path)}
    settings = settings_of(scanners=["clamd"], scanner=[row])
    judge = server.judge

    over = threading.Event()

    def slowly(data):
        if data == b"bomb":
            over.wait(30)
        return judge(data)

    server.judge = slowly
    with pytest.raises(ScannerTrouble):
        ask(settings, part("1", b"logo"), part("2", b"bomb"), mail=MAIL)
    _, facts = ask(settings, part("1", b"logo"), mail=b"a stranger's mail")
    assert found(facts) == []
    with pytest.raises(ScannerTrouble, match="had no time"):
        ask(settings, part("1", b"bomb"), mail=b"another")
    over.set()
    server.close()


def test_eicar_is_found_by_all_of_this(site):
    assert label(site("clamd", "builtin"), mail(eicar()))[0] == "infected"
