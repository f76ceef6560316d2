"""How a kept mail looks in its folder: our lines at the top of the file, and the record beside it.

A record is the mail's as the journal has it (record.py), with four things of its own: `quarantine_id`, the
name; `label`, the category that it is kept for; sender and recipients in `envelope` byte for byte, each
character one byte; and `released`, how it was sent on later, if it was.
"""

import posix

from amavis_pipe.spool import write_all
from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from amavis_pipe.model import Envelope

    Entry = dict[str, Any]

FIRST = b"X-Quarantine-ID: <"
SENDER = b"X-Envelope-From: "
RECIPIENT = b"X-Envelope-To: "
ALERT = b"X-Amavis-Alert: "
ORIGINAL = b"X-Amavis-Original: "
RECORD = b".json"
LONGEST_ADDRESS = 8192
LARGEST_HEAD = 16 << 20
"""Bytes of our own lines that are looked through: all that argv can hold, each byte escaped, is less."""
LARGEST_RECORD = 64 << 20
_STEP = 1 << 20


def bracketed(address: bytes) -> bytes:
    """An address as our lines show it; addresses_in() undoes that."""
    return b"<" + ascii_of(address, LONGEST_ADDRESS).encode() + b">"


def _undone(text: bytes) -> bytes:
    """The bytes that ascii_of() made this of."""
    first, *rest = text.split(b"\\x")
    try:
        return first + b"".join([bytes.fromhex(piece[:2].decode()) + piece[2:] for piece in rest])
    except ValueError:
        return text  # not of ours


def envelope_in(envelope: "Envelope") -> "Entry":
    """Sender and recipients as a record keeps them: each character is one byte of an address."""
    return {
        "sender": envelope.sender.decode("latin-1"),
        "recipients": [address.decode("latin-1") for address in envelope.recipients],
    }


def head_of(fd: int) -> bytes:
    """Our lines at the beginning of a file, with their line ends; b"" if they are not there to the end."""
    head = b""
    while len(head) < LARGEST_HEAD:
        more = posix.pread(fd, _STEP, len(head))
        head += more
        if not more or not head.startswith(FIRST):
            break
        at = head.find(b"\n" + ORIGINAL)
        end = head.find(b"\n", at + 1) if at >= 0 else -1
        if end >= 0:
            return head[: end + 1]
    return b""


def addresses_in(head: bytes, field: bytes) -> list[bytes]:
    """The addresses in our lines of that name: SENDER or RECIPIENT."""
    found = [line[len(field) + 1 : -1] for line in head.split(b"\n") if line.startswith(field + b"<")]
    return [_undone(address) for address in found]


def read_record(folder: int, name: bytes) -> "Entry | None":
    """The record beside the mail of that name; None if there is none that could be understood."""
    try:
        fd = posix.open(
            name + RECORD,
            posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK,
            dir_fd=folder,
        )
    except OSError:
        return None
    try:
        import json

        found: Entry = json.loads(posix.read(fd, LARGEST_RECORD))
        envelope = found["envelope"]
        for address in [envelope["sender"], *envelope["recipients"]]:
            address.encode("latin-1")
        envelope["recipients"] += []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    finally:
        posix.close(fd)
    return found


def write_record(folder: int, name: bytes, entry: "Entry") -> None:
    """Put the record beside the mail of that name, in place of one that is there; lock the folder before."""
    from amavis_pipe.record import to_json

    temporary = temporary_of(name + RECORD)
    try:
        write(folder, temporary, (to_json(entry).encode() + b"\n",))
        posix.rename(temporary, name + RECORD, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        unlink(folder, temporary)  # there only if it could not be renamed


def write(folder: int, name: bytes, pieces: "Iterable[bytes]") -> None:
    """Write a new file of that name, private, on disk when this returns; OSError or SpoolTrouble."""
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    fd = posix.open(name, flags, 0o600, dir_fd=folder)
    try:
        write_all(fd, pieces)
        posix.fsync(fd)
    finally:
        posix.close(fd)


def temporary_of(name: bytes) -> bytes:
    """A name under which something is written before it gets its own; no two are alike."""
    return b".%s.%d-%s" % (name, posix.getpid(), posix.urandom(4).hex().encode())


def unlink(folder: int, name: bytes) -> None:
    """Remove a file, if it is there and can be removed."""
    try:
        posix.unlink(name, dir_fd=folder)
    except OSError:
        pass
