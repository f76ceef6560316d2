"""The cron file, the timer and the logrotate file: what their programs make of them, and that they do the same."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from amavis_pipe.desk import cli

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
UNITS = ("amavis-pipe-prune.service", "amavis-pipe-prune.timer")


def test_systemd_finds_no_fault(tmp_path):
    for name in UNITS:
        text = (CONTRIB / "systemd" / name).read_text()
        (tmp_path / name).write_text(
            text.replace("/usr/local/bin/amavis-pipe", "/bin/true").replace("User=vscan", "User=daemon")
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in UNITS)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_timer_is_at_a_time_that_there_is():
    (when,) = re.findall(
        r"^OnCalendar=(.*)$", (CONTRIB / "systemd/amavis-pipe-prune.timer").read_text(), re.M
    )
    subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, check=True, timeout=60)


def commands(text):
    return re.findall(r"/usr/local/bin/amavis-pipe ((?:prune|signatures)[^>|;\n]*)", text)


def test_cron_and_timer_run_the_same_command():
    (service,) = commands((CONTRIB / "systemd/amavis-pipe-prune.service").read_text())
    cron = [one.strip() for one in commands((CONTRIB / "cron/amavis-pipe").read_text())]
    assert service.strip() in cron


@pytest.mark.parametrize("file", ["cron/amavis-pipe", "systemd/amavis-pipe-prune.service"])
def test_what_they_run_is_understood(file):
    found = commands((CONTRIB / file).read_text())
    assert found
    for line in found:
        words = shlex.split(line)
        depth = 2 if words[0] == "signatures" else 1
        command = cli.commands.commands[words[0]]
        command = command.commands[words[1]] if depth == 2 else command
        command.make_context("x", words[depth:])


def test_logrotate_finds_no_fault(tmp_path):
    (tmp_path / "conf").write_text(
        (CONTRIB / "logrotate/amavis-pipe")
        .read_text()
        .replace("/var/log/", f"{tmp_path}/")
        .replace(" adm", " root")
    )
    (tmp_path / "conf").chmod(0o644)
    log = tmp_path / "amavis-pipe.log"
    log.write_text("x\n")
    done = subprocess.run(
        ["/usr/sbin/logrotate", "--force", "--state", tmp_path / "state", tmp_path / "conf"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "amavis-pipe.log.1").read_text() == "x\n"
