"""The command `config`, and the table of `formats`."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from amavis_pipe.config import load
from amavis_pipe.config.sample import sample
from amavis_pipe.decompose import registry
from amavis_pipe.desk import config as config_command
from amavis_pipe.desk import formats
from amavis_pipe.desk.table import amount, counted, table
from amavis_pipe.walk import Decoder


def comparable(values):
    """Values without what depends on where clamd.conf was read from, or tables stand."""
    rows = [{key: value for key, value in row.items() if key != "watched"} for row in values["rows"]]
    return values | {"rows": rows, "allow": [rule[:3] for rule in values["allow"]]}


def test_default_prints_the_sample(desk):
    assert desk.run("config", "default").stdout == sample()


@pytest.mark.parametrize(
    "text",
    [
        "",
        'scanners = ["builtin", "clamd"]\n[limits]\ndepth = 3\nmax_quota = "1 GiB"\n',
        '[headers]\ntag = ""\nline = "a \\"quoted\\" \\\\ word"\n[unchecked]\nadmin = "a@example.org"\n',
        'scanners = ["x"]\n[[scanner]]\nname = "x"\nat = "127.0.0.1:3310"\ntimeout = 7\n',
        'scanners = ["f", "clamdscan"]\nbackups = ["uvscan"]\n[[scanner]]\nname = "f"\nrun = "/f {dir}"\n'
        'clean = [0]\ninfected = "x"\nmax_file_size = 5\nsees = "both"\nkinds = ["a/*"]\nstamp = ["/s"]\n',
        '[[allow]]\nname = "Bad"\nreason = "why"\n',
    ],
    ids=["empty", "limits", "quotes", "row", "rows", "allow"],
)
def test_show_prints_settings_that_mean_the_same(tmp_path, capsys, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    assert config_command.show(os.fsencode(path)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"# settings in {path}\n")
    again = load.read(tomllib.loads(shown), "shown", shown)[0]
    assert comparable(again) == comparable(load.load(os.fsencode(path))[0])


def test_show_without_a_file_prints_the_defaults(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(config_command.settings, "DEFAULT_PATH", os.fsencode(tmp_path / "none.toml"))
    assert config_command.show(None) == 0
    shown = capsys.readouterr().out
    assert f"# no {tmp_path}/none.toml: these are the defaults" in shown
    assert comparable(load.read(tomllib.loads(shown), "", "")[0]) == comparable(load.defaults())


def test_a_file_without_faults_is_status_0(desk):
    done = desk.run("config", "test")
    assert (done.returncode, done.stdout) == (0, f"{desk.settings}: no faults\n")


def test_all_faults_are_printed_and_status_is_1(desk):
    desk.configure("[limits]\ndepth = 0\ndeptth = 1")
    done = desk.run("config", "test")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{desk.settings}:4: limits.depth: wants an integer from 1 to 64, not 0",
        f"{desk.settings}:5: limits.deptth: is no option; did you mean limits.depth?",
    ]
    assert done.stderr == ""


def test_a_file_may_be_named(desk):
    other = desk.put("other.toml", b"[limits\n")
    done = desk.run("config", "test", other, config=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{other}: ")


def test_a_file_that_can_not_be_read_is_status_2(desk):
    done = desk.run("config", "test", "/nonexistent.toml", config=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "amavis-pipe: /nonexistent.toml: No such file or directory\n"


class TestFormats:
    def test_every_format_has_a_row(self, desk):
        done = desk.run("formats")
        assert done.returncode == 0
        named = [line.split()[0] for line in done.stdout.splitlines()[1:] if not line.startswith("-")]
        assert named == [row.name for row in registry.table()]

    def test_what_is_missing_is_said_with_its_package(self, monkeypatch, capsys):
        rows = (
            registry.Row(
                "rar",
                Decoder("rar", ("application/vnd.rar",), lambda blob, sink: None),
                (("unar", "", "unar"), ("7zz", "/usr/bin/7zz", "7zip"), ("unrar2-cffi", "", "")),
            ),
            registry.Row("gzip", Decoder("gzip", ("application/gzip",), lambda blob, sink: None), ()),
        )
        monkeypatch.setattr(registry, "table", lambda: rows)
        assert formats.run() == 0
        lines = [re.split(r"  +", line) for line in capsys.readouterr().out.splitlines()]
        assert lines[1:] == [
            ["rar", "application/vnd.rar", "unar", "missing", "unar"],
            ["-", "-", "7zz", "/usr/bin/7zz", "7zip"],
            ["-", "-", "unrar2-cffi", "missing", "pip: unrar2-cffi"],
            ["gzip", "application/gzip", "built in", "built in", "-"],
        ]


def test_a_table_is_aligned():
    assert table(("A", "BB"), [("long", ""), ("x", "yy")]) == "A     BB\nlong  -\nx     yy"


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"),
     (3 << 40, "3.0 TiB"), (1 << 60, "1048576.0 TiB")],
)  # fmt: skip
def test_amounts_are_told_in_fitting_units(size, words):
    assert amount(size) == words


def test_numbers_are_told_with_their_words():
    assert [counted(n, "file") for n in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]
    assert counted(2, "entry", "entries") == "2 entries"


def test_the_record_schema_goes_with_the_package():
    import amavis_pipe

    assert (Path(amavis_pipe.__file__).parent / "record.schema.json").is_file()
