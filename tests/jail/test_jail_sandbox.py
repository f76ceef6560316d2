"""sandbox: real children. What they may not do they can't, and however they end, the mail goes on."""

import _thread
import ctypes
import fcntl
import hashlib
import os
import signal
import socket
import stat
import tempfile
import time
from errno import EACCES, EPERM
from pathlib import Path

import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.jail import landlock, sandbox
from amavis_pipe.model import Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import Blob, unnamed
from amavis_pipe.walk import Decoder

MARK = "application/x-test"


@pytest.fixture
def run(tmp_path):
    """A function: what a child finds in two parts, the first opened by `unpack`, the second by a tame decoder."""
    arenas = []

    def tame(blob, sink):
        sink.add([b"tame"], (b"tame",))

    def run(unpack, budget: Budget | None = None, blob: Blob | None = None, broken=(), **options):
        decoders = {
            "1": [Decoder("bad", (MARK,), unpack, broken=broken)],
            "2": [Decoder("tame", (MARK,), tame)],
        }
        given = [Part(path, kind=MARK, blob=blob or Blob(b"input")) for path in ("1", "2")]
        budget = budget or Budget.of(Limits(), 1 << 20)
        parts, findings = sandbox.unpack_in_child(
            given,
            budget,
            os.fsencode(tmp_path),
            load=lambda: lambda part: decoders.get(part.path, []),
            **options,
        )
        arenas.extend({one.blob.fd for one in parts if one.blob})
        return parts, [(one.grade, one.name, one.part) for one in findings]

    yield run
    for arena in arenas:
        os.close(arena)


@pytest.mark.parametrize("name", ["ambiguous:boundary", "external:body"])
def test_a_note_of_a_child_stays_a_note(run, name):
    def noting(blob, sink):
        sink.note(name)
        sink.add([b"x"], (b"x",))

    parts, findings = run(noting)
    assert findings == [("note", name, "1")]
    assert [part.path for part in parts] == ["1.1", "2.1"]


def test_a_large_caller_leaves_its_child_as_much_memory_as_a_small_one(run):
    """The library's caller may have more than the limit already: that comes along by the fork."""
    held = bytearray(1 << 30)

    def unpack(blob, sink):
        sink.add([bytes(50 << 20)], (b"x",))

    parts, findings = run(unpack, Budget.of(Limits(), 20 << 20), memory=200 << 20)
    assert ([part.size for part in parts], findings) == ([50 << 20, 4], [])
    assert len(held) == 1 << 30


@pytest.fixture
def ask(run):
    """A function: what `action` gives in the child, as bytes; for an OSError its name's number."""

    def ask(action, **options) -> bytes | int:
        def unpack(blob, sink):
            try:
                result = action()
                sink.add([b"" if result is None else bytes(result)], (b"result",))
            except OSError as error:
                sink.add([b"%d" % error.errno], (b"error",))

        parts, findings = run(unpack, **options)
        assert findings == []
        result = parts[0].blob.head(1000)
        return int(result) if parts[0].names == (b"error",) else result

    return ask


