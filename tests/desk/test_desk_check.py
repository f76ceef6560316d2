"""The command `check`: it finds what is wrong, and calls nothing wrong that is right."""

import json
import os
from pathlib import Path

import pytest
from stand_in import mails

from amavis_pipe.cache import Cache
from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, ground, postfix, scanning
from amavis_pipe.jail import sandbox
from amavis_pipe.jail.wire import Jailed
from amavis_pipe.model import SandboxTrouble

PROJECT = Path(__file__).resolve().parents[2]
TABLE = PROJECT / "contrib/postfix/amavis-pipe.dsn"


def levels(results):
    return [result.level for result in results]


def problems(results):
    """What was not found well, in one text."""
    return "\n".join(f"{one.what} | {one.advice}" for one in results if one.level != OK)


class TestCommand:
    def checks(self, desk, *words, **options):
        done = desk.run("check", "--json", *words, **options)
        made = json.loads(done.stdout)
        assert made["schema"] == 1
        return done.returncode, [(one["level"], one["what"]) for one in made["checks"]]

    def test_on_a_good_site_nothing_is_wrong_but_the_lack_of_a_scanner(self, desk):
        status, found = self.checks(desk, "--postfix-config", "/nonexistent")
        assert status == 0
        wrong = [
            what for level, what in found if level != OK and "package" not in what and "Postfix" not in what
        ]
        assert wrong == ["only the built-in EICAR check looks at mail"]
        told = [what for level, what in found if level == OK]
        assert any(what.startswith("filter user ") for what in told)
        assert "builtin finds the EICAR test file in a zip in a zip" in told
        assert "Found av scanner EICAR check at this program (builtin)" in told
        assert any(what.startswith("sandbox: Landlock") for what in told)

    def test_for_people_each_line_begins_with_the_level(self, desk):
        done = desk.run("check", "--postfix-config", "/nonexistent")
        *results, last = done.stdout.splitlines()
        assert {line.split()[0] for line in results if not line.startswith(" ")} <= {OK, WARNING, PROBLEM}
        assert last.startswith("0 problems, ")

    def test_missing_settings_are_a_problem_with_advice(self, desk):
        done = desk.run("check", "-c", "/nonexistent.toml", config=False)
        assert done.returncode == 1
        assert "problem   settings /nonexistent.toml: No such file or directory\n" in done.stdout
        assert "amavis-pipe config default > /nonexistent.toml" in done.stdout

    def test_every_fault_of_the_settings_is_a_problem(self, desk):
        desk.configure("[limits]\ndepth = 0\nfiles = 0")
        status, found = self.checks(desk)
        assert status == 1
        assert sum("limits." in what for level, what in found if level == PROBLEM) == 2

    def test_settings_that_everybody_can_write_are_a_problem(self, desk):
        desk.settings.chmod(0o666)
        status, found = self.checks(desk)
        assert status == 1
        assert (PROBLEM, f"settings {desk.settings} can be written by everybody") in found

    def test_a_scanner_that_does_not_answer_is_a_problem(self, desk):
        desk.configure('[[scanner]]\nname = "clamd"\nat = "/nonexistent"', scanners='["clamd"]')
        status, found = self.checks(desk)
        assert status == 1
        trouble = "clamd at /nonexistent: No such file or directory"
        assert (PROBLEM, f"No av scanner: ClamAV clamd ({trouble})") in found
        assert (PROBLEM, f"a test mail could not be examined: {trouble}") in found

    def test_a_scanner_that_finds_nothing_is_a_problem(self, desk, clamd_tcp):
        clamd_tcp.viruses = {}
        desk.configure(f'[[scanner]]\nname = "clamd"\nat = "{clamd_tcp.at}"', scanners='["clamd"]')
        status, found = self.checks(desk)
        assert status == 1
        assert (PROBLEM, "clamd does not find the EICAR test file in a zip in a zip") in found
        assert (OK, f"Found av scanner ClamAV clamd at {clamd_tcp.at} (clamd: {clamd_tcp.versions[0]}") in [
            (level, what.partition(", ")[0]) for level, what in found
        ]

    def test_it_remembers_and_keeps_nothing(self, desk):
        desk.run("check")
        assert not [path for path in desk.state.rglob("*") if path.is_file()]


