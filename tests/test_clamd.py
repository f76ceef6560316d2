"""clamd as a scanner, against a stand-in that fails in every way."""

import os
import socket

import pytest
from stand_in.clamd import Clamd

from amavis_pipe.clamd import Scanner, disk_stamp
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.session import IN_FLIGHT, STEP, read_reply
from amavis_pipe.settings import Row
from amavis_pipe.spool import Blob

BOTH = pytest.mark.parametrize("server", ["clamd", "clamd_tcp"], indirect=True, ids=["unix", "tcp"])
QUICK = 0.2
"""Seconds that stand for the time-out where clamd says nothing."""


@pytest.fixture
def server(request):
    """The stand-in on a unix socket or a TCP port."""
    return request.getfixturevalue(request.param)


def row(at, **more):
    """The row of a clamd at this place."""
    values = {
        "name": "clamd",
        "via": "clamd",
        "at": (at,),
        "how": "descriptor" if at.startswith("/") else "stream",
        "timeout": 20,
        "databases": b"",
        "watched": (),
        "self_check": 600,
        "largest": 0,
        "longest": 0,
        "retry": 0,
        "sees": "both",
        "kinds": (),
        "backup_of": "",
        "more": {},
    }
    return Row(values | more)


def scanner(clamd, tmp_path, **more):
    return Scanner(row(clamd.at, **more), os.fsencode(tmp_path), 300)


def names(answers):
    """path -> (grade, name) of each finding."""
    return {
        path: [(found.grade, found.name) for found in found_there] for path, found_there in answers.items()
    }


@BOTH
def test_every_item_has_an_answer_and_clamd_sees_its_bytes(server, tmp_path):
    items = [("", Blob(b"mail")), ("1", Blob(eicar())), ("1.1", Blob(b"x" * 300_000)), ("2", Blob(b"y"))]
    asked = scanner(server, tmp_path)
    assert names(asked.scan(items)) == {"": [], "1": [("virus", "Eicar-Signature")], "1.1": [], "2": []}
    assert sorted(server.scanned) == sorted(blob.head(blob.size) for _, blob in items)
    assert asked.version == server.versions[0]
    assert asked.steady is True
    assert server.connections == 1
    assert server.commands["VERSION"] == 2


@BOTH
def test_more_parts_than_may_wait_at_a_time_are_all_asked_about(server, tmp_path):
    items = [(str(number), Blob(b"part %d" % number)) for number in range(5 * IN_FLIGHT)]
    assert names(scanner(server, tmp_path).scan(items)) == {path: [] for path, _ in items}
    assert server.scans == len(items)


def test_a_part_that_lies_in_a_file_is_passed_as_a_file_of_its_own(clamd, tmp_path):
    arena = os.memfd_create("arena")
    try:
        os.pwrite(arena, b"before" + bytes(4090) + eicar() + b"behind", 0)
        answers = scanner(clamd, tmp_path).scan([("1", Blob(None, arena, 4096, 68))])
    finally:
        os.close(arena)
    assert names(answers) == {"1": [("virus", "Eicar-Signature")]}
    assert clamd.scanned == [eicar()]


@BOTH
def test_an_empty_part_is_clean(server, tmp_path):
    assert names(scanner(server, tmp_path).scan([("1", Blob(b""))])) == {"1": []}


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        "closes-connect", "closes-VERSION", "half", "garbage", "unnumbered", "wrong-number", "twice",
        "endless", "error", "odd-version",
    ],
)  # fmt: skip
def test_whatever_is_no_answer_is_trouble(server, tmp_path, fault):
    server.fault = fault
    with pytest.raises(ScannerTrouble, match="clamd at"):
        scanner(server, tmp_path).scan([("", Blob(b"a")), ("1", Blob(b"b"))])


@pytest.mark.parametrize(
    ("server", "fault"),
    [("clamd", "closes-FILDES"), ("clamd_tcp", "closes-INSTREAM")],
    indirect=["server"],
    ids=["unix", "tcp"],
)
def test_a_connection_closed_while_a_part_is_given_is_trouble(server, tmp_path, fault):
    server.fault = fault
    with pytest.raises(ScannerTrouble, match="clamd at"):
        scanner(server, tmp_path).scan([("1", Blob(b"x" * (3 * STEP)))])


@BOTH
def test_a_silent_clamd_is_trouble_after_the_time_out(server, tmp_path):
    server.fault = "silent"
    with pytest.raises(ScannerTrouble, match=r"no answer in 0\.2 s"):
        scanner(server, tmp_path, timeout=QUICK).scan([("1", Blob(b"a"))])


