"""Every system call of a run fails, or is its last: the mail is delivered once, deferred, or kept, and never else.

Faults are injected into the real program by strace(1), one in each run, at one call. A run here
takes every STEP-th place; `make faults` takes them all.
"""

import os
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from stand_in import filter_site

from amavis_pipe.scan.builtin import eicar

PAGE = Path(__file__).resolve().parents[2] / "docs/faults.rst"
STEP = int(os.environ.get("STEP", "9"))
HEAD = b"From: a@example.org\nSubject: faults\nDate: Wed, 25 Nov 2026 08:00:00 +0000\n\n"
CLEAN, INFECTED = HEAD + b"hello\n", HEAD + eicar() + b"\n"
FAULTS = {
    "no room": ("write,pwrite64,writev,ftruncate,fallocate,mkdir,link,linkat,rename", "error=ENOSPC"),
    "input and output errors": ("read,pread64,write,pwrite64,fsync,close,fstat,newfstatat", "error=EIO"),
    "read-only": ("openat,mkdir,rename,link,linkat,unlink", "error=EROFS"),
    "no descriptors": ("openat,socket,pipe2,dup,dup2,eventfd2,memfd_create", "error=EMFILE"),
    "no memory": ("mmap,brk,mremap,clone,clone3,fork", "error=ENOMEM"),
    "no permission": ("openat,newfstatat,mkdir,connect", "error=EACCES"),
    "killed": ("all", "signal=KILL"),
    "out of time": ("all", "signal=ALRM"),
    "interrupted": ("read,write,poll,wait4,openat", "error=EINTR"),
}
ORDINARY = (0, 75)
BEFORE_OURS = (1, 2, 127)
"""The loader's and the interpreter's own, before our first line: contrib/postfix/amavis-pipe.dsn makes Postfix
keep the mail."""
DEATHS = (-signal.SIGKILL, -signal.SIGALRM, -signal.SIGSEGV, -signal.SIGABRT)


@pytest.fixture(scope="module")
def site():
    made = filter_site.make()
    made.configure()
    made.filter(CLEAN)  # the snapshot is there; what happens without one is tried below
    yield made
    subprocess.run(["rm", "-rf", made.folder], check=True)


class Run:
    """What one run left behind: its status, copies sent, copies kept."""

    def __init__(self, site, words, mail):
        clear(site)
        done = site.start(
            [*words, filter_site.PYTHON, "-I", "-S", str(site.launcher), *ARGUMENTS(site)], mail
        )
        self.status = done.status if done.status < 128 else 128 - done.status
        self.said = done.out
        self.sent = [path.read_bytes() for path in site.out.iterdir() if path.suffix == ".eml"]
        self.kept = [path for path in (site.state / "quarantine").glob("*/*") if path.suffix != ".json"]
        self.kept = [path.read_bytes() for path in self.kept if not path.name.startswith(".")]


def ARGUMENTS(site):
    envelope = ["-f", "a@example.org", "--", "b@example.org"]
    return ["--config", str(site.settings), "--queue-id", "4bQ7Xz", *envelope]


def clear(site):
    """Forget what was sent, kept and committed."""
    for path in (*site.out.iterdir(), *(site.state / "quarantine").glob("*/*"), site.state / "sent"):
        path.unlink(missing_ok=True)
    (site.state / "tries").unlink(missing_ok=True)


def places(site, which, mail):
    """The calls of this sort that a run makes, in order: each the nth of a name. strace counts names apart."""
    trace = site.folder / "trace"
    trace.touch()
    trace.chmod(0o666)
    Run(site, ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={which}"], mail)
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for one in re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.M):
        counts[one] += 1
        found.append((one[1], counts[one]))
    return list(dict.fromkeys(found))


def failing(place, what):
    """The words before a filter of which one call fails."""
    name, nth = place
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}"]
    return [*words, "-e", f"inject={name}:{what}:when={nth}"]


def outcome(run, mail):
    """The one thing that became of the mail; AssertionError if it is none that may be."""
    assert all(sent.endswith(mail) for sent in run.sent), "a mail was cut or changed"
    assert len(run.sent) <= 1, "a mail was doubled"
    assert run.status in (*ORDINARY, *BEFORE_OURS, *DEATHS), f"status {run.status} would bounce"
    if run.status in BEFORE_OURS:
        assert not run.sent and not run.kept and not run.said, "not before our first line"
        return "deferred by the table"
    if run.status == 0:
        assert len(run.sent) + len(run.kept) == 1, "taken, and neither sent nor kept: lost"
        assert mail == CLEAN or not run.sent, "a virus was passed"
        return "delivered" if run.sent else "kept"
    return "deferred, sent" if run.sent else "deferred"


@pytest.mark.parametrize("mail", [CLEAN, INFECTED], ids=["clean", "infected"])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_one_thing_becomes_of_the_mail(site, fault, mail):
    which, what = FAULTS[fault]
    found = places(site, which, mail)
    assert found
    seen = []
    for place in found[:: STEP if which != "all" else STEP * 3]:
        run = Run(site, failing(place, what), mail)
        became = outcome(run, mail)
        if became == "deferred, sent":
            # only death can come between the commit and its report; then Postfix tries again
            assert run.status in DEATHS or what.startswith("error")
        seen.append(became)
    OUTCOMES[fault, mail == CLEAN] = set(seen)
    assert {"delivered", "kept", "deferred"} & set(seen)
    assert set(seen) <= published()[fault, mail == CLEAN]


OUTCOMES: dict[tuple[str, bool], set[str]] = {}


def published():
    """The outcomes of each fault by docs/faults.rst, for a clean mail and an infected one."""
    rows = re.findall(
        r"^   \* - (.+)\n     - (.+)\n     - (.+)$", PAGE.read_text().partition("By step\n")[0], re.M
    )
    found = {}
    for fault, clean, infected in rows[1:]:  # the first is the head
        found[fault, True], found[fault, False] = set(clean.split("; ")), set(infected.split("; "))
    return found


def test_the_published_table_is_what_a_complete_run_has_seen():
    """With STEP=1 in the environment the rows are compared, and written anew with TABLE=1, too."""
    if STEP == 1 and len(OUTCOMES) == 2 * len(FAULTS):
        rows = "".join(
            f"   * - {fault}\n     - {'; '.join(sorted(OUTCOMES[fault, True]))}\n"
            f"     - {'; '.join(sorted(OUTCOMES[fault, False]))}\n"
            for fault in FAULTS
        )
        text = PAGE.read_text()
        before, _, rest = text.partition("   * - no room\n")
        after = re.split(r"\n(?=\S)", rest, maxsplit=1)[1]
        made = before + rows + "\n" + after
        if os.environ.get("TABLE"):
            PAGE.write_text(made)
        assert made == text
    assert published().keys() == {(fault, clean) for fault in FAULTS for clean in (True, False)}


def test_what_was_committed_before_a_death_is_not_sent_again_once_that_is_noted(site):
    """From every death on, a second try brings the number of copies to one, or two where the note was cut."""
    copies = []
    for place in places(site, "all", CLEAN)[-60 :: max(1, STEP // 3)]:
        first = Run(site, failing(place, "signal=KILL"), CLEAN)
        done = site.start([filter_site.PYTHON, "-I", "-S", str(site.launcher), *ARGUMENTS(site)], CLEAN)
        assert done.status == 0
        copies.append(len([path for path in site.out.iterdir() if path.suffix == ".eml"]))
        assert len(first.sent) <= 1
    assert set(copies) <= {1, 2}
    assert copies.count(2) <= 4


def test_strace_is_there():
    assert Path("/usr/bin/strace").exists()
