"""Mail kept back: whole, private, once, for everybody, and never over another."""

import ctypes
import fcntl
import json
import os
import posix
import re
import resource
import signal
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in import mails

from amavis_pipe import intake, kept, quarantine
from amavis_pipe.model import Envelope, SpoolTrouble

ENVELOPE = Envelope(b"a@example.org", (b"b@example.org", b'"c d"@example.net'), b"4bQ7Xz")
MAIL = mails.infected()
ENTRY = {
    "schema": 1,
    "envelope": {"sender": "shown", "recipients": [], "client_address": "192.0.2.1"},
    "parts": [],
}
NAME = r"virus-\d{8}-\d{6}-4bQ7Xz-[0-9a-f]{12}"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "quarantine"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def still(monkeypatch):
    """A clock that stands still."""
    monkeypatch.setattr(quarantine, "gmtime", lambda: (2030, 1, 1, 0, 0, 0, 1, 1, 0))


def keep(folder, mail=MAIL, envelope=ENVELOPE, label="infected", alert="INFECTED Eicar"):
    read = intake.of_bytes(mail, os.fsencode(folder))
    return quarantine.keep(read, envelope, label, alert, os.fsencode(folder), ENTRY)


def place(folder, name):
    """Where the mail of that name is."""
    return folder / name.rpartition("-")[2][:2] / name


def beside(folder, name):
    """Where its record is."""
    return place(folder, name).with_name(name + ".json")


def record(folder, name):
    return json.loads(beside(folder, name).read_text())


def there(folder):
    """The names of all files below the folder."""
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


def to(*recipients, **more):
    return Envelope(b"a@example.org", recipients, more.get("queue_id", b"4bQ7Xz"))


class TestWhole:
    @pytest.mark.parametrize(
        "mail", [MAIL, b"no header at all", b"\n\nbody\r\n", b"X: \xff\0\nx", mails.plain(b"y" * 3_000_000)],
        ids=["infected", "no header", "empty header", "odd bytes", "large"],
    )  # fmt: skip
    def test_the_end_of_the_file_is_the_mail_byte_for_byte(self, folder, mail):
        kept_ = place(folder, keep(folder, mail)).read_bytes()
        said = re.search(rb"^X-Amavis-Original: size=(\d+) sha256=([0-9a-f]{64})\n", kept_, re.MULTILINE)
        assert kept_[said.end() :] == mail
        assert int(said[1]) == len(mail)

    def test_file_and_record_are_private_and_named_by_category_time_queue_id_and_content(self, folder):
        name = keep(folder)
        assert re.fullmatch(NAME, name)
        assert there(folder) == [name, name + ".json"]
        for path in place(folder, name).parent.iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
        assert place(folder, name).parent.stat().st_mode & 0o777 == 0o700

    def test_other_categories_are_named_by_themselves(self, folder):
        assert keep(folder, label="bad-header").startswith("bad-header-")

    def test_the_lines_above_tell_the_envelope_and_why(self, folder):
        head = place(folder, keep(folder)).read_bytes().partition(b"X-Amavis-Original")[0]
        assert b"X-Envelope-From: <a@example.org>\n" in head
        assert b'X-Envelope-To: <b@example.org>\nX-Envelope-To: <"c d"@example.net>\n' in head
        assert b"X-Amavis-Alert: INFECTED Eicar\n" in head

    def test_words_from_outside_stay_on_their_lines(self, folder):
        envelope = Envelope(b"a\nX-Amavis-Original: size=0 sha256=0\n@x", (b"b\r\n\r\n@x",), b"../x\n")
        name = keep(folder, envelope=envelope, alert="INFECTED a\nX-Envelope-To: <c>\n")
        assert re.fullmatch(r"virus-\d{8}-\d{6}-___x_-[0-9a-f]{12}", name)
        lines = place(folder, name).read_bytes().split(b"\n")[:5]
        assert [line.partition(b":")[0] for line in lines] == [
            b"X-Quarantine-ID", b"X-Envelope-From", b"X-Envelope-To", b"X-Amavis-Alert", b"X-Amavis-Original",
        ]  # fmt: skip

    def test_a_mail_that_looks_like_a_quarantine_file_is_still_found_whole(self, folder):
        inner = place(folder, keep(folder)).read_bytes()
        name = keep(folder, inner)
        assert keep(folder, inner) == name
        assert place(folder, name).read_bytes().endswith(inner)

    @given(st.lists(st.binary(max_size=30), max_size=4))
    def test_addresses_come_out_of_the_lines_as_they_went_in(self, addresses):
        head = b"\n".join(kept.RECIPIENT + kept.bracketed(one) for one in addresses)
        assert kept.addresses_in(head, kept.RECIPIENT) == addresses


