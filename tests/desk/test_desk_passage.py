"""What `check` says of the passage through Postfix, and of room."""

import json
import os
from pathlib import Path

import pytest

from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, passage, postfix

PROJECT = Path(__file__).resolve().parents[2]
FILTER = (
    "amavis unix - n n - {most} pipe flags=q user=vscan null_sender= argv=/usr/local/bin/amavis-pipe "
    "-f ${{sender}} -- ${{recipient}}"
)
GOOD = {
    "smtp/inet/content_filter": "amavis:dummy",
    "smtp/inet/receive_override_options": "no_address_mappings",
    "pickup/unix/content_filter": "",
    "pickup/unix/smtputf8_autodetect_classes": "verify",
}
AT_ONCE = "amavis_destination_concurrency_limit"


@pytest.fixture
def look(monkeypatch, settings_of):
    def looked(options=None, main=None, most="2", forward="sendmail", **tree):
        services = {key: value for key, value in (GOOD | (options or {})).items() if value is not None}
        values = {"smtputf8_enable": "yes", "default_process_limit": "100"} | (main or {})

        def said(words):
            if words[1] == "-M":
                return f"smtp inet n - y - - smtpd\n{FILTER.format(most=most)}\n"
            if words[1] == "-P":
                return "".join(f"{key} = {value}\n" for key, value in services.items())
            return values.get(words[-1], "") + "\n"

        monkeypatch.setattr(postfix, "_said", said)
        monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 4096}.__getitem__)
        return list(passage.check(settings_of(forward=forward, **tree), postfix.Postfix(None)))

    return looked


def test_what_set_up_makes_is_right(look):
    assert [one.level for one in look()] == [OK]


@pytest.mark.parametrize(
    ("change", "level", "expect"),
    [
        ({"options": {"smtp/inet/receive_override_options": None}}, PROBLEM, "no no_address_mappings"),
        ({"options": {"smtp/inet/receive_override_options": "no_milters"}}, PROBLEM, "copies go out twice"),
        ({"options": {"pickup/unix/smtputf8_autodetect_classes": None}}, PROBLEM, "raw 8-bit byte"),
        ({"main": {"non_smtpd_milters": "inet:127.0.0.1:8891"}}, WARNING, "milters see every mail twice"),
        ({"most": "50"}, WARNING, "50 filters of amavis at once"),
        ({"most": "-"}, WARNING, "100 filters of amavis at once"),
        ({"most": "0"}, WARNING, "maxproc 0"),
        ({"most": "4", "main": {AT_ONCE: "3"}}, WARNING, "never more than 3 of them run"),
    ],
    ids=[
        "no override",
        "another override",
        "utf8",
        "milters",
        "too many",
        "default",
        "unbounded",
        "held back",
    ],
)
def test_each_fault_is_told_with_what_to_do(look, change, level, expect):
    (found,) = look(**change)
    assert (found.level, expect in found.what, bool(found.advice)) == (level, True, True)


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"smtp/inet/receive_override_options": "no_milters, no_address_mappings"}},
        {
            "options": {"pickup/unix/non_smtpd_milters": ""},
            "main": {"non_smtpd_milters": "inet:127.0.0.1:8891"},
        },
        {
            "options": {"pickup/unix/receive_override_options": "no_milters"},
            "main": {"non_smtpd_milters": "inet:127.0.0.1:8891"},
        },
        {"options": {"pickup/unix/smtputf8_autodetect_classes": None}, "main": {"smtputf8_enable": "no"}},
        {
            "options": {"pickup/unix/smtputf8_autodetect_classes": None},
            "main": {"non_smtpd_milters": "x"},
            "forward": "smtp:127.0.0.1:10025",
        },
        {"most": "4", "limits": {"memory": "256 MiB"}},
        {"most": "3", "main": {AT_ONCE: "3"}},
    ],
    ids=[
        "both overrides",
        "no milters for pickup",
        "overridden",
        "no SMTPUTF8",
        "by smtp",
        "little memory",
        "as many as run",
    ],
)
def test_what_is_right_in_another_way_is_no_fault(look, change):
    assert [one.level for one in look(**change)] == [OK]


