"""What goes on: the bytes as they came, with our lines on top; by a file or by sendmail."""

import os
import signal
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import forward, intake
from amavis_pipe.forward import file, sendmail
from amavis_pipe.model import Envelope, ForwardTrouble
from amavis_pipe.spool import Blob

LINE = b"X-Virus-Scanned: by amavis-pipe"


def made(mail, folder, lines=(LINE,), remove=()):
    """The message that would go on for a mail: as a file, and in pieces, which must be the same."""
    folder = os.fsencode(folder)
    message = forward.Message(intake.of_bytes(mail, folder), list(lines), remove)
    fd = message.descriptor(folder)
    try:
        data = os.read(fd, os.fstat(fd).st_size + 1)
        assert data == b"".join(message.chunks())
        return data
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("mail", "expect"),
    [
        (b"Subject: x\n\nbody\n", LINE + b"\nSubject: x\n\nbody\n"),
        (b"Subject: x\r\n\r\nbody\r\n", LINE + b"\r\nSubject: x\r\n\r\nbody\r\n"),
        (b"Subject: x\n\n.\n..\n\0\xff no line end", LINE + b"\nSubject: x\n\n.\n..\n\0\xff no line end"),
        (b"\nbody\n", LINE + b"\n\nbody\n"),
        (b" indented\nbody\n", LINE + b"\n\n indented\nbody\n"),
        (b"\tindented\r\nbody\r\n", LINE + b"\r\n\r\n\tindented\r\nbody\r\n"),
        (b"From a@x Mon\nSubject: x\n\nbody\n", b"From a@x Mon\n" + LINE + b"\nSubject: x\n\nbody\n"),
        (b"x", LINE + b"\nx"),
        (b"Subject: \xc3\xa4\xff\n\nx\n", LINE + b"\nSubject: \xc3\xa4\xff\n\nx\n"),
    ],
    ids=["lf", "crlf", "odd body", "no header", "fold first", "fold first crlf", "mbox", "one byte", "8 bit"],
)
def test_our_line_stands_on_top_and_nothing_else_changes(tmp_path, mail, expect):
    assert made(mail, tmp_path) == expect


@given(st.binary(min_size=1, max_size=200))
def test_without_lines_of_ours_any_mail_goes_on_as_it_came(tmp_path_factory, data):
    assert made(data, tmp_path_factory.getbasetemp(), lines=()) == data


@given(st.binary(min_size=1, max_size=200).filter(lambda data: not data.startswith((b" ", b"\t", b"From "))))
def test_any_mail_goes_on_whole_behind_our_line(tmp_path_factory, data):
    message = made(data, tmp_path_factory.getbasetemp())
    assert message.startswith(LINE)
    assert message[len(LINE) :].lstrip(b"\r\n") == data.lstrip(b"\r\n") or message.endswith(data)
    assert message.endswith(data)


def test_a_large_mail_goes_on_byte_for_byte(tmp_path):
    mail = b"Subject: x\n\n" + os.urandom(3 << 20)
    assert made(mail, tmp_path) == LINE + b"\n" + mail


@pytest.mark.parametrize("size", [10, 3 << 20], ids=["small", "large"])
def test_foreign_fields_of_our_name_are_removed_with_their_folds(tmp_path, size):
    mail = (
        b"x-virus-scanned: first\n folded\n\tmore\nSubject: x\nX-VIRUS-SCANNED : second\n"
        b"X-Virus-Scanned-By: stays\n\nX-Virus-Scanned: body stays\n" + b"y" * size
    )
    expect = b"Subject: x\nX-Virus-Scanned-By: stays\n\nX-Virus-Scanned: body stays\n" + b"y" * size
    assert made(mail, tmp_path, remove=(b"x-virus-scanned",)) == LINE + b"\n" + expect


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_fold_of_ours_ends_as_the_lines_of_the_mail_do(tmp_path, end):
    mail = end.join((b"Subject: x", b"", b"body", b""))
    expect = end.join((b"X-A: a,", b"\tb,", b"\tc", b"X-B: d", mail))
    assert made(mail, tmp_path, lines=(b"X-A: a,\n\tb,\n\tc", b"X-B: d")) == expect


def test_fields_of_several_names_are_removed(tmp_path):
    mail = b"X-A: 1\n\tfold\nSubject: x\nx-b: 2\nX-C: 3\nX-AB: 4\n\nX-A: body\n"
    expect = LINE + b"\nSubject: x\nX-AB: 4\n\nX-A: body\n"
    assert made(mail, tmp_path, remove={b"x-a", b"x-b", b"x-c"}) == expect


def test_by_default_foreign_fields_stay(tmp_path):
    mail = b"X-Virus-Scanned: other\nSubject: x\n\nbody\n"
    assert made(mail, tmp_path) == LINE + b"\n" + mail


@pytest.fixture
def message():
    """A message of our own."""
    return Blob(b"Subject: x\n\nthe message\n")


def agree(refused):
    """Nothing speaks against the commit."""
    assert refused == []


class TestFile:
    def test_there_is_exactly_one_file_for_a_mail_whole_and_private(self, tmp_path, message):
        file.submit(message, os.fsencode(tmp_path), agree)
        (path,) = tmp_path.iterdir()
        assert path.read_bytes() == b"Subject: x\n\nthe message\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.name.endswith(".eml")

    def test_each_mail_has_a_file_of_its_own(self, tmp_path, message):
        for _ in range(20):
            file.submit(message, os.fsencode(tmp_path), agree)
        assert len(list(tmp_path.iterdir())) == 20

    def test_a_folder_that_is_not_there_is_trouble(self, tmp_path, message):
        with pytest.raises(ForwardTrouble, match="No such file"):
            file.submit(message, os.fsencode(tmp_path / "missing"), agree)

    def test_a_full_disk_is_trouble_and_leaves_nothing(self, tmp_path, message):
        import resource

        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))
                file.submit(message, os.fsencode(tmp_path), agree)
            except ForwardTrouble:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert list(tmp_path.iterdir()) == []


