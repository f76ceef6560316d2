"""The faults of each step of the filter: how each is made. Each has several forms, which must end alike.

A form is a function of the site that gives a context manager (stand_in/faults.py).
"""

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from stand_in import smtpd
from stand_in.clamd import Clamd
from stand_in.daemon import Daemon
from stand_in.faults import (
    Fault,
    FaultSite,
    Words,
    appended,
    behind,
    both,
    changed,
    full,
    hidden,
    injected,
    mode,
    read_only,
    replaced,
    settled,
    shell,
    stuck_socket,
)

HELD_BACK = '[unchecked]\naction = "discard"\nquarantine = true\n'
DECODER = "amavis_pipe/decompose/formats/gzip.py"
UNPACK = "    from zlib import error\n"
Forms = list[Fault]
Rows = dict[str, Forms]


def at(name: str, how, *words) -> Fault:
    """A fault of one file or folder of the site."""
    return lambda site: how(site.folder / name, *words)


def code(name: str, old: str, new: str) -> Fault:
    """A fault in the program."""
    return at(f"amavis_pipe/{name}", changed, old, new)


def limits(option: str, *values: int | str) -> Forms:
    """The filter runs with each of these as its limit."""
    return [lambda site, value=value: behind("prlimit", f"--{option}={value}", "--") for value in values]


def lines(*texts: str) -> Forms:
    """A shell does each of these first."""
    return [lambda site, text=text: shell(text) for text in texts]


CUT = """import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
mail = os.read(0, 90)
reading, writing = os.pipe()
os.write(writing, mail)
os.close(writing)
os.dup2(reading, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""An end of file after so many bytes, and nobody who hears how it ends: what a dead pipe(8) looks like."""

START: Rows = {
    "the launcher is missing": [at("contrib/postfix/amavis-pipe", hidden)],
    "the launcher may not be run": [at("contrib/postfix/amavis-pipe", mode, 0o644)],
    "the interpreter is missing": [at("contrib/postfix/amavis-pipe", changed, "/usr/bin/python3", "/nowhere/python3")],
    "no descriptors": limits("nofile", *range(3, 16)),
    "no memory": limits("as", *(mb << 20 for mb in (4, 7, 10, 12, 13, 14, 15, 16, 18, 20, 30))),
    "no file may grow": limits("fsize", 0, 1, 100, 4096),
    "no time of the processor": limits("cpu", 0),
    "stdin closed, a folder, or for writing alone": lines("exec <&-", "exec </", "exec 0>/dev/null"),
    "stdout closed": lines("exec >&-"),
    "stderr closed, or stdout full": lines("exec 2>&-", "exec >/dev/full"),
    "pipe(8) dies, and the mail is cut": [lambda site: behind("/usr/bin/python3", "-Ic", CUT)],
    "an odd environment": lines(
        "export PYTHONPATH=/nowhere PYTHONHOME=/nowhere LD_BIND_NOW=x LC_ALL=xx_YY.UTF-99",
        "umask 777",
        "umask 0",
        "mkdir /tmp/gone$$ && cd /tmp/gone$$ && rmdir /tmp/gone$$",
        "ulimit -c 0; trap '' TERM HUP INT PIPE XFSZ CHLD",
    ),
}  # fmt: skip

IMPORT: Rows = {
    "the package is missing": [at("amavis_pipe", hidden)],
    "the package may not be read": [at("amavis_pipe", mode, 0o700, "root")],
    "a module is missing": [at(f"amavis_pipe/{name}.py", hidden) for name in ("entry", "intake", "cache", "perform", "ask", "walk")],
    "a module is damaged": [code(f"{name}.py", "import", "import (") for name in ("entry", "intake", "policy", "perform", "spool")],
    "byte code is cut off": [
        lambda site, name=name: replaced(compiled(site, name), lambda path: path.write_bytes(b"\xa7\r\r\n" + bytes(12)))
        for name in ("entry", "intake", "policy")
    ],
    "the bundle is damaged": [lambda site, size=size: damaged_bundle(site, size) for size in (0, 3, 100, 5000)],
}  # fmt: skip


