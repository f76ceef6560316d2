"""A broken installation delays mail; whatever is wrong, nothing is bounced, and nothing is lost."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import mails
from harness.clamd import EICAR
from harness.site import Site

MAIL = mails.mail(b"a mail that must not be lost")
LAUNCHER = "bin/amavis-pipe"
PYTHON = b"#!/usr/bin/python3 -IS\n"
BREAKAGES = {
    # case: file, what stands there instead (None: nothing), mode, what Postfix's log says
    "package-missing": ("package/amavis_pipe", None, 0, "cannot start"),
    "syntax-error-in-a-module": ("package/amavis_pipe/entry.py", b"def (\n", 0o644, "cannot start"),
    "error-while-importing": ("package/amavis_pipe/exits.py", b"1 / 0\n", 0o644, "cannot start"),
    "error-in-a-later-module": ("package/amavis_pipe/policy.py", b"1 / 0\n", 0o644, "could not be checked"),
    "hot-module-missing": ("package/amavis_pipe/examine.py", None, 0, "could not be checked"),
    "module-unreadable": ("package/amavis_pipe/model.py", b"", 0o600, "cannot start"),
    "traceback-in-the-launcher": (LAUNCHER, PYTHON + b"import no_such_module\n", 0o755, "died with status 1"),
    "syntax-error-in-the-launcher": (LAUNCHER, PYTHON + b"def (\n", 0o755, "died with status 1"),
    "usage-error": (LAUNCHER, b"#!/bin/sh\necho usage: this\nexit 2\n", 0o755, "died with status 2"),
    "wrapper-finds-nothing": (
        LAUNCHER,
        b'#!/bin/sh\nexec /no/such/file "$@"\n',
        0o755,
        "died with status 127",
    ),
    "wrapper-may-not": (LAUNCHER, b'#!/bin/sh\nexec /etc/passwd "$@"\n', 0o755, "died with status 126"),
    "interpreter-missing": (LAUNCHER, b"#!/no/such/python3 -IS\n", 0o755, "temporary failure"),
    "launcher-not-executable": (LAUNCHER, PYTHON, 0o644, "temporary failure"),
    "launcher-missing": (LAUNCHER, None, 0, "temporary failure"),
    "killed": (LAUNCHER, b"#!/bin/sh\nkill -9 $$\n", 0o755, "signal 9"),
}
FAULTS = {
    "not-toml": b"state = \n",
    "not-utf-8": b'state = "/var/lib/amavis-pipe"\n# \xff\n',
    "unknown-option": b"colour = 3\n",
    "wrong-value": b'[infected]\naction = "forgive"\n',
    "no-scanner": b"scanners = []\n",
    "unknown-scanner": b'scanners = ["clam"]\n',
    "state-of-someone-else": b'state = "/var"\nscanners = ["builtin"]\n',
    "state-missing": b'state = "/no/such/folder"\nscanners = ["builtin"]\n',
    "empty": b"",
}
GIVEN = "-f ${sender} -- ${recipient}"
ARGUMENTS = {
    "none": "",
    "dry-run": f"--dry-run {GIVEN}",
    "json": f"--json {GIVEN}",
    "debug": f"--debug {GIVEN}",
    "json-alone": "--json",
    "no-recipient": "-f ${sender}",
    "no-sender": "-- ${recipient}",
    "no-dashes": "-f ${sender} ${recipient}",
    "glued-sender": "-f${sender} -- ${recipient}",
    "unknown-option": f"--no-such-option {GIVEN}",
    "help": "--help",
    "version": "--version",
    "scan": "scan -",
    "prune": "prune",
    "config": "config default",
    "settings-missing": f"--config /no/such/file {GIVEN}",
}


@pytest.mark.parametrize(("name", "content", "mode", "said"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_program_defers_mail_until_it_is_repaired(
    site: Site, name: str, content: bytes | None, mode: int, said: str
) -> None:
    with site.broken(site.folder / name, content, mode):
        site.send(MAIL)
        assert said in site.deferred()
    (arrived,) = site.retried()
    assert arrived.data.endswith(MAIL)
    assert len(site.journal()) == 1


def test_a_filter_that_overruns_postfixs_time_limit_defers_mail(site: Site) -> None:
    site.postfix.postconf("-e", "amavis_time_limit = 1s")
    site.postfix.reload()
    try:
        site.relay.hold()
        site.send(MAIL)
        assert "time limit exceeded" in site.deferred()
    finally:
        site.relay.release()
        site.postfix.postconf("-e", "amavis_time_limit = 600s")
        site.postfix.reload()
    (arrived,) = site.retried()
    assert arrived.data.endswith(MAIL)


@pytest.mark.parametrize("content", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_settings_defers_mail_until_it_is_mended(site: Site, content: bytes) -> None:
    site.send(MAIL)
    site.finished()
    site.sink.mails.clear()
    site.write_settings(content)
    site.send(MAIL)
    assert "mail could not be checked" in site.deferred()
    site.configure()
    assert len(site.retried()) == 1


@pytest.mark.parametrize("how", ["unreadable", "missing", "folder"])
def test_settings_that_cannot_be_read_defer_mail(site: Site, how: str) -> None:
    with site.broken(site.settings, b"" if how == "unreadable" else None, 0o600):
        if how == "folder":
            site.settings.mkdir()
        site.send(MAIL)
        assert "mail could not be checked" in site.deferred()
        if how == "folder":
            site.settings.rmdir()
    assert len(site.retried()) == 1


@contextlib.contextmanager
def arguments(site: Site, words: str) -> Iterator[None]:
    """For a while, master.cf gives the filter these arguments."""
    entry = site.postfix.postconf("-M", "amavis/unix").strip()
    program = f"argv={site.program}"
    assert program in entry
    try:
        site.postfix.postconf("-M", f"amavis/unix={entry.partition(program)[0]}{program} {words}")
        site.postfix.reload()
        yield
    finally:
        site.postfix.postconf("-M", f"amavis/unix={entry}")
        site.postfix.reload()


@pytest.mark.parametrize("words", ARGUMENTS.values(), ids=ARGUMENTS)
def test_a_mistake_in_master_cf_defers_mail_until_it_is_mended(site: Site, words: str) -> None:
    with arguments(site, words):
        site.send(MAIL)
        reason = site.deferred()
        assert "mail could not be checked" in reason, reason
    assert len(site.retried()) == 1
    assert len(site.journal()) == 1


@pytest.mark.parametrize("name", ["quarantine", "work"])
def test_a_folder_that_cannot_be_written_defers_mail(site: Site, name: str) -> None:
    folder: Path = site.state / name
    folder.chmod(0o500)
    try:
        site.send(mails.with_attachment(b"e.com", EICAR + mails.lines(2_000_000)))
        assert "mail could not be checked" in site.deferred()
    finally:
        folder.chmod(0o700)
    assert site.retried() == []
    assert len(site.quarantined()) == 1
