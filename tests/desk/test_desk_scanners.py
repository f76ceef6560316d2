"""The command `scanners`: what is there, what answers, how old it is; and what of that `check` finds wrong."""

import json
import os
import socket
import struct
import subprocess
import sys

import pytest

from amavis_pipe.desk import ages, check, scanners
from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, rights, scanning
from amavis_pipe.desk.checks.postfix import Entry, group_of
from amavis_pipe.scan.table import ROWS, SEED

DAY = 86400
ROOT = os.geteuid() == 0


def program(folder, name="sweep", text="exit 0", mode=0o755):
    """A script in place of a scanner."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def aged(path, days):
    """The file, as old as that."""
    before = path.stat().st_mtime - days * DAY
    os.utime(path, (before, before))
    return path


def shown(results, *levels):
    return "\n".join(f"{one.what} | {one.advice}" for one in results if one.level in levels)


class TestCommand:
    def test_each_configured_one_has_a_line(self, desk):
        done = desk.run("scanners")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Found av scanner EICAR check at this program (builtin)\n")

    def test_one_that_answers_tells_its_version(self, desk, clamd_tcp):
        desk.configure(f'[[scanner]]\nname = "clamd"\nat = "{clamd_tcp.at}"', scanners='["clamd"]')
        done = desk.run("scanners")
        assert done.returncode == 0
        line = f"Found av scanner ClamAV clamd at {clamd_tcp.at} (clamd: {clamd_tcp.versions[0]}, "
        assert done.stdout.startswith(line)
        assert clamd_tcp.scans == 0

    def test_one_that_does_not_answer_is_status_2(self, desk):
        desk.configure('[[scanner]]\nname = "clamd"\nat = "/nonexistent"', scanners='["clamd", "builtin"]')
        done = desk.run("scanners")
        assert done.returncode == 2
        assert done.stdout.splitlines()[0] == (
            "No av scanner: ClamAV clamd (clamd at /nonexistent: No such file or directory)"
        )

    def test_backups_are_asked_too(self, desk):
        desk.configure('backups = ["builtin"]', scanners='["clamd"]')
        assert (
            "Found av scanner EICAR check at this program (builtin, backup of *)"
            in desk.run("scanners").stdout
        )

    def test_a_program_tells_version_and_ages(self, desk):
        folder = desk.folder / "bin"
        aged(program(folder, "clamscan", 'echo "ClamAV 1.4.6/27500"'), 10)
        signatures = desk.folder / "db"
        aged(program(signatures, "daily.cld"), 3)
        row = f'path = "{folder}"\n[[scanner]]\nname = "clamscan"\nstamp = ["{signatures}/*.cld"]\ndatabases = "{signatures}"'
        desk.configure(row, scanners='["clamscan"]')
        assert desk.run("scanners").stdout.splitlines()[0] == (
            f"Found av scanner Clam Antivirus at {folder}/clamscan "
            "(clamscan: ClamAV 1.4.6/27500, engine 10 days old, signatures 3 days old)"
        )

    def test_an_installed_program_that_is_not_used_is_found(self, desk):
        folder = desk.folder / "bin"
        program(folder, "uvscan")
        desk.configure(f'path = "{folder}"')
        done = desk.run("scanners")
        assert done.returncode == 0
        line = f'Found av scanner NAI McAfee uvscan at {folder}/uvscan (not used: add "uvscan" to scanners)'
        assert line in done.stdout.splitlines()

    def test_those_that_are_not_there_are_counted_or_listed(self, desk):
        desk.configure(f'path = "{desk.folder}"')
        short, long = desk.run("scanners").stdout, desk.run("scanners", "--all").stdout
        assert short.splitlines()[-1].endswith(" not installed or not configured: amavis-pipe scanners --all")
        assert "No av scanner" not in short
        assert "No av scanner: Sophos SAVI (not configured)" in long.splitlines()
        for name in SEED:
            title = ROWS[name]["title"]
            assert f"av scanner: {title}" in long or f"av scanner {title} at " in long

    def test_json_is_one_line_with_all(self, desk):
        done = desk.run("scanners", "--json")
        assert done.stdout.count("\n") == 1
        made = json.loads(done.stdout)
        assert made["schema"] == 1
        assert {one["name"] for one in made["scanners"]} == set(ROWS)
        assert [one["name"] for one in made["scanners"] if one["used"]] == ["builtin"]

    def test_what_a_scanner_says_is_escaped(self, desk):
        folder = desk.folder / "bin"
        program(folder, "clamscan", "printf 'a\\033[2Jb\\n'")
        desk.configure(f'path = "{folder}"', scanners='["clamscan"]')
        assert "(clamscan: a\\x1b[2Jb" in desk.run("scanners").stdout

    def test_a_version_that_is_an_error_is_none(self, settings_of, tmp_path):
        program(tmp_path / "bin", "clamscan", "echo no; exit 2")
        site = settings_of(path=str(tmp_path / "bin"), scanners=["clamscan"])
        seen = scanners.look(site.rows[0], site)
        assert (seen.trouble, seen.version) == ("", "")


class TestAges:
    def row(self, settings_of, **fields):
        row = {"name": "x", "run": "x {dir}", "clean": [0], "infected": [1], **fields}
        return settings_of(scanners=["x"], scanner=[row]).rows[0]

    def test_the_age_of_signatures_is_that_of_the_newest(self, settings_of, tmp_path):
        for name, days in (("a", 9), ("b", 2), ("c", 5)):
            aged(program(tmp_path / "db", name), days)
        row = self.row(settings_of, databases=str(tmp_path / "db"))
        assert 2 * DAY <= ages.of_signatures(row) < 3 * DAY

    def test_files_of_the_stamp_count_too(self, settings_of, tmp_path):
        aged(program(tmp_path / "db", "a.def"), 4)
        program(tmp_path / "db", "other")
        row = self.row(settings_of, stamp=[str(tmp_path / "db/*.def")])
        assert 4 * DAY <= ages.of_signatures(row) < 5 * DAY

    @pytest.mark.parametrize("name", ["freshclam.dat", "mirrors.dat", "daily.cvd.tmp", ".new", "x.lock"])
    def test_what_is_no_signature_makes_none_younger(self, settings_of, tmp_path, name):
        aged(program(tmp_path / "db", "daily.cvd"), 8)
        program(tmp_path / "db", name)
        row = self.row(settings_of, databases=str(tmp_path / "db"))
        assert ages.of_signatures(row) >= 8 * DAY

    @pytest.mark.parametrize("folder", ["", "/nonexistent", "/proc/self"])
    def test_of_signatures_that_can_not_be_seen_there_is_no_age(self, settings_of, folder):
        assert ages.of_signatures(self.row(settings_of, databases=folder + "/x" * bool(folder))) is None

    @pytest.mark.parametrize(
        ("version", "known"),
        [
            ("ClamAV 1.4.6/27500/Mon Nov 23 08:00:00 2020", True),
            ("ClamAV 1.4.6/27500/yesterday", False),
            ("ClamAV 1.4.6", False),
            ("", False),
        ],
    )
    def test_clamd_elsewhere_tells_the_date_of_its_signatures(self, settings_of, version, known):
        row = settings_of(scanners=["clamd"], scanner=[{"name": "clamd", "at": "192.0.2.7:3310"}]).rows[0]
        age = ages.of_signatures(row, version)
        assert (age is not None and age > 365 * DAY) is known

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours"),
         (47 * 3600, "47 hours"), (10 * DAY, "10 days")],
    )  # fmt: skip
    def test_an_age_is_told_in_fitting_units(self, seconds, words):
        assert ages.in_words(seconds) == words

    @pytest.mark.parametrize(
        ("signatures", "engine", "options", "old"),
        [
            (2 * DAY, 100 * DAY, {}, []),
            (4 * DAY, 100 * DAY, {}, ["signatures"]),
            (4 * DAY, 200 * DAY, {}, ["signatures", "engine"]),
            (4 * DAY, 200 * DAY, {"warn_days": 0, "engine_warn_days": 0}, []),
            (4 * DAY, 200 * DAY, {"warn_days": 7, "engine_warn_days": 365}, []),
            (None, None, {}, []),
        ],
        ids=["young", "old signatures", "both old", "never", "other days", "unknown"],
    )
    def test_what_is_too_old_is_told(self, settings_of, signatures, engine, options, old):
        site = settings_of(signatures=options)
        assert [one.what for one in ages.too_old(signatures, engine, site)] == old


class TestCheck:
    @pytest.fixture
    def sweep(self, settings_of, tmp_path):
        """A function: a site with one program, and the program."""

        def made(mode=0o755, days=0, **fields):
            path = aged(program(tmp_path / "bin", "sweep", mode=mode), days)
            row = {"name": "sweep", "run": f"{path} {{dir}}", **fields}
            return settings_of(scanners=["sweep"], scanner=[row]), path

        return made

    def test_an_old_engine_is_a_warning(self, sweep):
        site, _ = sweep(days=200)
        found = shown(scanning.check_scanners(site), WARNING)
        assert "sweep: engine 200 days old (signatures.engine_warn_days = 180) | upgrade" in found

    @pytest.mark.parametrize(
        ("fields", "advice"),
        [
            ({}, "as its vendor says"),
            ({"update": "x"}, "`amavis-pipe signatures update`"),
            ({"update": "freshclam"}, "run freshclam, or"),
            ({"mirror": "/x"}, "`amavis-pipe signatures update`"),
        ],
        ids=["nothing known", "a command", "freshclam", "a mirror"],
    )
    def test_old_signatures_come_with_what_to_do(self, sweep, tmp_path, fields, advice):
        aged(program(tmp_path / "db", "a"), 10)
        site, _ = sweep(databases=str(tmp_path / "db"), **fields)
        found = shown(scanning.check_scanners(site), WARNING)
        assert "sweep: signatures 10 days old (signatures.warn_days = 3) | " in found
        assert advice in found

    @pytest.mark.parametrize(
        ("lines", "warned"),
        [
            ("", True),
            ("AlertExceedsMax no", True),
            ("AlertExceedsMax yes", False),
            ("AlertExceedsMax TRUE", False),
        ],
        ids=["absent", "off", "on", "another word"],
    )
    def test_a_clamd_that_is_silent_about_its_limits_is_a_warning(
        self, settings_of, clamd, tmp_path, lines, warned
    ):
        conf = tmp_path / "clamd.conf"
        conf.write_text(f"LocalSocket {clamd.at}\nDatabaseDirectory {tmp_path}\n{lines}\n")
        site = settings_of(scanners=["clamd"], scanner=[{"name": "clamd", "at": clamd.at, "conf": str(conf)}])
        found = shown(scanning.check_scanners(site), WARNING)
        assert (f"add to {conf}: AlertExceedsMax yes" in found) is warned

    def test_of_a_clamd_whose_settings_are_unknown_nothing_is_said_of_limits(self, settings_of, clamd):
        site = settings_of(
            scanners=["clamd"], scanner=[{"name": "clamd", "at": clamd.at, "conf": "/nonexistent"}]
        )
        assert "AlertExceedsMax" not in shown(scanning.check_scanners(site), WARNING)

    @pytest.mark.parametrize(
        ("tree", "level", "advice"),
        [
            ({"scanners": ["clamd"]}, PROBLEM, "defers all mail"),
            ({"scanners": ["clamd"], "backups": ["builtin"]}, WARNING, "builtin stands in"),
            ({"scanners": ["clamd", "builtin"]}, PROBLEM, "defers all mail"),
            ({"scanners": ["clamd", "builtin"], "require": "one"}, WARNING, "others are asked"),
            ({"scanners": ["builtin"], "backups": ["clamd"]}, WARNING, "stands in for nobody"),
        ],
        ids=["alone", "backed up", "all needed", "one is enough", "a backup"],
    )
    def test_what_it_means_that_one_does_not_answer(self, settings_of, tree, level, advice):
        site = settings_of(scanner=[{"name": "clamd", "at": "/nonexistent"}], **tree)
        (found,) = [
            one for one in scanning.check_scanners(site) if one.what.startswith("No av scanner: ClamAV")
        ]
        assert (found.level, advice in found.advice) == (level, True)

    def test_the_backup_is_tried_in_place_of_one_that_does_not_answer(self, settings_of):
        site = settings_of(
            scanners=["clamd"], backups=["builtin"], scanner=[{"name": "clamd", "at": "/nonexistent"}]
        )
        assert [(one.level, one.what.partition(" ")[0]) for one in scanning.check_find(site)] == [
            (OK, "builtin")
        ]

    def test_scanners_and_problems_are_logged_if_asked(self, desk, tmp_path):
        log = tmp_path / "log"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(log))
            listener.settimeout(0)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            desk.configure(
                'backups = ["builtin"]\n[[scanner]]\nname = "clamd"\nat = "/nonexistent"',
                scanners='["clamd"]',
            )
            done = subprocess.run(
                [sys.executable, "-c", LOGGED.format(str(desk.package), str(log), str(desk.settings))],
                capture_output=True,
                text=True,
                check=False,
            )
            lines = []
            while True:
                try:
                    lines.append(listener.recv(4096).decode().partition("]: ")[2])
                except BlockingIOError:
                    break
        assert done.stderr == ""
        assert lines[0].startswith("check: ")
        assert (
            "check: No av scanner: ClamAV clamd (clamd at /nonexistent: No such file or directory)" in lines
        )
        assert "check: Found av scanner EICAR check at this program (builtin, backup of *)" in lines
        assert not [line for line in lines if "Python" in line]

    def test_a_log_that_nobody_takes_is_told_once(self, monkeypatch, capsys):
        from amavis_pipe import journal

        monkeypatch.setattr(journal, "LOG", "/nonexistent")
        assert check._logged(scanning.ok("x")) is False
        assert capsys.readouterr().err == "amavis-pipe: nothing takes log lines at /nonexistent\n"


LOGGED = """
import os, sys
sys.path.insert(0, {0!r})
from amavis_pipe import journal
from amavis_pipe.desk import check, site
journal.LOG = {1!r}
site.become_filter_user = lambda *_: None
check.run(os.fsencode({2!r}), "/nonexistent", True, True)
"""


class TestRights:
    """As a user other than root, as which `check` runs: root has all rights."""

    @pytest.mark.parametrize(
        ("mode", "found"),
        [(0o755, ""), (0o644, "sweep: {me} may not run {path}, mode 0644 | chmod a+rx {path}")],
        ids=["may be run", "may not"],
    )
    def test_a_program_that_may_not_be_run_is_a_problem(self, settings_of, tmp_path, mode, found):
        path = program(tmp_path / "bin", mode=mode)
        site = settings_of(scanners=["sweep"], scanner=[{"name": "sweep", "run": f"{path} {{dir}}"}])
        told = shown(rights.check_rights(site), PROBLEM)
        assert told.startswith(found.format(me=rights.me_by_name(), path=path))
        assert bool(told) is bool(found)

    def test_a_program_that_is_not_there_is_told_elsewhere(self, settings_of):
        site = settings_of(scanners=["sweep"], path="/nonexistent")
        assert list(rights.check_rights(site)) == []

    @pytest.mark.skipif(not ROOT, reason="needs two users")
    def test_a_socket_that_lets_others_in_alone_is_a_problem(self, desk, clamd):
        place = desk.folder / "clamd.ctl"
        listener = socket.socket(socket.AF_UNIX)
        with listener:
            listener.bind(str(place))
            listener.listen()
            os.chown(place, 0, 1)
            place.chmod(0o660)
            desk.configure(f'[[scanner]]\nname = "clamd"\nat = "{place}"', scanners='["clamd"]')
            done = desk.run("check", "--postfix-config", "/nonexistent")
        told = (
            f"problem   clamd: nobody may not connect to {place}, which belongs to group daemon, mode 0660\n"
        )
        assert told in done.stdout
        assert "user=nobody:daemon in master.cf, or LocalSocketMode 666" in done.stdout
        assert f"No av scanner: ClamAV clamd (clamd at {place}: Permission denied)" in done.stdout

    @pytest.mark.parametrize(
        ("uid", "gid", "mode", "group", "right"),
        [
            (0, 0, None, 0, True),
            (4242, 4242, None, 0, False),
            (4242, 4242, 0o2750, 4242, True),
            (4242, 4242, 0o0750, 4242, False),
            (4242, 4242, 0o2700, 4242, False),
            (4242, 4242, 0o2750, 4343, False),
            (4242, 4242, 0o2777, 4343, False),
        ],
        ids=[
            "root",
            "no folder",
            "right",
            "no set-group-ID",
            "closed to the group",
            "another group",
            "open to all",
        ],
    )
    @pytest.mark.skipif(not ROOT, reason="gives files away")
    def test_a_daemon_of_another_user_needs_a_folder_that_it_can_read(
        self, settings_of, monkeypatch, desk, uid, gid, mode, group, right
    ):
        place, folder = desk.folder / "sophie", desk.folder / "parts"
        fields = {}
        if mode is not None:
            folder.mkdir()
            os.chown(folder, os.geteuid(), group)
            folder.chmod(mode)
            fields = {"folder": str(folder)}
        site = settings_of(scanners=["sophie"], scanner=[{"name": "sophie", "at": str(place), **fields}])
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
            listener.listen()
            monkeypatch.setattr(rights.os, "geteuid", lambda: 65534)
            monkeypatch.setattr(rights.struct, "unpack", lambda form, data: (1, uid, gid))
            found = list(rights.check_rights(site))
        assert (found == []) is right
        for one in found:
            assert one.what.startswith("sophie runs as 4242, who can't read the parts")
            place = folder if fields else "/var/spool/amavis-pipe-sophie"
            assert one.advice.startswith(f"install -d -o nobody -g {gid} -m 2750 {place}, and folder = ")

    def test_the_peer_of_a_socket_is_read_as_the_kernel_writes_it(self):
        one, other = socket.socketpair(socket.AF_UNIX)
        with one, other:
            found = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert struct.unpack("3i", found) == (os.getpid(), os.geteuid(), os.getegid())

    @pytest.mark.parametrize(
        ("user", "group"),
        [("vscan", ""), ("vscan:clamav", "clamav"), ("", "")],
        ids=["alone", "with group", "none"],
    )
    def test_the_filters_group_is_that_of_its_entry(self, user, group):
        class Stand:
            entries = [Entry("amavis", {"user": user}, {}, [])]

        assert group_of(Stand()) == group
        assert group_of(None) == ""
