"""The digest: what it counts, whom it goes to, and that each hit is told of, once, whatever goes wrong."""

import email
import email.policy
import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from amavis_pipe import forward
from amavis_pipe.desk import digest
from amavis_pipe.model import Envelope, Facts, Finding, ForwardTrouble, Receipt, Reply
from amavis_pipe.notices import rate
from amavis_pipe.policy import decide
from amavis_pipe.record import record, to_json

ADMIN, BOB = "admin@example.net", "bob@example.net"
DAY, HOUR = 86400, 3600
NOW = 1_795_651_200 + 10 * HOUR
"""2026-11-26 10:00 UTC."""
TODAY, YESTERDAY = "2026-11-26", "2026-11-25"
VIRUS = Finding("virus", "Eicar", "1", "clamd")
INFECTED = {"infected": {"admin": ADMIN}}
KEPT = "virus-20261126-090000-4bQ7Xz-0123456789ab"


class Site:
    """Settings, a journal, and the mails that were sent."""

    def __init__(self, settings_of, folder):
        self.settings_of = settings_of
        self.state, self.out = folder / "state", folder / "out"
        self.out.mkdir()
        self.number = 0
        self.configure()

    def configure(self, **tree):
        self.settings = self.settings_of(notify=f"file:{self.out}", **(tree or INFECTED))

    def hit(self, *findings, sender=b"alice@example.org", to=(BOB,), day=TODAY, kept=KEPT, **more):
        """A record of one mail as the filter writes it."""
        self.number += 1
        envelope = Envelope(sender, tuple(one.encode() for one in to), b"4bQ7X%d" % self.number, b"192.0.2.1")
        facts = Facts([], list(findings) or [VIRUS], [])
        decision = decide(facts, envelope, self.settings)
        made = record("pipe", envelope, 1, "0" * 64, facts, decision, [], {}, kept=[kept] if kept else [])
        self.write(to_json(made | {"time": f"{day}T09:00:00Z"} | more), day)

    def clean(self, day=TODAY):
        self.hit(Finding("note", "odd", "1"), day=day, kept="")

    def write(self, line, day=TODAY, end="\n"):
        with (self.state / f"journal/{day}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + end)

    def run(self, now=NOW):
        """The status, and the mails of this run: the admins' and recipients' alike, in order."""
        before = set(self.out.iterdir())
        status = digest.run(self.settings, now, True)
        new = sorted(set(self.out.iterdir()) - before, key=lambda path: path.stat().st_mtime_ns)
        return status, [self.parsed(path.read_bytes()) for path in new]

    def parsed(self, text):
        found = email.message_from_bytes(text, policy=email.policy.default)
        assert [part.defects for part in found.walk() if part.defects] == []
        assert found["Auto-Submitted"] == "auto-generated"
        return found

    def told(self, now=NOW):
        """By address, the text of each mail of this run."""
        status, sent = self.run(now)
        assert status == 0
        return {str(one["To"].addresses[0].addr_spec): one.get_content() for one in sent}


@pytest.fixture
def site(settings_of, tmp_path):
    return Site(settings_of, tmp_path)


@pytest.fixture
def way(monkeypatch):
    """A function: what happens to mail for these addresses; others get theirs."""
    real = forward.submit

    def set_to(outcome, *addresses):
        def submit(route, message, envelope, to, *more):
            if not addresses or to[0].decode() in addresses:
                return outcome(lambda: real(route, message, envelope, to, *more), to)
            return real(route, message, envelope, to, *more)

        monkeypatch.setattr(forward, "submit", submit)

    yield set_to


def fails(send, to):
    raise ForwardTrouble("no way")


def refuses(send, to):
    receipt = Receipt("smtp:127.0.0.1:25")
    receipt.refused = [Reply(to[0], "550 5.1.1 unknown")]
    receipt.taken = False
    return receipt


def dies_after(send, to):
    send()
    raise KeyboardInterrupt


class TestContent:
    def test_it_counts_by_category_and_name_and_domain(self, site):
        site.configure(infected={"admin": ADMIN}, unchecked={"admin": ADMIN, "action": "discard"})
        site.hit()
        site.hit(VIRUS, Finding("virus", "Other", "2", "clamd"), sender=b"x@Example.COM")
        site.hit(Finding("unchecked", "encrypted:zip", "1"), kept="")
        site.clean()
        status, (mail,) = site.run()
        text = mail.get_content()
        assert status == 0
        assert "3 messages" in mail["Subject"]
        assert mail["Subject"].endswith("VIRUS 2, UNCHECKED 1")
        for line in (
            "2  VIRUS", "1  UNCHECKED", "2  kept in the quarantine", "2  Eicar", "1  Other", "1  encrypted:zip",
            "2  example.org", "1  example.com",
        ):  # fmt: skip
            assert f"       {line}\n" in text

    def test_each_hit_is_listed_with_what_is_needed_to_release_it(self, site):
        site.hit(to=(BOB, "carol@example.net"))
        text = site.told()[ADMIN]
        assert f"{TODAY}T09:00:00Z  4bQ7X1  VIRUS: Eicar\n    from <alice@example.org> by 192.0.2.1\n" in text
        assert "    to <bob@example.net>: discard\n    to <carol@example.net>: discard\n" in text
        assert f"    kept as {KEPT}\n" in text
        assert "amavis-pipe quarantine release ID" in text

    def test_of_many_the_newest_are_listed(self, site):
        for _ in range(203):
            site.hit()
        text = site.told()[ADMIN]
        assert "The newest 200 of 203:" in text
        assert "4bQ7X203 " in text
        assert "4bQ7X3 " not in text
        assert "     203  VIRUS\n" in text

    def test_of_many_names_the_most_frequent_are_shown(self, site, monkeypatch):
        monkeypatch.setattr("amavis_pipe.notices.tally.DISTINCT", 60)
        for number in range(100):
            site.hit(Finding("virus", f"Name.{number}", "1"), VIRUS, sender=b"a@%d.example.org" % number)
        text = site.told()[ADMIN]
        assert "     100  Eicar\n" in text
        assert "      51  others\n" in text
        assert "      50  others\n" in text

    def test_nothing_found_is_no_mail(self, site):
        site.clean()
        assert site.run() == (0, [])
        assert site.run(NOW + DAY) == (0, [])

    def test_a_mail_that_was_tried_again_counts_once(self, site):
        for _ in range(3):
            site.hit(id="4bQ7Xz", sha256="1" * 64)
        site.hit(id="4bQ7Xz", sha256="2" * 64)
        assert "       2  VIRUS\n" in site.told()[ADMIN]

    def test_notices_that_were_held_back_are_told_once(self, site):
        for _ in range(3):
            rate.may_send(site.settings.state, "recipients", 1, NOW)
        site.hit()
        assert '2 notices of the kind "recipients" were held back' in site.told()[ADMIN]
        site.hit()
        assert "held back" not in site.told(NOW + DAY)[ADMIN]

    def test_in_german(self, site):
        site.configure(notices={"language": "de"}, **INFECTED)
        site.hit()
        _, (mail,) = site.run()
        assert mail["Subject"].startswith("1 Nachricht mit Funden auf ")
        assert "    an <bob@example.net>: verworfen\n" in mail.get_content()

    @pytest.mark.parametrize("language", ["en", "de"])
    def test_words_from_outside_stay_in_their_lines(self, site, language):
        hostile = "a\r\nBcc: x\x1b[2J\u202e{{7*7}}"
        site.configure(
            notices={"language": language, "digest_recipients": True}, local=["example.net"], **INFECTED
        )
        finding = {"grade": "virus", "name": hostile, "part": hostile, "source": hostile}
        site.hit(
            id=hostile, time=hostile, quarantined=[hostile], findings=[finding],
            envelope={"sender": hostile, "recipients": [hostile, BOB], "client_address": hostile},
            actions=[{"action": "discard", "recipients": [BOB], "reason": hostile}],
        )  # fmt: skip
        status, sent = site.run()
        assert (status, len(sent)) == (0, 2)
        for mail in sent:
            text = mail.get_content()
            assert mail["Bcc"] is None
            assert "\nBcc:" not in text
            assert all(char.isprintable() or char == "\n" for char in text)
            assert "{{7*7}}" in text

    def test_the_worst_that_can_be_in_a_journal_is_told(self, site):
        long = "\u202e" * 9000
        people = [f"{long}{number}@example.org" for number in range(30)]
        hit = {
            "verdict": "infected",
            "findings": [{"grade": "virus", "name": f"{count}{long}"} for count in range(20)],
            "quarantined": [long] * 20,
            "envelope": {"sender": long, "recipients": people, "client_address": long},
            "time": long,
        }
        for number in range(210):
            site.write(json.dumps(hit | {"id": f"{number}{long}"}))
        assert "The newest 200 of 210:" in site.told()[ADMIN]


class TestReaders:
    def test_each_category_has_its_admin(self, site):
        site.configure(infected={"admin": ADMIN}, unchecked={"admin": "other@example.net"})
        site.hit()
        site.hit(Finding("unchecked", "encrypted:zip", "1"))
        found = site.told()
        assert "Eicar" in found[ADMIN]
        assert "encrypted" not in found[ADMIN]
        assert "encrypted:zip" in found["other@example.net"]

    def test_a_table_names_one_for_each_senders_domain(self, site):
        table = {"example.org": "org@example.net", ".example.com": "", ".": "all@example.net"}
        site.configure(infected={"admin": table})
        site.hit(sender=b"a@example.org")
        site.hit(sender=b"b@sub.example.com")
        site.hit(sender=b"c@example.net")
        site.hit(sender=b"")
        found = site.told()
        assert set(found) == {"org@example.net", "all@example.net"}
        assert "       1  VIRUS\n" in found["org@example.net"]
        assert "       2  VIRUS\n" in found["all@example.net"]

    def test_a_rule_names_another_for_its_recipients(self, site):
        rule = {"match": ["boss@example.net"], "infected": {"admin": "boss-admin@example.net"}}
        site.configure(recipient=[rule], **INFECTED)
        site.hit(to=(BOB, "boss@example.net"))
        found = site.told()
        assert "to <boss@" not in found[ADMIN]
        assert "to <bob@" not in found["boss-admin@example.net"]

    @pytest.mark.parametrize(
        "tree",
        [
            {"infected": {"admin": ""}},
            {"notices": {"admin": "each"}, **INFECTED},
            {"journal": {"days": 0}, **INFECTED},
        ],
        ids=["no admin", "each at once", "no journal"],
    )
    def test_where_nobody_wants_one_nothing_is_sent(self, site, tree):
        site.configure(**tree)
        site.hit()
        assert site.run() == (0, [])

    def test_local_recipients_may_get_one_of_their_own(self, site):
        site.configure(notices={"digest_recipients": True}, local=["example.net"])
        site.hit(to=(BOB, "carol@example.net", "dave@elsewhere.example"))
        site.hit(to=("Bob@Example.NET",))
        site.hit(to=("eve@example.net",), kept="")
        site.hit(Finding("unchecked", "encrypted:zip", "1"), to=("fred@example.net",))
        found = site.told()
        assert set(found) == {BOB, "carol@example.net"}
        assert "kept back 2 messages for <bob@example.net>" in found[BOB]
        assert f"    kept as {KEPT}\n" in found[BOB]
        assert "carol" not in found[BOB]
        assert "amavis-pipe quarantine" not in found[BOB]

    def test_where_the_journal_hides_who_they_are_nobody_gets_one(self, site):
        site.configure(
            notices={"digest_recipients": True}, local=["example.net"], journal={"hash_addresses": True}
        )
        site.hit(to=("0123456789ab@example.net",))
        assert site.told() == {}

    def test_by_default_recipients_get_none(self, site):
        site.configure(local=["example.net"], **INFECTED)
        site.hit()
        assert set(site.told()) == {ADMIN}


class TestTime:
    def test_there_is_one_a_day(self, site):
        site.hit()
        assert set(site.told()) == {ADMIN}
        site.hit()
        assert site.told(NOW + 13 * HOUR) == {}
        assert "       1  VIRUS\n" in site.told(NOW + 14 * HOUR)[ADMIN]

    def test_or_one_an_hour(self, site):
        site.configure(notices={"digest": "hour"}, **INFECTED)
        site.hit()
        assert "       1  VIRUS\n" in site.told(NOW)[ADMIN]
        site.hit()
        assert site.told(NOW + HOUR - 1) == {}
        site.hit()
        assert "       2  VIRUS\n" in site.told(NOW + HOUR)[ADMIN]

    def test_the_first_begins_with_yesterday(self, site):
        site.hit(day="2026-11-24")
        site.hit(day=YESTERDAY)
        site.hit(day=TODAY)
        assert "       2  VIRUS\n" in site.told()[ADMIN]

    def test_what_is_appended_late_to_a_past_day_is_told_in_the_next(self, site):
        site.hit(day=YESTERDAY)
        site.told()
        site.hit(Finding("virus", "Late", "1"), day=YESTERDAY)
        assert "       1  Late\n" in site.told(NOW + DAY)[ADMIN]

    def test_days_without_a_run_are_all_told(self, site):
        site.clean()
        site.told()
        for day in ("2026-11-27", "2026-11-28", "2026-11-29", "2026-12-03"):
            site.hit(day=day)
        assert "       4  VIRUS\n" in site.told(NOW + 10 * DAY)[ADMIN]

    def test_it_says_from_when_to_when(self, site):
        site.hit()
        assert f"From the beginning of the journal to {TODAY} 10:00 (UTC)" in site.told()[ADMIN]
        site.hit()
        assert f"From {TODAY} 10:00 to 2026-11-27 10:00 (UTC)" in site.told(NOW + DAY)[ADMIN]


class TestJournal:
    @pytest.mark.parametrize(
        "line",
        [
            '{"schema": 1, "verdict": "infected"}',
            '{"verdict": "infected", "envelope": null, "actions": null, "findings": 5, "quarantined": "x"}',
            '{"verdict": "infected", "envelope": {"sender": 5, "recipients": [5, null]}, "actions": [5, {}]}',
            '{"verdict": "infected", "findings": [5, {}, {"grade": "virus"}], "id": 5, "time": null}',
            '{"verdict": "infected", "actions": [{"recipients": ["bob@example.net"], "reason": "infected X"}]}',
            '{"verdict": "infected", "findings": [{"grade": "virus", "name": "\\ud800"}]}',
            '{"verdict": "infected", "id": "4b", "sha256": "0", "envelope": 1.5}',
        ],
        ids=[
            "bare",
            "other types",
            "odd envelope",
            "odd findings",
            "no envelope",
            "half a character",
            "a number",
        ],
    )
    def test_a_record_may_lack_fields_or_have_odd_ones(self, site, line):
        site.write(line)
        assert "       1  VIRUS\n" in site.told()[ADMIN]

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "x",
            "5",
            "[]",
            '{"schema": 1, "verd',
            '{"verdict": "unheard"}',
            '{"verdict": []}',
            "[" * 100_000,
        ],
    )
    def test_what_is_no_record_is_passed_over(self, site, line):
        site.write(line)
        site.hit()
        assert "       1  VIRUS\n" in site.told()[ADMIN]

    def test_lines_that_can_not_be_read_are_counted(self, site):
        site.write("x")
        site.write('{"schema": 1, "verd')
        site.hit()
        assert "2 lines of the journal could not be read." in site.told()[ADMIN]

    def test_a_record_behind_a_torn_one_is_read(self, site):
        site.write('{"schema": 1, "source": "pi', end="")
        site.hit()
        assert "       1  VIRUS\n" in site.told()[ADMIN]

    def test_a_line_without_its_end_is_left_for_the_next(self, site):
        site.hit()
        path = site.state / f"journal/{TODAY}.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole + whole.replace(b"4bQ7X1", b"4bQ7X2").replace(b"Eicar", b"Next")[:-1])
        assert "Next" not in site.told()[ADMIN]
        site.write("")
        assert "       1  Next\n" in site.told(NOW + DAY)[ADMIN]

    def test_a_line_without_bounds_is_one_line(self, site, monkeypatch):
        monkeypatch.setattr("amavis_pipe.notices.window.LONGEST", 4096)
        site.write("x" * 10_000)
        site.hit()
        text = site.told()[ADMIN]
        assert "       1  VIRUS\n" in text
        assert "1 line of the journal could not be read." in text

    @pytest.mark.parametrize(("kind", "expect"), [("link", (2, 0)), ("folder", (2, 0)), ("pipe", (0, 1))])
    def test_what_is_no_file_of_ours_hides_nothing(self, site, kind, expect, tmp_path, capsys):
        path = site.state / f"journal/{YESTERDAY}.jsonl"
        if kind == "link":
            path.symlink_to(tmp_path / "x")
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        site.hit()
        status, sent = site.run()
        assert (status, len(sent)) == expect
        path.rmdir() if kind == "folder" else path.unlink()
        assert len(site.told()) + len(sent) == 1


