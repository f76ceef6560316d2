"""Runs one helper program in a jail of its own, on copies of the parts it is to open.

Promises: the program is one of programs.py, with a command line made there; it can read its own program, the
system's libraries and its input, write to standard output and nothing else, connect to nothing, and start
nothing. Its memory and time are bounded, and it ends with the filter. Its input lies in a folder of its own
below the work folder, under names made here; what a crash leaves of it is swept by `prune`.
"""

import posix
import sys
from _signal import SIG_DFL, SIG_SETMASK, SIGKILL, SIGSTOP, pthread_sigmask, signal
from math import ceil
from time import monotonic

from amavis_pipe.jail import landlock, seccomp
from amavis_pipe.jail.programs import JOBS, found, is_job
from amavis_pipe.jail.wire import KILLED
from amavis_pipe.model import SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.jail.sandbox import Task
    from amavis_pipe.jail.wire import Wanted
    from amavis_pipe.spool import Blob

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "TMPDIR": "/nonexistent",
}
_CLOSED_FROM = 3
_FAILED = 127
_MAPPED = 512 << 20
"""Bytes of address space beside its data: programs, libraries, stacks."""


class Helper:
    """A program that runs; `watched` is a descriptor that is readable when it has ended."""

    __slots__ = ("_files", "_folder", "_pid", "watched")

    def __init__(self, pid: int, folder: bytes, files: list[bytes]) -> None:
        self._pid = pid
        self._folder = folder
        self._files = files
        self.watched = posix.pidfd_open(pid)

    @classmethod
    def start(
        cls, wanted: "Wanted", blobs: "list[Blob]", task: "Task", folder: bytes, out: int
    ) -> "Helper | None":
        """The program for this wish, with its output going to `out`; None if there is no such.

        SpoolTrouble if its input can't be written.
        """
        job = JOBS.get(wanted.job)
        line = job.line(wanted.words) if job and is_job(wanted.job, wanted.words) else None
        program = found(job.program) if job else ""
        if job is None or line is None or not program or not job.takes(len(blobs)):
            return None
        files = job.files(len(blobs))
        place = _input(folder, files, blobs)
        pid = 0
        try:
            pid = posix.fork()
            if pid == 0:
                try:
                    size = sum([blob.size for blob in blobs])
                    words = [job.program.name.encode(), *line]
                    _become(program, job.program.reads, words, task, place, out, size)
                finally:
                    posix._exit(_FAILED)
            return cls(pid, place, files)
        except OSError as error:
            if pid:
                posix.kill(pid, SIGKILL)
                posix.waitpid(pid, 0)
            _remove(place, files)
            raise SandboxTrouble(f"sandbox: helper: {error.strerror}") from None

    def kill(self) -> None:
        """End it; done() is still to be called."""
        try:
            posix.kill(self._pid, SIGKILL)
        except OSError:
            pass

    def done(self) -> int:
        """Wait for its end, and remove its input: the exit status, or KILLED."""
        status = posix.waitpid(self._pid, 0)[1]
        posix.close(self.watched)
        _remove(self._folder, self._files)
        return posix.WEXITSTATUS(status) if posix.WIFEXITED(status) else KILLED


def _input(folder: bytes, files: list[bytes], blobs: "list[Blob]") -> bytes:
    """A new folder with these files; SpoolTrouble if there is no room."""
    place = folder + b"/helper-%d-%s" % (posix.getpid(), posix.urandom(8).hex().encode())
    try:
        posix.mkdir(place, 0o711)
        for name, blob in zip(files, blobs, strict=True):
            flags = posix.O_CREAT | posix.O_EXCL | posix.O_WRONLY | posix.O_CLOEXEC
            fd = posix.open(place + b"/" + name, flags, 0o444)
            try:
                write_all(fd, blob.chunks())
            finally:
                posix.close(fd)
    except OSError as error:
        _remove(place, files)
        raise SpoolTrouble(f"spool: {error.strerror}") from None
    except SpoolTrouble:
        _remove(place, files)
        raise
    return place


def _remove(place: bytes, files: list[bytes]) -> None:
    for remove, name in (*((posix.unlink, place + b"/" + name) for name in files), (posix.rmdir, place)):
        try:
            remove(name)
        except OSError:
            pass  # prune sweeps it


def _become(
    program: str,
    reads: tuple[str, ...],
    line: list[bytes],
    task: "Task",
    place: bytes,
    out: int,
    size: int,
) -> None:
    """Turn this process, just forked, into the program; returns or raises only if that fails."""
    from amavis_pipe.jail import child

    posix.setsid()
    pthread_sigmask(SIG_SETMASK, ())
    for number in {*range(1, 32)} - {SIGKILL, SIGSTOP}:
        signal(number, SIG_DFL)
    posix.chdir(place)
    null = posix.open("/dev/null", posix.O_RDWR)
    posix.dup2(out, 1)
    posix.dup2(null, 0)
    posix.dup2(null, 2)
    posix.closerange(_CLOSED_FROM, child.highest())
    if posix.geteuid() == 0:
        child.become_nobody()
    child.die_with(task.parent)
    _limit(task, size)
    child.keep_privileges_away()
    stands = landlock.restrict((*child.readable(), *reads, b"."), executable=_executable(program))
    if task.mode == "require" and not stands:
        raise SandboxTrouble("the kernel has no Landlock")
    try:
        seccomp.install(execute=True)
    except OSError:
        if task.mode == "require":
            raise
    posix.execve(program, line, _ENVIRONMENT)


def _limit(task: "Task", size: int) -> None:
    """Bound memory, time and output of what will have an input of this size."""
    from amavis_pipe.jail import child

    child.limit(
        memory=task.memory,
        seconds=max(1, ceil(task.budget.deadline - monotonic()) + 1),
        written=0,
    )
    child.limit_mapped(task.memory + size + _MAPPED)


def _executable(program: str) -> list[str]:
    """What may be executed: the program, and the loader of libraries."""
    from os.path import realpath

    machine = posix.uname().machine
    loaders = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
    return [realpath(program), realpath(loaders.get(machine, sys.executable))]
