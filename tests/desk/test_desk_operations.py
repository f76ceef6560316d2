"""docs/operations.rst: every command in it runs as it stands there."""

import re
import shlex
from pathlib import Path
from time import time

import pytest
from stand_in import journals, mails

PAGE = (Path(__file__).resolve().parents[2] / "docs/operations.rst").read_text()
COMMANDS = re.findall(r"^    amavis-pipe ((?:explain|report|metrics)[^#\n]*)", PAGE, re.MULTILINE)


@pytest.fixture
def site(desk):
    record = journals.record(1, time()) | {"id": "4bQ7Xz", "message_id": "<20261125.1@example.org>"}
    record["envelope"] |= {"sender": "alice@example.org"}
    journals.append(desk.state / "journal", record)
    desk.own(desk.state)
    desk.out = desk.folder / "out"
    desk.out.mkdir()
    desk.out.chmod(0o777)
    desk.put("message.eml", mails.plain())
    return desk


@pytest.mark.parametrize("command", COMMANDS, ids=str.strip)
def test_it_runs(site, command):
    for folder in ("/var/www/html", "/var/lib/prometheus/node-exporter"):
        command = command.replace(folder, str(site.out))
    words = shlex.split(command)
    done = site.run(*words, cwd=site.files)
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_some():
    assert len(COMMANDS) >= 9


def test_it_names_all_that_is_counted():
    from amavis_pipe.history.count import FLOW

    assert [what for what in FLOW if not re.search(rf"^{what} +\w", PAGE, re.MULTILINE)] == []
