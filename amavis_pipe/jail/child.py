"""The child's side of the sandbox: locks itself in, then takes parts apart and tells what comes out.

Promises: before a byte of the mail is decoded this process has no descriptor but the arena, its pipe
and read-only ones of the parts it was given; isn't root; has limits; can open nothing for writing,
start nothing, signal no one, and connect to nothing. What it says is judged by verify.py. Runs only
after fork(): no function here returns anything to the filter.
"""

import fcntl
import gc
import posix
import resource
import sys
from _signal import SIG_DFL, SIG_SETMASK, SIGKILL, SIGSTOP, pthread_sigmask, signal
from errno import ENOMEM
from math import ceil
from time import monotonic

from amavis_pipe.budget import LimitHit
from amavis_pipe.jail import landlock, seccomp
from amavis_pipe.jail.libc import syscall
from amavis_pipe.jail.wire import End, Event, Failed, Jailed, Listed, Opening, write
from amavis_pipe.model import Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import PAGE, Store
from amavis_pipe.walk import Decoder, Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.jail.sandbox import Task
    from amavis_pipe.kinds import Starts
    from amavis_pipe.spool import Blob
    from amavis_pipe.walk import Openers, Sink, Unpack

NOBODY = 65534
DESCRIPTORS = 64
_FIRST = 16  # our own descriptors are moved up to here, clear of 0, 1, 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PRCTL = {"x86_64": 157, "aarch64": 167}


def work(task: "Task", pipe: int) -> None:
    """Do the task, and tell over the pipe: the lines of wire.py."""
    gc.freeze()  # what the parent made is not looked at: that would copy every page of it
    gc.enable()  # off in the filter, which is short; a decoder may run long
    try:
        pipe = _settle_in(task, pipe)
        stands = lock(task.mode)
        openers, starts = _decoders(task)
        _tell(pipe, stands)
    except (SandboxTrouble, OSError, ImportError) as error:
        _tell(pipe, Failed("sandbox", str(error)))
        return
    try:
        _unpack(task, pipe, openers, starts)
        _tell(pipe, End())
    except SpoolTrouble as error:
        _tell(pipe, Failed("spool", str(error)))


def probe(pipe: int) -> None:
    """Build as much of the sandbox as this machine allows, and tell what that is."""
    _set(_PR_SET_NO_NEW_PRIVS, 1)
    _tell(pipe, lock("prefer"))


def lock(mode: str) -> Jailed:
    """Lock this process in for good; in mode "require" SandboxTrouble if a lock is missing."""
    stands = Jailed(0, False)
    missing = "the kernel has no Landlock"
    try:
        stands.landlock = landlock.restrict(readable())
    except OSError as error:
        missing = f"Landlock: {error.strerror}"
    if mode == "require" and not stands.landlock:
        raise SandboxTrouble(missing)
    try:
        seccomp.install()
        stands.seccomp = True
    except OSError as error:
        if mode == "require":
            raise SandboxTrouble(f"seccomp: {error.strerror}") from None
    return stands


def readable() -> list[str]:
    """What the child may read: the interpreter, its libraries, this package; no one's data."""
    package = __file__.rpartition("/jail/")[0]
    paths = [sys.base_prefix, package, "/usr", "/lib", "/lib64", "/etc/ld.so.cache"]
    paths += [path for path in sys.path if path.endswith(("/site-packages", "/dist-packages"))]
    return [path for path in dict.fromkeys(paths) if len(path) > 1 and not path.startswith("/usr/")]


def _settle_in(task: "Task", pipe: int) -> int:
    """All of the sandbox but its locks; the pipe's new number."""
    posix.setsid()
    pthread_sigmask(SIG_SETMASK, ())
    for number in {*range(1, 32)} - {SIGKILL, SIGSTOP}:
        signal(number, SIG_DFL)
    pipe = _keep_descriptors(task, pipe)
    if posix.geteuid() == 0:
        _become_nobody()
    # only now: a change of user clears it
    _set(_PR_SET_PDEATHSIG, SIGKILL)
    if posix.getppid() != task.parent:
        raise SandboxTrouble("the filter died")
    _set_limits(task)
    _set(_PR_SET_DUMPABLE, 0)
    _set(_PR_SET_NO_NEW_PRIVS, 1)
    sys.path += [folder for folder in _libraries() if folder not in sys.path]
    return pipe


