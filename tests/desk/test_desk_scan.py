"""The command `scan`: which files it takes, how they are read, what it says."""

import json
import os
from pathlib import Path

import jsonschema
import pytest
from stand_in import mails
from stand_in.desk_site import ROOT
from stand_in.reach import open_to_all

import amavis_pipe
from amavis_pipe.desk import files
from amavis_pipe.desk.scan import AS_FILE, AS_MAIL, BOTH, in_child, reading_of
from amavis_pipe.kinds import Formats
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.spool import Blob

SCHEMA = json.loads((Path(amavis_pipe.__file__).parent / "record.schema.json").read_text())
FOUND = f"infected {mails.EICAR_NAME}"
ODD = b"X-Foo: bar\nContent-Transfer-Encoding: base64\n\nWDVPIVA=\n"


def lines(done):
    return done.stdout.splitlines()


def test_clean_files_are_not_named_and_status_is_0(desk):
    desk.put("a.eml", mails.plain())
    desk.put("b.txt", b"hello\n")
    done = desk.run("scan", desk.files)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 files: 2 clean\n", "")


def test_each_file_that_is_not_clean_has_a_line_and_status_is_1(desk):
    mail, archive = desk.put("a.eml", mails.infected()), desk.put("b.zip", mails.zipped("x", eicar()))
    locked = desk.put("c.eml", mails.encrypted())
    desk.put("d", b"hello\n")
    done = desk.run("scan", desk.files)
    assert done.returncode == 1
    assert lines(done) == [
        f"{mail}: {FOUND}",
        f"{archive}: {FOUND}",
        f"{locked}: unchecked encrypted:zip",
        "4 files: 2 infected, 1 unchecked, 1 clean",
    ]


def test_something_unchecked_alone_is_status_1(desk):
    assert desk.run("scan", desk.put("c.eml", mails.encrypted())).returncode == 1


def test_json_is_one_record_for_each_file_and_keeps_to_the_schema(desk):
    paths = [desk.put("a.eml", mails.infected()), desk.put("b.txt", b"x"), desk.put("c", ODD)]
    done = desk.run("scan", "--json", *paths)
    records = [json.loads(line) for line in lines(done)]
    assert [record["source"] for record in records] == [str(path) for path in paths]
    assert [record["verdict"] for record in records] == ["infected", "clean", "clean"]
    for record in records:
        jsonschema.validate(record, SCHEMA)
    assert done.returncode == 1


def test_standard_input_is_a_mail(desk):
    done = desk.run("scan", "-", stdin=mails.infected())
    assert (done.returncode, lines(done)[0]) == (1, f"-: {FOUND}")
    (record,) = [json.loads(line) for line in lines(desk.run("scan", "--json", "-", stdin=mails.plain()))]
    assert record["source"] == "stdin"
    assert record["parts"][0]["decoder"] == "mime"


def test_a_maildir_is_walked_and_its_files_are_mails(desk):
    desk.put("Maildir/cur/1:2,S", b"broken first line\n" + mails.plain())
    desk.put("Maildir/new/2", mails.infected())
    desk.put("Maildir/tmp/3", b"hello\n")
    records = [json.loads(line) for line in lines(desk.run("scan", "--json", desk.files))]
    assert [record["verdict"] for record in records] == ["clean", "infected", "clean"]
    assert [record["parts"][0]["flags"] for record in records] == [[], ["structure"], ["file"]]


def test_a_maildir_is_known_from_within(desk):
    desk.put("Maildir/cur/1", b"X-Odd: 1\n\nPK\3\4\n")
    done = desk.run("scan", "--json", "1", cwd=desk.files / "Maildir/cur")
    assert [part["decoder"] for part in json.loads(done.stdout)["parts"]] == ["mime"]


def test_a_file_that_is_too_large_is_told_and_not_copied(desk):
    path = desk.put("huge", b"")
    os.truncate(path, (4 << 30) + 1)
    done = desk.run("scan", path)
    assert (done.returncode, done.stderr) == (2, f"{path}: not examined: larger than 4.0 GiB\n")


def test_crlf_mails_are_read_too(desk):
    done = desk.run("scan", desk.put("a.eml", mails.infected().replace(b"\n", b"\r\n")))
    assert lines(done)[0].endswith(FOUND)


@pytest.mark.parametrize(
    ("option", "decoders"), [("--mail", ["mime"]), ("--file", [""]), (None, ["", "mime"])], ids=str
)
def test_what_may_be_a_mail_is_read_both_ways_unless_told(desk, option, decoders):
    path = desk.put("c", ODD)
    done = desk.run("scan", "--json", *([option] if option else []), path)
    assert [part["decoder"] for part in json.loads(done.stdout)["parts"]] == decoders


@pytest.mark.parametrize("reading", ["--mail", None], ids=["as a mail", "in doubt"])
def test_what_is_found_in_either_reading_is_found(desk, reading):
    import base64

    data = b"X-Foo: bar\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(eicar())
    done = desk.run("scan", *([reading] if reading else []), desk.put("odd", data))
    assert lines(done)[0].endswith(FOUND)


