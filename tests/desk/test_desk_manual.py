"""The manual pages: complete, without a warning, up to date; their examples run."""

import shlex
import subprocess
from pathlib import Path

import click
import pytest
from stand_in import mails

from amavis_pipe.config import load
from amavis_pipe.config.categories import IN_RULES
from amavis_pipe.config.rowoptions import ROW_OPTIONS
from amavis_pipe.config.sample import toml
from amavis_pipe.config.schema import OPTIONS, SECTIONS
from amavis_pipe.desk import front, manual
from amavis_pipe.desk.manuals import program, settings
from amavis_pipe.desk.manuals.blocks import Code, Heading, Item, Para, spans
from amavis_pipe.desk.manuals.roff import roff
from amavis_pipe.desk.manuals.rst import rst, styled

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("amavis-pipe.8", "amavis-pipe.toml.5")


def shown(page):
    """A page as man(1) prints it, wide enough for no line to be broken."""
    command = ["man", "--encoding=UTF-8", "--local-file", str(ROOT / "contrib/man" / page)]
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MANWIDTH": "500", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(command, capture_output=True, check=True, env=environment, timeout=60)
    return done.stdout.decode().replace("\u2010", "-")


def test_every_file_is_what_is_made_today(capsys):
    assert manual.main(["--check"]) == 0, capsys.readouterr().err


def test_a_file_that_is_not_is_named(monkeypatch, capsys):
    monkeypatch.setattr(manual, "files", lambda: {"contrib/man/amavis-pipe.8": "other"})
    assert manual.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("contrib/man/amavis-pipe.8 is out of date: python -m ")


@pytest.mark.parametrize("page", PAGES)
def test_man_has_no_warning(page):
    command = ["man", "--warnings=w", "-E", "UTF-8", "-Tutf8", "-Z", "-l", str(ROOT / "contrib/man" / page)]
    done = subprocess.run(command, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}, timeout=60)
    assert done.stderr == b""
    assert len(done.stdout) > 1000


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_no_warning(page):
    command = ["mandoc", "-T", "lint", "-W", "warning", str(ROOT / "contrib/man" / page)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_program_has_every_command_with_every_option():
    text = shown("amavis-pipe.8")
    every = program.commands()
    assert {words[0] for words, _ in every} == front.COMMANDS
    for words, command in every:
        assert f"\n   {' '.join(words)}" in text
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "config":
                assert all(name in text for name in parameter.opts), (words, parameter.name)


def test_the_program_has_every_section_in_order():
    text = shown("amavis-pipe.8")
    names = ["NAME", "SYNOPSIS", "DESCRIPTION", "FILTER FORM", "TRIAL FORM", "COMMANDS", "DIAGNOSTICS", "FILES",
             "ENVIRONMENT", "SECURITY", "EXAMPLES", "SEE ALSO"]  # fmt: skip
    places = [text.index(f"\n{name}\n") for name in names]
    assert places == sorted(places)


def test_the_settings_have_every_option_with_default_text_and_old_name():
    text = shown("amavis-pipe.toml.5")
    for section in SECTIONS:
        assert not section or f"\n   [{section}]\n" in text
    for option in OPTIONS:
        assert f"{option.key.rpartition('.')[2]} = {toml(option.default)}" in text, option.key
        for name in option.amavis.split(","):
            assert name.strip(" …") in text, option.key
    for option in ROW_OPTIONS:
        assert f"\n       {option.key}" in text, option.key
    for key in IN_RULES:
        assert key in text


@pytest.mark.parametrize(
    ("text", "values"), settings.EXAMPLES, ids=[text[:30] for text, _ in settings.EXAMPLES]
)
def test_every_example_of_settings_has_no_faults(text, values):
    load.parsed(values.encode(), text)


STATUS = {"check": (0, 1), "scan": (1,)}
"""Of the commands that don't end with 0 here: what a check finds depends on the machine; the mail is infected."""


@pytest.mark.parametrize(
    ("text", "command"), program.EXAMPLES, ids=[command for _, command in program.EXAMPLES]
)
def test_every_example_of_the_program_runs(desk, text, command):
    desk.put("message.eml", mails.infected())
    desk.put("suspicious.zip", b"PK\5\6" + bytes(18))
    desk.put("Maildir/new/1", mails.infected())
    desk.put("new.toml", b"[limits]\ndepth = 3\n")
    desk.put("amavisd.conf", b"$MAXFILES = 7;\n")
    desk.files.chmod(0o755)
    words, _, source = command.partition(" < ")
    stdin = (desk.files / source).read_bytes() if source else b""
    first, *rest = shlex.split(words)
    assert first == "amavis-pipe"
    done = desk.run("--config", desk.settings, *rest, config=False, cwd=desk.files, stdin=stdin)
    assert done.returncode in STATUS.get(rest[0] if rest else "", (0,)), done.stderr
    assert "Traceback" not in done.stderr
    assert "Usage" not in done.stderr


class TestWriters:
    """What texts become."""

    def test_code_and_emphasis_are_told_from_other_signs(self):
        text = "a `b` ``c d`` *e f* [*.x] '*' 2*3 \"*@x\""
        assert list(spans(text)) == [
            ("", "a "), ("code", "b"), ("", " "), ("code", "c d"), ("", " "), ("emphasis", "e f"),
            ("", " [*.x] '*' 2*3 \"*@x\""),
        ]  # fmt: skip

    def page(self, *blocks):
        from amavis_pipe.desk.manuals.blocks import Page

        return Page("x-y", 1, "test", blocks)

    def test_no_line_of_a_text_is_a_request(self):
        text = roff(
            self.page(Heading(1, "a"), Para(".sp 3 " * 40), Code(".so /etc/passwd\n'br"), Item(".x", ("'y",)))
        )
        lines = [line for line in text.splitlines() if line[:1] in (".", "'")]
        assert [line for line in lines if line.startswith((".sp", ".so", "'"))] == []

    def test_escapes_are_shown_not_done(self):
        text = roff(self.page(Para(r"\n(.x \fB…"), Code(r"a\b -x 'y'")))
        assert r"\en(.x \efB\[u2026]" in text
        assert r"a\eb \-x \(aqy\(aq" in text

    def test_restructured_text_escapes_what_is_no_markup(self):
        assert styled("`a`(8) *b* c*d _e_ |f| * g`h`.") == r"``a``\ (8) *b* c\*d \_e\_ \|f\| \* g\ ``h``."
        assert "``x``\n" in rst(self.page(Item("x", ("y",))))