def compiled(site: FaultSite, name: str) -> Path:
    """A module's byte code."""
    return next((site.folder / "amavis_pipe/__pycache__").glob(f"{name}.*.pyc"))


def damaged_bundle(site: FaultSite, size: int):
    """So many bytes of what the bundle should be."""
    return replaced(
        site.folder / "amavis_pipe/__pycache__/hot.cpython-311.bundle",
        lambda path: path.write_bytes((b"\x04\0\0\0" + os.urandom(5000))[:size]),
    )


@contextmanager
def snapshot(site: FaultSite, damage) -> Iterator[None]:
    """The settings' snapshot is damaged, by a function of its path and content."""
    site.launch(b"Subject: x\n\nmakes a snapshot\n", None)
    for path in (*site.out.iterdir(),):
        path.unlink()
    (path,) = site.state.glob("settings-*")
    data = path.read_bytes()
    with replaced(path, lambda new: damage(new, data)):
        yield


def link_to(target: str):
    """A function that makes a link."""
    return lambda path, *_: path.symlink_to(target)


def write(data: bytes):
    """A function that makes a private file."""

    def make(path: Path, *_) -> None:
        path.write_bytes(data)
        path.chmod(0o600)

    return make


def fifo(path: Path, *_) -> None:
    """A pipe with a name, that nobody reads."""
    os.mkfifo(path, 0o600)


def a_folder(path: Path, *_) -> None:
    """A folder in the place of a file."""
    path.mkdir(mode=0o700)


ODD = [
    a_folder,
    fifo,
    link_to("/dev/zero"),
    link_to("/dev/full"),
    write(b""),
    write(b"x"),
    write(os.urandom(1 << 16)),
]

SETTINGS: Rows = {
    "missing": [at("settings.toml", hidden)],
    "may not be read": [at("settings.toml", mode, 0o600, "root")],
    "no settings": [at("settings.toml", replaced, make) for make in (*ODD[:4], *ODD[5:])],
    "a fault": [at("settings.toml", replaced, write(text)) for text in (b"= =", b"[limits]\ndepth = 'ten'\n", b"x = 1\n", b"\xff")],
    "the snapshot is damaged": [
        *(lambda site, make=make: snapshot(site, make) for make in ODD),
        lambda site: snapshot(site, lambda path, data: write(data[:-1])(path)),
        lambda site: snapshot(site, lambda path, data: write(data[:99] + bytes([data[99] ^ 1]) + data[100:])(path)),
    ],
    "the state folder is missing, a file, or another's": [
        at("state", hidden), at("state", replaced, write(b"")), at("state", mode, 0o700, "root"),
        at("state", mode, 0o777), at("state", mode, 0),
    ],
    "the state folder is read-only": [at("state", read_only)],
    "the state folder is full": [at("state", full, 64)],
}  # fmt: skip

WORK: Rows = {
    "the work folder is missing": [at("state/work", hidden)],
    "the work folder is a file": [at("state/work", replaced, write(b""))],
    "the work folder is read-only": [at("state/work", read_only), at("state/work", mode, 0o000), at("state/work", mode, 0o500, "root")],
    "the work folder is full": [at("state/work", full, size) for size in (16, 1024, 4096, 6000)],
    "no file may grow": limits("fsize", 4096, 1 << 20, 3 << 20),
    "no memory": limits("as", *(mb << 20 for mb in range(20, 40, 4))),
}  # fmt: skip

CACHE: Rows = {
    "the cache folder is missing, a file, or read-only": [
        at("state/cache", hidden), at("state/cache", replaced, write(b"")), at("state/cache", read_only), at("state/cache", mode, 0),
    ],
    "the cache is full": [at("state/cache", full, size) for size in (8, 64)],
    "the cache is damaged": [at(f"state/cache/{name}", replaced, make) for name in ("current", "previous") for make in ODD],
    "the notes of who has got a mail are damaged": [at("state/sent", replaced, make) for make in ODD],
    "the notes of tries are damaged": [at("state/tries", replaced, make) for make in ODD],
}  # fmt: skip


