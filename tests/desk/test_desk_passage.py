"""What `check` says of the passage through Postfix, and of room."""

import os

import pytest

from amavis_pipe.desk.checks import OK, PROBLEM, WARNING, passage, postfix

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
    ],
    ids=["no override", "another override", "utf8", "milters", "too many", "default"],
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
    ],
    ids=["both overrides", "no milters for pickup", "overridden", "no SMTPUTF8", "by smtp", "little memory"],
)
def test_what_is_right_in_another_way_is_no_fault(look, change):
    assert [one.level for one in look(**change)] == [OK]


@pytest.mark.parametrize(
    ("free", "files", "level"), [(10, 10**6, WARNING), (10**7, 10, WARNING), (10**7, 10**6, OK)]
)
def test_a_disk_that_is_nearly_full_is_told(settings_of, monkeypatch, free, files, level):
    class Found:
        f_bavail, f_frsize, f_files, f_favail = free, 4096, 10**7, files

    monkeypatch.setattr(os, "statvfs", lambda _: Found)
    (found,) = passage.check_room(settings_of())
    assert found.level == level
