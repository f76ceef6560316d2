"""YARA rules: real ones, by yara-x, in the jailed child."""

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from amavis_pipe.ask import Inquiry
from amavis_pipe.cache import Cache
from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import Facts, Part, ScannerTrouble
from amavis_pipe.scan import yara, yara_rules
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.spool import Blob

PROGRAM = Path("/usr/share/clamav-testfiles/clam.exe")
RULES = """
import "pe"
rule eicar { strings: $a = "EICAR-STANDARD-ANTIVIRUS" condition: $a at 30 or $a }
rule program : suspect { condition: pe.is_pe }
rule long { meta: grade = "note" condition: filesize > 5000 }
private rule always { condition: true }
rule never { condition: not always }
"""


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yar").write_text(RULES)
    return folder


@pytest.fixture
def site(settings_of, rules):
    """A function: the settings, with more fields in the row."""

    def make(**more):
        row = {"name": "yara", "rules": str(rules), "timeout": 20, **more}
        return settings_of(scanners=["yara"], scanner=[row])

    return make


def scan(settings, *blobs):
    items = [(str(number), Blob(data)) for number, data in enumerate(blobs, 1)]
    answers = scanner_of(settings.rows[0], settings).scan(items)
    return {path: [(one.grade, one.name) for one in findings] for path, findings in answers.items()}


def test_each_part_has_the_rules_that_match_it(site):
    assert scan(site(), b"nothing", eicar(), PROGRAM.read_bytes(), bytes(6000), b"") == {
        "1": [],
        "2": [("virus", "YARA.eicar")],
        "3": [("suspect", "YARA.program")],
        "4": [("note", "YARA.long")],
        "5": [],
    }


def test_a_part_that_lies_in_a_file_is_looked_at_there(site, tmp_path):
    settings = site()
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.write(bytes(4096) + eicar() + bytes(100))
        file.flush()
        items = [("1", Blob(None, file.fileno(), 4096, 68)), ("2", Blob(None, file.fileno(), 0, 4000))]
        answers = scanner_of(settings.rows[0], settings).scan(items)
    assert [[one.name for one in answers[path]] for path in ("1", "2")] == [["YARA.eicar"], []]


def test_rules_are_compiled_once_and_again_when_they_change(site, rules, monkeypatch):
    settings = site()
    built = []
    build = yara_rules.Rules._built
    monkeypatch.setattr(yara_rules.Rules, "_built", lambda self: built.append(self._files()) or build(self))
    for _ in range(2):
        scan(settings, b"x")
    assert len(built) == 1
    (rules / "two.yara").write_text('rule two { strings: $a = "x" condition: $a }')
    (rules / "three.txt").write_text("no rule")
    assert scan(settings, b"x") == {"1": [("virus", "YARA.two")]}
    assert len(built) == 2 and [Path(os.fsdecode(path)).name for path in built[1]] == ["one.yar", "two.yara"]


@pytest.mark.parametrize("harm", ["damaged", "cut", "others may write it", "a link"])
def test_compiled_rules_that_are_not_as_we_left_them_are_not_believed(site, harm):
    settings = site()
    scan(settings, b"x")
    (kept,) = Path(os.fsdecode(settings.state)).glob("rules-*")
    data = kept.read_bytes()
    if harm == "damaged":
        kept.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "cut":
        kept.write_bytes(data[:200])
    elif harm == "others may write it":
        kept.write_bytes(data[:64] + b"x" * 1000)
        kept.chmod(0o666)
    else:
        kept.rename(kept.with_name("elsewhere"))
        kept.symlink_to(kept.with_name("elsewhere"))
    assert scan(settings, eicar()) == {"1": [("virus", "YARA.eicar")]}
    assert kept.is_file() and not kept.is_symlink() and kept.stat().st_mode & 0o777 == 0o600


def test_rules_that_do_not_compile_are_trouble_that_names_them(site, rules):
    (rules / "bad.yar").write_text("rule bad { condition: nonsense }")
    with pytest.raises(ScannerTrouble, match=r"^yara: .*/bad\.yar: .*nonsense"):
        scan(site(), b"x")


def test_no_rules_are_trouble(site, rules):
    (rules / "one.yar").unlink()
    with pytest.raises(ScannerTrouble, match=r"yara: no rules: .*/rules"):
        scan(site(), b"x")


def test_without_the_module_it_is_trouble_that_says_how_to_get_it(site, monkeypatch):
    monkeypatch.setattr("amavis_pipe.jail.programs.site_folders", lambda: ("/nonexistent",))
    with pytest.raises(ScannerTrouble, match=r"pip install 'amavis-pipe\[yara\]'"):
        scan(site(), b"x")


