"""The filter form from outside: what goes in, what comes out, and with which status it leaves."""

import json
import os
import select
import signal
import subprocess

import pytest
from stand_in.filter_site import PYTHON

from amavis_pipe.scan.builtin import eicar

MAIL = b"Received: from a by b\nFrom: a@example.org\nSubject: hello\n\nhello\nworld\n"
INFECTED = MAIL.partition(b"\n\n")[0] + b"\n\n" + eicar() + b"\n"
LINE = b"X-Virus-Scanned: by amavis-pipe\n"


def test_with_short_limits_scanners_still_have_time(site):
    """Half of it, where so much as elsewhere is kept back for the way on is not there."""
    script = site.folder / "scanner"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    row = f'[[scanner]]\nname = "x"\nrun = "{script} {{dir}}"\nclean = [0]\ninfected = [1]\ntimeout = 2\n'
    site.configure(f"[limits]\nseconds = 1\nhard_seconds = 12\n{row}", scanners='["x"]')
    assert site.filter(MAIL).out == b"passed clean\n"


def test_a_clean_mail_goes_on_byte_for_byte_below_our_line(site):
    done = site.filter(MAIL)
    assert (done.status, done.out, done.err) == (0, b"passed clean\n", b"")
    assert site.forwarded() == [LINE + MAIL]


@pytest.mark.parametrize(
    "mail",
    [
        b"Subject: x\n\n" + bytes(range(256)) * 5,
        b"Subject: x\n\nno newline at the end",
        b"Subject: only a header\n",
        b"\nno header at all\n",
        b"Subject: x\r\n\r\ncrlf\r\n",
        b"Subject: x\n\n" + b"y" * 3_000_000,
        b"Subject: x\n\n.\n..\nFrom me\n",
        b"no header, one line",
        b"X-Virus-Scanned: someone else\nSubject: x\n\nx\n",
    ],
    ids=[
        "all bytes",
        "cut line",
        "no body",
        "no header",
        "crlf",
        "3 MB",
        "dots and From",
        "no field",
        "foreign line",
    ],
)
def test_odd_mail_goes_on_byte_for_byte(site, mail):
    assert site.filter(mail).status == 0
    (sent,) = site.forwarded()
    assert sent.endswith(mail)
    assert sent[: -len(mail)].replace(b"\r", b"") == LINE


def test_foreign_fields_of_our_name_are_removed_if_the_site_says_so(site):
    site.configure("[headers]\nremove_foreign = true")
    head, body = b"Subject: x\n", b"\nX-Virus-Scanned: body\n"
    site.filter(head + b"x-virus-scanned: liar\n folded\n" + b"X-Other: y\n" + body)
    assert site.forwarded() == [LINE + head + b"X-Other: y\n" + body]


def test_an_indented_first_line_does_not_become_a_fold_of_our_field(site):
    mail = b" indented\nSubject: x\n\nbody\n"
    site.filter(mail)
    assert site.forwarded() == [LINE + b"\n" + mail]


def test_an_infected_mail_is_discarded_and_kept_in_the_quarantine(site):
    done = site.filter(INFECTED)
    assert (done.status, site.forwarded()) == (0, [])
    assert done.out.startswith(b"discarded infected Eicar-Test-Signature, kept as virus-")
    record, kept = sorted((site.state / "quarantine").glob("*/*"), key=lambda path: path.suffix, reverse=True)
    assert kept.read_bytes().endswith(INFECTED)
    assert [path.stat().st_mode & 0o777 for path in (record, kept)] == [0o600, 0o600]
    told = json.loads(record.read_bytes())
    assert (told["quarantine_id"], told["label"], told["size"]) == (kept.name, "infected", len(INFECTED))


def test_a_retry_finds_its_own_copy_in_the_quarantine(site):
    site.filter(INFECTED)
    site.filter(INFECTED)
    assert len([path for path in (site.state / "quarantine").glob("*/*") if path.suffix != ".json"]) == 1


