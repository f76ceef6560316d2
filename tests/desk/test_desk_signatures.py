"""The command `signatures`: it updates, says what changed or failed, mails that, and is silent else."""

import fcntl
import getpass
import json
import os
import shutil
import socket
import stat
import threading
from email import message_from_bytes
from pathlib import Path
from time import monotonic

import pytest

from amavis_pipe.desk import aside, mirror, signatures, updates
from amavis_pipe.desk.updates import Done, Job, State
from amavis_pipe.model import SpoolTrouble, Trouble

ROOT = os.geteuid() == 0
FAR = float("inf")
ROW = '[[scanner]]\nname = "{name}"\nrun = "{program} {{dir}}"\nclean = [0]\ninfected = [1]\n{more}\n'


def cvd(version, kind="daily"):
    """The head of a database of ClamAV."""
    head = f"ClamAV-VDB:23 Nov 2026 08-00 +0000:{version}:2000000:90:x:y:builder:1"
    return head.encode().ljust(512)


class Site:
    """A desk with scanners whose updates are scripts; `db` are their signatures, `mail` what was sent."""

    def __init__(self, desk):
        self.desk = desk
        self.db, self.mirror, self.mail = (desk.folder / name for name in ("db", "mirror", "mail"))
        for folder in (self.db, self.mirror, self.mail):
            folder.mkdir()
        desk.own(self.mail)
        (self.db / "daily.cvd").write_bytes(cvd(27500))

    def script(self, text, name="update"):
        path = self.desk.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def configure(self, *rows, top="", end=""):
        """Scanners x, y … with these fields."""
        names = ["x", "y", "z"][: len(rows)]
        program = self.script("exit 0", "scanner")  # a young engine
        tables = "".join(
            ROW.format(name=name, program=program, more=more) for name, more in zip(names, rows, strict=True)
        )
        head = f'notify = "file:{self.mail}"\n{top}\n'
        self.desk.configure(head + tables + end, scanners=json.dumps(names))

    def updated_by(self, text, **more):
        """One scanner, updated by a script."""
        self.configure(f'databases = "{self.db}"\nupdate = "{self.script(text)}"', **more)

    def mirrored(self):
        self.configure(f'databases = "{self.db}"\nmirror = "{self.mirror}"')

    def update(self, *words, **options):
        return self.desk.run("signatures", "update", *words, **options)

    def mails(self):
        return [message_from_bytes(path.read_bytes()) for path in sorted(self.mail.glob("*.eml"))]


@pytest.fixture
def site(desk):
    return Site(desk)


CHANGE = "printf 'ClamAV-VDB:23 Nov 2026:27501:1' > {db}/daily.cvd; echo 'daily updated'"
CHANGED = "x: update from version daily 27500 to daily 27501 successful\n"