STAND_IN = """#!/bin/sh
for word in "$0" "$@"; do printf '%s\\n' "$word"; done >{folder}/argv
env >{folder}/environment
cat >{folder}/stdin
{end}
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A function: puts a program in sendmail's place that notes what it is given, then does `end`."""

    def place(end="exit 0"):
        path = tmp_path / "sendmail"
        path.write_text(STAND_IN.format(folder=tmp_path, end=end))
        path.chmod(0o755)
        monkeypatch.setattr(sendmail, "COMMAND", os.fsencode(path))
        return tmp_path

    return place


class TestSendmail:
    def test_it_gets_the_whole_message_and_the_envelope_word_by_word(self, stand_in, message):
        folder = stand_in()
        sendmail.submit(message, b"a@example.org", (b"-b@x", b'"c, (d) e"@x', b"$(id)@x"), b"/tmp", agree, 60)
        assert (folder / "stdin").read_bytes() == b"Subject: x\n\nthe message\n"
        words = (folder / "argv").read_bytes().split(b"\n")[1:-1]
        assert words == [
            b"-G", b"-i", b"-f", b"a@example.org", b"--", b"-b@x", b'"c, (d) e"@x', b"$(id)@x",
        ]  # fmt: skip

    def test_the_null_sender_is_an_empty_word(self, stand_in, message):
        folder = stand_in()
        sendmail.submit(message, b"", (b"b@x",), b"/tmp", agree, 60)
        assert (folder / "argv").read_bytes().split(b"\n")[3:6] == [b"-f", b"", b"--"]

    def test_it_gets_the_environment_that_pipe_exports_and_no_more(self, stand_in, message, monkeypatch):
        folder = stand_in()
        monkeypatch.setitem(sendmail.posix.environ, b"MAIL_CONFIG", b"/etc/postfix")
        monkeypatch.setitem(sendmail.posix.environ, b"LD_PRELOAD_NOT", b"x")
        sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60)
        names = {line.partition("=")[0] for line in (folder / "environment").read_text().splitlines()}
        assert "MAIL_CONFIG" in names
        assert names <= {name.decode() for name in sendmail.KEPT} | {"PWD", "_", "SHLVL", "OLDPWD"}

    @pytest.mark.parametrize("status", [1, 69, 75, 77, 127])
    def test_every_other_status_is_trouble_with_what_it_said(self, stand_in, message, status):
        stand_in(f"echo 'sendmail: fatal: no room' >&2; exit {status}")
        with pytest.raises(ForwardTrouble, match=f"exit status {status}: sendmail: fatal: no room"):
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60)

    def test_what_it_said_is_escaped_and_bounded(self, stand_in, message):
        stand_in("head -c 100000 /dev/zero >&2; printf '\\033[2J\\n' >&2; exit 1")
        with pytest.raises(ForwardTrouble) as caught:
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 2000

    def test_death_by_a_signal_is_trouble(self, stand_in, message):
        stand_in("kill -9 $$")
        with pytest.raises(ForwardTrouble, match="killed by signal 9"):
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60)

    def test_one_that_does_not_return_is_killed(self, stand_in, message):
        stand_in("exec tail -f /dev/null")
        with pytest.raises(ForwardTrouble, match="killed by signal 9"):
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 0)

    @pytest.mark.parametrize("end", ["exit 0", "exit 1", "exec tail -f /dev/null"])
    def test_where_it_cannot_be_watched_the_outcome_is_the_same(self, stand_in, message, monkeypatch, end):
        """No descriptor left, or a container without pidfd_open(2): the mail may be on its way by then."""
        stand_in(end)

        def refuse(pid, flags=0):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(sendmail.posix, "pidfd_open", refuse)
        if end == "exit 0":
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60)
            return
        with pytest.raises(ForwardTrouble, match=r"exit status 1|killed by signal 9"):
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60 if end == "exit 1" else 0)

    def test_one_that_is_not_there_is_trouble(self, message, monkeypatch):
        monkeypatch.setattr(sendmail, "COMMAND", b"/nonexistent/sendmail")
        with pytest.raises(ForwardTrouble, match="No such file"):
            sendmail.submit(message, b"a@x", (b"b@x",), b"/tmp", agree, 60)


def test_the_route_says_which_way_it_goes(tmp_path, message, stand_in):
    out = tmp_path / "out"
    out.mkdir()
    envelope = Envelope(b"a@x", (b"b@x",))
    receipt = forward.submit(f"file:{out}", message, envelope, envelope.recipients, agree, 60, b"/tmp")
    assert (receipt.route, receipt.taken) == (f"file:{out}", True)
    assert len(list(out.iterdir())) == 1
    folder = stand_in()
    receipt = forward.submit("sendmail", message, envelope, envelope.recipients, agree, 60, b"/tmp")
    assert (receipt.route, receipt.taken) == ("sendmail", True)
    assert (folder / "stdin").exists()


@pytest.mark.parametrize("route", ["file", "sendmail"])
def test_what_is_raised_just_before_the_commit_stops_it(tmp_path, message, stand_in, route):
    folder = stand_in()
    out = tmp_path / "out"
    out.mkdir()

    def gone(_):
        raise ForwardTrouble("gone")

    with pytest.raises(ForwardTrouble, match="gone"):
        forward.submit(
            f"file:{out}" if route == "file" else route, message, Envelope(), (b"b@x",), gone, 60, b"/tmp"
        )
    assert list(out.iterdir()) == []
    assert not (folder / "stdin").exists()
