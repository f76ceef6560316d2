"""The package as a library: its public names, and what they do."""

import doctest
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from stand_in import mails

import amavis_pipe
from amavis_pipe import library
from amavis_pipe.scan.builtin import eicar

PACKAGE = Path(amavis_pipe.__file__).parent
FUNCTIONS = ("decide", "decompose", "examine", "load_settings", "release", "scan")


@pytest.fixture
def mail(tmp_path):
    """A function: a descriptor of a mail."""
    fds = []

    def opened(data):
        path = tmp_path / f"mail-{len(fds)}"
        path.write_bytes(data)
        fds.append(os.open(path, os.O_RDONLY))
        return fds[-1]

    yield opened
    for fd in fds:
        os.close(fd)


@pytest.fixture
def settings(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return amavis_pipe.load_settings({"state": str(state), "scanners": ["builtin"]})


def descriptors():
    return set(os.listdir("/proc/self/fd"))


class TestNames:
    def test_all_of_them_are_there(self):
        for name in amavis_pipe.__all__:
            assert getattr(amavis_pipe, name) is not None
        assert list(amavis_pipe.__all__) == sorted(amavis_pipe.__all__)

    def test_those_that_type_checkers_see_are_the_same(self):
        source = (PACKAGE / "__init__.py").read_text()
        seen = {line.split()[-1] for line in source.splitlines() if line.startswith("    from amavis_pipe.")}
        assert seen == set(amavis_pipe.__all__)

    @pytest.mark.parametrize("name", sorted(set(amavis_pipe.__all__) - {"decompose", "examine", "scan"}))
    def test_each_is_documented(self, name):
        assert getattr(amavis_pipe, name).__doc__

    @pytest.mark.parametrize("name", library.__all__)
    def test_each_function_is_documented_and_typed(self, name):
        function = getattr(library, name)
        assert function.__doc__
        hints = get_type_hints(function)
        assert set(hints) == {*inspect.signature(function).parameters, "return"}
        assert f"{name}(" in amavis_pipe.__doc__

    def test_the_overview_names_the_functions_with_their_arguments(self):
        for name in ("decompose", "scan", "examine"):
            line = next(line for line in amavis_pipe.__doc__.splitlines() if f" {name}(" in line)
            named = [word.split("=")[0] for word in line.partition("(")[2].partition(")")[0].split(", ")]
            assert named == list(inspect.signature(getattr(library, name)).parameters)[: len(named)]

    def test_every_error_is_below_the_one_base_and_in_the_overview(self):
        errors = [name for name in amavis_pipe.__all__ if name.endswith(("Error", "Trouble"))]
        for name in errors:
            assert issubclass(getattr(amavis_pipe, name), amavis_pipe.AmavisPipeError)
            assert name in amavis_pipe.__doc__
        assert len(errors) == 7

    def test_an_unknown_name_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            _ = amavis_pipe.nonsense

    def test_importing_the_package_loads_nothing(self):
        code = (
            f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); before = set(sys.modules)\n"
            "import amavis_pipe; print(*sorted(set(sys.modules) - before))"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["amavis_pipe"]

    @pytest.mark.parametrize("name", ["decompose", "examine", "scan"])
    @pytest.mark.parametrize(
        "way",
        [
            "import amavis_pipe; it = amavis_pipe.{0}",
            "from amavis_pipe import {0} as it",
            "import amavis_pipe.{0}; it = amavis_pipe.{0}",
            "import amavis_pipe.library; from amavis_pipe import {0} as it",
        ],
        ids=["attribute", "from", "after the module", "after the library"],
    )
    def test_a_room_that_bears_a_functions_name_can_be_called(self, name, way):
        code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n{way.format(name)}\n"
        code += "try:\n    it()\nexcept TypeError as error:\n    print(error)\n"
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"{name}() missing")

    def test_the_rooms_stay_modules(self):
        from amavis_pipe import decompose, examine
        from amavis_pipe.decompose import registry

        assert decompose.registry is registry
        assert callable(examine.examine_file)


def test_the_example_in_the_documentation_works(tmp_path, monkeypatch):
    (tmp_path / "msg.eml").write_bytes(mails.infected())
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(library, verbose=False)
    assert result.attempted >= 6
    assert result.failed == 0