def decoder(text: str) -> Fault:
    """The decoder of gzip does this instead of its work."""
    return at(DECODER, changed, UNPACK, f"    {text}\n{UNPACK}")


def quickly(fault: Fault) -> Fault:
    """The same where there is but a second for taking a mail apart."""

    @contextmanager
    def made(site: FaultSite) -> Iterator[None]:
        site.configure("limits.seconds = 1\n" + HELD_BACK)
        try:
            with fault(site):
                yield
        finally:
            site.configure(HELD_BACK)

    return made


SANDBOX: Rows = {
    "no processes": [lambda site: injected("clone,clone3,fork,vfork", "EAGAIN")],
    "no Landlock": [lambda site: injected("landlock_create_ruleset", "ENOSYS")],
    "no seccomp": [lambda site: injected("seccomp", "EINVAL")],
    "privileges can't be given up": [lambda site: injected("prctl", "EPERM")],
    "no limits can be set": [lambda site: injected("setrlimit,prlimit64", "EPERM")],
    "its program is missing": [
        at("amavis_pipe/jail/child.py", hidden),
        at("amavis_pipe/jail/wire.py", hidden),
    ],
}
DECODERS: Rows = {
    "an exception": [decoder(f"raise {name}") for name in ("RuntimeError", "ImportError", "KeyboardInterrupt", "SystemExit(0)", "StopIteration", "OSError(28, '')")],
    "recursion": [decoder("unpack(blob, sink)")],
    "killed": [decoder(f"import os; os.kill(os.getpid(), {int(number)})") for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM)],
    "a fault in a library": [decoder("import ctypes; ctypes.string_at(0)"), decoder("import os; os.abort()")],
    "leaves": [decoder(f"import os; os._exit({status})") for status in (0, 1, 75)],
    "hangs": [quickly(decoder("while True: pass")), quickly(decoder("import time; time.sleep(99)"))],
    "no memory": [decoder("kept = [bytes(1 << 20) for _ in range(1 << 20)]"), decoder("raise MemoryError")],
    "output without end": [decoder("sink.add(bytes(1 << 20) for _ in iter(int, 1))"), decoder("while True: sink.add([b'x'])")],
    "threads without end": [
        decoder("import _thread, time\n    while True: _thread.start_new_thread(time.sleep, (99,))")
    ],
    "processes without end": [decoder("import os\n    while True: os.fork()")],
    "garbage to the filter": [decoder("import os\n    for fd in range(1024):\n        try: os.write(fd, b'part x\\xff ' * 99 + b'\\n')\n        except OSError: pass\n    os._exit(0)")],
    "missing": [at(DECODER, hidden)],
    "damaged": [at(DECODER, changed, "MAGIC", "MAGIC = (")],
}  # fmt: skip

ROW = '[[scanner]]\nname = "x"\nvia = "clamd"\nat = "{at}"\ntimeout = 1\nretry = 0\n'


@contextmanager
def clamd(site: FaultSite, word: str, more: str = "", scanners: str = '["x"]') -> Iterator[None]:
    """A clamd with this fault is the scanner; it is well afterwards."""
    server = Clamd(site.folder / "clamd.ctl")
    (site.folder / "clamd.ctl").chmod(0o666)
    server.fault = word
    site.configure(ROW.format(at=server.at) + more, scanners=scanners)
    try:
        yield
    finally:
        server.close()
        (site.folder / "clamd.ctl").unlink()
        site.configure()


@contextmanager
def program(site: FaultSite, text: str, bits: int = 0o755) -> Iterator[None]:
    """A program with this text is the scanner."""
    path = site.folder / "scanner"
    path.write_text(text)
    path.chmod(bits)
    run = f'[[scanner]]\nname = "x"\nrun = "{path} {{dir}}"\nclean = [0]\ninfected = [1]\ntimeout = 1\n'
    site.configure(run + "retry = 0\n", scanners='["x"]')
    try:
        yield
    finally:
        site.configure()


@contextmanager
def away(site: FaultSite, more: str = "", scanners: str = '["x"]') -> Iterator[None]:
    """No clamd is there."""
    site.configure(ROW.format(at="/nowhere/clamd.ctl") + more, scanners=scanners)
    try:
        yield
    finally:
        site.configure()


