"""Hands a message to Postfix's sendmail(1): exit 0 is the commit, everything else is trouble.

postfix.md, "Reinjecting through sendmail(1)": `-G -i -f SENDER -- RCPT…`, never -t. The message is a
regular file on its stdin, complete before the child starts: a pipe that broke in the middle would be
an end of file, and a cut mail on its way.
"""

import posix
import select
from _signal import SIGKILL, SIGPIPE, SIGXFSZ
from time import monotonic, sleep

from amavis_pipe.model import ForwardTrouble
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.forward import Before, Message
    from amavis_pipe.spool import Blob

COMMAND = b"/usr/sbin/sendmail"
KEPT = (b"MAIL_CONFIG", b"MAIL_DEBUG", b"MAIL_VERBOSE", b"LANG", b"TZ", b"PATH")
"""Environment that goes on to sendmail: what pipe(8) itself exports."""


def submit(
    message: "Message | Blob",
    sender: bytes,
    recipients: tuple[bytes, ...],
    folder: bytes,
    before: "Before",
    timeout: int,
) -> None:
    """Submit the message; returns when Postfix has taken it. `before` and `folder` as in forward.submit.

    ForwardTrouble if sendmail says no, whatever its status: 69 from it also means that fork failed, and
    a bounce can't be taken back. After `timeout` seconds it is killed; Postfix may then have the mail,
    and a retry doubles it, which is better than losing it.
    """
    stdin = message.descriptor(folder)
    said = posix.memfd_create("sendmail")
    try:
        before([])
        pid = _started(stdin, said, [b"sendmail", b"-G", b"-i", b"-f", sender, b"--", *recipients])
        status = _waited(pid, timeout)
        if status != 0:
            raise ForwardTrouble(f"sendmail: {_end(status)}{_tail(said)}")
    finally:
        posix.close(said)
        posix.close(stdin)


def _started(stdin: int, said: int, argv: list[bytes]) -> int:
    environment = {name: value for name, value in posix.environ.items() if name in KEPT}
    null = b"/dev/null"
    try:
        return posix.posix_spawn(
            COMMAND,
            argv,
            environment,
            file_actions=[
                (posix.POSIX_SPAWN_DUP2, stdin, 0),
                (posix.POSIX_SPAWN_OPEN, 1, null, posix.O_WRONLY, 0),
                (posix.POSIX_SPAWN_DUP2, said, 2),
            ],
            setsigdef=(SIGPIPE, SIGXFSZ),  # Postfix's daemons ignore both, and children inherit that
        )
    except OSError as error:
        raise ForwardTrouble(f"{COMMAND.decode()}: {error.strerror}") from None


def _waited(pid: int, timeout: int) -> int:
    """The child's wait status; after `timeout` seconds, its death by our hand."""
    if not _ends_within(pid, timeout):
        posix.kill(pid, SIGKILL)
    return posix.waitpid(pid, 0)[1]


def _ends_within(pid: int, timeout: int) -> bool:
    """Whether the child ends in time. No error leaves this: the mail may be on its way already."""
    try:
        watch = posix.pidfd_open(pid)
    except OSError:  # no descriptor left, or a container that forbids the call
        return _is_seen_to_end(pid, timeout)
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    ended = bool(poll.poll(timeout * 1000))
    posix.close(watch)
    return ended


def _is_seen_to_end(pid: int, timeout: int) -> bool:
    """The same by looking from time to time."""
    deadline = monotonic() + timeout
    while monotonic() < deadline:
        if posix.waitid(posix.P_PID, pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT):
            return True
        sleep(0.05)
    return False


def _end(status: int) -> str:
    if posix.WIFSIGNALED(status):
        return f"killed by signal {posix.WTERMSIG(status)}"
    return f"exit status {posix.WEXITSTATUS(status)}"


def _tail(fd: int) -> str:
    """The end of what it said on stderr, for the log."""
    size = posix.fstat(fd).st_size
    data = posix.pread(fd, 300, max(0, size - 300)).strip()
    return ": " + ascii_of(data, 300) if data else ""