@pytest.mark.parametrize(
    ("free", "files", "level"), [(10, 10**6, WARNING), (10**7, 10, WARNING), (10**7, 10**6, OK)]
)
def test_a_disk_that_is_nearly_full_is_told(settings_of, monkeypatch, tmp_path, free, files, level):
    class Found:
        f_bavail, f_frsize, f_files, f_favail = free, 4096, 10**7, files

    monkeypatch.setattr(os, "statvfs", lambda _: Found)
    (found,) = passage.check_room(settings_of(state=str(tmp_path)))
    assert found.level == level


def test_the_queue_wants_room_for_two_of_the_largest_mails(settings_of, monkeypatch, tmp_path):
    queue = tmp_path / "queue"
    queue.mkdir()

    def said(words):
        main = {"queue_directory": str(queue), "message_size_limit": str(2 << 30)}
        return "smtp inet n - y - - smtpd\n" if words[1] == "-M" else main.get(words[-1], "") + "\n"

    class Found:
        f_bavail, f_frsize, f_files, f_favail = 3 << 18, 4096, 10**7, 10**6  # 3 GiB

    class Status:
        def __init__(self, path):
            self.st_dev = 1 + (os.fsdecode(path) == str(queue))

    monkeypatch.setattr(postfix, "_said", said)
    site, mta = settings_of(state=str(tmp_path)), postfix.Postfix(None)
    monkeypatch.setattr(os, "statvfs", lambda _: Found)
    monkeypatch.setattr(os, "stat", Status)
    found = list(passage.check_room(site, mta))
    monkeypatch.undo()
    assert [one.level for one in found] == [OK, WARNING]
    assert "Postfix takes no mail" in found[1].advice


def test_each_file_system_is_told_once(settings_of, tmp_path):
    for name in ("quarantine", "other"):
        (tmp_path / name).mkdir()
    site = settings_of(state=str(tmp_path), infected={"quarantine": str(tmp_path / "other")})
    assert len(list(passage.check_room(site))) == 1


class TestReal:
    """A configuration that Postfix's own postconf(1) reads."""

    MASTER = (
        "smtp inet n - y - - smtpd\n  -o content_filter=amavis:dummy\n"
        "amavis unix - n n - 1 pipe\n  flags=q user=nobody null_sender=\n"
        "  argv={program} -f ${{sender}} -- ${{recipient}}\n"
        "pickup unix n - y 60 1 pickup\n{pickup}"
    )

    def check(self, desk, pickup="", main=""):
        folder, program = desk.folder / "postfix", desk.folder / "amavis-pipe"
        folder.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        (folder / "main.cf").write_text(f"compatibility_level = 3.6\n{main}")
        (folder / "master.cf").write_text(self.MASTER.format(program=program, pickup=pickup))
        done = desk.run("check", "--json", "--postfix-config", folder)
        return [one for one in json.loads(done.stdout)["checks"] if one["level"] != OK]

    def test_what_is_wrong_is_found_each_with_what_to_do_and_where_to_read(self, desk):
        found = self.check(
            desk,
            main="amavis_time_limit = 300s\ncontent_filter = amavis:dummy\n"
            "non_smtpd_milters = inet:127.0.0.1:8891\nsmtputf8_enable = yes\n",
        )
        told = "\n".join(one["what"] for one in found)
        for expect in (
            "amavis_time_limit is 300 s",
            "filtered again, without end",
            "no delivery status table",
            "smtp/inet has no no_address_mappings",
            "milters see every mail twice",
            "SMTPUTF8",
            "is not the launcher of this version",
        ):
            assert expect in told
        assert all(one["advice"] and (PROJECT / one["read"]).is_file() for one in found)

    def test_what_overrides_of_pickup_mend_is_not_told(self, desk):
        found = self.check(
            desk,
            main="non_smtpd_milters = inet:127.0.0.1:8891\n",
            pickup="  -o content_filter=\n  -o non_smtpd_milters=\n  -o smtputf8_autodetect_classes=verify\n",
        )
        told = "\n".join(one["what"] for one in found)
        assert not any(word in told for word in ("without end", "milters", "SMTPUTF8"))