class TestGround:
    @pytest.fixture
    def state(self, settings_of, tmp_path):
        settings_of()
        return tmp_path / "state"

    def folders(self, state):
        return list(ground.check_folders(os.fsencode(state)))

    def test_folders_of_one_owner_and_closed_to_others_are_right(self, state):
        assert levels(self.folders(state)) == [OK]

    @pytest.mark.parametrize("name", ["", "cache", "quarantine"])
    def test_a_folder_that_others_can_read_is_a_problem(self, state, name):
        (state / name).chmod(0o755)
        (found,) = self.folders(state)
        assert found.level == PROBLEM
        assert "mode 0755" in found.what
        assert found.advice.startswith("chmod 0700 ")

    def test_a_file_in_place_of_a_folder_is_a_problem(self, state):
        (state / "cache").rmdir()
        (state / "cache").write_bytes(b"")
        assert "is no folder" in problems(self.folders(state))

    def test_no_state_folder_is_a_problem(self, tmp_path):
        assert "No such file" in problems(self.folders(tmp_path / "missing"))
        (tmp_path / "file").write_bytes(b"")
        assert "is no folder" in problems(self.folders(tmp_path / "file"))

    def test_missing_rooms_are_right_the_filter_makes_them(self, state):
        (state / "cache").rmdir()
        assert levels(self.folders(state)) == [OK]

    @pytest.mark.parametrize(
        ("owner", "became", "level"),
        [
            ("vscan", "vscan", [OK]),
            ("vscan", "other", [WARNING]),
            ("root", "nobody", [PROBLEM]),
            (None, "x", []),
        ],
        ids=["the owner", "another", "root", "no folder"],
    )
    def test_the_filters_user_is_the_owner_of_the_state_folder(self, monkeypatch, owner, became, level):
        monkeypatch.setattr(ground, "owner_of", lambda folder: owner)
        assert levels(ground.check_user(b"/state", became)) == level

    @pytest.mark.parametrize(
        ("mode", "level"), [(0o640, [OK]), (0o664, [PROBLEM, OK]), (0o602, [PROBLEM, OK])]
    )
    def test_settings_that_others_can_write_are_a_problem(self, tmp_path, mode, level):
        path = tmp_path / "settings.toml"
        path.write_text("")
        path.chmod(mode)
        assert levels(ground.check_settings(os.fsencode(path))) == level

    @pytest.mark.parametrize(
        ("jailed", "mode", "level"),
        [
            (Jailed(3, True), "require", OK),
            (Jailed(0, True), "require", PROBLEM),
            (Jailed(3, False), "require", PROBLEM),
            (Jailed(0, False), "prefer", WARNING),
        ],
        ids=["all", "no Landlock", "no seccomp", "nothing wanted"],
    )
    def test_a_sandbox_that_can_not_be_built_is_told(self, monkeypatch, jailed, mode, level):
        monkeypatch.setattr(sandbox, "capabilities", lambda: jailed)
        assert levels(ground.check_sandbox(mode)) == [level]

    def test_a_sandbox_that_does_not_stand_is_a_problem(self, monkeypatch):
        def fails():
            raise SandboxTrouble("sandbox: fork: no")

        monkeypatch.setattr(sandbox, "capabilities", fails)
        assert levels(ground.check_sandbox("prefer")) == [PROBLEM]

    @pytest.mark.parametrize(
        ("command", "tree", "level"),
        [
            (b"/bin/sh", {}, [OK]),
            (b"/nonexistent", {}, [PROBLEM]),
            (b"/nonexistent", {"forward": "file:/x", "notify": "file:/x"}, []),
        ],
        ids=["there", "missing", "not wanted"],
    )
    def test_sendmail_is_looked_for_where_it_is_wanted(self, monkeypatch, settings_of, command, tree, level):
        monkeypatch.setattr(ground, "COMMAND", command)
        assert levels(ground.check_sendmail(settings_of(**tree))) == level