class TestUpdate:
    @pytest.mark.parametrize("words", [(), ("-q",), ("x",)], ids=["plain", "quiet", "by name"])
    def test_a_change_is_told_with_both_versions(self, site, words):
        site.updated_by(CHANGE.format(db=site.db))
        done = site.update(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, CHANGED, "")

    @pytest.mark.parametrize(
        ("words", "told"), [((), "x: no change\n"), (("-q",), "")], ids=["plain", "quiet"]
    )
    def test_without_a_change_a_quiet_one_prints_nothing(self, site, words, told):
        site.updated_by("echo 'daily is up to date'")
        done = site.update(*words, "-m", "root")
        assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
        assert site.mails() == []

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("echo one; echo two >&2; exit 3", "x: update failed: one / two (exit status 3)"),
            ("exit 1", "x: update failed: no output (exit status 1)"),
            ("kill -9 $$", "x: update failed: no output (killed by a signal)"),
            (
                "printf 'a\\033]0;b\\007\\r\\nc\\n'; exit 2",
                "x: update failed: a\\x1b]0;b\\x07 / c (exit status 2)",
            ),
            ("seq 1 100000; exit 2", "x: update failed: 99998 / 99999 / 100000 (exit status 2)"),
        ],
        ids=["output", "silent", "signal", "escapes", "much output"],
    )
    def test_a_failure_is_told_with_the_last_lines(self, site, text, told):
        site.updated_by(text)
        done = site.update("-q")
        assert (done.returncode, done.stdout) == (2, told + "\n")

    @pytest.mark.parametrize(
        ("text", "told"),
        [("echo begun; sleep 1000", "no end in 1 s, last: begun"), ("yes", "no end in 1 s, last: y / y / y"),
         ("exec >/dev/null 2>&1; sleep 1000", "no end in 1 s, last: no output")],
        ids=["hangs", "endless output", "hangs and says nothing"],
    )  # fmt: skip
    def test_an_update_without_end_is_ended(self, site, monkeypatch, text, told):
        monkeypatch.setattr(updates, "FLOOD", 1 << 50)
        script = site.script(text)
        begun = monotonic()
        done = updates.do(Job(run=(str(script),)), self.settings(site, "[signatures]\nseconds = 1\n"))
        assert done.trouble == told
        assert len(done.output) <= updates.KEPT
        assert monotonic() - begun < 30

    def settings(self, site, end=""):
        from amavis_pipe.config import load
        from amavis_pipe.settings import Settings

        site.configure("", end=end)
        return Settings(load.load(os.fsencode(site.desk.settings))[0])

    def test_output_without_end_is_ended_before_its_time(self, site, monkeypatch):
        monkeypatch.setattr(updates, "FLOOD", 1 << 20)
        done = updates.do(Job(run=(str(site.script("yes")),)), self.settings(site))
        assert done.trouble == "output without end, last: y / y / y"

    def test_a_program_that_is_not_there_is_a_failure(self, site):
        site.configure('update = "nonsense --now"', top='path = "/nonexistent"')
        assert site.update().stdout == "x: update failed: nonsense: not found in /nonexistent\n"

    def test_its_surroundings_are_bare(self, site):
        site.updated_by("env | sort | tr '\\n' ' '; echo; pwd; cat; exit 1", top='path = "/usr/bin:/bin"')
        (line,) = site.update(stdin=b"input", env={"SECRET": "s", "PATH": "/usr/bin"}).stdout.splitlines()
        assert "SECRET" not in line
        assert "PATH=/usr/bin:/bin" in line
        assert line.endswith("/ / (exit status 1)")

    def test_no_shell_is_between(self, site):
        script = site.script('printf "%s" "$#:$1"; exit 1')
        site.configure(f'update = ["{script}", "$(id); *"]')
        assert "1:$(id); *" in site.update().stdout

    def test_what_several_scanners_share_is_done_once(self, site):
        row = f'databases = "{site.db}"\nupdate = "{site.script(f"echo run >> {site.db}/log.txt")}"'
        site.configure(row, row)
        assert [line.partition(" from")[0] for line in site.update().stdout.splitlines()] == [
            "x: update",
            "y: update",
        ]
        assert (site.db / "log.txt").read_text() == "run\n"

    def test_one_that_fails_does_not_keep_others_back(self, site):
        change = site.script(CHANGE.format(db=site.db), "change")
        site.configure(f'update = "{site.script("exit 1")}"', f'databases = "{site.db}"\nupdate = "{change}"')
        done = site.update("-q")
        assert done.returncode == 2
        assert done.stdout.splitlines() == [
            "x: update failed: no output (exit status 1)",
            CHANGED.replace("x", "y").strip(),
        ]

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("nonsense", "nonsense: no such scanner is configured"),
            ("x", "x: its row has neither `update` nor `mirror`"),
        ],
        ids=["unknown", "without update"],
    )
    def test_one_that_can_not_be_updated_is_status_2(self, site, name, why):
        site.configure("")
        done = site.update(name)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"amavis-pipe: {why}\n")

    @pytest.mark.parametrize(("words", "told"), [((), "no configured scanner is updated"), (("-q",), "")])
    def test_with_nothing_to_update_all_is_well(self, site, words, told):
        site.configure("")
        done = site.update(*words)
        assert (done.returncode, done.stdout.startswith(told), bool(done.stdout)) == (0, True, bool(told))

    def test_a_backup_is_updated_too(self, site):
        script = site.script(CHANGE.format(db=site.db))
        more = f'databases = "{site.db}"\nupdate = "{script}"\nbackup_of = "*"'
        site.desk.configure(ROW.format(name="x", program="/bin/true", more=more))
        assert site.update().stdout == CHANGED

    def test_clamd_elsewhere_is_not_updated_from_here(self, settings_of):
        rows = settings_of(
            scanners=["clamd", "far", "told", "clamscan"],
            scanner=[
                {"name": "clamd", "databases": "/x", "at": "/y"},
                {"name": "far", "via": "clamd", "at": "192.0.2.7:3310"},
                {"name": "told", "via": "clamd", "at": "192.0.2.7:3310", "update": "x y"},
            ],
        ).rows
        jobs = [updates.job_of(row) for row in rows]
        assert [job and job.run[0] for job in jobs] == ["freshclam", None, "x", "freshclam"]

    def test_faulty_settings_are_status_2(self, site):
        site.desk.configure("[signatures]\nseconds = 0")
        done = site.update()
        assert done.returncode == 2
        assert "signatures.seconds: wants an integer from 1 to 86400, not 0" in done.stderr

    def test_a_version_that_changed_is_told_before_all_else(self, site):
        version = site.desk.folder / "version"
        version.write_text("1.0\n")
        tool = site.script(f'[ "$1" = -v ] && cat {version}', "tool")
        row = f'run = "{tool} {{dir}}"\nclean = [0]\ninfected = [1]\nversion = ["-v"]\nupdate = "{site.script(f"echo 1.1 > {version}")}"'
        site.desk.configure(f'[[scanner]]\nname = "x"\n{row}', scanners='["x"]')
        assert site.update().stdout == "x: update from version 1.0 to 1.1 successful\n"

    def test_one_that_can_not_be_asked_is_judged_by_its_files(self, site):
        (site.db / "daily.cvd").unlink()
        script = site.script(f"echo x > {site.db}/new.ndb; touch -d 2026-11-23T08:00:00Z {site.db}/new.ndb")
        more = f'databases = "{site.db}"\nat = "/nonexistent"\nretry = 0\nupdate = "{script}"'
        site.desk.configure(f'[[scanner]]\nname = "clamd"\n{more}', scanners='["clamd"]')
        told = "0 files to 1 file of 2 bytes, the newest of 2026-11-23 08:00:00"
        assert site.update().stdout == f"clamd: update from version {told} successful\n"


