"""helper: real programs in the jail of helpers. What they may not do they can't, and they end with what asked for them.

The program is this interpreter, and what it is given to open is the script that it runs.
"""

import array
import fcntl
import mmap
import os
import select
import signal
import stat
import sys
import tempfile
import termios
import time
from errno import EACCES, EPERM
from pathlib import Path
from types import SimpleNamespace

import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.jail import child, programs, sandbox
from amavis_pipe.jail.programs import Job, Program
from amavis_pipe.jail.wire import KILLED, MISSING, Wanted, done
from amavis_pipe.model import Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import Blob
from amavis_pipe.walk import Decoder

MARK = "application/x-test"
PATIENCE = 20.0
"""Seconds after which what should happen at once is taken for not happening."""


class Interpreter(Program):
    """Python itself."""

    def places(self) -> tuple[str, ...]:
        return (str(Path(sys.executable).resolve()),)

    def before(self) -> list[bytes]:
        return [b"-I", b"-S"]


PYTHON = Interpreter("python", "")
JOBS = {
    "script": Job(PYTHON, b"@file @0", b"py"),
    "code": Job(PYTHON, b"-c @0", b"part%d.bin"),
    "shell": Job(Program("sh", ""), b"@file", b"sh"),
    "absent": Job(Program("there-is-no-such-program", ""), b"@file"),
}


class Said:
    """What came of a run: `output` and `status` of the program, `findings`, and the work folder after it."""

    def __init__(self, parts, findings, work: Path) -> None:
        by_name = {part.names[0]: part for part in parts if part.names}
        output = by_name.get(b"output")
        self.output = b"" if output is None else output.blob.head(output.size)
        status = by_name.get(b"status")
        self.status = None if status is None else int(status.blob.head(9))
        self.findings = [(one.name, one.part) for one in findings]
        self.left = sorted(one.name for one in work.iterdir())


@pytest.fixture
def work():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def run(work, monkeypatch):
    """A function: what comes of a script that is run as a helper; or of `unpack`, which asks for it."""
    arenas = []
    for name, job in JOBS.items():
        monkeypatch.setitem(programs.JOBS, name, job)

    def run(
        script: str, *words: bytes, job: str = "script", paths=(), unpack=None, budget=None, **options
    ) -> Said:
        def ask(blob, sink):
            said = sink.run(job, *words, paths=paths)
            sink.add(said, (b"output",))
            sink.add([b"%d" % said.status], (b"status",))

        decoder = Decoder("bad", (MARK,), unpack or ask)
        given = [
            Part("1", kind=MARK, blob=Blob(script.encode())),
            Part("2", kind="text/plain", blob=Blob(b"second")),
        ]
        parts, findings = sandbox.unpack_in_child(
            given,
            budget or Budget.of(Limits(), 1 << 20),
            os.fsencode(work),
            load=lambda: lambda part: [decoder] if part.path == "1" else [],
            **options,
        )
        arenas.extend({one.blob.fd for one in parts if one.blob})
        return Said(parts, [one for one in findings if one.part != "2"], work)

    yield run
    for arena in arenas:
        os.close(arena)


def test_what_it_says_comes_back_with_its_status(run):
    said = run("import sys; print('hello'); sys.exit(3)")
    assert (said.output, said.status, said.findings, said.left) == (b"hello\n", 3, [], [])


def test_megabytes_arrive_whole(run):
    said = run("import sys; sys.stdout.buffer.write(bytes(range(256)) * 20000)")
    assert said.output == bytes(range(256)) * 20000 and said.status == 0


def test_what_it_reads_is_the_part(run):
    said = run("import sys; print(open(sys.argv[0]).read() + sys.argv[1])", b"a word")
    assert said.output == b"import sys; print(open(sys.argv[0]).read() + sys.argv[1])a word\n"


