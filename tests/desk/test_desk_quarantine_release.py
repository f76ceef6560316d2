"""The commands `quarantine release` and `rescan`: mail goes on as it came, once, and only what may."""

import json
import os
import re

import pytest
from stand_in import mails, smtpd
from stand_in.held import ENVELOPE, hold

from amavis_pipe.model import Envelope

LINE = re.compile(
    rb"X-Amavis-Released: <[a-z]+-\d{8}-\d{6}-(?:\w+-)?[0-9a-f]{12}> \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n"
)
ODD = b"From: a@example.org\nSubject: odd\n\n.\n..\nFrom here\n>From there\n\n\nend\n"


@pytest.fixture
def server():
    with smtpd.running() as running:
        yield running


@pytest.fixture
def site(desk, server):
    """A site that hands mail on to the server, and keeps spam in a mailbox."""
    desk.configure(f'forward = "{server.route}"\n[spam]\nquarantine = "spam.mbox"\n')
    return desk


def release(desk, *words):
    return desk.run("quarantine", "release", *words)


def releases(desk):
    """How all mail was released, as `list` tells it."""
    lines = desk.run("quarantine", "list", "--json").stdout.splitlines()
    return [one for line in lines for one in json.loads(line)["released"]]


def original(message):
    """A mail that the server got, less our line."""
    data = smtpd.unstuffed(message)
    found = LINE.match(data)
    assert found, data[:200]
    return data[found.end() :]


BOTH = pytest.mark.parametrize("place", ["quarantine", "spam.mbox"])


@BOTH
def test_a_mail_goes_on_byte_for_byte_with_its_own_envelope_and_that_is_put_down(site, server, place):
    name = hold(site, ODD, place=place)
    done = release(site, name)
    assert (done.returncode, done.stderr) == (0, "")
    said = f"{name}: released from a@example.org to b@example.org, c@example.net by {server.route}, queued as 4bQ7Xz1y\n"
    assert done.stdout == said
    assert [original(message) for message in server.messages] == [ODD]
    assert server.said(b"MAIL")[0].startswith(b"MAIL FROM:<a@example.org>")
    assert server.said(b"RCPT") == [b"RCPT TO:<b@example.org>", b"RCPT TO:<c@example.net>"]
    (one,) = releases(site)
    assert one["to"] == ["b@example.org", "c@example.net"]
    assert (one["route"], one["queue_id"]) == (server.route, "4bQ7Xz1y")
    assert "queued as 4bQ7Xz1y" in site.run("quarantine", "show", name).stdout


@BOTH
def test_whoever_has_it_does_not_get_it_again_unasked(site, server, place):
    name = hold(site, ODD, place=place)
    release(site, name, "--to", "b@example.org")
    done = release(site, name)
    assert done.returncode == 1
    assert f"{name}: was released before to b@example.org; --again sends it once more\n" == done.stderr
    assert server.said(b"RCPT")[1:] == [b"RCPT TO:<c@example.net>"]
    done = release(site, name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "was released before to b@example.org, c@example.net" in done.stderr
    assert len(server.messages) == 2
    assert release(site, name, "--again").returncode == 0
    assert len(server.messages) == 3
    assert len(releases(site)) == 3


def test_an_infected_mail_may_go_to_somebody_else(site, server):
    name = hold(site, mails.infected())
    assert release(site, name, "--to", "lab@example.org", "--to", "-x@example.org").returncode == 0
    assert server.said(b"RCPT") == [b"RCPT TO:<lab@example.org>", b"RCPT TO:<-x@example.org>"]
    assert release(site, name).returncode == 0, "those it was kept for did not have it"


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(b"", (b"b@x",), b"4b"),
        Envelope(b"-a@x", (b"-b@x",), b"4b"),
        Envelope("ä@ü.example".encode(), ("ö@ß.example".encode(),), b"4b"),
        Envelope(b'"a \\"b"@x', (b'"c d"@x',), b"4b"),
    ],
    ids=["null sender", "dash", "utf-8", "quoted"],
)
@BOTH
def test_odd_envelopes_are_kept(site, server, place, envelope):
    name = hold(site, ODD, envelope, place=place)
    done = release(site, name)
    assert done.returncode == 0, done.stderr
    assert server.said(b"MAIL")[0].startswith(b"MAIL FROM:<%s>" % envelope.sender)
    assert server.said(b"RCPT") == [b"RCPT TO:<%s>" % envelope.recipients[0]]


def test_the_client_it_came_from_is_told_on(site, server):
    release(site, hold(site, ODD))
    assert b"ADDR=192.0.2.7" in server.said(b"XFORWARD")[0]


def test_refused_recipients_are_named_and_not_put_down(site, server):
    name = hold(site, ODD)
    server.replies["RCPT TO:<b@example.org>"] = "550 5.1.1 unknown \x1b[2J"
    done = release(site, name)
    assert done.returncode == 1
    assert done.stderr == f"{name}: refused for b@example.org: 550 5.1.1 unknown \\x1b[2J\n"
    assert "to c@example.net by" in done.stdout
    assert [one["to"] for one in releases(site)] == [["c@example.net"]]
    server.replies["RCPT"] = "550 no"
    done = release(site, name, "--again")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(releases(site)) == 1