def spamd(*script: bytes | None, answers: bool = True) -> Fault:
    """A spamd that says this; a score for each mail is asked for."""

    @contextmanager
    def made(site: FaultSite) -> Iterator[None]:
        server = Daemon()
        server.script, server.stays = list(script), not script
        at = server.at if answers else "127.0.0.1:9"
        site.configure(f'[spam]\nchecker = "spamd"\nat = "{at}"\ntimeout = 1\n')
        try:
            yield
        finally:
            site.configure()
            server.close()

    return made


SPAM: Rows = {
    "spamd is not there": [spamd(answers=False)],
    "spamd hangs up": [spamd(None), spamd(b"", None), spamd(b"", b"SPAMD/1.1 0 EX_OK\r\nSpam: Tr", None)],
    "spamd says nothing": [spamd()],
    "spamd speaks nonsense": [spamd(b"", text, None) for text in (b"\xff\0\r\n", b"SPAMD/1.1 74 EX_IOERR\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\nSpam: x ; y\r\n\r\n", b"x" * 100_000)],
    "an exception": [lambda site: both(spamd()(site), changed(site.folder / "amavis_pipe/spam/consult.py", "import", "import ("))],
}  # fmt: skip

NONSENSE = ("half", "garbage", "unnumbered", "wrong-number", "twice", "endless", "error", "odd-version")
BACKUP = """[[scanner]]
name = "b"
run = "/bin/grep -rqs EICAR-STANDARD {dir}"
clean = [1]
infected = [0]
backup_of = "x"
"""
SCANNERS: Rows = {
    "clamd is not there": [away],
    "clamd hangs up": [partial(clamd, word=f"closes-{word}") for word in ("connect", "VERSION", "FILDES")],
    "clamd says nothing": [partial(clamd, word="silent")],
    "clamd speaks nonsense": [partial(clamd, word=word) for word in NONSENSE],
    "a program is missing, or may not be run": [partial(program, text="#!/nowhere/sh\n"), partial(program, text="x", bits=0o644)],
    "a program fails": [partial(program, text=f"#!/bin/sh\n{text}\n") for text in ("exit 2", "exit 255", "kill -9 $$", "kill -SEGV $$")],
    "a program hangs": [partial(program, text="#!/bin/sh\nexec sleep 60\n")],
    "a program talks without end": [partial(program, text="#!/bin/sh\nexec yes\n")],
    "an exception": [code("scan/builtin.py", "return {path", "raise RuntimeError\n        return {path"), code("inquire.py", "import", "import (")],
    "one of two is not there": [partial(away, scanners='["x", "builtin"]')],
    "one is not there, and has a backup": [partial(away, more=BACKUP)],
}  # fmt: skip


def deciding(text: str) -> Fault:
    """Policy does this instead of deciding."""
    return at("amavis_pipe/policy.py", appended, f"\n\ndef decide(*_: object):\n    {text}\n")


POLICY: Rows = {
    "an exception": [deciding("raise RuntimeError"), deciding("raise SystemExit(0)"), deciding("return None"), code("policy.py", "import", "import (")],
    "no memory": [deciding("raise MemoryError")],
    "hangs": [deciding("import _signal; _signal.alarm(1)\n    while True: pass")],
}  # fmt: skip

QUARANTINE: Rows = {
    "the folder is missing": [at("state/quarantine", hidden)],
    "the folder is a file, or another's": [at("state/quarantine", replaced, write(b"")), at("state/quarantine", mode, 0o700, "root"), at("state/quarantine", mode, 0)],
    "the folder is a link": [at("state/quarantine", replaced, link_to("/nowhere")), at("state/quarantine", replaced, link_to("/etc"))],
    "read-only": [at("state/quarantine", read_only)],
    "full": [at("state/quarantine", full, size) for size in (8, 16, 24)],
    "an exception": [code("quarantine.py", "import", "import ("), code("keeping.py", "    heaviest", "    raise RuntimeError\n    heaviest")],
    "input and output errors": [lambda site, call=call: injected(call, "EIO") for call in ("fsync", "link,linkat", "flock")],
}  # fmt: skip


