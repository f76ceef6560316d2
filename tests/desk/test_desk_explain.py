"""The command `explain`: what is known of a mail, by whatever it is called; a file is examined, too."""

import json
import os
from time import time

import pytest
from stand_in import journals, mails
from test_desk_report import HOSTILE, on_terminal

from amavis_pipe.veil import Veil

QUARANTINED = "virus-20261125-080000-0123456789ab"


def write(desk, *records, prune=False):
    """A journal of today with these records."""
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (desk.state / "journal" / journals.strftime("%Y-%m-%d.jsonl")).write_text(lines)
    desk.own(desk.state)
    if prune:
        assert desk.run("prune").returncode == 0


def infected():
    """The record of an infected archive that went to two kinds of recipients."""
    part = {"name": "", "names": [], "claimed": "", "size": 10, "decoder": "", "flags": []}
    return journals.record(7, time()) | {
        "id": "4bQ7Xz", "message_id": "<a@example.org>", "verdict": "infected",
        "actions": [{"action": "discard", "recipients": ["a@example.org"], "reason": "infected X", "rules": ["recipient:12"]},
                    {"action": "pass", "recipients": ["b@example.org"], "reason": "bypass"}],
        "findings": [{"grade": "virus", "name": "X.Test", "part": "1.2.1", "source": "clamd"},
                     {"grade": "unchecked", "name": "encrypted:zip", "part": "", "source": "decompose"}],
        "parts": [part | {"path": "1", "kind": "multipart/mixed", "sha256": "", "flags": ["structure"]},
                  part | {"path": "1.1", "kind": "text/plain", "sha256": "ab" * 32},
                  part | {"path": "1.2", "kind": "application/zip", "sha256": "cd" * 32, "decoder": "zip",
                          "names": ["a.zip", "b.txt"], "claimed": "text/plain"},
                  part | {"path": "1.2.1", "kind": "application/x-dosexec", "sha256": "ef" * 32, "names": ["a.com"]},
                  part | {"path": "1.10", "kind": "image/png", "sha256": "12" * 32}],
        "scanners": [{"name": "clamd", "version": "ClamAV 1.4.6", "cached": False, "ms": 12.34, "trouble": ""},
                     {"name": "savd", "version": "", "cached": True, "ms": 0, "trouble": ""},
                     {"name": "icap", "version": "", "cached": False, "ms": 0, "trouble": "no answer in 60 s"}],
        "sent": [{"route": "smtp:127.0.0.1:10025", "queue_id": "5cAB", "taken": True, "note": "",
                  "replies": [{"recipient": "b@example.org", "reply": "250 2.1.5 Ok"}]}],
        "quarantined": [QUARANTINED], "told": ["sender", "admin"],
    }  # fmt: skip


EXPECTED = f"""\
  mail
    Message-ID  <a@example.org>
    from  SENDER
    to  RECIPIENTS
    client  mx.example.net 192.0.2.7
    HELO  mx.example.net
    SHA-256  SHA
  parts
    1  multipart/mixed  10 bytes  (structure)
      1.1  text/plain  10 bytes  sha256 abababababababab
      1.2  application/zip  10 bytes  "a.zip" = "b.txt"  called text/plain  by zip  sha256 cdcdcdcdcdcdcdcd
        1.2.1  application/x-dosexec  10 bytes  "a.com"  sha256 efefefefefefefef
      1.10  image/png  10 bytes  sha256 1212121212121212
  findings
    virus  X.Test  in 1.2.1, says clamd
    unchecked  encrypted:zip  in the whole mail, says decompose
  scanners
    clamd  ClamAV 1.4.6  12.3 ms
    savd  remembered
    icap  no answer: no answer in 60 s
  verdict
    infected
    discard: discarded, for a@example.org: infected X
      by [[recipient]], line 12 of the settings
    pass: delivered, for b@example.org: bypass
  what was done
    taken by smtp:127.0.0.1:10025, there 5cAB
      b@example.org: 250 2.1.5 Ok
    kept in the quarantine: {QUARANTINED}
    told: sender
    told: admin
"""


@pytest.mark.parametrize("prune", [False, True], ids=["journal", "history"])
@pytest.mark.parametrize("what", ["4bQ7Xz", "<a@example.org>", "a@example.org", "ef" * 32, "EF" * 32])
def test_a_mail_is_explained_by_any_of_its_names(desk, what, prune):
    record = infected()
    write(desk, journals.record(1, time()), record, prune=prune)
    done = desk.run("explain", what)
    assert (done.returncode, done.stderr) == (0, "")
    first, _, rest = done.stdout.partition("\n")
    assert first.startswith("4bQ7Xz: infected, ")
    expected = EXPECTED.replace("SENDER", record["envelope"]["sender"]).replace(
        "SHA\n", record["sha256"] + "\n"
    )
    expected = expected.replace(
        "RECIPIENTS", ", ".join([*record["envelope"]["recipients"], "a@example.org", "b@example.org"])
    )
    assert rest.startswith(expected)


@pytest.mark.parametrize("prune", [False, True], ids=["journal", "history"])
@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "hashed"])
def test_mail_is_found_by_who_sent_it_and_who_got_it(desk, prune, hidden):
    record = journals.record(1, time())
    record["envelope"] |= {"sender": "alice@example.org", "recipients": ["bob@example.org"]}
    record["actions"] = []
    record |= {"told": []}
    veil = Veil(os.fsencode(desk.state)) if hidden else None
    write(desk, veil.record(record) if veil else record, infected(), prune=prune)
    for address in ("alice@example.org", "<bob@example.org>", "bob@example.org"):
        done = desk.run("explain", address)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{record['id']}: ")
        assert "infected, " not in done.stdout
        assert ("alice" in done.stdout) != hidden
    assert desk.run("explain", "carol@example.org").returncode == 2


