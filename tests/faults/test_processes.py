"""Faults at every system call of a filter with a sandboxed child, and of one that starts sendmail.

As test_injected.py, where there is one process. Sendmail itself is not ours: nothing fails in it here. strace(1) counts in each process, so that in one run several may
fail, each at its nth call of a name.
"""

import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from faults import cases
from faults.outcome import ALL, became, packed
from stand_in.faults import FaultSite, behind

from amavis_pipe.scan.builtin import eicar

FAULTS = {
    "killed": ("all", "signal=KILL"),
    "out of time": ("all", "signal=ALRM"),
    "input and output errors": ("read,pread64,write,pwrite64,fsync,lseek,wait4,poll", "error=EIO"),
    "no memory": ("mmap,mprotect,munmap,brk,clone,clone3,fork,vfork,execve", "error=ENOMEM"),
    "no descriptors": ("openat,pipe2,dup,dup2,memfd_create,pidfd_open,socket,fcntl", "error=EMFILE"),
    "no permission": (
        "seccomp,prctl,prlimit64,setrlimit,setsid,landlock_create_ruleset,landlock_add_rule,landlock_restrict_self",
        "error=EPERM",
    ),
}
PLACES = 10
"""How many places are tried of each fault, about; MOST by `make faults`."""
MOST = 300


@pytest.fixture(scope="module")
def site():
    made = FaultSite(Path(tempfile.mkdtemp(prefix="amavis-pipe-test-")))
    yield made
    shutil.rmtree(made.folder)


def places(site, tracing, which, mail):
    """The calls of this sort, each the nth of a name in one of the processes."""
    trace = site.folder / "trace"
    trace.touch()
    trace.chmod(0o666)
    site.clear()
    assert site.launch(mail, [*tracing, "-o", str(trace), "-e", f"trace={which}"]).status == 0
    counts: Counter[tuple[str, str]] = Counter()
    for one in re.findall(r"^(\d*) *(\w+)\(", trace.read_text(), re.M):
        counts[one] += 1
    most = {name: max(nth for (_, other), nth in counts.items() if other == name) for _, name in counts}
    return [(name, nth) for name, number in sorted(most.items()) for nth in range(1, number + 1)]


WAYS = {"child": (("strace", "-f", "-qq"), "file:{out}"), "sendmail": (("strace", "-qq"), "sendmail")}
"""How it is traced, with its children or without, and where mail goes."""


@pytest.mark.parametrize(("tracing", "route"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("content", [b"hello", eicar()], ids=["clean", "infected"])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_in_any_process_one_thing_becomes_of_the_mail(site, fault, content, tracing, route):
    which, what = FAULTS[fault]
    mail, infected = packed(content), content != b"hello"
    site.configure(cases.HELD_BACK, forward=route.format(out=site.out))
    site.launch(b"Subject: x\n\nmakes the snapshot\n", None)
    found = places(site, tracing, which, mail)
    seen = Counter()
    for name, nth in found[:: max(1, len(found) // (MOST if ALL else PLACES))]:
        words = (*tracing, "-o", "/dev/null", "-e", f"trace={name}")
        words += ("-e", f"inject={name}:{what}:when={nth}")
        seen[became(site, lambda _, words=words: behind(*words), mail, infected)] += 1
    allowed = {"kept", "deferred", "deferred by the table"}
    assert set(seen) <= allowed | (set() if infected else {"delivered", "delivered twice"})
    # what fails between the commit and its note doubles a mail
    assert seen["delivered twice"] <= (2 if what.startswith("error") else 12)