def test_rules_that_take_too_long_are_trouble_in_time(site, rules):
    nested = "for any i in (0..filesize) : (for any j in (0..filesize) : (uint8(i) == 1 and uint8(j) == 2))"
    (rules / "slow.yar").write_text(f"rule slow {{ condition: {nested} }}")
    settings = site()
    scan(settings, b"")
    settings.rows[0].timeout = 1
    with pytest.raises(ScannerTrouble, match="no answer in 1 s"):
        scan(settings, bytes(3_000_000))


SAID = {
    "nothing": b"",
    "no end": b"jailed\n0 virus a\n",
    "half an end": b"jailed\nen",
    "an end without its line": b"jailed\nend",
    "an end alone": b"end\n",
    "no word of the locks": b"0 virus a\nend\n",
    "more behind the end": b"jailed\nend\n0 virus a\n",
    "another part": b"jailed\n7 virus a\nend\n",
    "a grade that is none": b"jailed\n0 clean a\nend\n",
    "a name that is none": b"jailed\n0 virus a\x1bb\nend\n",
    "an empty line": b"jailed\n\nend\n",
    "a locked door": b"failed Landlock: no\n",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_child_that_says_anything_else_has_cleared_nothing(site, monkeypatch, said):
    monkeypatch.setattr(yara.Yara, "_look", lambda self, items, rules, pipe, parent: os.write(pipe, said))
    with pytest.raises(ScannerTrouble, match=r"^yara: the process"):
        scan(site(), b"x")


def test_a_child_that_is_killed_has_cleared_nothing(site, monkeypatch):
    monkeypatch.setattr(yara.Yara, "_look", lambda self, *_: os.kill(os.getpid(), 9))
    with pytest.raises(ScannerTrouble, match="died"):
        scan(site(), b"x")


def test_matches_without_end_are_trouble(site, monkeypatch):
    def talk(self, items, rules, pipe, parent):
        while True:
            os.write(pipe, b"0 virus a\n" * 1000)

    monkeypatch.setattr(yara.Yara, "_look", talk)
    with pytest.raises(ScannerTrouble, match="no end"):
        scan(site(), b"x")


def test_the_child_is_locked_in_when_it_looks_at_a_part(site, monkeypatch, tmp_path):
    """What it tries is told by the names of rules: a seam stands in for the scanner."""

    class Rule:
        namespace, tags, metadata = "default", (), ()

        def __init__(self, identifier):
            self.identifier = identifier

    class Scanner:
        def __init__(self, rules):
            pass

        def console_log(self, function):
            pass

        def scan(self, data):
            results = type("Results", (), {})()
            results.matching_rules = [Rule(name) for name, attempt in attempts.items() if not denied(attempt)]
            return results

    class Module:
        class Rules:
            deserialize_from = staticmethod(lambda file: None)

    Module.Scanner = Scanner
    settings = site()
    scan(settings, b"x")
    attempts = {
        "socket": lambda: socket.socket(socket.AF_UNIX),
        "write": lambda: open(tmp_path / "escaped", "w"),  # noqa: SIM115
        "read": lambda: open("/etc/passwd"),  # noqa: SIM115
        "run": lambda: os.execv("/bin/true", ["true"]),
        "kill": lambda: os.kill(os.getppid(), 0),
        "fork": os.fork,
        "nothing": lambda: None,
    }

    def denied(attempt):
        try:
            attempt()
        except OSError:
            return True
        return False

    monkeypatch.setattr(yara_rules.Rules, "module", lambda self: Module)
    assert scan(settings, b"x") == {"1": [("virus", "YARA.nothing")]}
    assert not (tmp_path / "escaped").exists()


def test_an_answer_is_remembered_until_the_rules_change(site, rules, monkeypatch):
    settings = site()
    asked = []
    ask = yara.Yara.ask
    monkeypatch.setattr(
        yara.Yara, "ask", lambda self, items, until: asked.append(items) or ask(self, items, until)
    )

    def names():
        blob = Blob(eicar())
        facts = Facts([Part("1", size=68, sha256=blob.sha256(), blob=blob)], [], [])
        Inquiry(settings, Cache(settings.state + b"/cache", 7)).ask(None, facts)
        return [one.name for one in facts.findings]

    assert names() == names() == ["YARA.eicar"]
    assert len(asked) == 1
    (rules / "one.yar").write_text(RULES.replace("rule eicar", "rule other"))
    assert names() == ["YARA.other"]


def test_the_filter_itself_never_loads_the_module_for_rules_that_are_compiled(site):
    settings = site()
    scan(settings, b"x")
    for name in [name for name in sys.modules if name.startswith("yara_x")]:
        del sys.modules[name]
    scan(settings, b"x")
    assert not [name for name in sys.modules if name.startswith("yara_x")]


def test_an_included_file_is_an_error_for_its_changes_would_go_unseen(site, rules, tmp_path):
    (tmp_path / "inc.txt").write_text("rule i { condition: true }")
    (rules / "b.yar").write_text(f'include "{tmp_path}/inc.txt"')
    with pytest.raises(ScannerTrouble, match=r"/b\.yar: .*include"):
        scan(site(), b"x")


@pytest.mark.parametrize("harm", ["a file that is gone", "folders without end"])
def test_rules_that_can_not_be_found_are_trouble(site, rules, harm):
    target = "/nonexistent/x.yar" if harm == "a file that is gone" else rules
    (rules / "gone.yar").symlink_to(target)
    with pytest.raises(ScannerTrouble, match=r"^yara: .*gone\.yar"):
        scan(site(), b"x")


def test_more_files_of_rules_than_are_read_are_trouble(site, rules, monkeypatch):
    monkeypatch.setattr(yara_rules, "FILES", 1)
    (rules / "two.yar").write_text("rule two { condition: true }")
    with pytest.raises(ScannerTrouble, match="more than 1 files"):
        scan(site(), b"x")


def test_a_file_of_rules_may_have_any_name(site, rules):
    Path(os.fsdecode(os.fsencode(rules) + b"/b\xff.yar")).write_text("rule b { condition: true }")
    assert scan(site(), b"x") == {"1": [("virus", "YARA.b")]}


def test_of_many_rules_that_match_the_worst_are_told(site, rules):
    many = [f"rule a_rather_long_name_of_a_rule_number_{n} : note {{ condition: true }}" for n in range(60)]
    (rules / "two.yar").write_text("\n".join([*many, "rule bad { condition: true }"]))
    answers = scan(site(), *[b"%d" % n for n in range(600)])
    assert {path: len(told) for path, told in answers.items()} == dict.fromkeys(answers, yara.HITS)
    assert all(told[0] == ("virus", "YARA.bad") for told in answers.values())


def test_a_rule_with_a_long_name_is_told_by_its_start(site, rules):
    (rules / "two.yar").write_text(f"rule {'x' * 260} {{ condition: true }}")
    assert scan(site(), b"q") == {"1": [("virus", "YARA." + "x" * yara.NAME)]}


def test_a_part_that_has_no_room_in_memory_is_unchecked_and_the_others_are_looked_at(settings_of, rules):
    row = {"name": "yara", "rules": str(rules)}
    settings = settings_of(scanners=["yara"], scanner=[row], limits={"memory": "64 MiB"})
    assert scan(settings, bytes(40 << 20), bytes(31 << 20), eicar()) == {
        "1": [("unchecked", "limit:yara")],
        "2": [("note", "YARA.long")],
        "3": [("virus", "YARA.eicar")],
    }


@pytest.mark.parametrize("call", ["fork", "pipe2"])
def test_no_process_or_pipe_to_be_had_is_trouble_of_the_scanner(site, monkeypatch, call):
    settings = site()
    scan(settings, b"x")

    def refuse(*_):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(yara.posix, call, refuse)
    with pytest.raises(ScannerTrouble, match=f"{call[:4]}: Resource"):
        scan(settings, b"x")


@pytest.mark.parametrize("mode", ["require", "prefer"])
def test_a_lock_that_is_missing_is_trouble_or_logged(site, monkeypatch, mode):
    from amavis_pipe import journal
    from amavis_pipe.jail import seccomp

    def refuse():
        raise OSError(38, "Function not implemented")

    said = []
    monkeypatch.setattr(seccomp, "install", refuse)
    monkeypatch.setattr(journal, "log", lambda level, line: said.append(line))
    settings = site()
    settings.sandbox = mode
    if mode == "require":
        with pytest.raises(ScannerTrouble, match="seccomp"):
            scan(settings)  # no item is needed to see it
        return
    assert scan(settings, eicar()) == {"1": [("virus", "YARA.eicar")]}
    assert said == ["yara: sandbox incomplete, and sandbox = prefer"]


def test_a_module_that_can_not_be_loaded_is_trouble_that_says_how_to_get_it(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "yara_x", None)
    with pytest.raises(ScannerTrouble, match=r"pip install 'amavis-pipe\[yara\]'"):
        scan(site(), b"x")


def test_the_version_tells_the_number_of_rules_also_of_kept_ones(site):
    for _ in range(2):
        settings = site()
        scanner = scanner_of(settings.rows[0], settings)
        scanner.scan([])
        assert scanner.version.startswith("yara-x 1.") and scanner.version.endswith(", 5 rules")


def test_the_stamp_changes_with_the_module_even_if_its_version_does_not(site, monkeypatch):
    settings = site()
    before = scanner_of(settings.rows[0], settings).stamp().text
    monkeypatch.setattr(yara_rules, "_start", lambda folder: b"/bin/sh")
    assert scanner_of(settings.rows[0], settings).stamp().text != before