DENIED = {
    "writing-its-input": "open('file.py', 'wb')",
    "making-a-file-beside-it": "open('new', 'wb')",
    "making-a-file-without-a-name": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "making-memory-that-no-limit-counts": "os.memfd_create('x')",
    "writing-into-the-work-folder": "open('../new', 'wb')",
    "writing-over-a-neighbour": "open('../there', 'wb')",
    "writing-into-tmp": "open('/tmp/amavis-pipe-test-helper', 'wb')",
    "cutting": "os.truncate('../there', 0)",
    "removing-its-input": "os.unlink('file.py')",
    "removing-a-neighbour": "os.unlink('../there')",
    "renaming": "os.rename('file.py', 'new')",
    "linking": "os.symlink('/etc/shadow', 'new')",
    "linking-hard": "os.link('file.py', 'new')",
    "making-a-folder": "os.mkdir('new')",
    "making-a-pipe": "os.mkfifo('new')",
    "changing-rights": "os.chmod('file.py', 0o777)",
    "changing-times": "os.utime('file.py')",
    "reading-secrets": "open('/etc/shadow', 'rb')",
    "reading-a-file-all-may-read": "open('/etc/passwd', 'rb')",
    "reading-a-neighbour": "open('../there', 'rb')",
    "listing-the-work-folder": "os.listdir('..')",
    "listing-the-root": "os.listdir('/')",
    "looking-into-the-filter": "open(f'/proc/{os.getppid()}/environ', 'rb')",
    "looking-into-its-memory": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "forking": "os.fork()",
    "spawning": "os.posix_spawn('/bin/true', ['true'], {})",
    "becoming-another-program": "os.execv('/bin/true', ['true'])",
    "becoming-a-shell": "os.execv('/bin/sh', ['sh'])",
    "signalling-the-filter": "os.kill(os.getppid(), 0)",
    "signalling-its-group": "os.killpg(0, 0)",
    "leaving-its-session": "os.setsid()",
    "a-pid-descriptor": "os.pidfd_open(os.getppid())",
    "lowering-another's-priority": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "a-unix-socket": "socket.socket(socket.AF_UNIX)",
    "a-tcp-socket": "socket.socket(socket.AF_INET)",
    "a-pair-of-sockets": "socket.socketpair()",
}  # fmt: skip


@pytest.mark.parametrize("action", DENIED.values(), ids=DENIED)
def test_it_is_denied(action, run, work):
    (work / "there").write_bytes(b"secret")
    (work / "there").chmod(0o666)
    said = run(
        f"import os\nimport socket\ntry:\n    {action}\nexcept OSError as error:\n    print(error.errno)\nelse:\n    print('done')"
    )
    assert said.output in (b"%d\n" % EPERM, b"%d\n" % EACCES)
    assert said.left == ["there"] and (work / "there").read_bytes() == b"secret"
    assert not Path("/tmp/amavis-pipe-test-helper").exists()


CALLS = {"ptrace": (101, 16, "os.getppid()", 0, 0), "process_vm_readv": (310, "os.getppid()", 0, 0, 0, 0, 0), "io_uring_setup": (425, 1, 0),
         "fallocate": (285, 1, 1, 0, 4096), "unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0), "bpf": (321, 0, 0, 0), "keyctl": (250, 0, 0), "prctl": (157, 4, 1)}  # fmt: skip


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_kernel_refuses_it(call, run):
    arguments = ", ".join(map(str, call))
    said = run(
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.syscall({arguments}), ctypes.get_errno())"
    )
    assert said.output == b"-1 %d\n" % EPERM


def test_a_shell_has_no_pipelines(run):
    said = run("echo before\necho x | cat\necho after", job="shell")
    assert said.output == b"before\n" and said.status != 0


def test_it_can_start_threads(run):
    said = run(
        "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\n"
        "_thread.start_new_thread(lock.release, ())\nprint(lock.acquire(timeout=20))"
    )
    assert said.output == b"True\n"