@pytest.fixture
def open_folder():
    """A folder that all may read and write, with a file `there` like it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "there").write_bytes(b"secret")
        (folder / "there").chmod(0o666)
        yield folder


def test_what_the_child_adds_comes_back_with_its_hash(run):
    def unpack(blob, sink):
        sink.add([blob.head(9), b"!"], (b"a\xff",), b"text/x", ("odd",))
        sink.unchecked("encrypted:bad")

    budget = Budget.of(Limits(), 1 << 20)
    parts, findings = run(unpack, budget)
    first = parts[0]
    assert (first.path, first.names, first.claimed, first.kind) == (
        "1.1",
        (b"a\xff",),
        b"text/x",
        "text/plain",
    )
    assert (first.size, first.decoder, first.flags, first.blob.head(99)) == (6, "bad", ("odd",), b"input!")
    assert first.sha256 == hashlib.sha256(b"input!").hexdigest()
    assert [one.path for one in parts] == ["1.1", "2.1"]
    assert findings == [("unchecked", "encrypted:bad", "1")]
    assert (budget.used, budget.files, budget.hit) == (10, 1498, [])


def test_both_locks_stand_here():
    found = sandbox.capabilities()
    assert found.landlock >= 1 and found.seccomp


def _connect(family, address):
    with socket.socket(family) as one:
        one.connect(address)


SPOOL = tempfile.TemporaryFile()  # noqa: SIM115 - of this process, as another mail's is
DENIED = {
    "memory-that-no-limit-counts": lambda folder: os.memfd_create("x"),
    "reading-a-file-all-may-read": lambda folder: Path("/etc/passwd").read_bytes(),
    "reading-secrets": lambda folder: Path("/etc/shadow").read_bytes(),
    "reading-a-neighbour's-file": lambda folder: (folder / "there").read_bytes(),
    "listing-a-folder": os.listdir,
    "reading-the-parent": lambda folder: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "reading-the-parent's-memory": lambda folder: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
    "reading-another-mail's-spool": lambda folder: os.open(f"/proc/{os.getppid()}/fd/{SPOOL.fileno()}", os.O_RDONLY),
    "what-the-filter-was-given": lambda folder: os.open(f"/proc/{os.getppid()}/fd/0", os.O_RDONLY),
    "listing-the-root": lambda folder: os.listdir("/"),
    "writing": lambda folder: (folder / "there").write_bytes(b"x"),
    "cutting": lambda folder: os.truncate(folder / "there", 0),
    "making": lambda folder: os.open(folder / "new", os.O_CREAT | os.O_WRONLY),
    "making-without-a-name": lambda folder: os.open(folder, os.O_TMPFILE | os.O_RDWR),
    "making-a-folder": lambda folder: os.mkdir(folder / "new"),
    "linking": lambda folder: os.symlink("x", folder / "new"),
    "renaming": lambda folder: os.rename(folder / "there", folder / "new"),
    "removing": lambda folder: os.unlink(folder / "there"),
    "changing-rights": lambda folder: os.chmod(folder / "there", 0),
    "changing-times": lambda folder: os.utime(folder / "there"),
    "running": lambda folder: os.execv("/bin/true", ["true"]),
    "forking": lambda folder: os.fork(),
    "spawning": lambda folder: os.posix_spawn("/bin/true", ["true"], {}),
    "signalling": lambda folder: os.kill(os.getppid(), 0),
    "signalling-itself": lambda folder: os.kill(os.getpid(), 0),
    "a-unix-socket": lambda folder: _connect(socket.AF_UNIX, str(folder / "socket")),
    "an-abstract-socket": lambda folder: _connect(socket.AF_UNIX, "\0abstract"),
    "tcp": lambda folder: _connect(socket.AF_INET, ("127.0.0.1", 25)),
    "a-pair-of-sockets": lambda folder: socket.socketpair(),
    "leaving-its-session": lambda folder: os.setsid(),
    "a-pid-descriptor": lambda folder: os.pidfd_open(os.getppid()),
    "lowering-another's-priority": lambda folder: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "owner-of-a-pipe": lambda folder: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getppid()),
}  # fmt: skip


@pytest.mark.parametrize("action", DENIED.values(), ids=DENIED)
def test_the_child_is_denied(action, ask, open_folder):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(open_folder / "socket"))
        (open_folder / "socket").chmod(0o777)
        listening.listen()
        assert ask(lambda: action(open_folder)) in (EPERM, EACCES)
    assert (open_folder / "there").read_bytes() == b"secret"
    assert sorted(one.name for one in open_folder.iterdir()) == ["socket", "there"]


CALLS = {"ptrace": (101, 0, 0, 0, 0), "io_uring_setup": (425, 1, 0), "keyctl": (250, 0, 0), "unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0),
         "bpf": (321, 0, 0, 0), "perf_event_open": (298, 0, 0, 0, 0, 0), "process_vm_readv": (310, 1, 0, 0, 0, 0), "prctl": (157, 3)}  # fmt: skip


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_kernel_refuses_the_child(call, ask):
    from amavis_pipe.jail.libc import syscall

    assert ask(lambda: syscall(*call)) == EPERM


def test_the_child_can_start_threads(ask):
    def action():
        lock = _thread.allocate_lock()
        lock.acquire()
        _thread.start_new_thread(lock.release, ())
        return b"%d" % lock.acquire(timeout=20)

    assert ask(action) == b"1"


def test_the_child_reads_the_interpreter_s_own_files(ask):
    assert ask(lambda: Path(os.__file__).read_bytes()[:3]) == b'r""'


def test_the_child_is_not_root(ask):
    assert ask(lambda: b"%d %d %d" % (os.geteuid() == 0, os.getegid() == 0, 0 in os.getgroups())) == b"0 0 0"


def test_the_child_has_only_the_descriptors_it_needs(ask):
    def descriptors():
        found = []
        for fd in range(1000):
            try:
                found.append(
                    (stat.S_IFMT(os.fstat(fd).st_mode), fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE)
                )
            except OSError:
                continue
        return repr(found).encode()

    null, pipe, arena = (stat.S_IFCHR, os.O_RDWR), (stat.S_IFIFO, os.O_WRONLY), (stat.S_IFREG, os.O_RDWR)
    told = (stat.S_IFIFO, os.O_RDONLY)  # a helper's output, and its end
    assert ask(descriptors) == repr([null, null, null, pipe, arena, told, told]).encode()


def test_the_mail_that_a_part_lies_in_can_be_read_but_not_changed(run, tmp_path):
    mail = unnamed(os.fsencode(tmp_path))
    os.write(mail, b"the mail")
    attempts = [
        lambda fd: os.pwrite(fd, b"CHANGED!", 0),
        lambda fd: os.ftruncate(fd, 0),
        lambda fd: os.open(f"/proc/self/fd/{fd}", os.O_RDWR),
    ]

    def unpack(blob, sink):
        sink.add([blob.head(99)])
        for attempt in attempts:
            try:
                attempt(blob.fd)
            except OSError as error:
                sink.add([error.strerror.encode()])

    parts, findings = run(unpack, blob=Blob(None, mail, 0, 8))
    assert [one.blob.head(99) for one in parts[:4]] == [
        b"the mail", b"Bad file descriptor", b"Invalid argument", b"Operation not permitted",
    ]  # fmt: skip
    assert os.pread(mail, 99, 0) == b"the mail" and findings == []
    os.close(mail)


def test_signals_of_the_filter_are_not_the_child_s(ask):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert ask(lambda: repr(signal.getsignal(signal.SIGTERM)).encode()) == b"<Handlers.SIG_DFL: 0>"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_standard_descriptors_that_are_ours_are_moved_out_of_the_way(run, tmp_path):
    mail = unnamed(os.fsencode(tmp_path))
    os.write(mail, b"the mail")
    kept = os.dup(0)
    os.dup2(mail, 0)
    try:
        parts, _ = run(lambda blob, sink: sink.add([os.read(0, 9), blob.head(8)]), blob=Blob(None, 0, 0, 8))
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(mail)
    assert parts[0].blob.head(99) == b"the mail"


class Ours(Exception):
    """A bug of ours."""


def _segfault(blob, sink):
    sink.add([b"before"])
    ctypes.string_at(0)


def _leave(blob, sink):
    sink.add([b"before"])
    os._exit(0)


def _abort(blob, sink):
    sink.add([b"before"])
    os.abort()


def _hang(blob, sink):
    sink.add([b"before"])
    while True:
        pass


def _sleep(blob, sink):
    sink.add([b"before"])
    time.sleep(1000)


def _pipe() -> int:
    """The child's descriptor of the pipe to the filter."""
    fds = [fd for fd in range(16, 1000) if _is_open(fd)]
    return next(fd for fd in fds if stat.S_ISFIFO(os.fstat(fd).st_mode))


