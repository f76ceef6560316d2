"""Has one forked child take apart what may not be taken apart here, and checks what it says.

Promises: nothing that came out of the mail is decoded in this process; the child can write nowhere but
to one unnamed file and one pipe, and is dead before the parts it told of are used; however it fails, what it
had unpacked before is kept, and the rest is graded *unchecked*. The child can start nothing: a program that
it needs is started from here, in a jail of its own. A sandbox that can't be built is
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
from amavis_pipe.jail.wire import LINE, MISSING, Jailed, done
from amavis_pipe.model import Finding, Part, SandboxTrouble, SpoolTrouble
from amavis_pipe.spool import unnamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from select import poll as Poll  # noqa: N812 - a class there

    from amavis_pipe.jail.helper import Helper
    from amavis_pipe.kinds import Formats
    from amavis_pipe.walk import Openers

    Load = Callable[[], Openers]

MEMORY = 512 << 20
SUBJECT = 16 << 10
"""Bytes of a mail within which its subject is looked for."""
GRACE = 2.0
"""Seconds past the mail's own limit after which the child is killed: it looks at the clock itself."""


def unpack_in_child(
    parts: list[Part],
    budget: Budget,
    folder: bytes,
    mode: str = "require",
    memory: int = MEMORY,
    formats: "Formats | None" = None,
    load: "Load | None" = None,
    clues: "Clues | None" = None,
) -> tuple[list[Part], list[Finding]]:
    """All that is in these parts, and what in them could not be looked at; charged to `budget`.

    `folder` is where the file for the parts is made (it stays open: their bytes are slices of it),
    `mode` "require" or "prefer", `memory` what the child may use, in bytes. `load` is called in the
    child and gives the openers; None stands for decompose.registry's, as for `formats`. `clues` is where
    passwords may be found. Raises
    SandboxTrouble, SpoolTrouble; never for what is in the mail.
    """
    arena = unnamed(folder)
    try:
        task = Task(parts, budget, arena, mode, memory, formats, load, clues)
        account = Account(parts, budget, arena, lambda: posix.fstat(arena).st_size)
        late, status = _ask(task, account, folder)
        _settle(account, parts, budget, "limit:seconds" if late else _fate(status))
    except BaseException:
        posix.close(arena)
        raise
    if all(part.blob is None for part in account.parts):
        posix.close(arena)  # nobody needs it
    return account.parts, account.findings


class Clues:
    """Where passwords of what is in a mail may be found.

    head     how the mail begins, its subject in it
    texts    parts that are texts
    known    the site's list
    tries    so many passwords are tried for one container at most
    seconds  so long they are tried, for the whole mail
    """

    __slots__ = ("head", "known", "seconds", "texts", "tries")

    def __init__(
        self, head: bytes, texts: list[Part], known: tuple[bytes, ...], tries: int, seconds: float
    ) -> None:
        self.head = head
        self.texts = texts
        self.known = known
        self.tries = tries
        self.seconds = seconds


class Task:
    """What the child is to do: as in unpack_in_child; `parent` is the filter's process id.

    said, answer  pipes from the filter to the child: a helper's output, and that it has ended
    """

    __slots__ = (
        "answer",
        "arena",
        "budget",
        "clues",
        "formats",
        "load",
        "memory",
        "mode",
        "parent",
        "parts",
        "said",
    )

    def __init__(
        self,
        parts: list[Part],
        budget: Budget,
        arena: int,
        mode: str,
        memory: int,
        formats: "Formats | None",
        load: "Load | None",
        clues: "Clues | None",
    ) -> None:
        self.parts = parts
        self.budget = budget
        self.arena = arena
        self.mode = mode
        self.memory = memory
        self.formats = formats
        self.load = load
        self.clues = clues
        self.said = self.answer = -1
        self.parent = posix.getpid()


