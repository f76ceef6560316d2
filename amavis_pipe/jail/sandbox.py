"""Has one forked child take apart what may not be taken apart here, and checks what it says.

Promises: nothing that came out of the mail is decoded in this process; the child can write nowhere but
to one unnamed file and one pipe, and is dead before its answer is read; however it fails, what it
had unpacked before is kept, and the rest is graded *unchecked*. A sandbox that can't be built is
SandboxTrouble, in mode "require". The child's side is in child.py, the belief in its lines in
verify.py. This module is imported by the filter on need: it stays light.
"""

import posix
from _signal import SIGKILL, SIGXCPU
from select import POLLIN, poll
from time import monotonic

from amavis_pipe import journal
from amavis_pipe.budget import Budget
from amavis_pipe.jail.verify import Account
from amavis_pipe.jail.wire import LINE, Jailed
from amavis_pipe.model import Finding, Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import unnamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.kinds import Starts
    from amavis_pipe.walk import Openers

    Load = Callable[[], Openers]

MEMORY = 512 << 20
GRACE = 2.0
"""Seconds past the mail's own limit after which the child is killed: it looks at the clock itself."""


def unpack_in_child(
    parts: list[Part],
    budget: Budget,
    folder: bytes,
    mode: str = "require",
    memory: int = MEMORY,
    starts: "Starts | None" = None,
    load: "Load | None" = None,
) -> tuple[list[Part], list[Finding]]:
    """All that is in these parts, and what in them could not be looked at; charged to `budget`.

    `folder` is where the file for the parts is made (it stays open: their bytes are slices of it),
    `mode` "require" or "prefer", `memory` what the child may use, in bytes. `load` is called in the
    child and gives the openers; None stands for decompose.registry's, as for `starts`. Raises
    SandboxTrouble, SpoolTrouble; never for what is in the mail.
    """
    arena = unnamed(folder)
    try:
        data, late, status = _ask(Task(parts, budget, arena, mode, memory, starts, load))
        account = Account(parts, budget, arena, posix.fstat(arena).st_size)
        account.read(data)
        _settle(account, parts, budget, "limit:seconds" if late else _fate(status))
    except BaseException:
        posix.close(arena)
        raise
    if all(part.blob is None for part in account.parts):
        posix.close(arena)  # nobody needs it
    return account.parts, account.findings


class Task:
    """What the child is to do: as in unpack_in_child; `parent` is the filter's process id."""

    __slots__ = ("arena", "budget", "load", "memory", "mode", "parent", "parts", "starts")

    def __init__(
        self,
        parts: list[Part],
        budget: Budget,
        arena: int,
        mode: str,
        memory: int,
        starts: "Starts | None",
        load: "Load | None",
    ) -> None:
        self.parts = parts
        self.budget = budget
        self.arena = arena
        self.mode = mode
        self.memory = memory
        self.starts = starts
        self.load = load
        self.parent = posix.getpid()


def capabilities() -> Jailed:
    """What of a sandbox this machine can build, tried out in a child; SandboxTrouble if none can be."""

    def attempt(pipe: int) -> None:
        from amavis_pipe.jail.child import probe

        probe(pipe)

    pid, reading = _fork(attempt)
    data, _, _ = _listen(pid, reading, monotonic() + 10, LINE)
    account = Account([], Budget(0, 0, 0, 0), -1, 0)
    account.read(data)
    if account.jailed is None:
        raise SandboxTrouble("sandbox: " + (account.failed.text if account.failed else "the child died"))
    return account.jailed


def _ask(task: Task) -> tuple[bytes, bool, int]:
    def attempt(pipe: int) -> None:
        from amavis_pipe.jail.child import work

        work(task, pipe)

    pid, reading = _fork(attempt)
    most = LINE * (task.budget.files + 16) + (1 << 20)
    return _listen(pid, reading, task.budget.deadline + GRACE, most)


def _fork(attempt: "Callable[[int], None]") -> tuple[int, int]:
    """A child that does `attempt` with a pipe to write to: its process id, and the end to read from."""
    try:
        reading, writing = posix.pipe2(posix.O_CLOEXEC)
        pid = posix.fork()
    except OSError as error:
        raise SandboxTrouble(f"sandbox: fork: {error.strerror}") from None
    if pid == 0:
        try:
            attempt(writing)
        finally:
            posix._exit(0)  # also for an exception: the closing line is missing then
    posix.close(writing)
    return pid, reading


def _listen(pid: int, reading: int, deadline: float, most: int) -> tuple[bytes, bool, int]:
    """All that the child wrote, whether it took too long, and its wait status; it is dead then."""
    pieces, size, late = [], 0, False
    events = poll()
    events.register(reading, POLLIN)
    try:
        while size <= most:
            late = not events.poll(max(0, int((deadline - monotonic()) * 1000) + 1))
            piece = b"" if late else posix.read(reading, 1 << 16)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
    finally:
        status = _kill(pid)
        posix.close(reading)
    return b"".join(pieces), late, status


def _kill(pid: int) -> int:
    """Kill the child and all of its group, and reap it; its wait status."""
    for kill in (posix.kill, posix.killpg):
        try:
            kill(pid, SIGKILL)
        except OSError:
            pass  # not yet a group of its own
    return posix.waitpid(pid, 0)[1]


def _fate(status: int) -> str:
    """What ended a child that gave no closing line, as a finding's name; "" if nothing special."""
    return "limit:seconds" if posix.WIFSIGNALED(status) and posix.WTERMSIG(status) == SIGXCPU else ""


def _settle(account: Account, given: list[Part], budget: Budget, fate: str) -> None:
    """Give the account the findings it lacks, hash and charge its parts; or raise the trouble it tells of."""
    _raise_trouble(account)
    if not account.sound:
        fate = "crash:decompose"
    if not (account.complete and account.sound):
        now = account.now
        fate = fate or "crash:" + (now.name if now else "decompose")
        account.findings.append(Finding("unchecked", fate, now.path if now else given[0].path))
    _grade_unopened(account, given)
    for part in account.parts:
        if part.blob is not None:
            part.sha256 = part.blob.sha256()
            budget.used += part.size
    budget.files -= len(account.parts)
    for finding in account.findings:
        reason, _, name = finding.name.partition(":")
        if reason == "limit" and name not in budget.hit:
            budget.hit.append(name)


def _raise_trouble(account: Account) -> None:
    failed = account.failed
    if failed and failed.what == "spool":
        raise SpoolTrouble(failed.text)
    if failed:
        raise SandboxTrouble("sandbox: " + failed.text)
    if account.jailed is None:
        raise SandboxTrouble("sandbox: the child died before it stood")
    if not (account.jailed.landlock and account.jailed.seccomp):
        journal.log(journal.WARNING, "sandbox: incomplete, and sandbox = prefer")


def _grade_unopened(account: Account, given: list[Part]) -> None:
    """A given part that no decoder was begun with is unchecked for the reason that stopped the child."""
    limits = [one.name for one in account.findings if one.name != "limit:depth"]
    reason = limits[-1] if limits and not limits[-1].startswith(_OF_ONE_PART) else "crash:decompose"
    told = {finding.part for finding in account.findings}
    account.findings += [
        Finding("unchecked", reason, part.path)
        for part in given
        if part.path not in account.opened and part.path not in told
    ]


_OF_ONE_PART = ("broken:", "encrypted:", "undecoded:")