class TestRecord:
    def test_it_has_the_envelope_byte_for_byte_and_what_else_is_known(self, folder):
        envelope = Envelope(b"\xc3\xa4\xff@x", (b"\\x41@x", b"-b@x"))
        found = record(folder, keep(folder, envelope=envelope))
        assert found["envelope"]["sender"].encode("latin-1") == envelope.sender
        assert [one.encode("latin-1") for one in found["envelope"]["recipients"]] == list(envelope.recipients)
        assert found["envelope"]["client_address"] == "192.0.2.1"
        assert found["parts"] == []

    def test_a_retry_adds_whom_it_did_not_have(self, folder):
        name = keep(folder, envelope=to(b"b@x"))
        assert keep(folder, envelope=to(b"c@x", b"b@x")) == name
        assert record(folder, name)["envelope"]["recipients"] == ["b@x", "c@x"]
        assert there(folder) == [name, name + ".json"]

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"envelope": {}}', b'{"envelope": {"sender": 1, "recipients": []}}'],
                             ids=["empty", "cut", "other", "no sender", "odd sender"])  # fmt: skip
    def test_one_that_is_damaged_is_made_anew_with_all_recipients(self, folder, damage):
        name = keep(folder, envelope=to(b"b@x", b"c\\@x"))
        path = beside(folder, name)
        path.write_bytes(damage)
        assert keep(folder, envelope=to(b"d@x")) == name
        assert record(folder, name)["envelope"]["recipients"] == ["b@x", "c\\@x", "d@x"]
        path.unlink()
        keep(folder, envelope=to(b"b@x", b"c\\@x"))
        assert record(folder, name)["envelope"]["recipients"] == ["b@x", "c\\@x"]

    def test_what_was_put_down_of_a_release_stays(self, folder):
        name = keep(folder, envelope=to(b"b@x"))
        path = beside(folder, name)
        path.write_text(json.dumps({**record(folder, name), "released": [{"to": ["b@x"]}]}))
        keep(folder, envelope=to(b"c@x"))
        assert record(folder, name)["released"] == [{"to": ["b@x"]}]


class TestOnce:
    def test_a_retry_finds_its_own_copy(self, folder):
        assert keep(folder) == keep(folder, label="unchecked")
        assert len(there(folder)) == 2

    def test_another_mail_queue_id_or_sender_is_another_copy(self, folder):
        names = {
            keep(folder),
            keep(folder, MAIL + b"x"),
            keep(folder, envelope=to(b"b@x", queue_id=b"x4bQ7Xz")),
            keep(folder, envelope=to(b"b@x", queue_id=b"")),
        }
        assert len(names) == 4
        assert len(there(folder)) == 8

    def test_without_a_queue_id_another_sender_does_not_find_it(self, folder, still):
        keep(folder, envelope=to(b"b@x", queue_id=b""))
        with pytest.raises(SpoolTrouble, match="other content"):
            keep(folder, envelope=Envelope(b"other@x", (b"b@x",)))

    @pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"", lambda data: data + b"x"],
                             ids=["cut", "empty", "longer"])  # fmt: skip
    def test_a_damaged_copy_is_not_taken_for_it_nor_overwritten(self, folder, change, monkeypatch):
        name = keep(folder)
        damaged = change(place(folder, name).read_bytes())
        place(folder, name).write_bytes(damaged)
        monkeypatch.setattr(quarantine, "gmtime", lambda: (2030, 1, 1, 0, 0, 0, 1, 1, 0))
        other = keep(folder)
        assert other != name
        assert place(folder, name).read_bytes() == damaged
        assert place(folder, other).read_bytes().endswith(MAIL)

    def test_what_stands_in_the_way_is_trouble_and_neither_it_nor_its_record_is_overwritten(
        self, folder, still
    ):
        name = keep(folder)
        place(folder, name).write_bytes(b"another")
        before = record(folder, name)
        with pytest.raises(SpoolTrouble, match="other content"):
            keep(folder, envelope=to(b"new@x"))
        assert place(folder, name).read_bytes() == b"another"
        assert record(folder, name) == before
        assert there(folder) == [name, name + ".json"]

    def test_many_filters_at_once_keep_one_copy_for_all_recipients(self, folder):
        pids = []
        for number in range(12):
            pid = os.fork()
            if pid == 0:
                try:
                    keep(folder, envelope=to(b"r%d@x" % number))
                finally:
                    os._exit(0)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)
        mail, second = there(folder)
        assert second == mail + ".json"
        recipients = record(folder, mail)["envelope"]["recipients"]
        assert sorted(recipients) == sorted(f"r{number}@x" for number in range(12))


