"""Mailbox files: every mail comes out as it went in, and none is lost, whoever works on the file."""

import os
import resource
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import mailbox
from amavis_pipe.desk.held.mailboxes import extents
from amavis_pipe.model import SpoolTrouble

WORDS = st.sampled_from(
    [
        b"From ",
        b">From ",
        b">>From ",
        b"From",
        b"Fro",
        b"F",
        b">",
        b">>",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"x",
        b"\0",
    ]
)
TEXTS = st.lists(WORDS, max_size=40).map(b"".join)
LINES = [b"X-Quarantine-ID: <virus-20261125-070000-0123456789ab>", b"X-Amavis-Original: size=1 sha256=0"]


def cut(data, places):
    """The data in chunks cut at these places, empty ones among them."""
    places = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(
    TEXTS | st.binary(max_size=60),
    st.lists(st.integers(0, 1000), max_size=8),
    st.lists(st.integers(0, 1000), max_size=8),
)
def test_what_was_escaped_comes_out_as_it_was_however_it_is_cut(data, first, second):
    escaped = b"".join(mailbox.escaped(cut(data, first)))
    assert escaped == b"".join(mailbox.escaped([data]))
    assert b"".join(mailbox.original(cut(escaped, second))) == data


@given(TEXTS)
def test_no_escaped_line_begins_another_mail(data):
    assert not any(line.startswith(b"From ") for line in b"".join(mailbox.escaped([data])).split(b"\n"))


@pytest.mark.parametrize(
    ("mail", "expect"),
    [
        (b"From a\nFrom b\n", b">From a\n>From b\n"),
        (b"x\n>From a\n>>From b", b"x\n>>From a\n>>>From b"),
        (b"x From a\n> From b\n>Fromm", b"x From a\n> From b\n>Fromm"),
        (b"\r\nFrom a\rFrom b", b"\r\n>From a\rFrom b"),
        (b">" * 10_000 + b"From a", b">" * 10_001 + b"From a"),
        (b"", b""),
    ],
    ids=["first", "escaped before", "others", "line ends", "long", "empty"],
)
def test_a_line_that_reads_from_is_escaped_by_one_sign_more(mail, expect):
    assert b"".join(mailbox.escaped([mail[at : at + 7] for at in range(0, len(mail), 7)])) == expect


@given(
    st.lists(WORDS | st.sampled_from([b"\nFrom ", b"\n" + LINES[0] + b"\n", b"\n" + LINES[1] + b"\n"])).map(
        b"".join
    )
)
def test_a_file_of_any_bytes_falls_into_pieces_that_are_all_of_it(data):
    found = list(extents(data))
    assert b"".join(data[one.start : one.end] for one in found) == data
    assert all(one.body == -1 or one.start < one.body <= one.end for one in found)


@pytest.fixture
def path(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path / "kept.mbox"


def append(path, mail=b"Subject: x\n\nFrom me\n"):
    mailbox.append(os.fsencode(path), LINES, [mail])


def bodies(path):
    """What stands below our lines, as it was."""
    data = path.read_bytes()
    found = list(extents(data))
    return [b"".join(mailbox.original([data[one.body : one.end]])).removesuffix(b"\n\n") for one in found]


def test_mails_stand_one_behind_the_other_privately(path):
    mails = [b"a\nFrom b", b"c\n", b"\r\nd\r\n\r\n", b"From e"]
    for mail in mails:
        append(path, mail)
    assert bodies(path) == mails
    assert path.stat().st_mode & 0o777 == 0o600


def test_behind_a_mail_that_a_crash_cut_the_next_one_is_whole(path):
    append(path, b"one\n")
    append(path, b"two is long\n")
    os.truncate(path, path.stat().st_size - 8)
    append(path, b"three\n")
    assert bodies(path) == [b"one\n", b"two is", b"three\n"]


def test_without_room_it_is_trouble_and_the_file_is_as_it_was(path):
    append(path)
    before = path.read_bytes()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 300, len(before) + 300))
            append(path, b"y" * 1000)
        except SpoolTrouble:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["link", "dangling link", "fifo", "folder", "others may write"])
def test_what_is_no_file_of_ours_is_refused(path, tmp_path, what):
    outside = tmp_path / "outside"
    if what == "link":
        outside.write_bytes(b"")
    if what in ("link", "dangling link"):
        path.symlink_to(outside)
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"")
        path.chmod(0o622)
    with pytest.raises(OSError, match=r"symbolic|file of uid|directory"):
        append(path)
    assert not outside.exists() or outside.read_bytes() == b""


def test_a_mail_goes_into_the_new_file_if_the_old_one_is_replaced_while_its_lock_is_waited_for(
    path, monkeypatch
):
    append(path, b"one\n")
    fd = mailbox.opened(os.fsencode(path))
    waits = threading.Event()
    flock = mailbox.flock

    def telling(file, how):
        waits.set()
        flock(file, how)

    monkeypatch.setattr(mailbox, "flock", telling)
    writer = threading.Thread(target=append, args=(path, b"two\n"))
    writer.start()
    assert waits.wait(10)
    new = path.with_suffix(".new")
    new.write_bytes(path.read_bytes())
    new.chmod(0o600)
    new.rename(path)
    os.close(fd)
    writer.join(10)
    assert bodies(path) == [b"one\n", b"two\n"]


def test_many_writers_at_once_lose_nothing(path):
    pids = []
    for number in range(8):
        pid = os.fork()
        if pid == 0:
            try:
                for turn in range(10):
                    append(path, b"%d %d\nFrom x" % (number, turn))
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    expect = sorted(b"%d %d\nFrom x" % (number, turn) for number in range(8) for turn in range(10))
    assert sorted(bodies(path)) == expect
