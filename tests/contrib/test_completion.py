"""Completion: the shells load it, and complete what the program says, else files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPLETION = ROOT / "contrib/completion"


@pytest.fixture
def place(tmp_path):
    """A folder with the program in bin, and a file to be completed."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/amavis-pipe"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -I -c \'import sys; sys.path.insert(0, "{ROOT}"); '
        'from amavis_pipe.entry import main; main()\' "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "only-file.eml").write_text("x\n")
    return tmp_path


def run(place, *command, **more):
    path = f"{place}/bin:/usr/bin:/bin"
    environment = {
        "PATH": path,
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "XDG_CONFIG_HOME": str(place),
    }
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=place, env=environment, **more
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_finds_no_mistake_in_it(place, shell):
    run(place, shell, "-n", str(COMPLETION / shell))


LINES = [
    ("amavis-pipe si", "signatures", "scan"),
    ("amavis-pipe config i", "import", "show"),
    ("amavis-pipe cache ", "forget", "config"),
    ("amavis-pipe scan --no", "--no-cache", "--mail"),
    ("amavis-pipe scan only", "only-file.eml", "scan"),
]


def bash(place, line):
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        source '{COMPLETION}/bash'
        complete -p amavis-pipe >&2
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _amavis_pipe amavis-pipe
        [ "${{#COMPREPLY[@]}}" -gt 0 ] || compgen -f -- '{words[-1]}'
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return run(place, "bash", "-c", script).split()


def fish(place, line):
    return [
        one.split("\t")[0]
        for one in run(place, "fish", "-c", f"source {COMPLETION}/fish; complete -C '{line}'").split("\n")
    ]


def zsh(place, line):
    """What is offered: the parts of zsh's completion that need a terminal stand aside."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        compdef() {{ registered=$1 }}
        _files() {{ print -rl -- {words[-1]}*(N) }}
        _describe() {{ print -rl -- "${{described[@]%%:*}}" }}
        compadd() {{ print -rl -- "${{plain[@]}}" }}
        source '{COMPLETION}/zsh'
        words=({quoted}) CURRENT={len(words)}
        $registered
    """
    return run(place, "zsh", "-f", "-c", script).split()


@pytest.mark.parametrize(("line", "offered", "other"), LINES, ids=[line for line, _, _ in LINES])
@pytest.mark.parametrize("shell", [bash, fish, zsh], ids=["bash", "fish", "zsh"])
def test_it_completes(place, shell, line, offered, other):
    found = shell(place, line)
    assert offered in found
    assert other not in found


def test_what_the_program_says_comes_from_the_program(place):
    environment = {
        "_AMAVIS_PIPE_COMPLETE": "bash_complete",
        "COMP_WORDS": "amavis-pipe config i",
        "COMP_CWORD": "2",
    }
    command = [place / "bin/amavis-pipe"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=os.environ | environment
    )
    assert (done.stdout, done.stderr) == ("plain,import\n", "")
