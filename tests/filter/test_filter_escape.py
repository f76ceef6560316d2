"""From inside of a decoder, as the filter's own user beside a filter of that user, nothing can be reached."""

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from stand_in.faults import FaultSite
from stand_in.filter_site import GROUP, PYTHON, USER

MAIL = b"From: a@example.org\nSubject: x\nContent-Type: application/gzip\n\n" + gzip.compress(b"hello")
OTHER = "import os, sys\nfd = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)\nos.write(fd, b'another mail')\nprint(fd, flush=True)\nsys.stdin.read()\n"
ATTEMPTS = {
    "control": "open(os.__file__).close()",
    "shadow": "open('/etc/shadow').close()",
    "passwd": "open('/etc/passwd').close()",
    "settings": "open('{settings}').close()",
    "a-mail-in-quarantine": "open('{kept}').close()",
    "the-journal": "open('{journal}', 'a').close()",
    "the-notes-of-who-has-got-mail": "open('{state}/sent', 'r+b').close()",
    "the-cache": "open('{state}/cache/current', 'r+b').close()",
    "a-new-file": "open('{state}/new', 'w').close()",
    "a-link": "os.symlink('/etc/shadow', '{state}/work/new')",
    "removing": "os.unlink('{state}/sent')",
    "listing": "os.listdir('{state}')",
    "the-spool-of-another-mail": "open('/proc/{pid}/fd/{fd}', 'rb').close()",
    "writing-into-that": "open('/proc/{pid}/fd/{fd}', 'r+b').close()",
    "the-memory-of-another-filter": "open('/proc/{pid}/mem', 'rb').close()",
    "its-environment": "open('/proc/{pid}/environ', 'rb').close()",
    "its-descriptors": "os.listdir('/proc/{pid}/fd')",
    "killing-it": "os.kill({pid}, 9)",
    "stopping-it": "os.kill({pid}, 19)",
    "tracing-it": "call(101, 16, {pid}, 0, 0)",
    "reading-its-memory": "call(310, {pid}, 0, 0, 0, 0, 0)",
    "a-pid-descriptor": "os.pidfd_open({pid})",
    "its-priority": "os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
    "its-limits": "resource.prlimit({pid}, resource.RLIMIT_NOFILE, (3, 3))",
    "its-processors": "os.sched_setaffinity({pid}, [0])",
    "its-schedule": "os.sched_setscheduler({pid}, os.SCHED_IDLE, os.sched_param(0))",
    "its-share-of-the-disk": "call(251, 1, {pid}, 3 << 13)",
    "a-program": "os.execv('/bin/sh', ['sh', '-c', 'true'])",
    "a-process": "os._exit(0) if os.fork() == 0 else None",
    "a-socket": "socket.socket(socket.AF_UNIX)",
    "a-connection": "socket.create_connection(('127.0.0.1', 25))",
    "a-higher-limit": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "another-user": "os.setuid(0)",
    "the-system-s-log": "open('/dev/log', 'w').close()",
    "a-terminal": "open('/dev/tty', 'w').close()",
    "shared-memory": "open('/dev/shm/amavis-pipe-escape', 'w').close()",
    "a-queue-of-messages": "call(240, b'amavis-pipe-escape\\0', 0o102, 0o600, 0)",
    "memory-of-system-v": "call(29, 4711, 4096, 0o1600)",
    "a-key": "call(250, 0, -3, 1)",
}
KNOWN = {
    "whether-a-path-is-there": "os.stat('{kept}')",
    "the-names-of-processes": "os.stat('/proc/{pid}')",
    "where-a-link-leads": "os.readlink('/etc/mtab')",
}
"""What is not kept from it (docs/security.rst): Landlock has no right for it."""
PRELUDE = """
    import ctypes, os, resource, socket
    libc = ctypes.CDLL(None, use_errno=True)
    def call(*words):
        if libc.syscall(*words) < 0:
            raise OSError(ctypes.get_errno(), "")
    for name, text in {attempts!r}.items():
        try:
            exec(text)
        except (OSError, ValueError):  # setrlimit(2) by Python
            continue
        sink.unchecked("broken:" + name)
"""


@pytest.fixture
def site():
    made = FaultSite(Path(tempfile.mkdtemp(prefix="amavis-pipe-test-")))
    made.launch(b"Subject: x\n\nmakes the folders\n", None)
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def other(site):
    """Another process of the filter's user, which has a mail: its process id, and the descriptor."""
    words = [PYTHON, "-I", "-c", OTHER, str(site.state / "work")]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=USER, group=GROUP, extra_groups=[]
    ) as process:
        yield process.pid, int(process.stdout.readline())
        process.stdin.close()
        assert process.wait(10) == 0, "it was reached"


def test_a_decoder_that_was_taken_over_reaches_nothing(site, other):
    (site.state / "quarantine/00").mkdir(mode=0o700)
    kept = site.state / "quarantine/00/virus-x"
    kept.write_bytes(b"kept")
    for path in (kept.parent, kept):
        shutil.chown(path, USER)
    words = {
        "settings": site.settings,
        "state": site.state,
        "kept": kept,
        "journal": next((site.state / "journal").iterdir()),
        "pid": other[0],
        "fd": other[1],
    }
    assert (
        all(Path(words[name]).exists() for name in ("settings", "kept", "journal"))
        and (site.state / "sent").exists()
    )
    attempts = {name: text.format(**words) for name, text in {**ATTEMPTS, **KNOWN}.items()}
    path = site.folder / "amavis_pipe/decompose/formats/gzip.py"
    start = "    from zlib import error\n"
    text = path.read_text()
    assert text.count(start) == 1
    path.write_text(text.replace(start, PRELUDE.format(attempts=attempts) + start))
    assert site.launch(MAIL, None).status == 0
    found = [one["name"] for one in json.loads(site.records()[-1])["findings"]]
    assert found == [f"broken:{name}" for name in ("control", *KNOWN)]
    assert not os.path.exists("/dev/shm/amavis-pipe-escape")