def test_it_has_no_descriptors_but_the_standard_ones(run):
    said = run(
        "import os, stat\nfound = []\nfor fd in range(70000):\n    try:\n"
        "        found.append((fd, stat.S_IFMT(os.fstat(fd).st_mode)))\n    except OSError:\n        pass\nprint(found)"
    )
    null, pipe = stat.S_IFCHR, stat.S_IFIFO
    assert said.output.decode() == f"{[(0, null), (1, pipe), (2, null)]}\n"


def test_it_cannot_read_what_it_wrote_or_others_did(run):
    said = run("import os\ntry:\n    os.read(1, 1)\nexcept OSError as error:\n    print(error.strerror)")
    assert said.output == b"Bad file descriptor\n"


def test_its_environment_and_its_arguments_are_ours(run):
    os.environ["SECRET"] = "secret"
    try:
        said = run("import os, sys\nprint(dict(os.environ), sys.argv)", b"--word")
    finally:
        del os.environ["SECRET"]
    expected = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    }
    assert said.output.decode() == f"{expected} ['file.py', '--word']\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another")
def test_it_is_nobody(run):
    said = run("import os\nprint(os.getresuid(), os.getresgid(), os.getgroups())")
    assert said.output == b"(65534, 65534, 65534) (65534, 65534, 65534) []\n"


def test_it_may_not_become_root_again(run):
    said = run("import os\ntry:\n    os.setuid(0)\nexcept OSError as error:\n    print(error.errno)\n")
    assert said.output == b"%d\n" % EPERM