class TestScanning:
    def clamd_site(self, settings_of, clamd, **more):
        row = {"name": "clamd", "at": clamd.at, "conf": "/nonexistent"} | more
        return settings_of(scanners=["clamd"], scanner=[row])

    @pytest.mark.parametrize(("age", "level"), [(3600, OK), (4 * 86400, WARNING)], ids=["fresh", "old"])
    def test_old_signatures_are_a_warning(self, settings_of, clamd, tmp_path, age, level):
        folder = tmp_path / "signatures"
        folder.mkdir()
        (folder / "daily.cvd").write_bytes(b"")
        now = (folder / "daily.cvd").stat().st_mtime
        os.utime(folder / "daily.cvd", (now - age, now - age))
        found = list(scanning.check_scanners(self.clamd_site(settings_of, clamd, databases=str(folder))))
        assert levels(found) == [OK, level]

    def test_signatures_that_can_not_be_seen_are_a_warning(self, settings_of, clamd):
        clamd.versions = ["ClamAV 1.4.6"]
        found = list(scanning.check_scanners(self.clamd_site(settings_of, clamd, databases="/nonexistent")))
        assert levels(found) == [OK, WARNING]

    @pytest.mark.parametrize(
        ("largest", "postfix_takes", "level"),
        [("10 MiB", 10_240_000, [OK]), ("1 MiB", 10_240_000, [WARNING]), ("1 MiB", 0, [WARNING])],
        ids=["larger", "smaller", "no limit in postfix"],
    )
    def test_a_scanner_that_looks_at_less_than_postfix_takes_is_a_warning(
        self, settings_of, clamd, largest, postfix_takes, level
    ):
        site = self.clamd_site(settings_of, clamd, max_file_size=largest)
        assert levels(scanning.check_sizes(site, postfix_takes)) == level

    def test_the_test_mail_holds_the_test_file_two_zips_deep(self, settings_of):
        found = list(scanning.check_find(settings_of()))
        assert levels(found) == [OK]
        assert b"EICAR" not in scanning.nested_eicar()
        assert Cache(b"", 0).get(b"x") is None

    def test_a_find_elsewhere_is_not_enough(self, settings_of, clamd):
        clamd.viruses = {b"PK\3\4": "Any-Zip"}
        found = list(scanning.check_find(self.clamd_site(settings_of, clamd)))
        assert levels(found) == [PROBLEM]


GOOD = (
    "amavis unix - n n - 2 pipe -o pipe_delivery_status_filter=regexp:/x.dsn flags=q user=vscan null_sender= "
    "argv={program} --queue-id ${{queue_id}} -f ${{sender}} -- ${{recipient}}"
)
OPTIONS = {
    "smtp/inet/content_filter": "amavis:dummy",
    "pickup/unix/content_filter": "",
    "amavis/unix/pipe_delivery_status_filter": "regexp:/x.dsn",
}
MAIN = {"amavis_time_limit": "600s", "message_size_limit": "10240000", "content_filter": ""}