def told(first: str = "", last: str = "exit 0", more: str = "") -> Fault:
    """Notices go by a sendmail that does this; mail goes into the folder."""

    @contextmanager
    def made(site: FaultSite) -> Iterator[None]:
        text = f"[infected]\nadmin = 'admin@example.org'\n{more}\n"
        site.settings.write_text(
            f'state = "{site.state}"\nforward = "file:{site.out}"\nnotify = "sendmail"\n'
            f'scanners = ["builtin"]\n{text}'
        )
        site.obey(first, last, site.told)
        try:
            yield
        finally:
            site.obey(out=site.told)

    return made


FAILING = ("exit 1", "exit 69", "exit 75", "kill -9 $$")
NOTICES: Rows = {
    "the notice is refused": [told(word) for word in FAILING],
    "the notice is late": [told("exec sleep 60")],
    "an exception": [lambda site: both(told("exit 1")(site), changed(site.folder / "amavis_pipe/notices/__init__.py", "import", "import ("))],
    "a report to the sender is refused": [told(word, more='action = "bounce"') for word in FAILING],
    "a report to the sender is late": [told("exec sleep 60", more='action = "bounce"')],
}  # fmt: skip


def sendmail(first: str = "", last: str = "exit 0") -> Fault:
    """Mail goes by a sendmail that does this."""

    @contextmanager
    def made(site: FaultSite) -> Iterator[None]:
        site.configure(forward="sendmail")
        site.obey(first, last)
        try:
            yield
        finally:
            site.obey()

    return made


def by_sendmail(fault: Fault) -> Fault:
    """The same where mail goes by sendmail."""

    def made(site: FaultSite) -> AbstractContextManager[Words | None]:
        site.obey()
        return both(settled(site, forward="sendmail"), fault(site))

    return made


STATUSES = (1, 2, *range(64, 79), 126, 127, 255)
SENDMAIL: Rows = {
    "missing": [by_sendmail(at("sendmail", hidden))],
    "may not be run, or is no program": [by_sendmail(at("sendmail", mode, 0o644)), by_sendmail(at("sendmail", replaced, write(b"\x7fELF")))],
    "its interpreter is missing": [by_sendmail(at("sendmail", changed, "/bin/sh", "/nowhere/sh"))],
    "it ends with each status": [sendmail(f"exit {status}") for status in STATUSES],
    "it is killed": [sendmail(f"kill -{name} $$") for name in ("KILL", "SEGV", "TERM", "PIPE")],
    "it talks without end, and fails": [sendmail("yes | head -c 3000000 >&2; exit 75")],
    "it hangs": [sendmail("exec sleep 60")],
    "it fails when it has taken the mail": [sendmail(last=text) for text in ("exit 75", "kill -9 $$", "exec sleep 60")],
    "no processes": [by_sendmail(lambda site: injected("clone,clone3,fork,vfork", "EAGAIN"))],
}  # fmt: skip

STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", ".")


@contextmanager
def answering(site: FaultSite, stage: str, reply: str | bytes) -> Iterator[None]:
    """Mail goes by an smtpd that says this at a stage; by sendmail afterwards, as it may be another server."""
    with smtpd.running() as server:
        server.replies[stage] = reply
        site.configure(forward=server.route)
        try:
            yield
        finally:
            site.configure(forward="sendmail")
            for number, message in enumerate(server.messages):
                if not (stage == "." and reply in SAID_NO):  # what it refused at the end it has not
                    (site.out / f"smtp{number}.eml").write_bytes(smtpd.unstuffed(message))


@contextmanager
def nobody_listens(site: FaultSite) -> Iterator[None]:
    """There is no smtpd."""
    site.obey()
    site.configure(forward="smtp:127.0.0.1:9")
    try:
        yield
    finally:
        site.configure(forward="sendmail")


