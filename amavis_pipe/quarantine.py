"""Keeps mail back: one file per mail, the bytes as they came below a few lines of our own.

The lines tell the envelope and why; the last of them, X-Amavis-Original, says how many bytes from the
end of the file are the mail. Name: `virus-YYYYMMDD-HHMMSS-ID`, ID from content and envelope, so that a
retry finds its own copy, and nothing is ever overwritten.
"""

import posix
from _blake2 import blake2b
from time import gmtime, strftime

from amavis_pipe.model import SpoolTrouble
from amavis_pipe.spool import write_all
from amavis_pipe.text import ascii_of, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope
    from amavis_pipe.policy import Verdict

PREFIX = {"infected": "virus"}
"""How names begin, by category; other categories by their own name."""
LONGEST_ADDRESS = 8192


def keep(mail: "Mail", envelope: "Envelope", verdict: "Verdict", folder: bytes) -> str:
    """Store a copy below `folder`, on disk when this returns; its name. SpoolTrouble if it can't be."""
    ending = b"-" + _id(mail, envelope)
    try:
        for name in posix.listdir(folder):
            if name.endswith(ending) and _is_whole(folder + b"/" + name, mail):
                return name.decode()
        name = (
            PREFIX.get(verdict.label, verdict.label).encode() + strftime("-%Y%m%d-%H%M%S", gmtime()).encode()
        )
        _write(folder, name + ending, mail, _lines(mail, envelope, verdict, name + ending))
    except OSError as error:
        raise SpoolTrouble(f"quarantine {readable(folder)}: {error.strerror}") from None
    return (name + ending).decode()


def _id(mail: "Mail", envelope: "Envelope") -> bytes:
    state = blake2b(mail.sha256.encode(), digest_size=6)
    state.update(b"\n".join((envelope.sender, *envelope.recipients)))
    return bytes(state.hexdigest().encode())


def _is_whole(path: bytes, mail: "Mail") -> bool:
    """Whether the file holds this mail to the end: one of a crashed run does not."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK)
    except OSError:
        return False
    try:
        head = posix.pread(fd, 1 << 20, 0)
        at = head.find(b"\nX-Amavis-Original: ")
        end = head.find(b"\n", at + 1)
        said = head[at + 1 : end + 1]
        return at > 0 and said == _original(mail) and posix.fstat(fd).st_size == end + 1 + mail.raw.size
    finally:
        posix.close(fd)


def _original(mail: "Mail") -> bytes:
    return b"X-Amavis-Original: size=%d sha256=%s\n" % (mail.raw.size, mail.sha256.encode())


def _lines(mail: "Mail", envelope: "Envelope", verdict: "Verdict", name: bytes) -> "Iterator[bytes]":
    yield b"X-Quarantine-ID: <%s>\n" % name
    yield b"X-Envelope-From: <%s>\n" % ascii_of(envelope.sender, LONGEST_ADDRESS).encode()
    for address in envelope.recipients:
        yield b"X-Envelope-To: <%s>\n" % ascii_of(address, LONGEST_ADDRESS).encode()
    yield b"X-Amavis-Alert: %s\n" % (verdict.alert or verdict.reason).encode("ascii", "replace")
    yield _original(mail)
    yield from mail.raw.chunks()


def _write(folder: bytes, name: bytes, mail: "Mail", chunks: "Iterator[bytes]") -> None:
    temporary = b"%s/.%s.%d" % (folder, name, posix.getpid())
    fd = posix.open(temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o600)
    try:
        write_all(fd, chunks)
        posix.fsync(fd)
        posix.link(temporary, folder + b"/" + name)
    finally:
        posix.close(fd)
        posix.unlink(temporary)
    fd = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.fsync(fd)
    finally:
        posix.close(fd)