def _is_open(fd: int) -> bool:
    try:
        return bool(os.fstat(fd))
    except OSError:
        return False


def _talk(blob, sink):
    sink.add([b"before"])
    os.write(_pipe(), b"part 1.2 text/plain 99999999 0 zip - - -\n")


def _flood(blob, sink):
    sink.add([b"before"])
    pipe = _pipe()
    while True:
        os.write(pipe, b"x" * 4096)


ENDS = {
    "segfault": (_segfault, "crash:bad"),
    "exit": (_leave, "crash:bad"),
    "abort": (_abort, "crash:bad"),
    "lie": (_talk, "crash:decompose"),
    "flood": (_flood, "crash:decompose"),
    "loop": (_hang, "limit:seconds"),
    "sleep": (_sleep, "limit:seconds"),
}


@pytest.mark.parametrize(("unpack", "name"), ENDS.values(), ids=ENDS)
def test_what_came_before_the_end_is_kept_and_the_rest_is_unchecked(unpack, name, run, monkeypatch):
    monkeypatch.setattr(sandbox, "GRACE", 0.0)
    budget = Budget(1 << 20, 100, 14, time.monotonic() + (0.3 if name == "limit:seconds" else 60))
    parts, findings = run(unpack, budget)
    assert (parts[0].path, parts[0].blob.head(9)) == ("1.1", b"before")
    assert ("unchecked", name, "1") in findings
    assert [one.path for one in parts] == ["1.1", "2.1"] or [found[2] for found in findings] == ["1", "2"]
    assert budget.hit == (["seconds"] if name == "limit:seconds" else [])


def test_one_that_uses_up_its_cpu_time_met_the_limit_of_seconds(run, monkeypatch):
    monkeypatch.setattr(sandbox, "GRACE", 30.0)
    _, findings = run(_hang, Budget(1 << 20, 100, 14, time.monotonic() + 0.3))
    assert ("unchecked", "limit:seconds", "1") in findings


def _grow(blob, sink):
    sink.add([b"before"])
    kept = []
    while True:
        kept.append(bytes(1 << 20))


