"""A program is run within bounds, and parts as files can be read by whom they are for."""

import os
import select
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from amavis_pipe.scan.run import Flood, Slow, installed, places, run

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": b"/usr/bin:/bin", "LC_ALL": b"C"}


def shell(text, seconds=60.0, **bounds):
    return run([b"/bin/sh", b"-c", text.encode()], ENVIRONMENT, monotonic() + seconds, **bounds)


@pytest.mark.parametrize(
    ("text", "status", "output"),
    [
        ("echo out; echo err >&2", 0, b"out\nerr\n"),
        ("exit 69", 69, b""),
        ("kill -9 $$", -1, b""),
        ("cat; echo end", 0, b"end\n"),
    ],
    ids=["both channels", "status", "signal", "empty input"],
)
def test_status_and_output_are_given(text, status, output):
    assert shell(text) == (status, output)


def test_of_much_output_the_end_is_kept():
    assert shell("seq 100000", kept=13) == (0, b"99999\n100000\n")


def test_output_without_end_is_ended():
    with pytest.raises(Flood) as met:
        shell("yes", largest=1 << 16, kept=4)
    assert met.value.output in (b"y\ny\n", b"\ny\ny")


@pytest.mark.parametrize("text", ["sleep 1000", "exec >&- 2>&-; sleep 1000"], ids=["silent", "closed output"])
def test_what_does_not_end_is_ended_with_all_that_it_started(text):
    begun = monotonic()
    with pytest.raises(Slow):
        shell(text, 0.2)
    assert monotonic() - begun < 30


def test_what_it_left_behind_is_ended(tmp_path):
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    status, _ = shell(f"exec 3>{tmp_path}/held; sleep 1000 >/dev/null 2>&1 &")
    assert status == 0
    ended = select.poll()
    ended.register(held, 0)
    assert ended.poll(30_000) == [(held, select.POLLHUP)]  # nobody holds the other end any more
    os.close(held)


def test_what_can_not_be_started_is_an_error():
    with pytest.raises(OSError, match="No such file"):
        run([b"/nonexistent"], ENVIRONMENT, monotonic() + 1)


def test_programs_are_looked_for_in_absolute_folders_alone(tmp_path):
    program = tmp_path / "scan"
    program.write_text("")
    program.chmod(0o755)
    assert places(("scan", "/x/scan"), f"rel:{tmp_path}") == [f"{tmp_path}/scan", "/x/scan"]
    assert installed(("/x/scan", "scan"), f"rel:{tmp_path}") == os.fsencode(program)
    assert installed(("scan",), "rel") == b""


SHARED = """
import os, sys
sys.path.insert(0, {project!r})
from amavis_pipe.scan.files import Folder
from amavis_pipe.config import load
from amavis_pipe.settings import Settings
from amavis_pipe.spool import Blob
row = Settings(load.read({{"scanners": ["sophie"], "scanner": [{{"name": "sophie", "folder": {folder!r}}}]}}, "", "")[0]).rows[0]
with Folder(row, b"/nonexistent", [("1", Blob(b"part"))]) as folder:
    for path in (folder.parts, *folder.files()):
        found = os.stat(path)
        print(found.st_gid, oct(found.st_mode & 0o777))
print(os.listdir({folder!r}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_parts_have_the_daemons_group_though_the_filter_is_not_in_it(package_copy, tmp_path_factory):
    folder = package_copy / "shared"
    folder.mkdir()
    os.chown(folder, 65534, 1)
    folder.chmod(0o2750)
    code = SHARED.format(project=str(package_copy), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        user=65534,
        group=65534,
        extra_groups=[],
    )
    folder.rmdir()
    assert (done.stdout.splitlines(), done.stderr) == (["1 0o750", "1 0o640", "[]"], "")