@pytest.mark.parametrize(
    ("verb", "reply"),
    [("RCPT", "450 later"), (".", "452 full"), ("connect", smtpd.CLOSE), (".", smtpd.CLOSE)],
)
def test_what_was_not_taken_is_not_called_released(site, server, verb, reply):
    name = hold(site, ODD)
    server.replies[verb] = reply
    done = release(site, name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{name}: not released: smtp:127.0.0.1:")
    assert releases(site) == []
    server.replies.clear()
    assert release(site, name).returncode == 0


def test_several_are_released_though_one_is_damaged(site, server):
    one, two, three = (
        hold(site, mails.plain(b"%d\n" % n), Envelope(b"", (b"x@x",), b"q%d" % n)) for n in range(3)
    )
    path = site.state / "quarantine" / two[-12:-10] / two
    os.truncate(path, path.stat().st_size - 1)
    done = release(site, one, two, three)
    assert done.returncode == 2
    assert done.stderr == f"{two}: not released: damaged: the mail is not whole\n"
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [one, three]
    assert len(server.messages) == 2


def test_without_its_record_a_mail_goes_to_those_whom_the_file_names(site, server):
    name = hold(site, ODD)
    beside = site.state / "quarantine" / name[-12:-10] / (name + ".json")
    beside.unlink()
    assert release(site, name).returncode == 0
    assert len(server.said(b"RCPT")) == 2
    assert json.loads(beside.read_text())["released"][0]["queue_id"] == "4bQ7Xz1y"
    assert release(site, name).returncode == 2


def test_a_file_of_before_is_released(site, server):
    name = hold(site, ODD)
    folder = site.state / "quarantine"
    old = "virus-20250101-000000-0123456789ab"
    (folder / name[-12:-10] / name).rename(folder / old)
    (folder / name[-12:-10] / (name + ".json")).unlink()
    done = release(site, old)
    assert done.returncode == 0, done.stderr
    assert [original(message) for message in server.messages] == [ODD]
    assert len(releases(site)) == 1


def test_a_release_that_cannot_be_put_down_says_so(site, server):
    name = hold(site, ODD, place="spam.mbox")
    (site.state / "spam.mbox.released").mkdir()
    done = release(site, name)
    assert done.returncode == 2
    assert "released from" in done.stdout
    assert "this could not be put down: Is a directory" in done.stderr


@pytest.mark.parametrize("to", ["", "a\nb@x", "x" * 1001])
def test_what_is_no_address_is_a_usage_error(site, server, to):
    done = release(site, hold(site, ODD), "--to", to)
    assert done.returncode == 2
    assert "wants an address" in done.stderr
    assert server.commands == []


class TestRescan:
    def test_it_says_what_would_be_done_now(self, site):
        virus, clean = (
            hold(site, mails.infected()),
            hold(site, mails.plain(), label="unchecked", names=("crash:zip",)),
        )
        done = site.run("quarantine", "rescan", virus, clean)
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            f"{virus}: infected {mails.EICAR_NAME}; would discard for b@example.org, c@example.net",
            f"{clean}: clean; would deliver for b@example.org, c@example.net",
            "2 mails: 1 clean, 1 infected",
        ]
        assert releases(site) == []

    @BOTH
    def test_what_is_clean_now_is_released_and_nothing_else(self, site, server, place):
        hold(site, mails.infected(), place=place)
        clean = hold(site, mails.plain(), label="unchecked", names=("crash:zip",), place=place)
        done = site.run("quarantine", "rescan", "--all", "--release-clean")
        assert done.returncode == 1
        assert f"{clean}: released from a@example.org to b@example.org, c@example.net" in done.stdout
        assert [original(message) for message in server.messages] == [mails.plain()]
        assert [one["to"] for one in releases(site)] == [["b@example.org", "c@example.net"]]

    def test_json_is_the_record_of_each(self, site):
        name = hold(site, mails.infected())
        done = site.run("quarantine", "rescan", "--json", name)
        (record,) = [json.loads(line) for line in done.stdout.splitlines()]
        assert (record["source"], record["verdict"]) == (name, "infected")
        assert record["envelope"]["recipients"] == [one.decode() for one in ENVELOPE.recipients]

    def test_what_cannot_be_examined_is_trouble_and_stays(self, site, server):
        name = hold(site, mails.plain())
        path = site.state / "quarantine" / name[-12:-10] / name
        os.truncate(path, path.stat().st_size - 1)
        done = site.run("quarantine", "rescan", "--all", "--release-clean")
        assert done.returncode == 2
        assert f"{name}: not examined: damaged" in done.stderr
        assert server.commands == []

    @pytest.mark.parametrize("words", [[], ["--all", "x"]], ids=["none", "both"])
    def test_it_wants_ids_or_all(self, site, words):
        assert site.run("quarantine", "rescan", *words).returncode == 2

    def test_nothing_held_back_is_no_trouble(self, site):
        done = site.run("quarantine", "rescan", "--all")
        assert (done.returncode, done.stdout) == (0, "0 mails: nothing is held back\n")
