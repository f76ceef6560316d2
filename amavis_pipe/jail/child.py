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
from select import POLLIN, poll
from time import monotonic

from amavis_pipe.budget import LimitHit
from amavis_pipe.jail import landlock, seccomp
from amavis_pipe.jail.libc import syscall
from amavis_pipe.jail.programs import site_folders
from amavis_pipe.jail.wire import (
    LINE,
    End,
    Event,
    Failed,
    Jailed,
    Listed,
    Opening,
    Stop,
    Wanted,
    read_done,
    write,
)
from amavis_pipe.kinds import Formats
from amavis_pipe.model import Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import CHUNK, PAGE, Store
from amavis_pipe.walk import Decoder, Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amavis_pipe.jail.sandbox import Task
    from amavis_pipe.spool import Blob
    from amavis_pipe.walk import Openers, Sink, Unpack

NOBODY = 65534
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache")
"""What any program needs to read."""
DESCRIPTORS = 64
_PATIENCE = 1000
"""Milliseconds after which a decoder that waits for a helper looks at the clock."""
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
        openers, formats = _decoders(task)
        _tell(pipe, stands)
    except (SandboxTrouble, OSError, ImportError) as error:
        _tell(pipe, Failed("sandbox", str(error)))
        return
    try:
        _unpack(task, pipe, openers, formats)
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
    paths = [sys.base_prefix, package, *SYSTEM]
    paths += [path for path in sys.path if path.endswith(("/site-packages", "/dist-packages"))]
    return [path for path in dict.fromkeys(paths) if len(path) > 1 and not path.startswith("/usr/")]


def _settle_in(task: "Task", pipe: int) -> int:
    """All of the sandbox but its locks; the pipe's new number."""
    begin_anew()
    pipe = _keep_descriptors(task, pipe)
    if posix.geteuid() == 0:
        become_nobody()
    die_with(task.parent)
    _set_limits(task)
    keep_privileges_away()
    sys.path += [folder for folder in site_folders() if folder not in sys.path]
    return pipe


def begin_anew() -> None:
    """A session of its own, and no signals held or dealt with."""
    posix.setsid()
    pthread_sigmask(SIG_SETMASK, ())
    for number in {*range(1, 32)} - {SIGKILL, SIGSTOP}:
        signal(number, SIG_DFL)


def _keep_descriptors(task: "Task", pipe: int) -> int:
    """Leave open: the pipes, the arena, and a read-only one of each file that a part lies in."""
    parts = (*task.parts, *(task.clues.texts if task.clues else ()))
    own = [pipe, task.arena, task.said, task.answer]
    pipe, task.arena, task.said, task.answer = keep_only(own, [part.blob for part in parts])
    return pipe


def keep_only(own: list[int], blobs: "list[Blob | None]") -> list[int]:
    """Close all descriptors but these, and read-only ones of the files that blobs lie in; the new numbers.

    The blobs are changed to where their files are then; 0, 1 and 2 are /dev/null.
    """
    filed = {id(blob): blob for blob in blobs if blob is not None and blob.fd >= 0}
    kept = {fd: _moved(_read_only(fd)) for fd in {blob.fd for blob in filed.values()}}
    for blob in filed.values():
        blob.fd = kept[blob.fd]
    own = [_moved(fd) for fd in own]
    null = posix.open("/dev/null", posix.O_RDWR)
    for standard in (0, 1, 2):
        posix.dup2(null, standard)
    below = 2
    for fd in sorted({*own, *kept.values()}):
        posix.closerange(below + 1, fd)
        below = fd
    posix.closerange(below + 1, highest())
    return own


def highest() -> int:
    """A number above those of all descriptors."""
    return max(posix.sysconf("SC_OPEN_MAX"), 1 << 16)


def _moved(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST)