def test_json_has_the_records_as_they_are(desk):
    record = infected()
    write(desk, record)
    done = desk.run("explain", "4bQ7Xz", "--json")
    assert json.loads(done.stdout) == {"examined": None, "known": [record]}


@pytest.mark.parametrize(
    "what",
    ["nobody", "-", "4bQ7X", "\x1b[31m", b"\xff", "x" * 9000],
    ids=["word", "dash", "beginning", "control", "no text", "long"],
)
def test_of_what_nothing_is_known_it_says_so(desk, what):
    write(desk, infected())
    done = desk.run("explain", "-c", desk.settings, "--", what, config=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("amavis-pipe: the journal knows nothing of ")
    assert "\x1b" not in done.stderr


def test_where_no_journal_is_kept_it_says_why(desk):
    desk.configure("[journal]\ndays = 0")
    assert "journal.days = 0" in desk.run("explain", "x").stderr


def test_a_mail_that_was_tried_again_is_told_as_often_oldest_first(desk):
    first = infected() | {"time": "2026-01-01T00:00:00Z"}
    write(desk, infected(), first)
    lines = [line for line in desk.run("explain", "4bQ7Xz").stdout.splitlines() if line.startswith("4bQ7Xz")]
    assert len(lines) == 2
    assert lines[0].endswith("2026-01-01T00:00:00Z")


class TestFile:
    def test_it_is_examined_and_the_journal_is_asked_for_its_content(self, desk):
        path = desk.put("mail.eml", mails.infected())
        examined = json.loads(desk.run("explain", path, "--json").stdout)["examined"]
        assert examined["verdict"] == "infected"
        leaf = next(part for part in examined["parts"] if part["name"] == "eicar.com")
        record = journals.record(1, time())
        record["parts"][1]["sha256"] = leaf["sha256"]
        write(desk, record, prune=True)
        done = desk.run("explain", path)
        assert (done.returncode, done.stderr) == (0, "")
        first = done.stdout.partition("\n")[0]
        assert first.startswith(str(path))
        assert first.endswith("examined now")
        assert "would be discarded" in done.stdout
        assert mails.EICAR_NAME in done.stdout
        assert f"\n{record['id']}: " in done.stdout

    def test_one_that_is_not_known_is_still_examined(self, desk):
        done = desk.run("explain", desk.put("mail.eml", mails.plain()))
        assert done.returncode == 0
        assert "The journal knows nothing of this content." in done.stdout

    def test_it_is_opened_with_the_callers_rights(self, desk):
        path = desk.put("mail.eml", mails.plain())
        path.chmod(0o600)
        assert desk.run("explain", path).returncode == 0

    def test_one_that_cannot_be_examined_is_status_2(self, desk):
        desk.configure('[[scanner]]\nname = "clamd"\nat = "/nonexistent"', scanners='["clamd"]')
        done = desk.run("explain", desk.put("mail.eml", mails.plain()))
        assert "clamd at /nonexistent" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


class TestHostileText:
    def record(self):
        record = infected() | {"id": "4B", "message_id": HOSTILE, "trouble": [HOSTILE], "quarantined": [HOSTILE],
                               "told": [HOSTILE, 5], "source": HOSTILE}  # fmt: skip
        record["parts"][2] |= {"names": [HOSTILE], "kind": HOSTILE, "claimed": HOSTILE, "flags": [HOSTILE]}
        record["findings"][0] |= {"name": HOSTILE, "source": HOSTILE, "part": HOSTILE}
        record["scanners"][0] |= {"name": HOSTILE, "version": HOSTILE}
        record["sent"][0] |= {"route": HOSTILE, "queue_id": HOSTILE, "note": HOSTILE}
        record["actions"][0] |= {"recipients": [HOSTILE], "reason": HOSTILE}
        return record

    def test_it_is_escaped_in_text(self, desk):
        write(desk, self.record())
        done = desk.run("explain", "4B")
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert "\\x1b[31m" in done.stdout

    def test_it_is_no_markup_on_a_terminal(self, desk):
        write(desk, self.record())
        shown = on_terminal(desk, "explain", "4B")
        assert "[red]" in shown
        assert "\x1b[31m" not in shown
        assert "\u202e" not in shown

    @pytest.mark.parametrize("odd", [None, 5, "x", [], {}, [None], [[]], [{}], {"a": None}], ids=repr)
    def test_a_field_of_another_type_does_no_harm(self, desk, odd):
        keys = ("message_id", "time", "envelope", "actions", "findings", "parts", "scanners", "sent", "ms", "cache",
                "verdict", "sha256", "size", "spam", "told", "quarantined", "limits", "trouble")  # fmt: skip
        write(desk, *({**infected(), "id": "4B", key: odd} for key in keys))
        done = desk.run("explain", "4B")
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_number_beyond_all_bounds_does_no_harm(self, desk):
        huge = 10**400
        odd = {"size": huge, "ms": {"total": huge}, "limits": {"used_bytes": huge, "quota_bytes": huge}}
        write(desk, infected() | {"id": "4B", "scanners": [{"name": "clamd", "ms": huge}]} | odd)
        done = desk.run("explain", "4B")
        assert (done.returncode, done.stderr) == (0, "")


def test_on_a_terminal_it_is_a_tree(desk):
    write(desk, infected())
    shown = on_terminal(desk, "explain", "4bQ7Xz")
    assert "└── " in shown
    assert "\x1b[1m" in shown