class TestPostfix:
    @pytest.fixture
    def look(self, monkeypatch, tmp_path):
        """A function: the results for a master.cf entry, its options, and main.cf."""
        program = tmp_path / "amavis-pipe"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)

        def looked(entry=GOOD, net='4.3.0 Command died with status 1: "x"', **more):
            options = OPTIONS | more.get("options", {})
            main = MAIN | more.get("main", {})

            def said(words):
                if words[0] == "postmap":
                    assert words[-3:] == ["-q", postfix.PROBE, "regexp:/x.dsn"]
                    return net + "\n"
                if words[1] == "-M":
                    return f"smtp inet n - y - - smtpd\n{entry.format(program=program)}\n"
                if words[1] == "-P":
                    return "".join(
                        f"{key} = {value}\n" for key, value in options.items() if value is not None
                    )
                return main.get(words[3], "") + "\n"

            monkeypatch.setattr(postfix, "_said", said)
            return list(postfix.check(postfix.Postfix(None), "vscan", 540))

        return looked

    def test_the_entry_that_set_up_makes_is_right(self, look):
        assert levels(look()) == [OK, OK]

    @pytest.mark.parametrize(
        ("old", "new", "expect"),
        [
            ("user=vscan", "user=root", "user=root"),
            ("user=vscan", "user=postfix", "user=postfix"),
            ("user=vscan", "", "user= |"),
            ("user=vscan", "user=other", "belongs to vscan"),
            ("flags=q", "", "no flags=q"),
            ("flags=q", "flags=DRq", "change the mail"),
            ("null_sender= ", "", "null sender"),
            ("null_sender=", "null_sender=x", "null sender"),
            ("-f ${{sender}}", "-f${{sender}}", "does not end with"),
            (" -- ", " ", "does not end with"),
            ("${{recipient}}", "${{user}}", "does not end with"),
            ("{program}", "/nonexistent/amavis-pipe", "can't be run"),
            ("{program}", "/usr/bin/python3 {program}", "call amavis-pipe itself"),
        ],
        ids=[
            "root", "postfix", "no user", "another user", "no q", "harmful flags", "no null_sender",
            "another null sender", "glued sender", "no dashes", "another macro", "no program", "wrapper",
        ],
    )  # fmt: skip
    def test_each_fault_of_the_entry_is_told(self, look, old, new, expect):
        found = look(GOOD.replace(old, new))
        assert expect in problems(found)
        assert OK not in levels(found)[:-1]

    @pytest.mark.parametrize("user", ["vscan:clamav", "vscan"])
    def test_a_group_beside_the_user_is_right(self, look, user):
        assert levels(look(GOOD.replace("user=vscan", f"user={user}"))) == [OK, OK]

    @pytest.mark.parametrize("answer", ["", "5.3.0 x", "4.3.0"], ids=["none", "still permanent", "no text"])
    def test_a_missing_safety_net_is_a_problem(self, look, answer):
        found = look(net=answer)
        assert "delivery status table" in problems(found)
        assert PROBLEM in levels(found)

    @pytest.mark.parametrize(
        ("limit", "right"),
        [("600s", True), ("571", True), ("570s", False), ("5m", False), ("1h", True), ("odd", True)],
    )
    def test_postfix_must_wait_longer_than_the_filter_works(self, look, limit, right):
        assert ("amavis_time_limit" not in problems(look(main={"amavis_time_limit": limit}))) is right

    def test_no_mail_through_the_filter_is_a_warning(self, look):
        found = look(options={"smtp/inet/content_filter": None})
        assert levels(found) == [OK, WARNING]

    @pytest.mark.parametrize(
        ("options", "main", "level"),
        [
            ({"pickup/unix/content_filter": "amavis:dummy"}, "", PROBLEM),
            ({"pickup/unix/content_filter": None}, "amavis:dummy", PROBLEM),
            ({"pickup/unix/content_filter": None}, "", OK),
            ({"pickup/unix/content_filter": ""}, "amavis:dummy", OK),
        ],
        ids=["pickup filtered", "main.cf filters pickup", "no filter there", "pickup exempt"],
    )
    def test_mail_that_is_filtered_without_end_is_a_problem(self, look, options, main, level):
        assert levels(look(options=options, main={"content_filter": main}))[-1] == level

    def test_no_entry_is_a_warning_that_names_the_set_up(self, look):
        (found,) = look("other unix - n n - 2 pipe flags=q user=x argv=/bin/other ${{recipient}}")
        assert found.level == WARNING
        assert "setup install" in found.advice

    def test_a_postfix_without_configuration_is_a_warning(self, monkeypatch):
        monkeypatch.setattr(postfix, "_said", lambda words: "")
        assert levels(postfix.check(postfix.Postfix(None), "vscan", 540)) == [WARNING]

    def test_no_postfix_is_nothing(self, monkeypatch):
        monkeypatch.setattr(postfix, "FOLDERS", ("/nonexistent",))
        assert postfix.here(None) is None
        assert postfix._said(["postconf", "-M"]) == ""

    def test_a_real_configuration_is_read(self, desk):
        folder, program = desk.folder / "postfix", desk.folder / "amavis-pipe"
        folder.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        owner = Path(desk.state).owner()
        entry = (
            GOOD.format(program=program).replace("user=vscan", f"user={owner}").replace("/x.dsn", str(TABLE))
        )
        (folder / "main.cf").write_text("compatibility_level = 3.6\namavis_time_limit = 600s\n")
        (folder / "master.cf").write_text(
            f"smtp inet n - y - - smtpd\n  -o content_filter=amavis:dummy\n{entry}\n"
            "pickup unix n - y 60 1 pickup\n  -o content_filter=\n"
        )
        done = desk.run("check", "--json", "--postfix-config", folder)
        told = [(one["level"], one["what"]) for one in json.loads(done.stdout)["checks"]]
        assert (OK, f"master.cf: amavis runs {program} as {owner}") in told
        place = "mail goes through the filter from smtp/inet, and not again when it comes back"
        assert (OK, place) in told
        assert mails.EICAR_NAME not in done.stdout