@pytest.mark.parametrize(
    ("action", "status", "start", "sent"),
    [
        ("pass", 0, b"passed infected", 1),
        ("tag", 0, b"passed infected", 1),
        ("defer", 75, b"4.7.1 ", 0),
        ("discard", 0, b"discarded infected", 0),
    ],
)
def test_each_action_for_infected_mail_has_its_status(site, action, status, start, sent):
    site.configure(f'[infected]\naction = "{action}"')
    done = site.filter(INFECTED)
    assert (done.status, len(site.forwarded())) == (status, sent)
    assert done.out.startswith(start)
    if sent:
        (kept,) = (path.name for path in (site.state / "quarantine").glob("*/*") if path.suffix != ".json")
        alert = b"X-Amavis-Alert: INFECTED Eicar-Test-Signature\nX-Quarantine-ID: <%s>\n" % kept.encode()
        assert site.forwarded() == [LINE + alert + INFECTED]


def test_a_bounced_infected_mail_leaves_0_and_a_notification_without_its_content(site):
    site.configure('[infected]\naction = "bounce"')
    site.settings.write_text(
        site.settings.read_text().replace("scanners", f'notify = "file:{site.out}"\nscanners')
    )
    assert site.filter(INFECTED).status == 0
    (notice,) = site.forwarded()
    assert b"report-type=delivery-status" in notice and b"Status: 5.7.1\n" in notice
    assert eicar() not in notice and b"Subject: hello\n" in notice


def test_unchecked_mail_is_refused_with_69_if_the_site_says_so(site):
    site.configure('[unchecked]\naction = "bounce"')
    gz = b"Subject: x\nContent-Type: application/gzip\n\n\x1f\x8b\x08" + b"x" * 100
    done = site.filter(gz)
    assert done.status == 69
    assert done.out == b"5.7.1 message refused: unchecked broken:gzip\n"


def test_the_record_of_each_mail_is_one_line_of_json(site):
    site.run(MAIL, "--queue-id", "4bQ7Xz", "-f", "a@example.org", "--", "b@example.org", "c@example.org")
    (line,) = site.records()
    made = json.loads(line)
    assert (made["id"], made["verdict"], made["size"]) == ("4bQ7Xz", "clean", len(MAIL))
    assert made["actions"][0]["recipients"] == ["b@example.org", "c@example.org"]


def test_a_second_mail_of_the_same_content_is_answered_from_the_cache(site):
    site.filter(MAIL)
    site.filter(MAIL.replace(b"from a by b", b"from c by d"))
    assert [json.loads(line)["cache"] for line in site.records()] == ["miss", "hit"]


ARGUMENTS = {
    "none": [],
    "no recipients": ["-f", "a@example.org", "--"],
    "no sender": ["--", "b@example.org"],
    "sender missing": ["-f"],
    "unknown": ["--frobnicate", "-f", "a@example.org", "--", "b@example.org"],
    "newline": ["-f", "a@example.org\nx", "--", "b@example.org"],
    "empty recipient": ["-f", "a@example.org", "--", ""],
    "dry run": ["--dry-run", "-f", "a@example.org", "--", "b@example.org"],
    "json": ["--json"],
    "a command": ["check"],
    "help": ["--help"],
}


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_under_pipe_whatever_is_no_filter_form_leaves_75(site, arguments):
    done = site.run(MAIL, *arguments, env={"MAIL_CONFIG": "/etc/postfix"})
    assert (done.status, done.out[:6], site.forwarded()) == (75, b"4.3.5 ", [])


SETTINGS = {
    "a fault": "limits.depth = 'ten'",
    "unknown key": "[limits]\ndeepness = 3",
    "no toml": "= = =",
    "unknown scanner": "[[scanner]]\nnome = 'x'",
}


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS)
def test_bad_settings_leave_75(site, text):
    site.configure(text)
    assert site.filter(MAIL).status == 75
    assert site.forwarded() == []


def test_missing_settings_leave_75(site):
    site.settings.unlink()
    assert site.filter(MAIL).status == 75


def test_settings_mended_after_a_fault_work_at_once(site):
    site.filter(MAIL)
    good = site.settings.read_text()
    site.settings.write_text("nonsense")
    assert site.filter(MAIL).status == 75
    site.settings.write_text(good)
    assert site.filter(MAIL).status == 0


def test_an_unusable_state_folder_leaves_75(site):
    site.state.chmod(0o777)
    assert site.filter(MAIL).status == 75
    site.state.chmod(0o000)
    os.chown(site.state, 0, 0)
    assert site.filter(MAIL).status == 75
    assert site.forwarded() == []