def test_a_clamd_that_takes_nothing_is_trouble_after_the_time_out(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        asked = Scanner(
            row(f"127.0.0.1:{listener.getsockname()[1]}", timeout=QUICK), os.fsencode(tmp_path), 0
        )
        with pytest.raises(ScannerTrouble, match="no answer"):
            asked.scan([("1", Blob(bytes(64 << 20)))])


@BOTH
def test_answers_that_come_byte_by_byte_are_put_together(server, tmp_path):
    server.fault = "bytewise"
    assert names(scanner(server, tmp_path).scan([("1", Blob(eicar()))])) == {
        "1": [("virus", "Eicar-Signature")]
    }


@pytest.mark.parametrize(
    "at",
    ["/nonexistent/clamd.ctl", "127.0.0.1:1", "127.0.0.1:odd", "127.0.0.1", "[::1]:1", "", "localhost:99999"],
)
def test_a_clamd_that_is_not_there_is_trouble(tmp_path, at):
    with pytest.raises(ScannerTrouble, match="clamd at"):
        Scanner(row(at), os.fsencode(tmp_path), 0).scan([])


def test_a_socket_that_nobody_listens_to_is_trouble(tmp_path):
    server = Clamd(tmp_path / "dead.ctl")
    server.close()
    with pytest.raises(ScannerTrouble, match="refused"):
        scanner(server, tmp_path).scan([])


@pytest.mark.parametrize("size", [100, STEP + 1, 3 * STEP], ids=["small", "two chunks", "large"])
def test_a_stream_that_clamd_finds_too_long_is_unchecked(clamd_tcp, tmp_path, size):
    clamd_tcp.fault = "size-limit"
    found = scanner(clamd_tcp, tmp_path).scan([("1", Blob(b"x" * size))])
    assert names(found) == {"1": [("unchecked", "limit:clamd")]}


def test_after_a_part_that_is_too_long_for_a_stream_the_next_part_is_asked_about(clamd_tcp, tmp_path):
    asked = scanner(clamd_tcp, tmp_path, largest=1000)
    found = asked.scan([("1", Blob(b"x" * 1001)), ("2", Blob(eicar()))])
    assert names(found) == {"1": [("unchecked", "limit:clamd")], "2": [("virus", "Eicar-Signature")]}
    assert clamd_tcp.scanned == [eicar()]


@BOTH
def test_ok_for_a_part_over_clamds_size_limit_is_unchecked(server, tmp_path):
    found = scanner(server, tmp_path, largest=10).scan([("1", Blob(b"x" * 11)), ("2", Blob(b"x" * 10))])
    assert names(found) == {"1": [("unchecked", "limit:clamd")], "2": []}


def test_a_virus_in_a_part_over_clamds_size_limit_is_a_virus(clamd, tmp_path):
    found = scanner(clamd, tmp_path, largest=10).scan([("1", Blob(eicar()))])
    assert names(found) == {"1": [("virus", "Eicar-Signature")]}


def test_ok_after_clamds_time_limit_is_unchecked(clamd, tmp_path):
    found = scanner(clamd, tmp_path, longest=1e-9).scan([("1", Blob(b"x"))])
    assert names(found) == {"1": [("unchecked", "limit:clamd")]}


def test_a_version_that_changes_during_the_scan_is_not_steady(clamd, tmp_path):
    clamd.versions = ["ClamAV 1.4.6/27500/x", "ClamAV 1.4.6/27501/x"]
    asked = scanner(clamd, tmp_path)
    asked.scan([("1", Blob(b"x"))])
    assert asked.steady is False
    assert asked.version == "ClamAV 1.4.6/27501/x"


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        (b"fd[9]: OK", []),
        (b"stream: OK", []),
        (b"stream: Eicar-Signature FOUND", [("virus", "Eicar-Signature")]),
        (b"stream: Heuristics.Phishing.Email FOUND", [("suspect", "Heuristics.Phishing.Email")]),
        (b"stream: PUA.Win.Packer FOUND", [("suspect", "PUA.Win.Packer")]),
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND", [("unchecked", "limit:clamd")]),
        (b"stream: Heuristics.Encrypted.Zip FOUND", [("unchecked", "encrypted:clamd")]),
        (b"stream: a\x1b\xff\n FOUND", [("virus", "a\\x1b\\xff\\x0a")]),
        (b"INSTREAM size limit exceeded. ERROR", [("unchecked", "limit:clamd")]),
        (b"stream:  FOUND", None),
        (b"stream: FOUND", None),
        (b"fd[9]: Can't open file ERROR", None),
        (b"fd[9]: OK ERROR", None),
        (b"fd[9]: ok", None),
        (b"fd[9]: Eicar: OK", None),
        (b"", None),
        (b"UNKNOWN COMMAND", None),
        (b"stream: " + b"x" * 600 + b" FOUND", None),
    ],
    ids=lambda value: value.decode("latin-1")[:30] if isinstance(value, bytes) else "",
)
def test_an_answer_is_clean_a_finding_or_nothing(text, expect):
    found = read_reply("clamd", "1", text)
    assert (None if found is None else [(one.grade, one.name) for one in found]) == expect


