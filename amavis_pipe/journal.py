"""What is written down of each mail: one line to syslog, one JSON record to a daily file.

Records are appended by a single write to journal/YYYY-MM-DD.jsonl, so that lines of many processes
don't mix. A line that a crash or a full disk tore is ended by the next record, and is for the reader to skip;
so is an empty line, which comes of two that end the same. Writing the journal never decides over a mail:
when it fails, the mail goes its way.

Syslog is spoken to by its socket (RFC 3164 as syslog(3) writes it), because a log daemon that hangs must
not hang a mail that was delivered already.
"""

import posix
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM, socket
from _stat import S_ISREG
from errno import EPIPE, EPROTOTYPE
from time import gmtime, localtime, strftime

from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from amavis_pipe.model import Envelope, Facts, Finding, Receipt
    from amavis_pipe.policy import Decision

ERR, WARNING, INFO = 3, 4, 6
"""Severities (RFC 3164 4.1.1)."""
MAIL = 2 << 3
"""The mail facility."""
LOG = "/dev/log"
PATIENCE = 1.0
"""Seconds that the log may keep a mail waiting: syslog(3) itself waits for ever on a stuck daemon."""
LONGEST = 900
"""Characters of a syslog line; some daemons cut at 1024 (RFC 3164 4.1)."""


def append(folder: bytes, line: str) -> str:
    """Append one record to today's file below `folder`; why that failed, or ""."""
    path = folder + b"/" + strftime("%Y-%m-%d", gmtime()).encode() + b".jsonl"
    # without O_NONBLOCK a pipe of that name might hold up a mail that was delivered
    flags = posix.O_RDWR | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW
    flags |= posix.O_NONBLOCK
    try:
        fd = posix.open(path, flags, 0o600)
        try:
            data = line.encode() + b"\n"
            found = posix.fstat(fd)
            if not S_ISREG(found.st_mode):
                return "not a regular file"
            size = found.st_size
            if size and posix.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            return "" if posix.write(fd, data) == len(data) else "cut off, the disk is full"
        finally:
            posix.close(fd)
    except OSError as error:
        return error.strerror or str(error)


def log(level: int, line: str) -> bool:
    """One line to syslog's mail facility, bounded; False if nobody took it in time.

    Hostile text must have been escaped.
    """
    stamp = strftime("%b %d %H:%M:%S", localtime())
    data = f"<{MAIL | level}>{stamp} amavis-pipe[{posix.getpid()}]: {line[:LONGEST]}".encode()
    failed = _send(data, SOCK_DGRAM)
    if failed == EPROTOTYPE:
        failed = _send(data + b"\0", SOCK_STREAM)
    return not failed


def _send(data: bytes, kind: int) -> int:
    """Send all of it or nothing; the error number, or 0."""
    connection = socket(AF_UNIX, kind | SOCK_CLOEXEC)
    try:
        connection.settimeout(PATIENCE)
        connection.connect(LOG)
        connection.send(data)
    except OSError as error:
        return error.errno or EPIPE  # a time-out has no number
    finally:
        connection.close()
    return 0


def summary(
    envelope: "Envelope",
    facts: "Facts",
    decision: "Decision",
    cached: bool,
    cpu: float,
    receipts: "Iterable[Receipt]" = (),
) -> str:
    """The line for a mail that was decided: fixed order, escaped.

    `4bQ7Xz: action=discard grade=virus name=Eicar part=1.2 from=<a@x> rcpts=3 parts=7 cache=miss cpu=0.03`,
    and what became of it where the next host says so: `queued=4bR1Ab refused=1`.
    """
    worst = _worst((*facts.findings, *decision.findings))
    actions = "+".join(dict.fromkeys([verdict.action for verdict in decision.verdicts]))
    return (
        f"{ascii_of(envelope.queue_id) or 'NOQUEUE'}: action={actions}{worst} "
        f"from=<{ascii_of(envelope.sender, 256)}> rcpts={len(envelope.recipients)} "
        f"parts={len(facts.parts)} cache={'hit' if cached else 'miss'} cpu={cpu:.3f}"
        f"{f' hits={decision.score.score:.1f}' if decision.score else ''}{_after(receipts)}"
    )


def _after(receipts: "Iterable[Receipt]") -> str:
    """The new queue ids, how many recipients were refused, and that something was changed or went round."""
    queued = "".join([f" queued={receipt.queue_id}" for receipt in receipts if receipt.queue_id])
    refused = sum([len(receipt.refused) for receipt in receipts])
    notes = "".join([f" note={receipt.note.replace(' ', '_')}" for receipt in receipts if receipt.note])
    return queued + (f" refused={refused}" if refused else "") + notes


def _worst(findings: "Iterable[Finding]") -> str:
    """The heaviest finding as `grade=… name=… part=…`; `grade=clean` if there is none."""
    order = {
        "virus": 7,
        "suspect": 6,
        "banned": 5,
        "unchecked": 4,
        "spam": 3,
        "bad-header": 2,
        "oversized": 1,
    }
    worst = max(findings, key=lambda found: order.get(found.grade, 0), default=None)
    if worst is None or worst.grade == "note":
        return " grade=clean"
    return f" grade={worst.grade} name={worst.name.replace(' ', '_')[:80]} part={worst.part or 'mail'}"