def test_root_is_refused(site):
    done = site.run(MAIL, "-f", "a@example.org", "--", "b@example.org", user="root")
    assert (done.status, site.forwarded()) == (75, [])


def test_no_mail_at_all_leaves_75(site):
    assert site.filter(b"").status == 75


def test_a_forward_that_fails_leaves_75(site):
    site.configure(forward=f"file:{site.folder}/nowhere")
    assert site.filter(MAIL).status == 75


def test_the_null_sender_and_a_leading_dash_are_taken_verbatim(site):
    assert site.filter(MAIL, "").status == 0
    assert site.filter(MAIL, "-x@example.org", "-f", "--", "-y@example.org").status == 0


@pytest.mark.parametrize(
    "breakage",
    ["raise RuntimeError('secret path')", "def broken(:", "import nowhere", "import sys; sys.exit(3)"],
)
@pytest.mark.parametrize("module", ["entry", "model", "intake", "policy", "perform", "examine"])
def test_a_broken_module_leaves_75_and_tells_the_sender_nothing(site, module, breakage):
    (site.folder / f"amavis_pipe/{module}.py").write_text(breakage)
    done = site.run(MAIL, "-f", "a@example.org", "--", "b@example.org", env={"MAIL_CONFIG": "/etc/postfix"})
    assert (done.status, done.out[:6], done.err) == (75, b"4.3.0 ", b"")
    assert b"secret" not in done.out


@pytest.mark.parametrize("module", ["record", "journal"])
def test_what_fails_after_the_mail_went_on_changes_nothing(site, module):
    (site.folder / f"amavis_pipe/{module}.py").write_text("raise RuntimeError")
    assert site.filter(MAIL).status == 0
    assert len(site.forwarded()) == 1


def test_without_a_reader_of_its_output_it_sends_nothing(site):
    reading, writing = os.pipe()
    os.close(reading)
    words = [PYTHON, "-I", "-S", str(site.launcher), "--config", str(site.settings)]
    filtering = subprocess.run(
        [*words, "-f", "a@example.org", "--", "b@example.org"],
        input=MAIL,
        stdout=writing,
        check=False,
        user="nobody",
        group="nogroup",
        extra_groups=[],
    )
    os.close(writing)
    assert (filtering.returncode, site.forwarded()) == (75, [])


def test_an_orphan_sends_nothing(site):
    """As when pipe(8) dies in the middle: an end of file, and nobody there any more."""
    script = (
        f"{PYTHON} -I -S {site.launcher} --config {site.settings} -f a@example.org -- b@example.org"
        f" <&3 & echo $! > {site.out}/pid; exit 0"
    )
    reading, writing = os.pipe()
    subprocess.run(
        ["/bin/sh", "-c", f"exec 3<&0; {script}"],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        check=True,
        user="nobody",
        group="nogroup",
        extra_groups=[],
    )
    pid = int((site.out / "pid").read_text())
    (site.out / "pid").unlink()
    os.close(reading)
    os.write(writing, MAIL)
    os.close(writing)
    _wait_for_end(pid)
    assert site.forwarded() == []


def _wait_for_end(pid):
    """Until the process, which is no child of ours, is gone."""
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    assert poll.poll(30_000)


def test_the_hard_deadline_holds_while_a_copy_is_kept(site):
    """A stuck disk there must end in a deferral by signal, not in Postfix's own time limit."""
    code = f"from _signal import alarm\ndef folder_of(*_):\n    return b'x'\nMAILBOX = '.mbox'\ndef keep(*_):\n    open({str(site.out)!r} + '/left', 'w').write(str(alarm(0)))\n"
    (site.folder / "amavis_pipe/quarantine.py").write_text(code + "    return 'virus-x'\n")
    assert site.filter(INFECTED).status == 0
    assert int((site.out / "left").read_text()) > 0


def test_the_hard_deadline_ends_it_by_a_signal(site):
    site.configure("[limits]\nseconds = 1\nhard_seconds = 61")
    path = site.folder / "amavis_pipe/intake.py"
    path.write_text(path.read_text() + "\nfrom _signal import alarm\nalarm(1)\nwhile True:\n    pass\n")
    assert site.filter(MAIL).status == -signal.SIGALRM