def _keep_descriptors(task: "Task", pipe: int) -> int:
    """Leave open: the pipe, the arena, and a read-only one of each file that a part lies in."""
    blobs = {id(part.blob): part.blob for part in task.parts if part.blob is not None and part.blob.fd >= 0}
    kept = {fd: _moved(_read_only(fd)) for fd in {blob.fd for blob in blobs.values()}}
    for blob in blobs.values():
        blob.fd = kept[blob.fd]
    pipe, task.arena = _moved(pipe), _moved(task.arena)
    null = posix.open("/dev/null", posix.O_RDWR)
    for standard in (0, 1, 2):
        posix.dup2(null, standard)
    below = 2
    for fd in sorted({pipe, task.arena, *kept.values()}):
        posix.closerange(below + 1, fd)
        below = fd
    posix.closerange(below + 1, max(posix.sysconf("SC_OPEN_MAX"), 1 << 16))
    return pipe


def _moved(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST)


def _read_only(fd: int) -> int:
    """The same file, open for reading: the mail itself may lie in it, and must stay as it is."""
    try:
        return posix.open(f"/proc/self/fd/{fd}", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError as error:
        raise SandboxTrouble(f"/proc/self/fd: {error.strerror}") from None


def _become_nobody() -> None:
    posix.setgroups([])
    posix.setresgid(NOBODY, NOBODY, NOBODY)
    posix.setresuid(NOBODY, NOBODY, NOBODY)


def _set_limits(task: "Task") -> None:
    budget = task.budget
    seconds = max(1, ceil(budget.deadline - monotonic()) + 1)
    mapped, data = _used()
    # parts that are looked at are mapped, read only: room for that on top, but not as data
    _limit(resource.RLIMIT_AS, mapped + task.memory + budget.quota)
    _limit(resource.RLIMIT_DATA, data + task.memory)
    _limit(resource.RLIMIT_CPU, seconds)
    _limit(resource.RLIMIT_FSIZE, budget.quota + (budget.files + 2) * PAGE)
    _limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
    _limit(resource.RLIMIT_CORE, 0)


def _used() -> tuple[int, int]:
    """Bytes of address space and of data that came with the fork: a library's caller may be large."""
    with open("/proc/self/statm", "rb") as file:
        pages = [int(word) for word in file.read().split()]
    return pages[0] * PAGE, pages[5] * PAGE


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


def _set(option: int, value: int) -> None:
    machine = posix.uname().machine
    if machine not in _PRCTL:
        raise SandboxTrouble(f"no number of prctl for {machine}")
    syscall(_PRCTL[machine], option, value, 0, 0, 0)


def _libraries() -> "Iterator[str]":
    """Where third parties' modules are: an interpreter without `site` doesn't look there itself."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    prefix = sys.executable.rpartition("/bin/")[0]
    if prefix and prefix != sys.base_prefix:
        yield f"{prefix}/lib/{version}/site-packages"
    yield f"/usr/local/lib/{version}/dist-packages"
    yield "/usr/lib/python3/dist-packages"


def _unpack(task: "Task", pipe: int, openers: "Openers", starts: "Starts") -> None:
    told = 0

    def catch_up() -> None:
        nonlocal told
        for finding in walk.findings[told:]:
            _tell(pipe, finding)
        told = len(walk.findings)

    def report(part: Part) -> None:
        catch_up()
        blob = part.blob
        _tell(pipe, Listed(part, -1 if blob is None else blob.offset))

    def guarded(part: Part) -> "Iterator[Decoder]":
        for decoder in openers(part):
            catch_up()
            _tell(pipe, Opening(part.path, decoder.name))
            yield Decoder(decoder.name, decoder.kinds, _guard(decoder), broken=decoder.broken)

    store = Store(b"/", arena=task.arena)
    walk = Walk(task.budget, store, guarded, starts, hashing=False, report=report)
    walk.open(task.parts)
    catch_up()


def _decoders(task: "Task") -> "tuple[Openers, Starts]":
    if task.load is not None:
        return task.load(), task.starts or ()
    from amavis_pipe.decompose import registry

    starts = registry.starts() if task.starts is None else task.starts
    return registry.openers(starts), starts


def _guard(decoder: Decoder) -> "Unpack":
    """The decoder's unpack, with what is our bug or lack of memory made findings: the others go on."""

    def unpack(blob: "Blob", sink: "Sink") -> None:
        try:
            decoder.unpack(blob, sink)
        except (LimitHit, SpoolTrouble):
            raise
        except decoder.broken:
            raise
        except Exception as error:
            full = isinstance(error, MemoryError) or getattr(error, "errno", 0) == ENOMEM
            sink.unchecked("limit:memory" if full else "crash:" + decoder.name)

    return unpack


def _tell(pipe: int, event: Event) -> None:
    line = memoryview(write(event))
    while line:
        line = line[posix.write(pipe, line) :]