def _fail(blob, sink):
    sink.add([b"before"])
    raise Ours


def _fail_inside(blob, sink):
    def chunks():
        yield b"before"
        raise Ours

    sink.add(chunks())


def _fail_as_told(blob, sink):
    sink.add([b"before"])
    raise KeyError


def _too_much(blob, sink):
    while True:
        sink.add([b"before"])


GOES_ON = {
    "memory": (_grow, "limit:memory", ["1.1", "2.1"]),
    "bug": (_fail, "crash:bad", ["1.1", "2.1"]),
    "bug-in-a-part": (_fail_inside, "crash:bad", ["1.1", "2.1"]),
    "bad-input": (_fail_as_told, "broken:bad", ["1.1", "2.1"]),
}


@pytest.mark.parametrize(("unpack", "name", "paths"), GOES_ON.values(), ids=GOES_ON)
def test_an_exception_ends_one_part_and_the_next_is_opened(unpack, name, paths, run):
    parts, findings = run(unpack, memory=200 << 20, broken=(KeyError,))
    assert findings == [("unchecked", name, "1")]
    assert [one.path for one in parts] == paths and parts[0].blob.head(9) == b"before"


def test_parts_without_end_meet_the_limit_of_files_and_the_rest_is_unchecked(run):
    budget = Budget(1 << 20, 20, 14, time.monotonic() + 60)
    parts, findings = run(_too_much, budget)
    assert len(parts) == 20 and budget.files == 0 and budget.hit == ["files"]
    assert findings == [("unchecked", "limit:files", "1"), ("unchecked", "limit:files", "2")]


def test_bytes_without_end_meet_the_quota(run):
    budget = Budget(1 << 20, 20, 14, time.monotonic() + 60)

    def unpack(blob, sink):
        sink.add(iter(lambda: bytes(1000), b""))

    parts, findings = run(unpack, budget)
    assert parts[0].flags == ("partial",) and (1 << 20) - 1000 < parts[0].size <= 1 << 20
    assert findings == [("unchecked", "limit:quota", "1"), ("unchecked", "limit:quota", "2")]
    assert budget.used == parts[0].size


def test_no_process_is_left_behind(run):
    parts, _ = run(lambda blob, sink: sink.add([b"%d" % os.getpid()]))
    with pytest.raises(ProcessLookupError):
        os.kill(int(parts[0].blob.head(20)), 0)


def test_the_filter_s_descriptors_are_as_before(run):
    before = len(os.listdir("/proc/self/fd"))
    parts, _ = run(_segfault)
    assert len(os.listdir("/proc/self/fd")) == before + 1  # the arena
    assert parts[0].blob is not None


@pytest.mark.parametrize("function", ["landlock.version", "seccomp.install"])
def test_without_a_lock_nothing_is_decoded(function, run, monkeypatch):
    monkeypatch.setattr(f"amavis_pipe.jail.{function}", _missing)
    with pytest.raises(SandboxTrouble, match="sandbox: "):
        run(_leave)


def _missing():
    raise OSError(38, "Function not implemented")


def test_a_kernel_without_landlock_is_said_so(run, monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    with pytest.raises(SandboxTrouble, match="the kernel has no Landlock"):
        run(_leave)


def test_prefer_goes_on_with_what_there_is(run, monkeypatch):
    logged = []
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(sandbox.journal, "log", lambda level, text: logged.append(text))
    parts, findings = run(lambda blob, sink: sink.add([b"here"]), mode="prefer")
    assert parts[0].blob.head(9) == b"here" and findings == []
    assert len(logged) == 1


def test_a_fork_that_fails_is_trouble(run, monkeypatch):
    monkeypatch.setattr(sandbox.posix, "fork", _missing)
    with pytest.raises(SandboxTrouble, match="fork"):
        run(_leave)


def test_decoders_that_cannot_be_loaded_are_trouble(tmp_path):
    def load():
        raise ImportError("no module")

    with pytest.raises(SandboxTrouble, match="no module"):
        sandbox.unpack_in_child(
            [Part("1", kind=MARK, blob=Blob(b""))], Budget.of(Limits(), 9), os.fsencode(tmp_path), load=load
        )


def test_no_room_for_the_parts_is_trouble(run):
    def unpack(blob, sink):
        raise SpoolTrouble("spool: No space left on device")

    with pytest.raises(SpoolTrouble, match="No space left"):
        run(unpack)


def test_a_folder_that_is_not_there_is_trouble():
    with pytest.raises(SpoolTrouble, match="/nowhere"):
        sandbox.unpack_in_child([Part("1", kind=MARK, blob=Blob(b""))], Budget.of(Limits(), 9), b"/nowhere")