def test_what_can_not_be_opened_is_told_and_the_rest_goes_on(desk):
    os.mkfifo(desk.files / "fifo")
    good = desk.put("good", eicar())
    missing = desk.files / "missing"
    done = desk.run("scan", missing, desk.files / "fifo", "/dev/null", good)
    assert done.returncode == 2
    assert lines(done) == [f"{good}: {FOUND}", "4 files: 1 infected, 0 clean, 3 not examined"]
    assert done.stderr.splitlines() == [
        f"{missing}: not examined: No such file or directory",
        f"{desk.files}/fifo: not examined: not a regular file",
        "/dev/null: not examined: not a regular file",
    ]


def test_in_folders_links_and_fifos_are_left_out(desk):
    desk.put("real", b"x")
    outside = desk.folder / "outside"
    outside.mkdir()
    (outside / "virus").write_bytes(eicar())
    (desk.files / "link").symlink_to(outside / "virus")
    (desk.files / "folder").symlink_to(outside)
    os.mkfifo(desk.files / "fifo")
    assert lines(desk.run("scan", desk.files)) == ["1 file: 1 clean"]


def test_a_link_that_the_user_names_is_followed(desk):
    desk.put("real", eicar())
    (desk.folder / "link").symlink_to(desk.files / "real")
    (desk.folder / "folder").symlink_to(desk.files)
    done = desk.run("scan", desk.folder / "link", desk.folder / "folder")
    assert lines(done) == [
        f"{desk.folder}/link: {FOUND}",
        f"{desk.folder}/folder/real: {FOUND}",
        "2 files: 2 infected, 0 clean",
    ]


def test_hostile_names_are_escaped(desk):
    path = desk.put("a\n\x1b[2J", eicar())
    os.rename(path, os.fsencode(path) + b"\xff")
    done = desk.run("scan", desk.files)
    assert lines(done)[0] == f"{desk.files}/a\\x0a\\x1b[2J\\xff: {FOUND}"


def test_an_empty_file_is_clean(desk):
    assert desk.run("scan", desk.put("empty.eml", b"")).returncode == 0


def test_the_second_run_asks_no_scanner_unless_told(desk, clamd):
    if ROOT:
        os.chmod(clamd.at, 0o777)
        open_to_all(Path(clamd.at).parent)
    desk.configure(
        f'[[scanner]]\nname = "clamd"\nat = "{clamd.at}"\ndatabases = "/nonexistent"\nconf = "/nonexistent"',
        scanners='["clamd"]',
    )
    desk.put("a.eml", mails.infected())
    desk.put("b.txt", b"x")
    first = desk.run("scan", desk.files)
    assert first.returncode == 1, first.stderr
    scans = clamd.scans
    assert desk.run("scan", desk.files).stdout == first.stdout
    assert clamd.scans == scans
    assert desk.run("scan", "--no-cache", desk.files).stdout == first.stdout
    assert clamd.scans == 2 * scans


def test_a_scanner_that_does_not_answer_is_status_2_and_nothing_is_called_clean(desk):
    desk.configure('[[scanner]]\nname = "clamd"\nat = "/nonexistent"', scanners='["clamd"]')
    done = desk.run("scan", desk.put("a", b"x"))
    assert done.returncode == 2
    assert lines(done) == ["1 file: 0 clean, 1 not examined"]
    assert "clamd at /nonexistent" in done.stderr


def test_it_works_without_settings_for_any_user(desk):
    path = desk.put("a.eml", mails.infected())
    done = desk.run("scan", path, config=False, user="nobody")
    assert lines(done)[0] == f"{path}: {FOUND}"
    assert done.returncode == 1
    assert "no settings" in done.stderr
    assert "no virus scanner was found" in done.stderr


def test_a_user_without_the_state_folder_gets_a_cache_at_home(desk, tmp_path_factory):
    home = desk.folder / "home"
    home.mkdir()
    desk.own(home)
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    desk.run("scan", desk.put("a", b"x"), config=False, user="nobody", env=environment)
    assert any(path.is_file() for path in (home / ".cache/amavis-pipe/cache").rglob("*"))


def test_as_root_files_that_only_root_can_read_are_scanned_by_another(desk):
    path = desk.put("secret.eml", mails.infected())
    path.chmod(0o600)
    desk.files.chmod(0o700)
    done = desk.run("scan", desk.files)
    assert lines(done)[0] == f"{path}: {FOUND}"
    owners = {found.stat().st_uid for found in (desk.state / "cache").rglob("*")}
    assert owners == {desk.state.stat().st_uid}


def test_many_files_leave_no_descriptor_behind(desk):
    for number in range(60):
        desk.put(f"{number}.eml", mails.with_file(mails.zipped("a", os.urandom(100))))
    import resource

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    done = desk.run("scan", desk.files, preexec_fn=few)
    assert (done.stdout, done.returncode) == ("60 files: 60 clean\n", 0)


