"""The commands `quarantine list`, `show` and `delete`: what is held back, told without harm, and removed."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from stand_in import mails
from stand_in.desk_site import START
from stand_in.held import hold

from amavis_pipe.desk.held import listing
from amavis_pipe.desk.held.listing import fitted, moment
from amavis_pipe.desk.held.places import addresses, places
from amavis_pipe.model import Envelope, Part

EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\x9b31m"
HOSTILE = (
    b"Subject: \x1b[31mred\x1b[0m \xe2\x80\xae\x9b2J\r\nFrom: a@example.org\nX-Long: " + b"y" * 5000 + b"\n\n"
    b"body \x1b]0;owned\x07\x00\n" + b"line\n" * 500
)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def listed(desk, *words):
    done = desk.run("quarantine", "list", "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(desk, *words):
    return [entry["quarantine_id"] for entry in listed(desk, *words)]


def aged(desk, name, when):
    """Let a mail have another time in its name."""
    new = re.sub(r"\d{8}-\d{6}", when, name)
    folder = desk.state / "quarantine" / name.rpartition("-")[2][:2]
    for end in ("", ".json"):
        (folder / (name + end)).rename(folder / (new + end))
    return new


def on_terminal(desk, *words, answer=b"", columns="80"):
    """Run it with a terminal for everything; status and all that was shown."""
    ours, theirs = pty.openpty()
    if answer:
        os.write(ours, answer)
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": columns, "TERM": "xterm"}
    command = [sys.executable, "-I", "-c", START.format(str(desk.package)), *words, "-c", str(desk.settings)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd="/")
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)
    return process.wait(60), shown.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


class TestPlaces:
    def test_all_places_that_site_and_rules_name_are_found_once(self, settings_of):
        settings = settings_of(
            infected={"quarantine": "viruses"},
            spam={"quarantine": "/var/spool/spam.mbox"},
            banned={"quarantine": "postmaster@example.org"},
            clean={"quarantine": True},
            recipient=[{"match": ["example.org"], "unchecked": {"quarantine": "boss"}}],
        )
        state = settings.state
        assert [place.path for place in places(settings)] == [
            state + b"/quarantine",
            state + b"/viruses",
            b"/var/spool/spam.mbox",
            state + b"/boss",
        ]
        assert addresses(settings) == ["postmaster@example.org"]

    def test_none_is_no_trouble(self, desk):
        desk.configure('[quarantine]\nplace = ""\n[unchecked]\ncrash = "defer"\n')
        done = desk.run("quarantine", "list")
        assert (done.returncode, done.stdout) == (0, "0 mails, 0 bytes\n")


class TestList:
    def test_folders_mailboxes_and_files_of_before_are_listed_oldest_first(self, desk):
        desk.configure('[spam]\nquarantine = "spam.mbox"\n[banned]\nquarantine = "admin@example.org"\n')
        new = aged(desk, hold(desk, mails.infected()), "20260102-000000")
        spam = hold(desk, mails.plain(), label="spam", names=("score:9",), place="spam.mbox")
        flat = "virus-20250101-000000-0123456789ab"
        inner = desk.state / "quarantine" / new[-12:-10] / new
        (desk.state / "quarantine" / flat).write_bytes(inner.read_bytes())
        desk.own(desk.state)
        found = listed(desk)
        assert [entry["quarantine_id"] for entry in found] == [flat, new, spam]
        assert [entry["place"] for entry in found] == ["quarantine", "quarantine", "spam.mbox"]
        assert [entry["label"] for entry in found] == ["infected", "infected", "spam"]
        for entry in found:
            assert (entry["sender"], entry["recipients"]) == (
                "a@example.org",
                ["b@example.org", "c@example.net"],
            )
            assert (entry["trouble"], entry["released"]) == (None, [])
        assert found[1]["size"] == len(mails.infected())
        assert found[1]["time"] == "2026-01-02T00:00:00Z"
        assert [entry["names"] for entry in found] == [["Eicar-Test-Signature"]] * 2 + [["score:9"]]
        table = desk.run("quarantine", "list").stdout.splitlines()
        assert table[0].split() == ["NAME", "SIZE", "FROM", "TO", "FOUND"]
        assert [line.split()[0] for line in table[1:4]] == [flat, new, spam]
        assert table[4].startswith("3 mails, ")
        assert table[5] == "what was sent to admin@example.org can't be listed"

    @pytest.mark.parametrize(
        ("words", "expect"),
        [
            (["--category", "spam"], "s"),
            (["--sender", "A@example"], "v"),
            (["--sender", "*@example.com"], "s"),
            (["--sender", "@example.or?"], ""),
            (["--recipient", "c@"], "v"),
            (["--name", "eicar*"], "v"),
            (["--since", "2026-01-01"], "s"),
            (["--until", "2026-01-01T00:00"], "v"),
            (["--since", "2025-01-01", "--until", "2027-01-01T02:00+02:00"], "vs"),
            (["--since", "1m"], ""),
        ],
        ids=" ".join,
    )
    def test_filters(self, desk, words, expect):
        virus = aged(desk, hold(desk, mails.infected()), "20251231-235959")
        other = Envelope(b"x@example.com", (b"y@example.com",), b"5c")
        spam = aged(desk, hold(desk, mails.plain(), other, "spam", ("score:9",)), "20260101-000000")
        assert names(desk, *words) == [{"v": virus, "s": spam}[letter] for letter in expect]

    @pytest.mark.parametrize(
        "words", [["--since", "yesterday"], ["--until", "2026-13-01"], ["--since", "9999999w"]], ids=" ".join
    )
    def test_an_odd_time_is_a_usage_error(self, desk, words):
        done = desk.run("quarantine", "list", *words)
        assert done.returncode == 2
        assert "wants 2026-11-25" in done.stderr

    def test_words_from_outside_are_escaped(self, desk):
        sender = EVIL.encode() + b"\xff@x"
        hold(desk, HOSTILE, Envelope(sender, (sender,), b"4b"), names=("evil\x1b[2J\u202e",))
        (entry,) = listed(desk)
        assert entry["sender"].startswith("\\x1b]0;owned\\x07\\x1b[2J\\u202egpj.exe\\x9b31m\\xff@")
        for words in (
            ["list"],
            ["list", "--json"],
            ["show", "4b"],
            ["show", "4b", "--header"],
            ["show", "4b", "--parts"],
        ):
            done = desk.run("quarantine", *words)
            assert done.returncode == 0
            assert not CONTROL.search(done.stdout + done.stderr)

    @pytest.mark.parametrize("damage", ["gone", "cut", "odd"])
    def test_where_the_record_is_lost_the_lines_in_the_file_tell(self, desk, damage):
        name = hold(desk, mails.infected())
        path = desk.state / "quarantine" / name[-12:-10] / (name + ".json")
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(
                b'{"envel' if damage == "cut" else b'{"envelope": {"sender": "x", "recipients": 5}}'
            )
        (entry,) = listed(desk)
        assert (entry["sender"], entry["recipients"]) == ("a@example.org", ["b@example.org", "c@example.net"])
        assert (entry["label"], entry["names"], entry["trouble"]) == (
            "infected",
            ["Eicar-Test-Signature"],
            None,
        )

    @pytest.mark.parametrize(
        "odd",
        [
            {"label": "\ud800\x1b[2J"},
            {"findings": [{"grade": "virus", "name": "\udcff"}]},
            {"parts": [{"path": "1"}, {"path": "1.1", "name": "\ud800"}]},
            {"served": 5},
            {"released": [{"to": ["a@example.org"], "queue_id": "\ud800"}]},
        ],
        ids=["label", "finding", "parts", "served", "released"],
    )
    def test_a_record_with_odd_fields_does_no_harm(self, desk, odd):
        name = hold(desk, mails.infected())
        path = desk.state / "quarantine" / name[-12:-10] / (name + ".json")
        path.write_text(json.dumps(json.loads(path.read_text()) | odd))
        for words in (["list"], ["list", "--json"], ["show", name], ["show", name, "--parts"]):
            done = desk.run("quarantine", *words)
            assert (done.returncode, done.stderr) == (0, "")
            assert not CONTROL.search(done.stdout)

    @pytest.mark.parametrize("place", ["quarantine", "kept.mbox"])
    def test_a_cut_mail_is_listed_with_what_is_wrong(self, desk, place):
        desk.configure('[infected]\nquarantine = "kept.mbox"')
        name = hold(desk, mails.infected(), place=place)
        path = desk.state / place
        path = path / name[-12:-10] / name if path.is_dir() else path
        os.truncate(path, path.stat().st_size - 10)
        (entry,) = listed(desk)
        assert entry["trouble"].startswith("damaged")
        assert "damaged" in desk.run("quarantine", "list").stdout
        done = desk.run("quarantine", "show", name, "--raw")
        assert (done.returncode, done.stdout) == (2, "")
        assert "damaged" in done.stderr

    def test_a_mailbox_of_others_is_left_alone_and_not_listed(self, desk):
        desk.configure('[infected]\nquarantine = "kept.mbox"')
        theirs = b"From x Mon Jan  1 00:00:00 2026\nSubject: theirs\n\nX-Quarantine-ID: <y>\n\n"
        (desk.state / "kept.mbox").write_bytes(theirs)
        (desk.state / "kept.mbox").chmod(0o600)
        name = hold(desk, mails.infected(), place="kept.mbox")
        assert names(desk) == [name]
        assert desk.run("quarantine", "delete", name).returncode == 0
        assert (desk.state / "kept.mbox").read_bytes() == theirs

    def test_a_place_that_cannot_be_read_is_trouble_and_the_others_are_listed(self, desk):
        desk.configure('[infected]\nquarantine = "link"')
        name = hold(desk, mails.infected())
        (desk.state / "link").symlink_to(desk.state / "quarantine")
        done = desk.run("quarantine", "list", "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["quarantine_id"] == name
        assert "link: Not a directory" in done.stderr

    def test_without_a_state_folder_it_is_trouble(self, desk):
        desk.settings.write_text('state = "/nonexistent"\n')
        done = desk.run("quarantine", "list", user="nobody")
        assert (done.returncode, done.stdout) == (2, "")
        assert "no quarantine: /nonexistent can't be used by this user" in done.stderr

    def test_on_a_terminal_the_lines_fit(self, desk):
        long = b"someone.with.a.long.name@department.example.org"
        name = hold(desk, mails.infected(), Envelope(long, (long, b"x@y"), b"4bQ7Xz"))
        for columns in ("80", "120"):
            status, shown = on_terminal(desk, "quarantine", "list", columns=columns)
            head, line, total = shown.splitlines()
            assert status == 0
            assert len(line) <= int(columns)
            assert "…" in line
            word = line.split()[0]
            assert word == (name if columns == "120" else name[-19:])
            assert desk.run("quarantine", "show", word, "--parts").returncode == 0
            assert head.startswith("NAME")
            assert total.startswith("1 mail, ")


ROWS = [["virus-20260101-000000-4b-0123456789ab", "1.2KiB", "a" * 40, "b" * 20, "c"]]


@pytest.mark.parametrize("width", [0, 60, 80, 100, 300])
def test_columns_are_cut_to_the_width_and_never_without_need(width):
    head, line = fitted(ROWS, width)
    full = 38 + 6 + 40 + 20 + 5 + 8
    if not width or width >= full:
        assert line.split() == ROWS[0]
    else:
        assert len(line) <= max(width, 65)
    assert head.split() == list(listing.HEAD)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("2026-11-25", "20261125000000"),
        ("2026-11-25T07:30", "20261125073000"),
        ("2026-11-25T07:30:01+01:00", "20261125063001"),
        ("1d", "19700103000000"),
        ("36h", "19700102120000"),
        ("0m", "19700104000000"),
    ],
)
def test_times(text, expect):
    assert moment(text, 3 * 86400) == expect


class TestId:
    @pytest.fixture
    def two(self, desk):
        first = hold(desk, mails.plain(b"one\n"), Envelope(b"a@x", (b"b@x",), b"4bQ7Xz"))
        return first, hold(desk, mails.plain(b"two\n"), Envelope(b"a@x", (b"b@x",), b"5bQ7Xz"))

    def test_name_end_and_part_name_a_mail(self, desk, two):
        for name, queue_id in zip(two, ("4bQ7Xz", "5bQ7Xz"), strict=True):
            for word in (name, name[-12:], f"{queue_id}-{name[-12:]}", queue_id):
                done = desk.run("quarantine", "show", "--header", word)
                assert done.returncode == 0, done.stderr
            shown = desk.run("quarantine", "show", name).stdout
            assert shown.splitlines()[0] == name

    def test_what_may_mean_several_is_trouble_that_names_them(self, desk, two):
        done = desk.run("quarantine", "show", "bQ7Xz")
        assert (done.returncode, done.stdout) == (2, "")
        for name in two:
            assert name in done.stderr

    @pytest.mark.parametrize("word", ["nothing", "", "../../etc/passwd", "\udcff\x1b[2J", "*"])
    def test_what_names_nothing_is_trouble_and_nothing_is_done(self, desk, two, word):
        done = desk.run("quarantine", "delete", two[0], os.fsencode(word))
        assert (done.returncode, done.stdout) == (2, "")
        assert "no such mail is held back" in done.stderr
        assert "\x1b" not in done.stderr
        assert sorted(names(desk)) == sorted(two)

    def test_the_same_name_in_two_places_is_told_apart_by_the_file(self, desk):
        desk.configure('[infected]\nquarantine = "viruses"')
        name = hold(desk, mails.plain())
        (desk.state / "quarantine").rename(desk.state / "viruses")
        again = hold(desk, mails.plain())
        folder = desk.state / "quarantine" / name[-12:-10]
        if again != name:
            for end in ("", ".json"):
                (folder / (again + end)).rename(folder / (name + end))
        assert desk.run("quarantine", "show", name).returncode == 2
        assert desk.run("quarantine", "show", folder / name).returncode == 0
        assert desk.run("quarantine", "delete", folder / name).returncode == 0
        assert [entry["place"] for entry in listed(desk)] == ["viruses"]


class TestShow:
    def test_summary_parts_header_and_the_beginning_of_the_text(self, desk):
        parts = (Part("1", (b"a.zip",), kind="application/zip", size=123),)
        name = hold(desk, mails.plain(b"hello\nworld\n"), parts=parts)
        done = desk.run("quarantine", "show", name)
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[0] == name
        assert "  why       infected Eicar-Test-Signature" in lines
        assert "  to        c@example.net" in lines
        assert any(line.split() == ["1", "123", "application/zip", "a.zip"] for line in lines)
        assert any("virus Eicar-Test-Signature, says x" in line for line in lines)
        assert lines[-6:] == ["From: a@example.org", "Subject: plain", "", "hello", "world", ""]

    def test_what_is_shown_is_bounded(self, desk):
        hold(desk, HOSTILE, Envelope(b"a@x", tuple(b"r%d@x" % number for number in range(2000)), b"4b"))
        done = desk.run("quarantine", "show", "4b")
        assert len(done.stdout.splitlines()) < 200
        assert max(map(len, done.stdout.splitlines())) < 600
        assert "and 1950 more" in done.stdout

    @pytest.mark.parametrize("place", ["quarantine", "kept.mbox"])
    @pytest.mark.parametrize(
        "mail",
        [
            HOSTILE,
            b"x",
            b"From x\n>From y\r\n>>From z",
            mails.plain(b">From " * 400_000),
            b"\n\n",
            b"a\n\n\n\n",
        ],
        ids=["hostile", "one byte", "from", "large", "empty lines", "empty end"],
    )
    def test_raw_gives_the_mail_byte_for_byte(self, desk, place, mail):
        desk.configure('[infected]\nquarantine = "kept.mbox"')
        hold(desk, mails.plain(b"before\n"), Envelope(b"", (b"x@x",), b"first"), place=place)
        name = hold(desk, mail, place=place)
        hold(desk, mails.plain(b"behind\n"), Envelope(b"", (b"x@x",), b"last"), place=place)
        out = desk.files / "out"
        with out.open("wb") as file:
            command = [
                sys.executable,
                "-I",
                "-c",
                START.format(str(desk.package)),
                "quarantine",
                "show",
                name,
            ]
            done = subprocess.run([*command, "--raw", "-c", desk.settings], stdout=file, check=False, cwd="/")
        assert done.returncode == 0
        assert out.read_bytes() == mail

    def test_raw_goes_to_no_terminal_unless_forced(self, desk):
        name = hold(desk, HOSTILE)
        status, shown = on_terminal(desk, "quarantine", "show", name, "--raw")
        assert status == 2
        assert "\x1b" not in shown
        assert on_terminal(desk, "quarantine", "show", name, "--raw", "--force")[0] == 0

    def test_bytes_that_were_changed_are_not_given_out(self, desk):
        name = hold(desk, mails.infected())
        path = desk.state / "quarantine" / name[-12:-10] / name
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        done = desk.run("quarantine", "show", name, "--raw")
        assert (done.returncode, done.stdout) == (2, "")
        assert "its bytes are not those that were kept" in done.stderr


class TestDelete:
    @pytest.mark.parametrize("place", ["quarantine", "kept.mbox"])
    def test_the_mails_go_with_all_that_is_known_of_them(self, desk, place):
        desk.configure('[infected]\nquarantine = "kept.mbox"')
        kept_ = [
            hold(desk, mails.plain(b"%d\n" % number), Envelope(b"", (b"x@x",), b"q%d" % number), place=place)
            for number in range(4)
        ]
        done = desk.run("quarantine", "delete", kept_[0], "q2")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [f"{kept_[0]}: removed", f"{kept_[2]}: removed"]
        assert sorted(names(desk)) == sorted([kept_[1], kept_[3]])
        left = [path.name for path in desk.state.rglob("*") if "q0" in path.name or "q2" in path.name]
        assert left == []
        assert desk.run("quarantine", "show", "q3", "--raw").stdout.endswith("3\n")

    @pytest.mark.parametrize(("answer", "status"), [(b"n\n", 2), (b"y\n", 0)], ids=["no", "yes"])
    def test_on_a_terminal_it_asks(self, desk, answer, status):
        name = hold(desk, mails.infected())
        ended, shown = on_terminal(desk, "quarantine", "delete", name, answer=answer)
        assert ended == status
        assert "Remove 1 mail for good? [y/N]" in shown
        assert names(desk) == ([name] if status else [])

    def test_with_yes_it_does_not_ask(self, desk):
        name = hold(desk, mails.infected())
        status, shown = on_terminal(desk, "quarantine", "delete", "--yes", name)
        assert (status, shown) == (0, f"{name}: removed\n")
