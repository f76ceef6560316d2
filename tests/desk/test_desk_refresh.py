"""`config refresh`: a map is made as a whole by its command, or stays as it was."""

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def site(desk):
    def refresh(*words, command=None, least=1, seconds=5):
        text = desk.settings.read_text().partition("[[map]]")[0]
        if command is not None:
            text += f'[[map]]\nname = "users"\ncommand = {json.dumps(command)}\nleast = {least}\nseconds = {seconds}\n'
        desk.settings.write_text(text)
        return desk.run("config", "refresh", *words)

    desk.refresh = refresh
    desk.map = desk.state / "maps/users"
    return desk


def test_a_map_is_what_its_command_prints(site):
    done = site.refresh(command=["printf", "a@example.org\\n# all\\n.example.net\\n192.0.2.0/24\\n"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "users: 3 entries (new)\n", "")
    assert site.map.read_text() == "a@example.org\n# all\n.example.net\n192.0.2.0/24\n"
    assert site.map.stat().st_mode & 0o777 == 0o600
    again = site.refresh("-q", command=["printf", "a@example.org\\n"])
    assert (again.returncode, again.stdout) == (0, "")
    assert site.map.read_text() == "a@example.org\n"
    assert os.listdir(site.state / "maps") == ["users"]


@pytest.mark.parametrize(
    ("command", "least", "why"),
    [
        (["false"], 1, "status 1 of false"),
        (["sh", "-c", "echo a@example.org; echo no server >&2; exit 3"], 1, "status 3 of sh: no server"),
        (["sh", "-c", "echo a@example.org; kill -9 $$"], 1, "signal 9 of sh"),
        (["/nowhere/dump"], 1, "/nowhere/dump: No such file or directory"),
        (["printf", "a@example.org\\nno entry here\\n"], 1, 'line 2 is no entry: "no entry here"'),
        (["printf", "a@example.org\\n\\033[31m\\n"], 1, r'line 2 is no entry: "\x1b[31m"'),
        (["printf", "a@example.org\\n"], 2, "only 1 entry, wants 2"),
        (["true"], 1, "only 0 entries, wants 1"),
        (["sh", "-c", "yes a@example.org"], 1, "status 153 of sh: File size limit exceeded"),
    ],
    ids=["fails", "says why", "dies", "missing", "no entry", "escapes", "too few", "none", "endless"],
)
def test_a_map_stays_as_it_was_if_it_can_not_be_made(site, command, least, why):
    site.refresh(command=["printf", "old@example.org\\n"])
    done = site.refresh("-q", command=command, least=least)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"amavis-pipe: map users: {why}; it stays as it was\n"
    assert site.map.read_text() == "old@example.org\n"
    assert os.listdir(site.state / "maps") == ["users"]


def test_a_command_without_end_is_ended_with_all_it_started(site):
    done = site.refresh(command=["sh", "-c", "sleep 1000 & wait"], seconds=1)
    assert done.returncode == 2
    assert "no end in 1 second; it stays as it was" in done.stderr
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if is_left(path)]


def is_left(cmdline):
    try:
        return cmdline.read_bytes() == b"sleep\x001000\x00"
    except (FileNotFoundError, ProcessLookupError):
        return False  # it ended meanwhile


def test_an_unknown_map_is_named(site):
    done = site.refresh("usrs", command=["true"])
    assert done.returncode == 2
    assert 'no [[map]] named "usrs"' in done.stderr


def test_a_rule_uses_the_map_and_wants_it_to_be_there(site):
    rule = '[[recipient]]\nmatch = "map:users"\nbypass = ["infected"]\n'
    site.settings.write_text(site.settings.read_text() + rule)
    done = site.run("config", "test")
    assert done.returncode == 1
    assert "maps/users: No such file or directory; `amavis-pipe config refresh` makes it" in done.stdout
    made = site.refresh(command=["printf", "a@example.org\\n"])
    assert made.returncode == 0, made.stderr
    assert site.run("config", "test").returncode == 0
