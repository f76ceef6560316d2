"""The filter form by the site's rules: what each gets, and what nobody is asked for."""

import json

import pytest

from amavis_pipe.scan.builtin import eicar

HEAD = b"From: a@example.org\nSubject: hello\nDate: Wed, 25 Nov 2026 08:00:00 +0000\n\n"
MAIL = HEAD + b"hello\n"
INFECTED = HEAD + eicar() + b"\n"
LINE = b"X-Virus-Scanned: by amavis-pipe\n"
SPARED = '[[recipient]]\nmatch = "spared@example.org"\nbypass = ["infected"]\n'
AWAY = '["x"]'
ROW = '[[scanner]]\nname = "x"\nvia = "clamd"\nat = "/nowhere/clamd.ctl"\nretry = 0\n'


@pytest.mark.parametrize(
    ("recipients", "status"),
    [(("spared@example.org",), 0), (("spared@example.org", "other@example.org"), 75)],
    ids=["all spared", "one is not"],
)
def test_where_nobody_wants_viruses_looked_for_no_scanner_is_asked(site, recipients, status):
    site.configure(ROW + SPARED, scanners=AWAY)
    assert site.filter(INFECTED, "a@example.org", *recipients).status == status
    assert site.forwarded() == ([INFECTED] if status == 0 else [])


def test_what_was_found_for_those_who_are_spared_is_no_answer_for_others(site):
    site.configure(SPARED)
    assert site.filter(INFECTED, "a@example.org", "spared@example.org").out == b"passed clean\n"
    assert site.filter(INFECTED).out.startswith(b"discarded infected")
    assert site.filter(INFECTED, "a@example.org", "spared@example.org").out == b"passed clean\n"
    assert site.forwarded() == [INFECTED, INFECTED]


def test_recipients_of_one_mail_fare_by_their_own_rules_and_the_record_says_so(site):
    site.configure(SPARED)
    done = site.filter(INFECTED, "a@example.org", "spared@example.org", "other@example.org")
    assert (done.status, done.out) == (0, b"passed to some clean\n")
    assert site.forwarded() == [INFECTED]
    (line,) = site.records()
    record = json.loads(line)
    assert [(one["action"], one["recipients"]) for one in record["actions"]] == [
        ("discard", ["other@example.org"]),
        ("pass", ["spared@example.org"]),
    ]
    assert record["verdict"] == "infected"
    assert len(record["quarantined"]) == 1


def test_a_changed_map_counts_at_once(site):
    vips = site.folder / "vips"
    vips.write_text("nobody@example.org\n")
    site.configure(
        f'[[recipient]]\nmatch = "{vips}"\ninfected.action = "pass"\ninfected.quarantine = false\n'
    )
    assert site.filter(INFECTED).out.startswith(b"discarded infected")
    vips.write_text("b@example.org\n")
    assert site.filter(INFECTED).out.startswith(b"passed infected")
    vips.unlink()
    assert site.filter(INFECTED).status == 75


def test_a_banned_name_and_a_faulty_header_are_found_in_a_mail_that_is_remembered(site):
    attached = (
        b'From: a@example.org\nSubject: x\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
        b"--b\n\nhi\n--b\nContent-Type: application/octet-stream; name=x.exe\n\nMZ\n--b--\n"
    )
    assert site.filter(attached).out == b"passed clean\n"
    site.configure('banned_rules = ["executables"]\n[banned]\naction = "tag"\n[bad-header]\naction = "tag"\n')
    done = site.filter(attached)
    assert done.out.startswith(b"passed banned executables:x.exe")
    record = json.loads(site.records()[-1])
    assert record["cache"] == "hit"
    assert {found["grade"] for found in record["findings"]} == {"banned", "bad-header"}


def test_the_record_tells_which_rules_held_and_where_they_stand(site):
    site.configure(SPARED + '[[client]]\nmatch = "user:."\nbanned.action = "pass"\n')
    site.filter(INFECTED, "a@example.org", "spared@example.org", "other@example.org")
    record = json.loads(site.records()[-1])
    rules = {one["action"]: one["rules"] for one in record["actions"]}
    lines = site.settings.read_text().split("\n")
    assert rules["discard"] == []
    (rule,) = rules["pass"]
    kind, line = rule.split(":")
    assert lines[int(line) - 1] == f"[[{kind}]]" == "[[recipient]]"


BANNED = """
banned_rules = ["mine", "executables"]
[[banned_rule]]
name = "mine"
names = "good.exe"
allow = true
[[banned_rule]]
name = "mine"
names = "evil.exe"
[[banned_rule]]
name = "mine"
names = "other.exe"
"""


def test_the_record_tells_where_banned_rules_stand_that_applied_and_those_that_let_pass(site):
    site.configure(BANNED)
    names = ("good.exe", "evil.exe", "ready.exe")
    parts = b"".join(
        b"--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=%s\n\nMZ\n"
        % one.encode()
        for one in names
    )
    site.filter(
        b"From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        + parts
        + b"--b--\n"
    )
    record = json.loads(site.records()[-1])
    assert sorted(one["name"] for one in record["findings"]) == ["executables:ready.exe", "mine:evil.exe"]
    lines = site.settings.read_text().split("\n")
    (rules,) = (one["rules"] for one in record["actions"])
    told = [lines[int(rule.removeprefix("banned_rule:")) + 1] for rule in rules]
    assert told == ['names = "good.exe"', 'names = "evil.exe"']


def test_a_finding_that_is_allowed_tells_the_line_that_allows_it(site):
    site.configure('[[allow]]\nname = "Eicar-Test-Signature"\nreason = "our own test"\n')
    site.filter(INFECTED)
    (found,) = json.loads(site.records()[-1])["findings"]
    lines = site.settings.read_text().split("\n")
    assert (
        found["name"]
        == f"allowed:Eicar-Test-Signature (our own test; [[allow]] in line {lines.index('[[allow]]') + 1})"
    )


def test_a_site_may_have_no_names_in_its_journal(site):
    site.configure("[journal]\nhash_addresses = true\n")
    site.filter(INFECTED, "alice@example.org", "bob@example.org")
    (line,) = site.records()
    assert "alice" not in line and "bob" not in line
    assert line.count("@example.org") >= 3
    (record,) = (site.state / "quarantine").glob("*/*.json")
    assert json.loads(record.read_bytes())["envelope"]["recipients"] == ["bob@example.org"]
