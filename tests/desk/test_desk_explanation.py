"""`config test` with a sender, recipients and categories: what would happen, and which line says so."""

import json

import pytest

RULES = """\
[infected]
action = "discard"
admin = {"example.net" = "net@example.org", "." = "all@example.org"}

[unchecked]
action = "tag"
subject_tag = "[not checked]"

[[recipient]]
match = "boss@example.org"
infected.action = "bounce"
lover = ["banned"]

[recipient.unchecked]
action = "pass"

[[client]]
match = "user:."
bypass = ["spam"]
"""


@pytest.fixture
def site(desk):
    desk.configure(RULES)
    desk.lines = desk.settings.read_text().split("\n")

    def line(text, nth=0):
        return [number for number, one in enumerate(desk.lines, 1) if one == text][nth]

    desk.line = line
    return desk


def explained(site, *words):
    done = site.run("config", "test", "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_it_says_what_happens_and_which_line_says_so(site):
    done = site.run("config", "test", "-s", "s@example.net", "-r", "boss@example.org", "-k", "infected")
    assert done.returncode == 0, done.stderr
    path = site.settings
    assert done.stdout == (
        "infected mail for boss@example.org: refuse, telling the sender\n"
        "  a copy goes to quarantine\n"
        "  told: sender, net@example.org\n"
        f"  rule: {path}:{site.line('[[recipient]]')}: [[recipient]]\n"
        f'  infected.action = "bounce"  ({path}:{site.line(RULES.split(chr(10))[10])}, [[recipient]])\n'
        f'  infected.admin = {{"example.net" = "net@example.org", "." = "all@example.org"}}'
        f"  ({path}:{site.line(RULES.split(chr(10))[2])})\n"
        f'  lover = ["banned"]  ({path}:{site.line(RULES.split(chr(10))[11])}, [[recipient]])\n'
    )


def test_recipients_that_fare_differently_are_explained_each(site):
    told = explained(site, "-r", "boss@example.org", "-r", "x@example.org", "-k", "unchecked")
    assert [(one["recipients"], one["action"]) for one in told] == [
        (["boss@example.org"], "pass"),
        (["x@example.org"], "tag"),
    ]
    assert "Subject: [not checked] …" in told[1]["marks"]
    assert not any("not checked" in mark for mark in told[0]["marks"])
    place = site.line('action = "pass"')
    nested = f'unchecked.action = "pass"  ({site.settings}:{place}, [[recipient]])'
    assert nested in told[0]["because"]


def test_several_categories_are_one_mail(site):
    (told,) = explained(site, "-r", "x@example.org", "-k", "unchecked", "-k", "infected")
    assert (told["action"], told["reason"]) == ("discard", "infected a virus")


def test_without_categories_each_is_explained_and_clean_mail(site):
    told = explained(site, "-r", "boss@example.org")
    assert [one["categories"] for one in told] == [
        ["infected"], ["banned"], ["unchecked"], ["spam"], ["bad-header"], ["oversized"], []
    ]  # fmt: skip
    assert told[1]["action"] == "tag"


def test_what_is_bypassed_is_said(site):
    (told,) = explained(site, "-r", "x@example.org", "-k", "spam", "--user", "alice")
    assert (told["left_out"], told["action"]) == (["spam"], "pass")
    (told,) = explained(site, "-r", "x@example.org", "-k", "spam")
    assert (told["left_out"], told["action"]) == ([], "tag")


def test_a_category_that_there_is_not_is_named(site):
    done = site.run("config", "test", "-k", "viral")
    assert done.returncode == 2
    assert 'no category "viral"' in done.stderr


def test_a_table_in_one_line_is_found(site):
    site.settings.write_text(
        f'state = "{site.state}"\nscanners = ["builtin"]\ninfected = {{ action = "tag" }}\n'
    )
    (told,) = explained(site, "-r", "x@example.org", "-k", "infected")
    assert f'infected.action = "tag"  ({site.settings}:3)' in told["because"]


def test_faults_come_first(site):
    site.settings.write_text(site.settings.read_text() + "\n[recipient.spam]\nacton = 1\n")
    done = site.run("config", "test", "-r", "x@example.org")
    assert done.returncode == 1
    assert "spam.acton" in done.stdout