class TestStates:
    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            (State("a", "b", "c", "d"), State("a", "b", "c", "d"), None),
            (State("a", "b", "c", "d"), State("A", "B", "C", "D"), ("a", "A")),
            (State("a", "b", "c", "d"), State("a", "B", "C", "D"), ("b", "B")),
            (State("", "", "c", "d"), State("A", "B", "C", "D"), ("c", "C")),
            (State("", "", "c", "d"), State("A", "B", "c", "d"), None),
            (State("a", "b", "c", "d1"), State("a", "b", "c", "d2"), ("c (d1)", "c (d2)")),
        ],
        ids=["same", "version", "databases", "files", "first answer", "file times"],
    )
    def test_the_first_difference_is_told(self, before, after, told):
        assert updates.difference(before, after) == told

    @pytest.mark.parametrize(
        ("files", "told"),
        [
            ({"daily.cld": cvd(27501), "main.cvd": cvd(62)}, "daily 27501, main 62"),
            ({"daily.cvd": cvd(27500), "daily.cld": cvd(27501)}, "daily 27501"),
            ({"daily.cvd": b"ClamAV-VDB:cut"}, ""),
            ({"daily.cvd": b"nonsense:1:2:3"}, ""),
            ({"daily.cvd": b"ClamAV-VDB:x:-1:y"}, ""),
            ({"daily.cvd": b"ClamAV-VDB:x:" + b"9" * 400 + b":y"}, ""),
            ({"own.ndb": cvd(1)}, ""),
        ],
        ids=["two", "both forms", "cut", "no database", "odd number", "huge number", "another kind"],
    )
    def test_databases_tell_their_versions(self, tmp_path, files, told):
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        assert updates._bases([os.fsencode(tmp_path / name) for name in files]) == told

    def test_last_lines_are_bounded(self):
        assert len(updates.last_lines(b"\xff" * 100000)) < 2000
        assert updates.last_lines(b"\n \r\n") == "no output"