def _read_only(fd: int) -> int:
    """The same file, open for reading: the mail itself may lie in it, and must stay as it is."""
    try:
        return posix.open(f"/proc/self/fd/{fd}", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError as error:
        raise SandboxTrouble(f"/proc/self/fd: {error.strerror}") from None


def become_nobody() -> None:
    """Stop being root."""
    posix.setgroups([])
    posix.setresgid(NOBODY, NOBODY, NOBODY)
    posix.setresuid(NOBODY, NOBODY, NOBODY)


def die_with(parent: int) -> None:
    """Have this process killed when the filter dies; to be called after a change of user, which clears it."""
    _set(_PR_SET_PDEATHSIG, SIGKILL)
    if posix.getppid() != parent:
        raise SandboxTrouble("the filter died")


def keep_privileges_away() -> None:
    """Never again have more rights than now, nor be looked into by others of this user."""
    _set(_PR_SET_DUMPABLE, 0)
    _set(_PR_SET_NO_NEW_PRIVS, 1)


def _set_limits(task: "Task") -> None:
    budget = task.budget
    seconds = max(1, ceil(budget.deadline - monotonic()) + 1)
    mapped, data = used()
    limit(task.memory + data, seconds, budget.quota + (budget.files + 2) * PAGE)
    # parts that are looked at are mapped, read only: room for that on top, but not as data
    limit_mapped(mapped + task.memory + budget.quota)


def limit(memory: int, seconds: int, written: int) -> None:
    """Bound this process for good: bytes of data, seconds of CPU, bytes of each file it writes."""
    _limit(resource.RLIMIT_DATA, memory)
    _limit(resource.RLIMIT_CPU, seconds, 1)  # SIGXCPU, which tells why, comes at the soft limit alone
    _limit(resource.RLIMIT_FSIZE, written)
    _limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
    _limit(resource.RLIMIT_CORE, 0)


def used() -> tuple[int, int]:
    """Bytes of address space and of data that came with the fork: a library's caller may be large."""
    with open("/proc/self/statm", "rb") as file:
        pages = [int(word) for word in file.read().split()]
    return pages[0] * PAGE, pages[5] * PAGE


def _limit(what: int, most: int, later: int = 0) -> None:
    """Set a limit, the hard one `later` above it."""
    hard = resource.getrlimit(what)[1]
    last = most + later if hard == resource.RLIM_INFINITY else min(most + later, hard)
    resource.setrlimit(what, (min(most, last), last))


def limit_mapped(size: int) -> None:
    """Bound this process's address space, in bytes: what is mapped for several is no data of its own."""
    _limit(resource.RLIMIT_AS, size)


def _set(option: int, value: int) -> None:
    machine = posix.uname().machine
    if machine not in _PRCTL:
        raise SandboxTrouble(f"no number of prctl for {machine}")
    syscall(_PRCTL[machine], option, value, 0, 0, 0)


def _unpack(task: "Task", pipe: int, openers: "Openers", formats: "Formats") -> None:
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

    outside = Outside(task, pipe)
    store = Store(b"/", arena=task.arena)
    walk = Walk(task.budget, store, guarded, formats, hashing=False, report=report, outside=outside)
    walk.open(task.parts)
    catch_up()


class Outside:
    """What a decoder can have of the filter: helper programs, and what may be passwords."""

    def __init__(self, task: "Task", pipe: int) -> None:
        self._task = task
        self._pipe = pipe
        self._passwords: list[bytes] | None = None
        self._tried = 0.0

    def run(self, wanted: Wanted, tick: "Callable[[], None]") -> "Iterator[bytes | int]":
        """What the helper says, in pieces; last its status. `tick` raises when there is no time left."""
        _tell(self._pipe, wanted)
        said, answer = self._task.said, self._task.answer
        events = poll()
        for fd in (said, answer):
            events.register(fd, POLLIN)
        ended = False
        try:
            while True:
                ready = {fd for fd, _ in events.poll(_PATIENCE)}
                if said in ready:
                    yield posix.read(said, CHUNK)
                elif answer in ready:
                    ended, status = True, read_done(posix.read(answer, LINE))
                    yield from _left(said)  # what it said after poll looked there
                    yield status
                    return
                tick()
        finally:
            if not ended:
                self._wait(said, answer)
            for _ in _left(said):
                pass

    def passwords(self) -> "Iterator[bytes]":
        """What may be passwords of what is in the mail, likely ones first; it ends when trying takes long."""
        clues = self._task.clues
        if clues is None:
            return
        if self._passwords is None:
            from amavis_pipe.decompose.passwords import candidates

            self._passwords = list(candidates(clues))
        for password in self._passwords:
            if self._tried > clues.seconds:
                return
            start = monotonic()
            yield password
            self._tried += monotonic() - start

    def is_tired(self) -> bool:
        """Whether passwords were tried for so long that no more are."""
        clues = self._task.clues
        return clues is not None and self._tried > clues.seconds

    def _wait(self, said: int, answer: int) -> None:
        """Have the helper ended, and drop what it still said."""
        _tell(self._pipe, Stop())
        events = poll()
        for fd in (said, answer):
            events.register(fd, POLLIN)
        while True:
            ready = {fd for fd, _ in events.poll()}
            if said in ready:
                posix.read(said, CHUNK)
            elif answer in ready:
                posix.read(answer, LINE)
                return


def _left(said: int) -> "Iterator[bytes]":
    """What a helper that has ended said and was not read yet."""
    events = poll()
    events.register(said, POLLIN)
    while events.poll(0) and (piece := posix.read(said, CHUNK)):
        yield piece


def _decoders(task: "Task") -> "tuple[Openers, Formats]":
    if task.load is not None:
        return task.load(), task.formats or Formats()
    from amavis_pipe.decompose import registry

    formats = registry.formats() if task.formats is None else task.formats
    return registry.openers(formats), formats


def _guard(decoder: Decoder) -> "Unpack":
    """The decoder's unpack, with what is our bug or lack of memory made findings: the others go on."""

    def unpack(blob: "Blob", sink: "Sink") -> bool:
        try:
            return bool(decoder.unpack(blob, sink))
        except (LimitHit, SpoolTrouble):
            raise
        except decoder.broken:
            raise
        except Exception as error:
            full = isinstance(error, MemoryError) or getattr(error, "errno", 0) == ENOMEM
            sink.unchecked("limit:memory" if full else "crash:" + decoder.name)
        return False

    return unpack


def _tell(pipe: int, event: Event) -> None:
    line = memoryview(write(event))
    while line:
        line = line[posix.write(pipe, line) :]