def test_signals_of_the_filter_are_not_its_own(run):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        said = run(
            "import signal\nprint(int(signal.getsignal(signal.SIGTERM)), signal.pthread_sigmask(0, ()))"
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert said.output == b"0 set()\n"


def test_its_limits_stand(run):
    budget = Budget(1 << 20, 100, 14, time.monotonic() + 7)
    said = run(
        "import resource as r\nprint([r.getrlimit(one) for one in "
        "(r.RLIMIT_DATA, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_CORE)], r.getrlimit(r.RLIMIT_CPU)[0] <= 8)",
        budget=budget,
        memory=200 << 20,
    )
    assert said.output.decode() == f"{[(200 << 20,) * 2, (0, 0), (64, 64), (0, 0)]} True\n"


def test_more_memory_than_the_limit_is_not_had(run):
    said = run(
        "kept = []\ntry:\n    while True:\n        kept.append(bytes(1 << 20))\n"
        "except MemoryError:\n    size = len(kept)\n    kept.clear()\n    print(size)",
        memory=100 << 20,
    )
    assert 20 < int(said.output) < 100


def test_memory_that_several_could_share_is_limited_too(run):
    said = run(
        "import mmap\nkept = []\ntry:\n    while True:\n        kept.append(mmap.mmap(-1, 64 << 20))\n"
        "except OSError:\n    print(len(kept) * 64)",
        memory=100 << 20,
    )
    assert 64 <= int(said.output) < 100 + 512


def test_one_that_is_killed_is_told_of_so(run):
    said = run("import os\nprint('before', flush=True)\nos.abort()")
    assert (said.output, said.status, said.findings, said.left) == (b"before\n", KILLED, [], [])


def test_several_run_one_after_the_other(run):
    def unpack(blob, sink):
        for number in range(5):
            said = sink.run("script", b"%d" % number)
            assert b"".join(said) == b"%d\n" % number and said.status == number

    said = run("import sys\nprint(sys.argv[1], flush=True)\nsys.exit(int(sys.argv[1]))", unpack=unpack)
    assert said.findings == [] and said.left == []


ENDLESS = "import os, sys\nprint(os.getpid(), flush=True)\nwhile True:\n    "
"""A script that tells its process id, and goes on."""
GOES_ON = {"silent": ENDLESS + "pass", "loud": ENDLESS + "sys.stdout.buffer.write(bytes(1 << 16))"}


def is_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def pid_in(output: bytes) -> int:
    return int(output.partition(b"\n")[0])


@pytest.mark.parametrize("script", GOES_ON.values(), ids=GOES_ON)
def test_it_ends_when_the_time_is_over(script, run):
    budget = Budget(1 << 40, 100, 14, time.monotonic() + 0.5)
    if "bytes" in script:
        budget = Budget(50 << 20, 100, 14, time.monotonic() + 0.5)
    said = run(script, budget=budget)
    assert said.findings[0][0] in ("limit:seconds", "limit:quota") and said.left == []
    assert is_dead(pid_in(said.output))


def test_it_ends_at_the_quota(run):
    said = run(GOES_ON["loud"], budget=Budget(1 << 20, 100, 14, time.monotonic() + 60))
    assert said.findings == [("limit:quota", "1")] and said.left == [] and is_dead(pid_in(said.output))


@pytest.mark.parametrize("script", GOES_ON.values(), ids=GOES_ON)
def test_it_ends_when_no_more_is_wanted_and_the_next_one_runs(script, run):
    def unpack(blob, sink):
        chunks = iter(sink.run("script", b"-"))
        sink.add([next(chunks)], (b"output",))
        chunks.close()
        other = sink.run("code", b"print('other')")
        assert b"".join(other) == b"other\n"
        sink.add([b"%d" % other.status], (b"status",))

    said = run(script, unpack=unpack)
    assert said.findings == [] and said.left == [] and said.status == 0
    assert is_dead(pid_in(said.output))


@pytest.mark.parametrize("script", GOES_ON.values(), ids=GOES_ON)
def test_it_ends_when_the_child_does(script, run):
    def unpack(blob, sink):
        sink.add([next(iter(sink.run("script", b"-")))], (b"output",))
        chunks = iter(sink.run("script", b"-"))
        sink.add([next(chunks)], (b"second",))
        os._exit(0)

    said = run(script, unpack=unpack)
    assert said.findings == [("crash:bad", "1")] and said.left == []
    assert is_dead(pid_in(said.output))


def test_it_ends_when_the_filter_does(run):
    """The filter itself is killed: nobody is left to do it."""
    told = mmap.mmap(-1, 8)

    def unpack(blob, sink):
        pid = pid_in(next(iter_of := iter(sink.run("script", b"-"))))
        told[:8] = pid.to_bytes(8, "little")
        next(iter_of, b"")

    pid = os.fork()
    if pid == 0:
        try:
            run(GOES_ON["silent"], unpack=unpack)
        finally:
            os._exit(0)
    end = time.monotonic() + PATIENCE
    while not any(told[:8]) and time.monotonic() < end:
        os.sched_yield()
    helper = os.pidfd_open(int.from_bytes(told[:8], "little"))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    ended = select.select([helper], [], [], PATIENCE)[0]
    os.close(helper)
    assert ended


REFUSED = {
    "a-program-that-is-not-there": ("absent", ()),
    "a-job-that-is-not-in-the-table": ("no-such-job", ()),
    "a-word-with-nul": ("script", (b"a\0b",)),
    "a-word-too-long": ("script", (b"a" * (programs.WORD + 1),)),
    "too-many-words": ("script", (b"",) * (programs.WORDS + 1)),
    "numbers-that-are-none": ("unar", (b"x", b"1", b"-o/tmp")),
}


@pytest.mark.parametrize(("job", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_missing_and_nothing_runs(job, words, run):
    said = run("print('ran')", *words, job=job)
    assert (said.output, said.status, said.left) == (b"", MISSING, [])


def test_a_word_of_the_largest_size_is_given_whole(run):
    said = run("import sys\nprint(len(sys.argv[1]))", b"a" * programs.WORD)
    assert said.output == b"%d\n" % programs.WORD


def test_a_part_that_was_not_given_is_not_had(run):
    said = run("print('ran')", paths=("9",))
    assert said.findings == [("crash:decompose", "1")] and said.output == b"" and said.left == []


def test_several_parts_are_several_files_in_their_order(run):
    code = b"print([open(f'file.part{n}.bin', 'rb').read() for n in (1, 2)])"
    said = run("first", code, job="code", paths=("1", "2"))
    assert said.output == b"[b'first', b'second']\n"
    said = run("first", code, job="code", paths=("2", "1"))
    assert said.output == b"[b'second', b'first']\n"


def test_a_part_is_not_copied_twice(run):
    said = run("print('ran')", paths=("1", "2", "1"))
    assert said.findings == [("crash:decompose", "1")] and said.output == b"" and said.left == []


def test_more_parts_than_a_program_can_be_given_are_refused(run):
    said = run("print('ran')", paths=("1", "2"))
    assert (said.output, said.status, said.left) == (b"", MISSING, [])


def test_a_child_that_asks_and_never_listens_is_not_waited_for(run):
    def unpack(blob, sink):
        outside, size = sink.walk.outside, array.array("i", [0])
        for number in range(1, 14_000):  # five bytes each: more than a pipe holds
            os.write(outside._pipe, b"run nothing 1 -\n")
            for _ in range(20_000):
                fcntl.ioctl(outside._task.answer, termios.FIONREAD, size, True)
                if size[0] >= 5 * number:
                    break
            else:
                break
        time.sleep(1000)

    said = run("", unpack=unpack, budget=Budget(1 << 20, 100, 14, time.monotonic() + 5))
    assert said.findings == [("limit:seconds", "1")]


@pytest.mark.parametrize("broken", ["fork", "pidfd_open"])
def test_one_that_cannot_be_started_is_trouble_and_leaves_nothing(run, monkeypatch, broken, work):
    from amavis_pipe.jail import helper

    class Failing:
        def __getattr__(self, name):
            return getattr(os, name)

    failing = Failing()

    def fail(*arguments):
        raise OSError(11, "Resource temporarily unavailable")

    setattr(failing, broken, fail)
    monkeypatch.setattr(helper, "posix", failing)
    with pytest.raises(SandboxTrouble, match="helper: Resource temporarily unavailable"):
        run("print('ran')")
    assert not list(work.iterdir())


def test_no_room_for_its_input_is_trouble(run, monkeypatch):
    def full(fd, chunks):
        raise SpoolTrouble("spool: No space left on device")

    monkeypatch.setattr("amavis_pipe.jail.helper.write_all", full)
    with pytest.raises(SpoolTrouble, match="No space left"):
        run("print('ran')")


def test_the_filter_s_descriptors_are_as_before(run):
    before = len(os.listdir("/proc/self/fd"))
    said = run("print('ran')")
    assert said.output == b"ran\n" and len(os.listdir("/proc/self/fd")) == before + 1  # the arena


def test_what_a_helper_says_last_is_not_left_for_the_next(monkeypatch):
    """Between looking for its output and looking for its end it may have said more, and ended."""
    (said, out), (answer, ended), (lines, pipe) = os.pipe(), os.pipe(), os.pipe()
    real = select.poll

    class Late:
        def __init__(self) -> None:
            self._real, self._fds = real(), []

        def register(self, fd: int, what: int) -> None:
            self._real.register(fd, what)
            self._fds.append(fd)

        def poll(self, *timeout: int) -> list[tuple[int, int]]:
            return [(answer, select.POLLIN)] if answer in self._fds else self._real.poll(*timeout)

    monkeypatch.setattr(child, "poll", Late)
    task = SimpleNamespace(said=said, answer=answer, clues=None)
    try:
        for text in (b"first", b"second"):
            os.write(out, text)
            os.write(ended, done(0))
            assert [*child.Outside(task, pipe).run(Wanted("job", (), ()), lambda: None)] == [text, 0]
    finally:
        for fd in (said, out, answer, ended, lines, pipe):
            os.close(fd)
