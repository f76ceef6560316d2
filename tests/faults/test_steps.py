"""Whatever fails in whatever step of the filter, one thing becomes of the mail, and docs/faults.rst says which.

Each fault is made on the real program, for a clean mail and for an infected one; then it is taken away, and
what was deferred is tried again, as Postfix does. Counted in the end: one copy of each, whole, in one place.
A run here takes some of the forms of each fault; `make faults` takes them all.
"""

import gzip
import os
import pwd
import re
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from faults import cases
from stand_in.faults import FaultSite
from stand_in.filter_site import USER

from amavis_pipe.scan.builtin import eicar

PAGE = Path(__file__).resolve().parents[2] / "docs/faults.rst"
ALL = os.environ.get("STEP") == "1"
TABLE = os.environ.get("TABLE")
HEAD = b"From: a@example.org\nSubject: faults\nDate: Wed, 25 Nov 2026 08:00:00 +0000\n"


PLAIN = HEAD + b"\nwarm\n"


def plain(content):
    """A text."""
    return HEAD + b"\n" + content + b"\n"


def packed(content):
    """What a decoder has to open."""
    return HEAD + b"Content-Type: application/gzip\n\n" + gzip.compress(content, mtime=0) + b"\n"


def large(content):
    """What is spooled on disk."""
    parts = b"--x\n\n" + content + b"\n--x\n\n" + b"long lines of text\n" * 200_000 + b"--x--\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=x\n\n" + parts


MAILS = {"sandbox": packed, "decoder": packed, "spool": large}
"""What mail a step takes; others a plain one."""
ROWS = [(step, fault) for step, rows in cases.STEPS.items() for fault in rows]
SEEN: dict[tuple[str, str], tuple[str, str]] = {}


@pytest.fixture(scope="module")
def site():
    made = FaultSite(Path(tempfile.mkdtemp(prefix="amavis-pipe-test-")))
    yield made
    shutil.rmtree(made.folder)


class Run:
    """One start of the filter: its end, and the copies that there are."""

    def __init__(self, site, mail, words):
        done = site.launch(mail, words)
        # strace(1) ends as what it traced; prlimit(1) and sh(1) become it
        self.status, self.said = done.status, done.out
        self.sent, self.kept = site.taken(), site.kept()


def outcome(run, mail, infected):
    """The one thing that became of the mail; AssertionError if it is none that may be."""
    assert all(copy.endswith(mail) for copy in (*run.sent, *run.kept)), "cut or changed"
    assert not (infected and run.sent), "a virus was passed"
    if run.status == 0:
        assert len(run.sent) + len(run.kept) == 1, f"taken, and lost or doubled: {run.said}"
        return "delivered" if run.sent else "kept"
    if run.status == 69 or run.said.startswith(b"5."):
        assert not run.sent and not run.kept and run.said.startswith(b"5.")
        return "refused"
    if run.status in (1, 2, 127):
        assert not run.sent and not run.kept and not run.said, "not before our first line"
        return "deferred by the table"
    assert run.status == 75 or run.status < 0, f"status {run.status} would bounce"
    return "deferred"


def became(site, fault, mail, infected):
    """What becomes of the mail while the fault is there, and after it in the end."""
    site.clear()
    with fault(site) as words:
        first = Run(site, mail, words)
    inside = len(first.sent) + len(first.kept)
    first.sent, first.kept = max(first.sent, site.taken(), key=len), max(first.kept, site.kept(), key=len)
    gone = max(0, inside - len(site.taken()) - len(site.kept()))  # with the file system that was there
    found = outcome(first, mail, infected)
    if not found.startswith("deferred"):
        return found
    again = Run(site, mail, None)
    assert again.status == 0, f"not mended: {again.said}"
    copies = again.sent + again.kept
    assert all(copy.endswith(mail) for copy in copies)
    assert not (infected and again.sent)
    assert 1 <= len(copies) + gone <= 2, "lost"
    if len(copies) + gone == 2:
        return "delivered twice"
    return found


@pytest.mark.parametrize(("step", "fault"), ROWS, ids=[f"{step}: {fault}" for step, fault in ROWS])
def test_one_thing_becomes_of_the_mail_as_published(site, step, fault):
    make = MAILS.get(step, plain)
    site.configure(cases.HELD_BACK if make is packed else "")
    site.obey()
    site.launch(PLAIN, None)  # with these settings there is a snapshot
    forms = cases.STEPS[step][fault]
    seen = [
        {became(site, form, make(content), content != b"hello") for form in (forms if ALL else some)}
        for content, some in ((b"hello", forms[:: max(1, len(forms) // 2)]), (eicar(), forms[-1:]))
    ]
    SEEN[step, fault] = "; ".join(sorted(seen[0])), "; ".join(sorted(seen[1]))
    if ALL and not TABLE:
        assert SEEN[step, fault] == published()[step, fault]
    for found, said in zip(seen, published().get((step, fault), ()), strict=False):
        assert TABLE or found <= set(said.split("; "))


@pytest.mark.parametrize("umask", ["0", "777", "022"])
def test_all_that_is_left_behind_is_private_and_nothing_is_left_over(site, umask):
    site.configure(cases.HELD_BACK)
    site.clear()
    for mail in (plain(b"hello"), plain(eicar()), packed(b"hello"), large(eicar())):
        site.launch(mail, ["/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh"])
    left = [path for path in site.state.rglob("*") if "ballast" not in path.name]
    assert len(left) > 10
    for path in left:
        found = path.lstat()
        assert found.st_uid == pwd.getpwnam(USER).pw_uid
        assert found.st_mode in (stat.S_IFREG | 0o600, stat.S_IFDIR | 0o700), path
    assert list((site.state / "work").iterdir()) == []
    assert not [path for path in left if path.name.startswith(".") or path.name.endswith(".part")]


def published():
    """The rows of the page."""
    rows = re.findall(r"^   \* - (.+)\n     - (.+)\n     - (.+)\n     - (.+)$", PAGE.read_text(), re.M)[1:]
    return {(step, fault): (clean, infected) for step, fault, clean, infected in rows}


def test_the_published_table_has_these_rows():
    """With STEP=1 and TABLE=1 in the environment it is written anew."""
    if ALL and TABLE and len(SEEN) == len(ROWS):
        rows = "".join(
            f"   * - {step}\n     - {fault}\n     - {SEEN[step, fault][0]}\n     - {SEEN[step, fault][1]}\n"
            for step, fault in ROWS
        )
        text = PAGE.read_text()
        start = text.index("     - what becomes of an infected mail\n") + 40
        end = text.index("\n\n", start) + 1
        PAGE.write_text(text[:start] + rows + text[end:])
    assert list(published()) == ROWS