STEPS = ("mkdir", "open", "write", "fsync", "link", "rename", "unlink", "flock")


def killed_at(folder, step, number, before):
    """Keep the mail in a process that is killed before or after that call of `step`; whether it came so far."""
    pid = os.fork()
    if pid == 0:
        room = quarantine if step == "flock" else posix
        real, left = getattr(room, step), number

        def deadly(*args, **more):
            nonlocal left
            left -= 1
            if left == 0 and before:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return real(*args, **more)
            finally:
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        setattr(room, step, deadly)
        try:
            keep(folder, envelope=to(b"killed@x"))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


class TestKilled:
    @pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
    @pytest.mark.parametrize("step", STEPS)
    def test_at_whichever_step_the_next_try_keeps_it_whole_and_once(self, folder, step, before):
        number = 1
        while killed_at(folder, step, number, before):
            for path in folder.rglob("*"):
                if re.fullmatch(NAME, path.name):
                    assert path.read_bytes().endswith(MAIL), "a cut mail under its own name"
            name = keep(folder, envelope=to(b"next@x"))
            assert "next@x" in record(folder, name)["envelope"]["recipients"]
            mails_ = [found for found in there(folder) if re.fullmatch(NAME, found)]
            assert mails_ == [name]
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            number += 1
        assert number > 1, "it was never killed"


class TestRefused:
    def test_a_missing_folder_is_made_only_where_the_one_above_is_ours_alone(self, tmp_path):
        tmp_path.chmod(0o700)
        name = keep(tmp_path / "missing")
        assert place(tmp_path / "missing", name).exists()
        assert (tmp_path / "missing").stat().st_mode & 0o777 == 0o700
        tmp_path.chmod(0o777)
        with pytest.raises(SpoolTrouble, match="nobody else can write"):
            keep(tmp_path / "other")
        assert not (tmp_path / "other").exists()
        with pytest.raises(SpoolTrouble, match="No such file"):
            keep(tmp_path / "not/there")

    @pytest.mark.parametrize("what", ["place", "subfolder"])
    def test_links_are_not_followed(self, folder, tmp_path, what):
        outside = tmp_path / "outside"
        name = keep(folder)
        if what == "place":
            folder.rename(outside)
            folder.symlink_to(outside)
        else:
            place(folder, name).parent.rename(outside)
            (folder / name.rpartition("-")[2][:2]).symlink_to(outside)
        before = there(outside)
        with pytest.raises(SpoolTrouble):
            keep(folder, envelope=to(b"new@x"))
        assert there(outside) == before

    def test_a_link_of_the_mails_or_its_records_name_is_not_followed(self, folder, tmp_path, still):
        name = keep(folder)
        outside = tmp_path / "outside"
        outside.write_bytes(place(folder, name).read_bytes())
        place(folder, name).unlink()
        place(folder, name).symlink_to(outside)
        with pytest.raises(SpoolTrouble, match="other content"):
            keep(folder)
        place(folder, name).unlink()
        path = beside(folder, name)
        path.rename(tmp_path / "record")
        before = (tmp_path / "record").read_bytes()
        path.symlink_to(tmp_path / "record")
        assert keep(folder, envelope=to(b"new@x")) == name
        assert not path.is_symlink()
        assert (tmp_path / "record").read_bytes() == before

    @pytest.mark.parametrize("what", ["place", "subfolder"])
    def test_a_folder_that_others_can_write_is_refused(self, folder, what):
        name = keep(folder)
        (folder if what == "place" else place(folder, name).parent).chmod(0o770)
        with pytest.raises(SpoolTrouble, match="nobody else can write"):
            keep(folder, envelope=to(b"new@x"))

    @pytest.mark.parametrize("what", ["place", "subfolder"])
    def test_a_folder_of_another_owner_is_refused(self, folder, what):
        if os.geteuid() != 0:
            pytest.fail("giving a folder away wants root")
        name = keep(folder)
        os.chown(folder if what == "place" else place(folder, name).parent, 65534, 65534)
        with pytest.raises(SpoolTrouble, match="wants a folder of uid 0"):
            keep(folder, envelope=to(b"new@x"))


