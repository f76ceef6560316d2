"""The number of notices in an hour: counted by kind, over processes, whatever state the file is in."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from amavis_pipe.notices import rate

NOW = 1_800_000_000.0


@pytest.fixture
def state(tmp_path):
    return os.fsencode(tmp_path)


def sent(state, times, per_hour=2, kind="admin"):
    return [rate.may_send(state, kind, per_hour, when) for when in times]


def test_above_the_number_the_rest_of_the_hour_is_held_back(state):
    assert sent(state, [NOW, NOW + 1, NOW + 2, NOW + 3599, NOW + 3600, NOW + 3601, NOW + 3602]) == [
        True, True, False, False, True, True, False,
    ]  # fmt: skip
    assert rate.held(state) == {"admin": 3}


def test_each_kind_has_its_own_number(state):
    assert [sent(state, [NOW] * 2, 1, kind) for kind in rate.KINDS] == [[True, False]] * 4
    assert rate.held(state) == dict.fromkeys(rate.KINDS, 1)


def test_a_number_of_nothing_allows_none(state):
    assert sent(state, [NOW], 0) == [False]


def test_what_was_told_is_not_told_again(state):
    sent(state, [NOW] * 5)
    rate.tell(state, {"admin": 2})
    assert rate.held(state) == {"admin": 1}
    rate.tell(state, {"admin": 7})
    assert rate.held(state) == {}


def test_a_clock_that_was_set_back_begins_a_new_hour(state):
    assert sent(state, [NOW, NOW, NOW, NOW - 86400]) == [True, True, False, True]


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\xff" * 63, os.urandom(64)], ids=["empty", "short", "torn", "noise"]
)
def test_a_damaged_file_is_written_anew(state, tmp_path, content):
    (tmp_path / "notices").write_bytes(content)
    assert sent(state, [NOW] * 3)[2] is False
    assert len((tmp_path / "notices").read_bytes()) == rate.SLOT * len(rate.KINDS) or len(content) < 64


def test_the_file_is_for_nobody_else_and_does_not_grow(state, tmp_path):
    sent(state, [NOW] * 50)
    sent(state, [NOW], kind="withheld")
    found = (tmp_path / "notices").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_size) == (0o600, 64)


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "locked"])
def test_a_file_that_can_not_be_used_is_an_error(state, tmp_path, kind):
    path = tmp_path / "notices"
    holder = -1
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        holder = os.open(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        with pytest.raises(OSError):
            rate.may_send(state, "admin", 1, NOW)
    finally:
        if holder >= 0:
            os.close(holder)


def test_processes_at_once_send_no_more_than_the_number(state):
    code = (
        f"import sys; sys.path.insert(0, {str(Path(rate.__file__).parents[2])!r})\n"
        "from amavis_pipe.notices import rate\n"
        f"print(sum(rate.may_send({state!r}, 'admin', 30, {NOW}) for _ in range(20)))"
    )
    started = [subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert sum(int(one.communicate()[0]) for one in started) == 30
    assert rate.held(state) == {"admin": 50}