class TestMail:
    def test_a_change_is_mailed(self, site):
        site.updated_by(CHANGE.format(db=site.db), top='notices.sender = "filter@example.org"')
        done = site.update("-q", "-m", "admin@example.org")
        assert (done.returncode, done.stdout, done.stderr) == (0, CHANGED, "")
        (mail,) = site.mails()
        assert mail["Subject"] == "signatures: x updated from daily 27500 to daily 27501"
        assert mail["From"] == "amavis-pipe <filter@example.org>"
        assert mail["To"] == "admin@example.org"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail.get_payload() == CHANGED + "\ndaily updated\n"

    def test_a_failure_is_mailed_with_its_output_escaped_and_bounded(self, site):
        site.updated_by("seq 1 100000; printf 'a\\033[2Jb\\000c\\n.\\nFrom x\\n\\377\\n'; exit 1")
        assert site.update("-q", "-m", "root").returncode == 2
        (mail,) = site.mails()
        assert mail["Subject"] == "signatures: update of x failed"
        assert mail["From"].startswith("amavis-pipe <postmaster@")
        body = mail.get_payload()
        assert body.startswith("x: update failed: ")
        assert "a\\x1b[2Jb\\x00c\n" in body
        assert body.isascii()
        assert len(body) < 20000

    def test_what_failed_stands_first_in_the_subject(self, site):
        change = site.script(CHANGE.format(db=site.db), "change")
        site.configure(f'databases = "{site.db}"\nupdate = "{change}"', f'update = "{site.script("exit 1")}"')
        site.update("-m", "root")
        (mail,) = site.mails()
        assert mail["Subject"] == "signatures: update of y failed; x updated from daily 27500 to daily 27501"

    def test_a_mail_that_can_not_be_sent_is_status_2(self, site):
        site.updated_by(CHANGE.format(db=site.db))
        site.mail.rmdir()
        done = site.update("-q", "-m", "root")
        assert (done.returncode, done.stdout) == (2, CHANGED)
        assert done.stderr == f"amavis-pipe: mail to root not sent: {site.mail}: No such file or directory\n"

    @pytest.mark.parametrize("address", ["", "a b", "a\nb", "\u00e4@example.org", "a" * 321])
    def test_an_odd_address_is_a_wrong_usage(self, site, address):
        done = site.update("-m", address)
        assert (done.returncode, done.stdout) == (2, "")
        assert "wants an address" in done.stderr


class TestLock:
    @pytest.mark.parametrize(("words", "status"), [((), 2), (("-q",), 0)], ids=["plain", "quiet"])
    def test_a_second_one_says_so_and_does_nothing(self, site, words, status):
        site.updated_by(CHANGE.format(db=site.db))
        lock = site.desk.state / "signatures.lock"
        with lock.open("w") as file:
            site.desk.own(site.desk.state)
            fcntl.flock(file, fcntl.LOCK_EX)
            done = site.update(*words)
        assert (done.returncode, done.stdout) == (status, "another update of signatures is under way\n")
        assert site.update().stdout == CHANGED

    def test_the_lock_is_the_filter_users_whoever_makes_it(self, site):
        site.configure("")
        for user in ("", "nobody"):
            assert site.update(user=user).returncode == 0
        found = (site.desk.state / "signatures.lock").stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (site.desk.state.stat().st_uid, 0o600)

    @pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, Path.mkdir])
    def test_what_is_no_file_is_no_lock(self, site, make):
        site.updated_by(CHANGE.format(db=site.db))
        make(site.desk.state / "signatures.lock")
        done = site.update()
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{site.desk.state}/signatures.lock: " in done.stderr

    def test_without_a_state_folder_there_is_none(self):
        with pytest.raises(SpoolTrouble, match="No such file"), signatures._locked(b"/nonexistent"):
            pass