class TestDecompose:
    def test_it_gives_all_parts_with_their_bytes(self, mail):
        facts = amavis_pipe.decompose(mail(mails.infected()))
        try:
            assert [(part.path, part.kind) for part in facts.parts] == [
                ("1", "multipart/mixed"),
                ("1.1", "text/plain"),
                ("1.2", "application/zip"),
                ("1.2.1", "text/plain"),
            ]
            assert b"".join(facts.parts[-1].blob.chunks()) == eicar()
            assert facts.findings == []
        finally:
            amavis_pipe.release(facts)

    def test_into_writes_files_named_by_position_and_private(self, mail, tmp_path):
        into = tmp_path / "parts"
        into.mkdir()
        data = mails.with_file(mails.zipped("../../evil", b"x"), "../evil.zip")
        amavis_pipe.release(amavis_pipe.decompose(mail(data), into=into))
        assert sorted(path.name for path in into.iterdir()) == ["1.1", "1.2", "1.2.1"]
        assert {path.stat().st_mode & 0o777 for path in into.iterdir()} == {0o600}
        assert (into / "1.2.1").read_bytes() == b"x"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mail-0", "parts"]

    def test_into_overwrites_nothing(self, mail, tmp_path):
        into = tmp_path / "parts"
        into.mkdir()
        (into / "1.2").write_bytes(b"mine")
        fd = mail(mails.infected())
        before = descriptors()
        with pytest.raises(amavis_pipe.SpoolTrouble, match="File exists"):
            amavis_pipe.decompose(fd, into=into)
        assert (into / "1.2").read_bytes() == b"mine"
        assert descriptors() == before

    def test_into_follows_no_link(self, mail, tmp_path):
        into = tmp_path / "parts"
        into.mkdir()
        (into / "1.1").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(amavis_pipe.SpoolTrouble):
            amavis_pipe.decompose(mail(mails.infected()), into=into)
        assert not (tmp_path / "elsewhere").exists()

    def test_the_limits_given_hold(self, mail):
        facts = amavis_pipe.decompose(mail(mails.infected()), amavis_pipe.Limits(depth=1))
        amavis_pipe.release(facts)
        assert facts.hit == ("depth",)

    def test_with_a_name_it_is_a_file(self, mail):
        facts = amavis_pipe.decompose(mail(mails.zipped("a.txt", b"x")), name=b"a.zip")
        amavis_pipe.release(facts)
        assert [(part.path, part.names) for part in facts.parts] == [("1", (b"a.zip",)), ("1.1", (b"a.txt",))]


class TestScan:
    def test_it_gives_what_the_scanners_find(self, mail, settings):
        facts = amavis_pipe.decompose(mail(mails.infected()))
        found = amavis_pipe.scan(facts.parts, settings.rows)
        amavis_pipe.release(facts)
        assert [(one.grade, one.part) for one in found] == [("virus", "1.2.1")]

    def test_every_row_is_asked(self, mail, settings, clamd):
        row = {"name": "clamd", "at": clamd.at, "conf": "/nonexistent"}
        rows = amavis_pipe.load_settings({"scanners": ["clamd", "builtin"], "scanner": [row]}).rows
        facts = amavis_pipe.decompose(mail(mails.infected()))
        found = amavis_pipe.scan(facts.parts, rows)
        amavis_pipe.release(facts)
        assert [one.source for one in found] == ["clamd", "builtin"]

    def test_a_scanner_that_does_not_answer_is_trouble(self, mail):
        row = {"name": "clamd", "at": "/nonexistent/clamd"}
        rows = amavis_pipe.load_settings({"scanners": ["clamd"], "scanner": [row]}).rows
        with pytest.raises(amavis_pipe.ScannerTrouble):
            amavis_pipe.scan([], rows)


class TestExamine:
    def test_it_gives_parts_and_findings(self, mail, settings):
        facts = amavis_pipe.examine(mail(mails.infected()), settings)
        assert [(one.name, one.part) for one in facts.findings] == [(mails.EICAR_NAME, "1.2.1")]
        assert all(part.blob is None for part in facts.parts)

    def test_it_remembers_below_the_state_folder(self, mail, settings, tmp_path):
        amavis_pipe.examine(mail(mails.plain()), settings)
        assert any(path.is_file() for path in (tmp_path / "state/cache").rglob("*"))
        facts = amavis_pipe.examine(mail(mails.plain()), settings)
        assert facts.answers[0].cached is True

    def test_without_a_state_folder_it_works_too(self, mail, tmp_path):
        settings = amavis_pipe.load_settings({"state": str(tmp_path / "none"), "scanners": ["builtin"]})
        facts = amavis_pipe.examine(mail(mails.infected()), settings)
        assert len(facts.findings) == 1
        assert not (tmp_path / "none").exists()
        assert settings.work == os.fsencode(tmp_path / "none/work")

    @pytest.mark.parametrize(
        "data",
        [
            mails.zipped("a", os.urandom(10)),
            mails.zipped("a", os.urandom(3 << 20)),
            b"\x1f\x8b broken",
            b"PK\3\4",
        ],
        ids=["small", "large", "broken gzip", "broken zip"],
    )
    @pytest.mark.parametrize("name", [None, b"a.bin"], ids=["mail", "file"])
    def test_it_leaves_no_descriptor_open(self, mail, settings, data, name):
        fd = mail(data if name else mails.with_file(data))
        before = descriptors()
        amavis_pipe.examine(fd, settings, name)
        assert descriptors() == before

    def test_what_it_gives_can_be_decided_over(self, mail, settings):
        facts = amavis_pipe.examine(mail(mails.infected()), settings)
        verdict = amavis_pipe.decide(facts, amavis_pipe.Envelope(b"a@x", (b"b@x",)), settings)
        assert (verdict.label, verdict.action) == ("infected", "discard")


class TestLoadSettings:
    def test_a_file_a_mapping_and_nothing_are_taken(self, tmp_path):
        path = tmp_path / "settings.toml"
        path.write_text("[limits]\ndepth = 3\n")
        assert amavis_pipe.load_settings(path).limits.depth == 3
        assert amavis_pipe.load_settings(str(path)).limits.depth == 3
        assert amavis_pipe.load_settings({"limits": {"depth": 4}}).limits.depth == 4
        assert amavis_pipe.load_settings().limits.depth == 14

    def test_faults_are_told_together(self):
        with pytest.raises(amavis_pipe.SettingsError) as caught:
            amavis_pipe.load_settings({"limits": {"depth": 0, "files": 0}})
        assert len(caught.value.faults) == 2