FOR_NOW, FOR_GOOD, UNKNOWN = "451 4.3.0 not now", "554 5.7.1 no", "550 5.1.1 unknown"
BYE = "421 4.3.2 shutting down"
SAID_NO = (FOR_NOW, FOR_GOOD, BYE)
GARBAGE = (b"\x00\xffgarbage\r\n", "999 what", "hello", b"\r\n", b"250 " + b"x" * 10_000)


def smtp(stages: tuple[str, ...], *replies: str | bytes) -> Forms:
    """Each of these replies at each of these stages."""
    return [partial(answering, stage=stage, reply=reply) for stage in stages for reply in replies]


SMTP: Rows = {
    "nobody listens": [nobody_listens],
    "says 4xx": smtp(STAGES, FOR_NOW, BYE),
    "says 5xx": smtp(("connect", "EHLO", "MAIL", "DATA", "."), FOR_GOOD),
    "refuses the recipient": smtp(("RCPT",), UNKNOWN),
    "speaks nonsense": smtp(STAGES[:-1], *GARBAGE),
    "hangs up": smtp(STAGES[:-1], smtpd.CLOSE),
    "says nothing": smtp(STAGES[:-1], smtpd.SILENCE),
    "takes the mail, and its answer is lost": smtp((".",), smtpd.CLOSE, smtpd.SILENCE, *GARBAGE),
}  # fmt: skip

FOLDER: Rows = {
    "missing, or a file": [at("out", hidden), at("out", replaced, write(b""))],
    "read-only": [at("out", read_only), at("out", mode, 0), at("out", mode, 0o700, "root")],
    "full": [at("out", full, 4)],
    "input and output errors": [lambda site, call=call: injected(call, "EIO") for call in ("fsync", "rename")],
}  # fmt: skip


def log_at(made) -> Fault:
    """The system's log is something else."""

    @contextmanager
    def fault(site: FaultSite) -> Iterator[None]:
        path = site.folder / "log"
        with changed(site.folder / "amavis_pipe/journal.py", '"/dev/log"', f'"{path}"'), made(path):
            yield

    return fault


@contextmanager
def todays(site: FaultSite, made) -> Iterator[None]:
    """Today's records are something else."""
    site.launch(b"Subject: x\n\nmakes a record\n", None)
    for path in site.out.iterdir():
        path.unlink()
    path = max((site.state / "journal").iterdir())
    with replaced(path, made):
        yield


JOURNAL: Rows = {
    "the folder is missing, a file, or read-only": [at("state/journal", hidden), at("state/journal", replaced, write(b"")), at("state/journal", read_only), at("state/journal", mode, 0)],
    "full": [at("state/journal", full, size) for size in (4, 64)],
    "the records are something else": [partial(todays, made=made) for made in ODD],
    "the journal's program is damaged": [code("journal.py", "import", "import (")],
    "the record's program is damaged": [code("record.py", "import", "import (")],
    "the system's log is not there, or takes nothing": [log_at(lambda path: nullcontext()), log_at(stuck_socket)],
}  # fmt: skip


def clock(seconds: float) -> Fault:
    """The clock is set to this."""
    line = f"import time; _real = time.gmtime; time.time = lambda: {seconds!r}; time.gmtime = lambda t={seconds!r}: _real(t)\n"
    return at("contrib/postfix/amavis-pipe", changed, "import posix\n", line + "import posix\n")


CLOCK: Rows = {
    "in 1970, 2038, 2106, the year 9999": [clock(seconds) for seconds in (0.0, 1.0, 2.0**31, 2.0**32, 253402300799.0)],
}  # fmt: skip

STEPS: dict[str, Rows] = {
    "start": START,
    "import": IMPORT,
    "settings": SETTINGS,
    "spool": WORK,
    "memory on disk": CACHE,
    "sandbox": SANDBOX,
    "decoder": DECODERS,
    "scanner": SCANNERS,
    "spam": SPAM,
    "policy": POLICY,
    "quarantine": QUARANTINE,
    "notices": NOTICES,
    "on by sendmail": SENDMAIL,
    "on by smtp": SMTP,
    "on into a folder": FOLDER,
    "journal and log": JOURNAL,
    "clock": CLOCK,
}
