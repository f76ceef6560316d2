"""Every scanner of the table, replayed by a stand-in: what it says is understood, and nothing else is clean."""

import random
import re
import time

import pytest
from scan.replies import COMMANDS, LINES
from stand_in.daemon import Daemon
from stand_in.program import Program

from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.table import ROWS, SEED
from amavis_pipe.spool import Blob

ITEMS = [("1", Blob(b"first")), ("2.1", Blob(b"second"))]
NEITHER = 199
"""An exit status that means nothing to any of them."""
RUBBISH = random.Random(7).randbytes(3000)


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path / "scanner")


@pytest.fixture
def asked(settings_of, program):
    """A function: the scanner of that name in the table, its program replaced by the stand-in."""

    def make(name, **fields):
        words = ROWS[name]["run"]
        row = {"name": name, "run": [str(program.path), *words], "timeout": 20, **fields}
        settings = settings_of(scanners=[name], scanner=[row])
        return scanner_of(settings.rows[0], settings)

    return make


def names(answers):
    return {path: [(one.grade, one.name) for one in findings] for path, findings in answers.items()}


def test_all_scanners_of_2003_are_there_and_each_command_and_line_daemon_is_replayed():
    assert len(SEED) == 23
    assert {name for name, row in ROWS.items() if row["via"] == "command"} == set(COMMANDS)
    assert {name for name, row in ROWS.items() if row["via"] == "line"} == set(LINES)


@pytest.mark.parametrize("name", COMMANDS)
class TestCommand:
    def test_clean_is_clean(self, name, asked, program):
        program.says(*COMMANDS[name][0])
        assert names(asked(name).scan(ITEMS)) == {"1": [], "2.1": []}

    def test_a_virus_has_its_name(self, name, asked, program):
        program.says(*COMMANDS[name][1])
        answers = names(asked(name).scan(ITEMS))
        assert list(answers.values()) == [[("virus", "one")]]
        assert set(answers) <= {"", "2.1"}

    def test_several_names_are_all_told(self, name, asked, program):
        program.says(*COMMANDS[name][2])
        answers = names(asked(name).scan(ITEMS))
        assert {one for found in answers.values() for one in found} == {("virus", "one"), ("virus", "two")}
        assert set(answers) in ({""}, {"1", "2.1"})

    def test_a_failure_is_trouble(self, name, asked, program):
        program.says(NEITHER, "license has expired\n")
        with pytest.raises(ScannerTrouble, match="exit status 199, license has expired"):
            asked(name).scan(ITEMS)

    def test_garbage_is_not_clean(self, name, asked, program):
        program.says(NEITHER, RUBBISH)
        with pytest.raises(ScannerTrouble):
            asked(name).scan(ITEMS)

    def test_a_crash_is_trouble_whatever_was_said_before(self, name, asked, program):
        program.says(*COMMANDS[name][0])
        program.crashes()
        with pytest.raises(ScannerTrouble, match="ended by a signal"):
            asked(name).scan(ITEMS)

    def test_output_without_end_is_trouble(self, name, asked, program):
        program.talks_on()
        with pytest.raises(ScannerTrouble, match="output without end"):
            asked(name).scan(ITEMS)

    def test_one_that_hangs_is_trouble_and_gone(self, name, asked, program):
        program.hangs()
        scanner = asked(name)
        scanner.row.timeout = 0.2
        begun = time.monotonic()
        with pytest.raises(ScannerTrouble, match=r"no answer in 0\.2 s"):
            scanner.scan(ITEMS)
        assert time.monotonic() - begun < 10

    def test_it_is_shown_the_parts_and_no_name_from_outside(self, name, asked, program, settings_of):
        program.says(*COMMANDS[name][0])
        asked(name).scan(ITEMS)
        (call,) = program.called()
        assert re.search(r"/work/scan-\d+-[0-9a-f]{16}/parts", call)
        assert "{" not in call
        assert not list((program.path.parent / "state" / "work").iterdir())


@pytest.mark.parametrize("name", LINES)
class TestLine:
    @pytest.fixture
    def daemon(self, tmp_path):
        daemon = Daemon(tmp_path / "daemon.ctl")
        yield daemon
        daemon.close()

    @pytest.fixture
    def scanner(self, name, settings_of, daemon):
        row = {"name": name, "at": daemon.at, "timeout": 20, "retry": 0}
        settings = settings_of(scanners=[name], scanner=[row])
        return scanner_of(settings.rows[0], settings)

    def test_clean_and_infected_are_told_apart(self, name, scanner, daemon):
        greeting, clean, infected = LINES[name]
        daemon.script = [greeting, clean, infected]
        assert names(scanner.scan(ITEMS)) == {"1": [], "2.1": [("virus", "one")]}

    def test_what_is_neither_is_trouble(self, name, scanner, daemon):
        daemon.script = [LINES[name][0], b"-1: out of memory\n" * 200]
        with pytest.raises(ScannerTrouble):
            scanner.scan(ITEMS)

    def test_half_an_answer_is_trouble(self, name, scanner, daemon):
        greeting, clean, _ = LINES[name]
        daemon.script = [greeting, clean.rstrip(b"\r\n"), None]
        with pytest.raises(ScannerTrouble, match="closed the connection"):
            scanner.scan(ITEMS)