class TestReading:
    """How a file is to be read, told by its place and content."""

    def found(self, path):
        return files.Opened(path, -1, folder=files.folder_of(path))

    @pytest.mark.parametrize(
        ("path", "data", "expect"),
        [
            (b"-", b"x", AS_MAIL),
            (b"/a/b.eml", b"x", AS_MAIL),
            (b"/a/b.EML", b"PK\3\4", AS_MAIL),
            (b"/Maildir/cur/1", b"PK\3\4", AS_MAIL),
            (b"/Maildir/new/1", b"x", AS_MAIL),
            (b"/Maildir/tmp/1", b"x", BOTH),
            (b"/a/b", mails.plain(), AS_MAIL),
            (b"/a/b", ODD, BOTH),
            (b"/a/b", b"hello\n", BOTH),
            (b"/a/b", b"\0\1\2", BOTH),
            (b"/a/b.zip", b"PK\3\4abc", AS_FILE),
            (b"/a/b.png", b"\x89PNG\r\n\x1a\nabc", AS_FILE),
            (b"/a/b", b"ab-lh5-: x\nfoo: bar\n\n", BOTH),
            (b"/a/b.eml", b"", AS_FILE),
        ],
        ids=[
            "stdin", "eml", "upper case", "cur", "new", "tmp", "mail", "one odd field", "text", "data", "zip",
            "picture", "format with a field", "empty",
        ],
    )  # fmt: skip
    def test_in_doubt_both_ways(self, path, data, expect):
        assert reading_of(self.found(path), Blob(data), "", Formats()) == expect

    @pytest.mark.parametrize("wanted", [AS_MAIL, AS_FILE])
    def test_what_the_user_says_holds(self, wanted):
        assert reading_of(self.found(b"/a/b.eml"), Blob(b"PK\3\4"), wanted, Formats()) == wanted


class TestInputs:
    """The opener, where this process is not root."""

    @pytest.fixture(autouse=True)
    def not_root(self, monkeypatch):
        monkeypatch.setattr(files.os, "geteuid", lambda: 1000)

    def opened(self, *paths):
        found = []
        for one in files.Inputs([os.fsencode(path) for path in paths]):
            found.append((one.path, one.trouble))
            if one.fd >= 0:
                os.close(one.fd)
        return found

    def test_files_come_in_order_of_their_names(self, tmp_path):
        for name in ("b", "a/c", "a/b", "c"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        names = [path.removeprefix(os.fsencode(tmp_path)) for path, _ in self.opened(tmp_path)]
        assert names == [b"/a/b", b"/a/c", b"/b", b"/c"]

    def test_the_number_of_files_is_known_before(self, tmp_path):
        for name in "abc":
            (tmp_path / name).write_bytes(b"")
        assert files.Inputs([os.fsencode(tmp_path), b"-", b"/nonexistent"]).total == 5

    def test_very_deep_folders_are_not_walked(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "DEEPEST", 3)
        (tmp_path / "1/2/3/4").mkdir(parents=True)
        (tmp_path / "1/2/file").write_bytes(b"")
        found = self.opened(tmp_path)
        assert [trouble for _, trouble in found] == ["more than 3 folders deep", ""]

    def test_more_files_than_are_taken_are_told(self, tmp_path, monkeypatch):
        monkeypatch.setattr(files, "MOST", 2)
        for name in "abc":
            (tmp_path / name).write_bytes(b"")
        assert [bool(trouble) for _, trouble in self.opened(tmp_path)] == [False, False, True]

    def test_a_file_that_vanishes_meanwhile_is_told(self, tmp_path):
        for name in "ab":
            (tmp_path / name).write_bytes(b"")
        found = []
        for one in files.Inputs([os.fsencode(tmp_path)]):
            found.append(one.trouble)
            if one.fd >= 0:
                os.close(one.fd)
            (tmp_path / "b").unlink(missing_ok=True)
        assert found == ["", "No such file or directory"]


class TestChild:
    """Each file's own process."""

    def test_what_it_says_comes_back(self):
        assert in_child(lambda: "x" * 200_000, 60) == ("x" * 200_000, "")

    def test_trouble_comes_back_as_trouble(self):
        def work():
            raise SpoolTrouble("no room")

        assert in_child(work, 60) == ("", "no room")

    def test_one_that_hangs_is_ended(self):
        import signal

        assert in_child(lambda: signal.raise_signal(signal.SIGALRM) or "", 7) == ("", "took more than 7 s")

    def test_one_that_dies_is_trouble(self):
        import signal

        said, trouble = in_child(lambda: os.kill(os.getpid(), signal.SIGKILL) or "", 60)
        assert (said, trouble) == ("", "ended with status -9")

    def test_a_bug_is_trouble_and_shown(self, capfd):
        assert in_child(lambda: str(1 // 0), 60) == ("", "ended with status 2")
        assert "ZeroDivisionError" in capfd.readouterr().err
