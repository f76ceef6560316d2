"""The documentation: builds without a warning, asks nothing of the network, shows commands and settings that work."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from amavis_pipe.arguments import UsageError, parse
from amavis_pipe.config import load
from amavis_pipe.config.schema import OPTIONS
from amavis_pipe.desk import cli, front
from amavis_pipe.desk.manuals import migration

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.rst", *(ROOT / "docs").glob("*.rst")])
OPERATORS = ("<", ">", ">>", "|", "||", "&&", ";", "2>", "&")
INLINE = re.compile(r"``(amavis-pipe [^`]+)``")


def typed(text):
    """The lines of a page that are shown as they are typed, continued ones joined: indented blocks."""
    blocks = "\n".join(line.strip() if line.startswith(("   ", "\t")) else "" for line in text.splitlines())
    return blocks.replace("\\\n", " ").splitlines()


def words_of(line):
    """The arguments in a line that calls us; each of the alternatives in a|b."""
    words = shlex.split(line, comments=True)
    end = next(
        (at for at, word in enumerate(words) if word.lstrip("0123456789").startswith(OPERATORS)), len(words)
    )
    words = words[:end]
    several = [at for at, word in enumerate(words) if re.fullmatch(r"[a-z]+(\|[a-z]+)+", word)]
    if not several:
        return [words[1:]]
    at = several[0]
    return [[*words[1:at], one, *words[at + 1 :]] for one in words[at].split("|")]


def calls():
    """(page, words, whether it is shown as it is typed) of every call of ours that a page shows."""
    found = []
    for page in PAGES:
        text = page.read_text()
        lines = [(line, True) for line in typed(text) if line.startswith("amavis-pipe ")]
        lines += [(line, False) for line in INLINE.findall(text) if "…" not in line]
        found += [(page.name, words, whole) for line, whole in lines for words in words_of(line)]
    return found


CALLS = calls()
SYNOPSIS = ("[OPTION...]", "COMMAND", "[--json]")
"""What a line of the synopsis begins with."""


def check(words, whole=True):
    """Raise what click or the forms say of wrong words; a command without anything may be a mere mention."""
    if not words or words[0] in SYNOPSIS:
        return
    rest = words[2:] if words[0] in ("-c", "--config") else words
    if rest[:1] and rest[0] not in front.COMMANDS and rest[0] != "--help":
        parse([word.encode() for word in words])
        return
    command, parent = cli.commands, None
    while isinstance(command, click.Group) and rest and rest[0] != "--help":
        parent = click.Context(command, info_name="amavis-pipe", parent=parent)
        command, rest = command.commands[rest[0]], rest[1:]
    try:
        command.make_context("amavis-pipe", list(rest), parent=parent, resilient_parsing="--help" in rest)
    except click.MissingParameter:
        if whole:
            raise


def test_pages_show_calls():
    assert len(CALLS) > 60
    assert {name for name, _, _ in CALLS} >= {"README.rst", "installation.rst", "amavis-pipe.8.rst"}


@pytest.mark.parametrize(
    ("page", "words", "whole"), CALLS, ids=[f"{page}: {' '.join(words)}" for page, words, _ in CALLS]
)
def test_every_call_that_is_shown_is_understood(page, words, whole):
    check(words, whole)


@pytest.mark.parametrize(
    "words", [["scan"], ["scan", "--nonsense", "x"], ["nonsense"], ["-f", "a"], ["config", "x"]]
)
def test_what_is_not_understood_is_noticed(words):
    with pytest.raises((click.ClickException, UsageError, KeyError)):
        check(words)


def every_command(group=cli.commands, before=()):
    for name, command in group.commands.items():
        yield (*before, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))


@pytest.mark.parametrize("words", [(), *every_command()], ids=" ".join)
def test_every_command_has_help(words, capsys):
    assert cli.run([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(" ".join(("Usage: amavis-pipe", *words)))
    assert "--help" in out


def settings_blocks():
    found = []
    for page in PAGES:
        for number, block in enumerate(page.read_text().split(".. code-block:: toml\n")[1:], 1):
            lines = []
            for line in block.split("\n")[1:]:
                if line and not line.startswith("    "):
                    break
                lines.append(line[4:])
            found.append((f"{page.name} {number}", "\n".join(lines)))
    return found


SETTINGS = settings_blocks()


@pytest.mark.parametrize(("name", "text"), SETTINGS, ids=[name for name, _ in SETTINGS])
def test_every_settings_file_that_is_shown_has_no_faults(name, text):
    assert tomllib.loads(text)
    load.parsed(text.encode(), name)


def test_the_table_of_migration_names_every_variable_of_the_options():
    text = migration.page()
    for option in OPTIONS:
        for name in option.amavis.split(","):
            assert not name.strip(" …") or f"``{name.strip(' …')}``" in text
    for key in re.findall(r"^ {5}- ``([a-z-]+(?:\.[a-z_]+)?)``$", text, re.M):
        assert key in {option.key for option in OPTIONS} | {"[[client]]"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages as they are built; what Sphinx says of them."""
    place = tmp_path_factory.mktemp("built")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        place / "doctrees",
    ]
    done = subprocess.run(
        [*command, ROOT / "docs", place / "html"], capture_output=True, text=True, check=False, timeout=300
    )
    return place / "html", done


def test_the_documentation_builds_without_a_warning(built):
    folder, done = built
    assert (done.returncode, done.stderr) == (0, "")
    assert {f"{page.stem}.html" for page in PAGES if page.parent.name == "docs"} <= {
        page.name for page in folder.iterdir()
    }


def test_no_page_asks_anything_of_the_network(built):
    folder, _ = built
    loads = re.compile(
        r'<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*\b(?:src|data)="(?:https?:)?//'
        r'|<link\b[^>]*\bhref="(?:https?:)?//|@import\s|url\(\s*["\']?(?:https?:)?//'
    )
    files = [path for path in folder.rglob("*") if path.suffix in (".html", ".css")]
    assert len(files) > 15
    assert [path.name for path in files if loads.search(path.read_text())] == []
    assert loads.search('<script src="https://example.org/x.js">')


def test_every_page_can_be_reached_from_the_first(built):
    folder, _ = built
    text = (folder / "index.html").read_text()
    pages = [page.stem for page in PAGES if page.parent.name == "docs" and page.stem != "index"]
    assert [page for page in pages if f'href="{page}.html' not in text] == []


def test_the_tests_that_the_page_of_faults_names_are_there():
    named = re.findall(r"``(test_e2e_\w+\.py)``, ``(test_\w+)``", (ROOT / "docs/faults.rst").read_text())
    assert len(named) == 10
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests/e2e" / file).read_text()