class TestBesidePrune:
    def test_a_subfolder_that_is_removed_before_anything_is_in_it_is_made_once_more(
        self, folder, monkeypatch
    ):
        real, left = quarantine._known, [3]

        def removing(fd, copy):
            if left[0]:
                left[0] -= 1
                for path in folder.iterdir():
                    path.rmdir()
            return real(fd, copy)

        monkeypatch.setattr(quarantine, "_known", removing)
        assert place(folder, keep(folder)).read_bytes().endswith(MAIL)

    def test_a_copy_that_is_pruned_while_the_lock_is_waited_for_is_kept_anew(self, folder, monkeypatch):
        name = keep(folder)
        flock = quarantine.flock

        def pruning(fd, how):
            for path in [*place(folder, name).parent.iterdir()]:
                path.unlink()
            flock(fd, how)

        monkeypatch.setattr(quarantine, "flock", pruning)
        again = keep(folder, envelope=to(b"new@x"))
        assert place(folder, again).read_bytes().endswith(MAIL)
        assert record(folder, again)["envelope"]["recipients"] == ["new@x"]

    def test_the_lock_is_waited_for(self, folder):
        name = keep(folder)
        fd = os.open(place(folder, name).parent, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        done = threading.Event()
        thread = threading.Thread(target=lambda: (keep(folder, envelope=to(b"new@x")), done.set()))
        thread.start()
        assert not done.wait(0.2)
        os.close(fd)
        thread.join(10)
        assert done.is_set()
        assert "new@x" in record(folder, name)["envelope"]["recipients"]


LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def small_disk(folder, size):
    """A file system of so many bytes on `folder`, of our own."""
    if os.geteuid() != 0:
        pytest.fail("mounting a small disk wants root")
    options = b"size=%d,mode=0700" % size
    assert LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) == 0, ctypes.get_errno()
    try:
        yield
    finally:
        LIBC.umount2(os.fsencode(folder), 2)


class TestNoRoom:
    @pytest.mark.parametrize("limit", [20, 200, 2000])
    def test_where_files_may_not_grow_it_is_trouble_and_nothing_stays(self, folder, limit):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                keep(folder, mails.plain(b"y" * 3000))
            except SpoolTrouble:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert there(folder) == []

    @pytest.mark.parametrize("free", [0, 4096, 8192, 1 << 15], ids=lambda free: f"{free} bytes")
    def test_on_a_full_disk_it_is_trouble_nothing_stays_and_what_was_there_is_whole(self, folder, free):
        with small_disk(folder, 1 << 18):
            name = keep(folder)
            before = place(folder, name).read_bytes()
            with open(folder / "other", "wb", 0) as other, pytest.raises(OSError, match="space"):
                while True:
                    other.write(bytes(4096))
            os.truncate(folder / "other", max(0, (folder / "other").stat().st_size - free))
            with pytest.raises(SpoolTrouble, match="No space left"):
                keep(folder, mails.plain(b"y" * 60_000))
            assert there(folder) == ["other", name, name + ".json"]
            assert place(folder, name).read_bytes() == before
            (folder / "other").unlink()
            keep(folder, mails.plain(b"y" * 60_000))

    def test_a_record_without_room_leaves_no_mail_behind(self, folder, monkeypatch):
        def full(*_):
            raise SpoolTrouble("spool: No space left on device")

        monkeypatch.setattr(quarantine, "write_record", full)
        with pytest.raises(SpoolTrouble, match="No space left"):
            keep(folder)
        assert there(folder) == []

    def test_a_name_without_room_leaves_no_record_behind(self, folder, monkeypatch):

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(posix, "link", full)
        with pytest.raises(SpoolTrouble, match="No space left"):
            keep(folder)
        assert there(folder) == []