class Lender:
    """Runs the helper programs that the child asks for, one at a time (helper.py)."""

    def __init__(self, task: Task, folder: bytes) -> None:
        self._task = task
        self._folder = folder
        self._helper: Helper | None = None
        try:
            task.said, self._out = posix.pipe2(posix.O_CLOEXEC)
            task.answer, self._ended = posix.pipe2(posix.O_CLOEXEC)
            posix.set_blocking(self._ended, False)  # a child that does not read is not waited for
        except OSError as error:
            raise SandboxTrouble(f"sandbox: pipe: {error.strerror}") from None

    def child_stands(self) -> None:
        """Give up what only the child needs."""
        posix.close(self._task.said)
        posix.close(self._task.answer)

    def attend(self, account: Account, events: "Poll") -> None:
        """Start or end a helper, as the child says."""
        if account.stopped and self._helper is not None:
            self._helper.kill()
        if self._helper is None and account.wanted is not None:
            self._start(account, events)

    def end(self, events: "Poll") -> None:
        """Tell the child of the helper's end, which has come."""
        if self._helper is not None:
            events.unregister(self._helper.watched)
            self._tell(self._helper.done())
            self._helper = None

    def close(self) -> None:
        """End what runs."""
        if self._helper is not None:
            self._helper.kill()
            self._helper.done()
            self._helper = None
        posix.close(self._out)
        posix.close(self._ended)

    def _start(self, account: Account, events: "Poll") -> None:
        from amavis_pipe.jail.helper import Helper

        taken = account.take_wanted()
        if taken is not None:
            helper = Helper.start(*taken, self._task, self._folder, self._out)
            if helper is None:
                self._tell(MISSING)
            else:
                self._helper = helper
                events.register(helper.watched, POLLIN)

    def _tell(self, status: int) -> None:
        try:
            posix.write(self._ended, done(status))
        except OSError:
            pass  # the child is dead, which is seen elsewhere


def capabilities() -> Jailed:
    """What of a sandbox this machine can build, tried out in a child; SandboxTrouble if none can be."""

    def attempt(pipe: int) -> None:
        from amavis_pipe.jail.child import probe

        probe(pipe)

    pid, reading = _fork(attempt)
    account = Account([], Budget(0, 0, 0, 0), -1, lambda: 0)
    _listen(pid, reading, monotonic() + 10, LINE, account, None)
    if account.jailed is None:
        raise SandboxTrouble("sandbox: " + (account.failed.text if account.failed else "the child died"))
    return account.jailed


def _ask(task: Task, account: Account, folder: bytes) -> tuple[bool, int]:
    """Have the task done; whether it took too long, and the child's wait status."""

    def attempt(pipe: int) -> None:
        from amavis_pipe.jail.child import work

        work(task, pipe)

    lender = Lender(task, folder)
    try:
        pid, reading = _fork(attempt)
        lender.child_stands()
        most = LINE * (2 * task.budget.files + 16) + (1 << 20)
        return _listen(pid, reading, task.budget.deadline + GRACE, most, account, lender)
    finally:
        lender.close()


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


def _listen(
    pid: int, reading: int, deadline: float, most: int, account: Account, lender: "Lender | None"
) -> tuple[bool, int]:
    """Have the account read all that the child says, and its helpers run; it is dead then.

    Whether it took too long, and its wait status.
    """
    size, late = 0, False
    events = poll()
    events.register(reading, POLLIN)
    try:
        while size <= most and account.sound:
            ready = events.poll(max(0, int((deadline - monotonic()) * 1000) + 1))
            late = not ready
            if lender is not None and any(fd != reading for fd, _ in ready):
                lender.end(events)
            if late or not any(fd == reading for fd, _ in ready):
                if late:
                    break
                continue
            piece = posix.read(reading, 1 << 16)
            if not piece:
                break
            size += len(piece)
            account.read(piece)
            if lender is not None:
                lender.attend(account, events)
    finally:
        status = _kill(pid)
        posix.close(reading)
    return late, status


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
