"""Runs a program of somebody else's: no shell, empty input, bounded output, bounded time.

At its end, whatever that is, it and all it started (its process group) are killed.
"""

import posix
import select
from _signal import (
    SIG_BLOCK,
    SIG_SETMASK,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGSYS,
    SIGTERM,
    pthread_sigmask,
)
from _stat import S_ISREG
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 1 << 20
"""Bytes of output above which something must be wrong."""

ENDING = (SIGINT, SIGTERM, SIGHUP)


class Unended(Exception):
    """It was killed before its end; `output` is the end of what it had printed by then."""

    def __init__(self, output: bytes) -> None:
        super().__init__()
        self.output = output


class Slow(Unended):
    """It did not end in time."""


class Flood(Unended):
    """It printed more than any program that works."""


def run(
    line: list[bytes],
    environment: dict[str, bytes],
    end: float,
    largest: int = LARGEST,
    kept: int = LARGEST + (1 << 16),
) -> tuple[int, bytes]:
    """Exit status, -1 for death by a signal, and the last `kept` bytes of its output (both channels).

    `end` is of monotonic(). Slow, or Flood above `largest` bytes; OSError if it can't be started.
    """
    reading, writing = posix.pipe2(posix.O_CLOEXEC)
    # a signal whose handler raises must not come between the start and the care for the end
    before = pthread_sigmask(SIG_BLOCK, ENDING)
    pid = 0
    try:
        try:
            pid = _started(line, environment, writing)
        finally:
            posix.close(writing)
        pthread_sigmask(SIG_SETMASK, before)
        output = _output(reading, end, largest, kept)
        if not _ends_by(pid, end):
            raise Slow(output)
    finally:
        posix.close(reading)
        status = _ended(pid) if pid else 0
        pthread_sigmask(SIG_SETMASK, before)
    return posix.WEXITSTATUS(status) if posix.WIFEXITED(status) else -1, output


def _started(line: list[bytes], environment: dict[str, bytes], writing: int) -> int:
    """The process's number; it leads a group of its own."""
    actions = [
        (posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0),
        (posix.POSIX_SPAWN_DUP2, writing, 1),
        (posix.POSIX_SPAWN_DUP2, writing, 2),
    ]
    return posix.posix_spawn(
        line[0],
        line,
        environment,
        file_actions=actions,
        setpgroup=0,
        setsigmask=(),
        setsigdef=range(1, SIGSYS),
    )


def installed(programs: "Sequence[str]", path: str) -> bytes:
    """The first of these programs that we may run, absolute or in one of the folders; b"" if none is."""
    for place in places(programs, path):
        if posix.access(place, posix.X_OK) and S_ISREG(posix.stat(place).st_mode):
            return place.encode()
    return b""


def places(programs: "Sequence[str]", path: str) -> list[str]:
    """Where these programs are looked for."""
    found = []
    for program in programs:
        folders = [""] if program.startswith("/") else [folder + "/" for folder in path.split(":")]
        found += [folder + program for folder in folders]
    return [place for place in found if place.startswith("/")]


def _output(reading: int, end: float, largest: int, kept: int) -> bytes:
    """The end of what is written to the pipe until it is closed."""
    events, output, size = select.poll(), b"", 0
    events.register(reading, select.POLLIN)
    while True:
        left = end - monotonic()
        if left <= 0 or not events.poll(left * 1000):
            raise Slow(output)
        piece = posix.read(reading, 1 << 16)
        if not piece:
            return output
        size += len(piece)
        output = (output + piece)[-kept:]
        if size > largest:
            raise Flood(output)


def _ends_by(pid: int, end: float) -> bool:
    """Whether it ends in time, which is as good as sure when its output has ended."""
    handle = posix.pidfd_open(pid)
    try:
        events = select.poll()
        events.register(handle, select.POLLIN)
        return bool(events.poll(max(0.0, end - monotonic()) * 1000))
    finally:
        posix.close(handle)


def _ended(pid: int) -> int:
    """The wait status of a child, once it has ended, it or its group being killed if need be."""
    for kill in (posix.killpg, posix.kill):
        try:
            kill(pid, SIGKILL)  # not yet waited for: the number can't be another's
        except OSError:
            pass
    return posix.waitpid(pid, 0)[1]
