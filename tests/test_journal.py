"""journal: one line to the log, one record to disk; neither can hold up or harm a mail."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from amavis_pipe import journal
from amavis_pipe.model import Envelope, Facts, Receipt, Reply
from amavis_pipe.policy import Decision, Verdict

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The log's socket of a kind, listening in a folder of its own."""
    place = str(tmp_path / "log")
    monkeypatch.setattr(journal, "LOG", place)
    opened = []

    def listen(kind):
        listening = socket.socket(socket.AF_UNIX, kind)
        listening.bind(place)
        opened.append(listening)
        return listening

    yield listen
    for one in opened:
        one.close()


def test_a_line_arrives_as_syslog_writes_it(log):
    listening = log(socket.SOCK_DGRAM)
    assert journal.log(journal.INFO, "a line")
    text = listening.recv(4096).decode()
    assert text.startswith("<22>")  # mail.info
    assert text.endswith(f" amavis-pipe[{os.getpid()}]: a line")


def test_a_daemon_that_listens_on_a_stream_gets_it_too(log):
    listening = log(socket.SOCK_STREAM)
    listening.listen(1)
    taken = []

    def take():
        connection, _ = listening.accept()
        with connection:
            taken.append(connection.recv(4096))

    thread = threading.Thread(target=take)
    thread.start()
    assert journal.log(journal.ERR, "x")
    thread.join()
    assert taken[0].endswith(b": x\0")


def test_a_long_line_is_cut(log):
    listening = log(socket.SOCK_DGRAM)
    journal.log(journal.INFO, "y" * 5000)
    assert listening.recv(8192).count(b"y") <= journal.LONGEST + 10


def test_a_daemon_that_takes_nothing_is_not_waited_for(log, monkeypatch):
    log(socket.SOCK_DGRAM)
    monkeypatch.setattr(journal, "PATIENCE", 0.01)
    sent = 0
    while journal.log(journal.INFO, "z" * 800):
        sent += 1
        assert sent < 10_000
    assert not journal.log(journal.INFO, "z")


def test_without_a_daemon_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "LOG", str(tmp_path / "nowhere"))
    assert not journal.log(journal.INFO, "x")


def test_the_line_says_what_became_of_the_mail_where_that_is_known():
    decision = Decision((Verdict("clean", "pass", "clean", (b"a@x", b"b@x")),))
    facts = Facts([], [], [])
    envelope = Envelope(b"s@x", (b"a@x", b"b@x"), b"4bQ7")
    start = "4bQ7: action=pass grade=clean from=<s@x> rcpts=2 parts=0 cache=miss cpu=0.030"
    assert journal.summary(envelope, facts, decision, False, 0.03) == start
    receipt = Receipt("smtp:127.0.0.1:10025", "2 stray CR became blanks")
    receipt.queue_id = "4bQ8"
    receipt.refused = [Reply(b"b@x", "550 5.1.1 unknown")]
    expect = start + " queued=4bQ8 refused=1 note=2_stray_CR_became_blanks"
    assert journal.summary(envelope, facts, decision, False, 0.03, [receipt]) == expect


def test_a_record_is_appended_and_a_folder_that_is_not_there_is_no_failure(tmp_path):
    folder = str(tmp_path).encode()
    assert [journal.append(folder, "one"), journal.append(folder, "two")] == ["", ""]
    (path,) = tmp_path.iterdir()
    assert path.read_text() == "one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert journal.append(folder + b"/nowhere", "x") == "No such file or directory"


def test_a_torn_record_is_ended_by_the_next_one(tmp_path):
    folder = str(tmp_path).encode()
    journal.append(folder, "one")
    (path,) = tmp_path.iterdir()
    with path.open("a") as file:
        file.write("to")
    journal.append(folder, "two")
    journal.append(folder, "three")
    assert path.read_text() == "one\nto\ntwo\nthree\n"


def test_a_record_that_is_cut_off_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("posix.write", lambda _, data: len(data) - 1)
    assert journal.append(str(tmp_path).encode(), "x") == "cut off, the disk is full"


def test_a_record_never_goes_through_a_link(tmp_path):
    journal.append(str(tmp_path).encode(), "x")
    (path,) = tmp_path.iterdir()
    path.unlink()
    (tmp_path / "elsewhere").write_text("")
    path.symlink_to(tmp_path / "elsewhere")
    assert journal.append(str(tmp_path).encode(), "x") == "Too many levels of symbolic links"
    assert (tmp_path / "elsewhere").read_text() == ""


APPENDING = """
import sys
from amavis_pipe.journal import append
for number in range(200):
    if append(sys.argv[1].encode(), f"{sys.argv[2]} {number} " + sys.argv[2] * 6000):
        sys.exit(1)
"""


def test_many_at_once_behind_a_torn_record_keep_each_record_whole(tmp_path):
    journal.append(str(tmp_path).encode(), "first")
    (path,) = tmp_path.iterdir()
    with path.open("a") as file:
        file.write("torn")
    command = [sys.executable, "-c", APPENDING, str(tmp_path)]
    running = [subprocess.Popen([*command, name], env={"PYTHONPATH": str(PROJECT)}) for name in "abcd"]
    assert [one.wait() for one in running] == [0] * 4
    found = [line for one in sorted(tmp_path.iterdir()) for line in one.read_text().splitlines() if line]
    expect = [f"{name} {number} " + name * 6000 for name in "abcd" for number in range(200)]
    assert sorted(found) == sorted(["first", "torn", *expect])


def test_a_pipe_does_not_hold_a_mail_up_nor_swallow_its_record(tmp_path):
    folder = os.fsencode(tmp_path)
    assert journal.append(folder, "{}") == ""
    (path,) = tmp_path.iterdir()
    path.unlink()
    os.mkfifo(path, 0o600)
    assert journal.append(folder, "{}") == "not a regular file"