@pytest.mark.skipif(not ROOT, reason="is about root")
class TestRoot:
    WHO = "id -un; exit 1"

    def test_the_update_runs_as_root_and_the_scanner_as_the_filters_user(self, site):
        tool = site.script('[ "$1" = -v ] && id -un', "tool")
        row = f'run = "{tool} {{dir}}"\nclean = [0]\ninfected = [1]\nversion = ["-v"]\nupdate = "{site.script(self.WHO)}"'
        site.desk.configure(f'notify = "file:{site.mail}"\n[[scanner]]\nname = "x"\n{row}', scanners='["x"]')
        assert site.update("-m", "root").stdout == "x: update failed: root (exit status 1)\n"
        assert [path.owner() for path in site.mail.iterdir()] == ["nobody"]
        assert "x: nobody" in site.desk.run("scanners").stdout.replace("(x", "x")

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda path: path.chmod(0o664), "can be written by others than root"),
            (lambda path: path.chmod(0o646), "can be written by others than root"),
            (lambda path: os.chown(path, 65534, 0), "does not belong to root"),
        ],
        ids=["group", "others", "another owner"],
    )
    def test_settings_that_others_may_have_written_are_not_run_as_root(self, site, spoil, why):
        site.updated_by(self.WHO)
        spoil(site.desk.settings)
        done = site.update()
        assert done.stdout == "x: update failed: nobody (exit status 1)\n"
        assert (
            done.stderr
            == f"amavis-pipe: {site.desk.settings} {why}: not run as root, but as the filter's user\n"
        )

    def test_another_user_runs_it_with_his_own_rights(self, site):
        site.updated_by(self.WHO)
        assert site.update(user="nobody").stdout == "x: update failed: nobody (exit status 1)\n"

    def test_settings_that_are_no_file_are_not_roots_own(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(PermissionError, match="is no regular file"):
            aside.roots_own(os.fsencode(tmp_path / "pipe"))
        assert aside.roots_own(os.fsencode(tmp_path / "none")) is None

    def test_an_error_of_the_filters_user_is_told(self, site):
        def fails():
            raise Trouble("why")

        config = os.fsencode(site.desk.settings)
        with pytest.raises(Trouble, match=r"^why$"):
            aside.as_filter_user(config, fails)
        with pytest.raises(Trouble, match="gave no answer"):
            aside.as_filter_user(config, lambda: os._exit(3))
        assert aside.as_filter_user(config, os.geteuid) == 65534


def seen(folder):
    """Names and contents."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestMirror:
    @pytest.fixture
    def pair(self, tmp_path):
        """A mirror and the folder of signatures; and a function that copies."""
        one, other = tmp_path / "mirror", tmp_path / "db"
        one.mkdir()
        other.mkdir()
        return one, other, lambda end=FAR: mirror.copy(os.fsencode(one), os.fsencode(other), end)

    def test_new_and_different_files_are_copied_with_their_times(self, pair):
        one, other, copy = pair
        (one / "new").write_bytes(b"new")
        (one / "same").write_bytes(b"same")
        shutil.copy2(one / "same", other / "same")
        (one / "changed").write_bytes(b"after")
        (other / "changed").write_bytes(b"before")
        (other / "own").write_bytes(b"own")
        os.utime(one / "changed", (1000, 1000))
        assert copy() == [b"changed", b"new"]
        assert seen(other) == {"new": b"new", "same": b"same", "changed": b"after", "own": b"own"}
        assert (other / "changed").stat().st_mtime == 1000
        assert copy() == []

    def test_nothing_is_deleted(self, pair):
        _, other, copy = pair
        (other / "old").write_bytes(b"old")
        assert copy() == []
        assert seen(other) == {"old": b"old"}

    @pytest.mark.parametrize("mode", [0o600, 0o777])
    def test_what_is_copied_can_be_read_by_all(self, pair, mode):
        one, other, copy = pair
        (one / "a").write_bytes(b"a")
        (one / "a").chmod(mode)
        copy()
        assert stat.S_IMODE((other / "a").stat().st_mode) == 0o644

    @pytest.mark.skipif(not ROOT, reason="gives files away")
    @pytest.mark.parametrize(
        ("old", "uid"), [(None, 4242), (4343, 4343)], ids=["the folder's", "the old file's"]
    )
    def test_it_belongs_to_whom_the_signatures_belong(self, pair, old, uid):
        one, other, copy = pair
        os.chown(other, 4242, 4242)
        (one / "a").write_bytes(b"new")
        if old:
            (other / "a").write_bytes(b"a")
            os.chown(other / "a", old, old)
        copy()
        assert (other / "a").stat().st_uid == uid

    def test_no_link_is_followed(self, pair, tmp_path):
        one, other, copy = pair
        (tmp_path / "secret").write_bytes(b"secret")
        (one / "link").symlink_to(tmp_path / "secret")
        (one / "folder").mkdir()
        os.mkfifo(one / "pipe")
        (one / "real").write_bytes(b"real")
        (other / "real").symlink_to(tmp_path / "secret")
        assert copy() == [b"real"]
        assert seen(other) == {"real": b"real"}
        assert not (other / "real").is_symlink()
        assert (tmp_path / "secret").read_bytes() == b"secret"

    @pytest.mark.skipif(not ROOT, reason="gives files away")
    def test_a_file_of_roots_that_the_mirrors_owner_links_to_is_not_published(self, pair, tmp_path):
        one, other, copy = pair
        (tmp_path / "secret").write_bytes(b"secret")
        (one / "theirs").write_bytes(b"theirs")
        os.link(tmp_path / "secret", one / "hard")
        os.link(one / "theirs", tmp_path / "snapshot")
        os.chown(one, 4242, 4242)
        os.chown(one / "theirs", 4242, 4242)
        assert copy() == [b"theirs"]
        assert seen(other) == {"theirs": b"theirs"}

    def test_hidden_files_and_leftovers_are_left_alone(self, pair):
        one, other, copy = pair
        (one / ".daily.cvd.x8Jz").write_bytes(b"half")
        (one / "a").write_bytes(b"a")
        (other / os.fsdecode(mirror.TEMPORARY)).write_bytes(b"left by a crash")
        copy()
        assert seen(other) == {"a": b"a"}

    @pytest.mark.parametrize(
        ("happens", "why"),
        [
            (lambda path: os.truncate(path, 3), "a: changed while it was copied"),
            (lambda path: path.write_bytes(b"longer than before"), "a: changed while it was copied"),
            (lambda path: os.utime(path, (5, 5)), "a: changed while it was copied"),
        ],
        ids=["cut", "grown", "written anew"],
    )
    def test_a_file_that_changes_meanwhile_leaves_the_old_one(self, pair, monkeypatch, happens, why):
        one, other, copy = pair
        (one / "a").write_bytes(b"new bytes")
        (other / "a").write_bytes(b"old")
        write = mirror._write_all

        def meanwhile(fd, data):
            happens(one / "a")
            write(fd, data)

        monkeypatch.setattr(mirror, "_write_all", meanwhile)
        with pytest.raises(mirror.MirrorTrouble, match=why):
            copy()
        assert seen(other) == {"a": b"old"}

    def test_a_file_that_vanishes_leaves_the_old_one(self, pair, monkeypatch):
        one, other, copy = pair
        (one / "a").write_bytes(b"new bytes")
        (other / "a").write_bytes(b"old")
        is_new = mirror._is_new

        def vanishing(*words):
            found = is_new(*words)
            (one / "a").unlink()
            return found

        monkeypatch.setattr(mirror, "_is_new", vanishing)
        assert copy() == []
        assert seen(other) == {"a": b"old"}

    def test_without_room_the_old_one_stays(self, pair, monkeypatch):
        one, other, copy = pair
        (one / "a").write_bytes(b"new bytes")
        (other / "a").write_bytes(b"old")

        def full(fd, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(mirror, "_write_all", full)
        with pytest.raises(mirror.MirrorTrouble, match=r"^a: No space left on device$"):
            copy()
        assert seen(other) == {"a": b"old"}

    def test_a_folder_in_its_place_is_told(self, pair):
        one, other, copy = pair
        (one / "a").write_bytes(b"a")
        (other / "a").mkdir()
        with pytest.raises(mirror.MirrorTrouble, match="a: "):
            copy()
        assert [path.name for path in other.iterdir()] == ["a"]

    def test_when_time_is_over_nothing_is_left_half(self, pair):
        one, other, copy = pair
        (one / "a").write_bytes(b"a")
        with pytest.raises(mirror.MirrorTrouble, match="no time left"):
            copy(monotonic() - 1)
        assert seen(other) == {}

    @pytest.mark.parametrize("missing", [0, 1], ids=["mirror", "signatures"])
    def test_a_folder_that_is_not_there_is_told(self, pair, missing):
        pair[missing].rmdir()
        with pytest.raises(mirror.MirrorTrouble, match=f"{pair[missing]}: No such file"):
            pair[2]()

    def test_by_the_command_a_mirror_takes_the_place_of_the_update(self, site):
        site.mirrored()
        (site.mirror / "daily.cvd").write_bytes(cvd(27501))
        assert site.update("-q", "-m", "root").stdout == CHANGED
        assert site.mails()[0].get_payload() == CHANGED + "\ncopied daily.cvd\n"
        assert site.update("-q").stdout == ""

    def test_a_mirror_without_databases_is_a_failure(self, site):
        site.configure(f'mirror = "{site.mirror}"')
        done = site.update()
        assert done.returncode == 2
        assert "a mirror wants `databases`" in done.stdout


def test_a_freshclam_that_can_not_reach_its_mirror_mails_why(site):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        conf = site.desk.folder / "freshclam.conf"
        site.db.chmod(0o755)
        conf.write_text(
            f"DatabaseDirectory {site.db}\nUpdateLogFile {site.desk.folder}/freshclam.log\n"
            f"DatabaseOwner {getpass.getuser()}\nDNSDatabaseInfo no\nMaxAttempts 1\nConnectTimeout 1\n"
            f"PrivateMirror http://127.0.0.1:{closed.getsockname()[1]}\nScriptedUpdates no\nBytecode no\n"
        )
        (site.db / "daily.cvd").unlink()
        site.configure(f'databases = "{site.db}"\nupdate = "freshclam --stdout --config-file={conf}"')
        done = site.update("-q", "-m", "root")
    assert done.returncode == 2, done.stdout
    assert done.stdout.startswith("x: update failed: ")
    (mail,) = site.mails()
    assert mail["Subject"] == "signatures: update of x failed"
    assert f"127.0.0.1:{closed.getsockname()[1] if closed.fileno() >= 0 else ''}" in mail.get_payload()


class TestStatus:
    def status(self, site, *words):
        return site.desk.run("signatures", "status", *words)

    def test_young_ones_are_status_0(self, site):
        site.updated_by("true")
        done = self.status(site)
        assert (done.returncode, done.stderr) == (0, "")
        head, row = done.stdout.splitlines()
        assert head.split() == ["NAME", "VERSION", "SIGNATURES", "ENGINE", "UPDATED", "BY"]
        assert row.startswith("x ")
        assert row.endswith(f"{site.desk.folder}/update")

    def test_old_ones_are_status_1_and_told(self, site):
        site.updated_by("true", end="[signatures]\nwarn_days = 2\nengine_warn_days = 0\n")
        os.utime(site.db / "daily.cvd", (1_000_000_000, 1_000_000_000))
        done = self.status(site)
        assert done.returncode == 1
        assert done.stderr.startswith("amavis-pipe: x: signatures ")
        assert done.stderr.endswith(" days old (signatures.warn_days = 2)\n")

    def test_one_that_does_not_answer_is_status_2(self, site):
        site.desk.configure('[[scanner]]\nname = "clamd"\nat = "/nonexistent"', scanners='["clamd"]')
        done = self.status(site)
        assert done.returncode == 2
        assert done.stderr == "amavis-pipe: clamd at /nonexistent: No such file or directory\n"

    def test_json_is_one_line(self, site):
        site.mirrored()
        done = self.status(site, "--json")
        (found,) = json.loads(done.stdout)["scanners"]
        assert done.stdout.count("\n") == 1
        assert found["name"] == "x"
        assert found["updated_by"] == f"copied from {site.mirror}"
        assert found["old"] == []
        assert found["signatures_seconds"] < 3600


def test_a_signal_that_ends_us_ends_the_update_too(site):
    """The script tells by a fifo that it runs; then we are ended, and so is it: the fifo's other end closes."""
    import signal
    import subprocess
    import sys

    from stand_in.desk_site import START

    fifo = site.desk.folder / "fifo"
    os.mkfifo(fifo)
    site.updated_by(f"exec 3>{fifo}; echo running >&3; sleep 1000")
    command = [sys.executable, "-I", "-c", START.format(str(site.desk.package))]
    words = ["signatures", "update", "-c", str(site.desk.settings)]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        watch = threading.Timer(60, process.kill)
        watch.start()
        with fifo.open("rb") as running:
            assert running.readline() == b"running\n"
            process.send_signal(signal.SIGTERM)
            assert running.read() == b""
        assert process.wait() == 2
        watch.cancel()
        assert b"Traceback" not in process.stderr.read()


def test_what_a_job_is_shown_as():
    assert str(Job(run=("freshclam", "--stdout"))) == "freshclam --stdout"
    assert str(Job(mirror=b"/m\x1b", folder=b"/d")) == "copied from /m\\x1b"
    assert signatures._told("x", Done("why"), *[State("", "", "", "")] * 2).failed