class TestStamp:
    """What answers depend on, seen on disk."""

    @pytest.fixture
    def databases(self, tmp_path):
        """A signature folder."""
        folder = tmp_path / "signatures"
        folder.mkdir()
        (folder / "daily.cvd").write_bytes(b"one")
        return folder

    @pytest.fixture
    def site(self, databases, tmp_path):
        """A clamd that was started after its signatures came, and its row."""
        server = Clamd(tmp_path / "stamp.ctl")
        conf = tmp_path / "clamd.conf"
        conf.write_text("")
        while os.stat(server.at).st_ctime_ns <= conf.stat().st_ctime_ns:
            os.chmod(server.at, 0o666)  # the clock of file times moves on in steps
        yield row(server.at, databases=os.fsencode(databases), watched=(os.fsencode(conf),))
        server.close()

    def test_it_stays_the_same_while_nothing_changes(self, site):
        assert disk_stamp(site, 300).text == disk_stamp(site, 300).text

    @pytest.mark.parametrize(
        "change",
        [
            lambda folder: (folder / "own.ndb").write_bytes(b"x"),
            lambda folder: (folder / "daily.cvd").write_bytes(b"two!"),
            lambda folder: (folder / "daily.cvd").unlink(),
            lambda folder: os.utime(folder / "daily.cvd", (1, 1)),
            lambda folder: (folder / "daily.cvd").rename(folder / "daily.cld"),
            lambda folder: (folder.parent / "clamd.conf").write_text("MaxFileSize 1M"),
        ],
        ids=["hand-written file", "changed", "removed", "dated back", "renamed", "options"],
    )
    def test_it_changes_with_any_file_and_is_then_not_settled(self, site, databases, change):
        before = disk_stamp(site, 300)
        change(databases)
        after = disk_stamp(site, 300)
        assert before.text != after.text
        assert after.settled is False

    def test_it_changes_with_a_restart(self, site, tmp_path):
        before = disk_stamp(site, 300)
        (tmp_path / "stamp.ctl").unlink()
        server = Clamd(tmp_path / "stamp.ctl")
        try:
            assert disk_stamp(site, 300).text != before.text
        finally:
            server.close()

    def test_signatures_older_than_the_socket_by_the_time_loading_takes_are_loaded(self, site):
        assert disk_stamp(site, 0).settled is True
        assert disk_stamp(site, 300).settled is False  # they may have come while it was loading

    def test_younger_signatures_count_as_loaded_after_the_check_interval(self, site, databases):
        (databases / "own.ndb").write_bytes(b"x")
        assert disk_stamp(site, 300).settled is False
        site.self_check = -600
        assert disk_stamp(site, 300).settled is True

    @pytest.mark.parametrize(
        "change",
        [
            {"databases": b""},
            {"databases": b"/nonexistent"},
            {"at": "127.0.0.1:3310"},
            {"at": "/nonexistent"},
        ],
        ids=["no folder", "folder missing", "tcp", "no socket"],
    )
    def test_where_the_disk_does_not_tell_there_is_none(self, site, change):
        for name, value in change.items():
            setattr(site, name, value)
        assert disk_stamp(site, 300) is None

    def test_where_the_disk_does_not_tell_clamd_is_asked(self, clamd_tcp, tmp_path):
        asked = scanner(clamd_tcp, tmp_path)
        first = asked.stamp()
        clamd_tcp.versions = ["ClamAV 1.4.6/27501/x"]
        assert asked.stamp().text != first.text
        assert clamd_tcp.scans == 0


def test_over_tcp_signatures_on_disk_count_beside_the_version(clamd_tcp, tmp_path):
    databases = tmp_path / "db"
    databases.mkdir()
    asked = scanner(clamd_tcp, tmp_path, databases=os.fsencode(databases))
    before = asked.stamp()
    assert before.text == asked.stamp().text
    assert before.settled is False  # no socket tells since when it runs
    (databases / "own.ndb").write_text("x")
    assert asked.stamp().text != before.text
    asked.row.self_check = -600
    assert asked.stamp().settled is True