class TestTrouble:
    def test_what_could_not_be_sent_is_sent_by_the_next_run(self, site, way, monkeypatch, capsys):
        site.hit()
        way(fails)
        assert site.run() == (2, [])
        assert "digest: to admin@example.net not sent: no way" in capsys.readouterr().err
        monkeypatch.undo()
        site.hit(Finding("virus", "Newer", "1"))
        text = site.told(NOW + HOUR)[ADMIN]
        assert "Newer" not in text
        assert "       1  Newer\n" in site.told(NOW + DAY)[ADMIN]

    def test_who_got_it_does_not_get_it_again(self, site, way, monkeypatch):
        site.configure(infected={"admin": {"example.org": "one@example.net", ".": "two@example.net"}})
        site.hit()
        site.hit(sender=b"x@example.com")
        way(fails, "one@example.net")
        status, sent = site.run()
        assert (status, [str(one["To"]) for one in sent]) == (2, ["two@example.net"])
        monkeypatch.undo()
        assert set(site.told(NOW + HOUR)) == {"one@example.net"}

    def test_one_that_nobody_will_take_is_over(self, site, way, capsys):
        site.hit()
        way(refuses)
        assert site.run() == (0, [])
        assert "refused: 550 5.1.1 unknown" in capsys.readouterr().err
        assert site.run(NOW + HOUR) == (0, [])

    def test_one_that_could_not_be_sent_for_days_keeps_no_newer_one(self, site, way, monkeypatch, capsys):
        site.hit()
        way(fails)
        site.run()
        monkeypatch.undo()
        site.hit(Finding("virus", "Newer", "1"))
        assert site.run(NOW + 4 * DAY) == (2, [])
        assert "given up" in capsys.readouterr().err
        assert "       1  Newer\n" in site.told(NOW + 4 * DAY + 1)[ADMIN]

    def test_a_crash_between_mail_and_note_sends_it_twice_at_most(self, site, way, monkeypatch):
        site.hit()
        way(dies_after)
        with pytest.raises(KeyboardInterrupt):
            site.run()
        assert len(list(site.out.iterdir())) == 1
        monkeypatch.undo()
        site.hit(Finding("virus", "Newer", "1"))
        assert "Newer" not in site.told(NOW + 60)[ADMIN]
        assert site.told(NOW + 120) == {}

    def test_nothing_is_sent_that_could_not_be_noted(self, site, capsys):
        (site.state / "digest.tmp").mkdir()
        site.hit()
        assert site.run() == (2, [])
        (site.state / "digest.tmp").rmdir()
        assert set(site.told()) == {ADMIN}

    @pytest.mark.parametrize(
        "content",
        [
            "", "x", "[]", "{}", '{"period": "", "until": 0, "files": {"x": -1}, "begun": null}',
            '{"period": "", "until": "x", "files": {}, "begun": null}',
            '{"period": "", "until": 0, "files": [], "begun": null}',
            '{"period": "", "until": 0, "files": {}, "begun": {"until": 5}}',
            '{"period": "", "until": 0, "files": {}, "begun": 5}',
            '{"period": "", "until": 1%s, "files": {}, "begun": null}' % ("0" * 400),
            '{"period": "", "until": 0, "files": {}, "begun": {"until": 1000000000000000, "end": null, "told": []}}',
        ],
    )  # fmt: skip
    def test_a_damaged_note_is_none(self, site, content):
        (site.state / "digest").write_text(content)
        site.hit()
        assert set(site.told()) == {ADMIN}

    def test_a_run_beside_another_does_nothing(self, site):
        site.hit()
        fd = os.open(site.state / "digest.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert site.run() == (0, [])
        os.close(fd)
        assert set(site.told()) == {ADMIN}

    def test_of_runs_at_once_one_sends(self, site, tmp_path):
        site.hit()
        settings = tmp_path / "settings.toml"
        settings.write_text(
            f'state = "{site.state}"\nnotify = "file:{site.out}"\nscanners = ["builtin"]\n[infected]\nadmin = "{ADMIN}"\n'
        )
        code = (
            f"import sys; sys.path.insert(0, {str(Path(digest.__file__).parents[2])!r})\n"
            "from amavis_pipe.config.load import load\nfrom amavis_pipe.desk import digest\n"
            "from amavis_pipe.settings import Settings\n"
            f"sys.exit(digest.run(Settings(load({os.fsencode(settings)!r})[0]), {NOW}, True))"
        )
        started = [subprocess.Popen([sys.executable, "-I", "-c", code]) for _ in range(3)]
        assert [one.wait(60) for one in started] == [0, 0, 0]
        assert len(list(site.out.iterdir())) == 1

    def test_its_files_are_for_nobody_else(self, site):
        site.hit()
        site.told()
        assert {stat.S_IMODE((site.state / name).stat().st_mode) for name in ("digest", "digest.lock")} == {
            0o600
        }
        assert json.loads((site.state / "digest").read_text())["begun"] is None
