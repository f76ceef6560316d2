"""Keeps mail back, in a folder or a mailbox file; on disk when keep() returns.

A folder holds one file per mail in a subfolder named by two hex digits of its content's sha256: the bytes as
they came below a few lines of our own. The lines tell the envelope and why; the last of them,
X-Amavis-Original, says how many bytes from the end of the file are the mail. Beside it, NAME.json is its
record, with the envelope as given. Name: `virus-YYYYMMDD-HHMMSS-ID`, ID = queue id, "-", 12 hex digits of the
sha256; a retry finds its own copy, and adds the recipients for whom it was not there before; no other content
is ever overwritten. A mailbox file (name ends in .mbox) takes the same lines and bytes, by mboxrd's rules.
"""

import posix
from fcntl import LOCK_EX, flock
from time import gmtime, strftime

from amavis_pipe.model import SpoolTrouble
from amavis_pipe.spool import write_all
from amavis_pipe.text import ascii_of, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope

    Entry = dict[str, Any]

PREFIX = {"infected": "virus"}
"""How names begin, by category; other categories by their own name."""
MAILBOX = ".mbox"
ORIGINAL = b"X-Amavis-Original: "
RECORD = b".json"
LONGEST_ADDRESS = 8192
LARGEST_RECORD = 64 << 20


def folder_of(state: bytes, place: str) -> bytes:
    """The path that a place of the settings means, relative to `state`; b"" for an address or none."""
    name = place.encode()
    if not name or is_address(place):
        return b""
    return name if name.startswith(b"/") else state + b"/" + name


def is_address(place: str) -> bool:
    """Whether a place is an address that quarantined mail is sent to."""
    return "@" in place and "/" not in place


def name_of(label: str, mail: "Mail", envelope: "Envelope") -> bytes:
    """A new name for a mail of this category: all but the time is a function of mail and queue id."""
    prefix = PREFIX.get(label, label).encode()
    return prefix + strftime("-%Y%m%d-%H%M%S", gmtime()).encode() + _ending(mail, envelope)


def lines(mail: "Mail", envelope: "Envelope", alert: str, name: bytes) -> list[bytes]:
    """The lines of our own, without line ends; the last of them ends ours."""
    return [
        b"X-Quarantine-ID: <%s>" % name,
        b"X-Envelope-From: <%s>" % ascii_of(envelope.sender, LONGEST_ADDRESS).encode(),
        *(b"X-Envelope-To: <%s>" % ascii_of(one, LONGEST_ADDRESS).encode() for one in envelope.recipients),
        b"X-Amavis-Alert: " + alert.encode("ascii", "replace"),
        _original(mail),
    ]


def keep(mail: "Mail", envelope: "Envelope", label: str, alert: str, path: bytes, entry: "Entry") -> str:
    """Store a copy in the folder or mailbox file at `path`; its name.

    `envelope` has the recipients for whom it is kept, `entry` is the record that goes beside it. SpoolTrouble
    if it can't be stored; then nothing of it is there that could be taken for a whole copy.
    """
    try:
        if path.endswith(MAILBOX.encode()):
            return _append(mail, envelope, label, alert, path)
        return _store(mail, envelope, label, alert, path, entry)
    except OSError as error:
        raise SpoolTrouble(f"quarantine {readable(path)}: {error.strerror}") from None
    except SpoolTrouble as error:
        raise SpoolTrouble(f"quarantine {readable(path)}: {str(error).removeprefix('spool: ')}") from None


def envelope_in(envelope: "Envelope") -> "Entry":
    """The envelope as a record keeps it: each character is one byte of an address."""
    return {
        "sender": envelope.sender.decode("latin-1"),
        "recipients": [address.decode("latin-1") for address in envelope.recipients],
    }


def mboxrd(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """The bytes with a ">" before each line that could be taken for the beginning of another mail."""
    begun, is_start = b"", True  # `begun`: the start of a line, as long as it can't be told what it is
    for chunk in chunks:
        out = []
        for line in _lines_of(begun + chunk):
            whole = line.endswith(b"\n")
            if is_start and not whole and len(line) < 4096:
                begun = line
                break
            out.append(b">" + line if is_start and line.lstrip(b">").startswith(b"From ") else line)
            is_start, begun = whole, b""
        yield b"".join(out)
    if begun:
        yield b">" + begun if begun.lstrip(b">").startswith(b"From ") else begun


def _lines_of(data: bytes) -> list[bytes]:
    """Lines with their LF; the last may have none."""
    pieces = data.split(b"\n")
    found = [piece + b"\n" for piece in pieces[:-1]]
    return [*found, pieces[-1]] if pieces[-1] else found


def _ending(mail: "Mail", envelope: "Envelope") -> bytes:
    queue_id = b"".join(
        [bytes((byte,)) if bytes((byte,)).isalnum() else b"_" for byte in envelope.queue_id[:32]]
    )
    return b"-" + (queue_id + b"-" if queue_id else b"") + mail.sha256[:12].encode()


def _original(mail: "Mail") -> bytes:
    return ORIGINAL + b"size=%d sha256=%s" % (mail.raw.size, mail.sha256.encode())


def _store(mail: "Mail", envelope: "Envelope", label: str, alert: str, path: bytes, entry: "Entry") -> str:
    folder = _subfolder(path, mail.sha256[:2].encode())
    try:
        ending = _ending(mail, envelope)
        name = _known(folder, ending, mail)
        temporary = b".%s.%d" % (ending, posix.getpid())
        try:
            if name is None:
                name = name_of(label, mail, envelope)
                head = b"\n".join(lines(mail, envelope, alert, name)) + b"\n"
                _write(folder, temporary, (head,), mail.raw.chunks())
            flock(folder, LOCK_EX)
            known = _known(folder, ending, mail)  # another filter may have been faster
            _keep_record(folder, known or name, entry, envelope)
            if known is None:
                posix.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            posix.fsync(folder)
            return (known or name).decode()
        finally:
            _unlink(folder, temporary)
    finally:
        posix.close(folder)


def _subfolder(path: bytes, name: bytes) -> int:
    """A descriptor of the subfolder of the folder at `path`, made if need be; ours alone, or OSError."""
    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC | posix.O_NOFOLLOW
    top = posix.open(path, flags)
    try:
        _require_ours(top)
        try:
            posix.mkdir(name, 0o700, dir_fd=top)
            posix.fsync(top)
        except FileExistsError:
            pass
        folder = posix.open(name, flags, dir_fd=top)
    finally:
        posix.close(top)
    try:
        _require_ours(folder)
    except OSError:
        posix.close(folder)
        raise
    return folder


def _require_ours(fd: int) -> None:
    found = posix.fstat(fd)
    if found.st_uid != posix.geteuid() or found.st_mode & 0o022:
        raise OSError(1, f"wants a folder of uid {posix.geteuid()} that nobody else can write")


def _known(folder: int, ending: bytes, mail: "Mail") -> bytes | None:
    """The name of the copy that is there already, whole."""
    for name in posix.listdir(folder):
        encoded = name.encode("utf-8", "surrogateescape")
        if encoded.endswith(ending) and not encoded.startswith(b".") and _is_whole(folder, encoded, mail):
            return encoded
    return None


def _is_whole(folder: int, name: bytes, mail: "Mail") -> bool:
    """Whether the file holds this mail to the end: one of a crashed run does not."""
    flags = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    try:
        fd = posix.open(name, flags, dir_fd=folder)
    except OSError:
        return False
    try:
        head = posix.pread(fd, 1 << 20, 0)
        at = head.find(b"\n" + ORIGINAL)
        end = head.find(b"\n", at + 1)
        said = head[at + 1 : end]
        return at > 0 and said == _original(mail) and posix.fstat(fd).st_size == end + 1 + mail.raw.size
    finally:
        posix.close(fd)


def _keep_record(folder: int, name: bytes, entry: "Entry", envelope: "Envelope") -> None:
    """Put the record beside the mail; the recipients of one that is there already are kept."""
    from amavis_pipe.record import to_json

    known = _read_record(folder, name + RECORD)
    merged = known or {**entry, "quarantine_id": name.decode(), "envelope": envelope_in(envelope)}
    if known:
        there = known["envelope"]["recipients"]
        there += [one for one in envelope_in(envelope)["recipients"] if one not in there]
    temporary = b".%s.%d%s" % (name, posix.getpid(), RECORD)
    try:
        _write(folder, temporary, (to_json(merged).encode() + b"\n",), ())
        posix.rename(temporary, name + RECORD, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        _unlink(folder, temporary)  # there only if it could not be renamed


def _read_record(folder: int, name: bytes) -> "Entry | None":
    """The record of that name, or None if there is none that could be understood."""
    try:
        fd = posix.open(name, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return None
    try:
        import json

        found = json.loads(posix.read(fd, LARGEST_RECORD))
        found["envelope"]["recipients"] += []
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    finally:
        posix.close(fd)
    kept: Entry = found
    return kept


def _write(folder: int, name: bytes, head: "Iterable[bytes]", chunks: "Iterable[bytes]") -> None:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    fd = posix.open(name, flags, 0o600, dir_fd=folder)
    try:
        write_all(fd, iter(head))
        write_all(fd, iter(chunks))
        posix.fsync(fd)
    finally:
        posix.close(fd)


def _append(mail: "Mail", envelope: "Envelope", label: str, alert: str, path: bytes) -> str:
    """Append to the mailbox file; what was there is left if that fails."""
    name = name_of(label, mail, envelope)
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    fd = posix.open(path, flags, 0o600)
    try:
        _require_ours(fd)
        flock(fd, LOCK_EX)
        before = posix.fstat(fd).st_size
        posix.lseek(fd, before, 0)
        stamp = strftime("%a %b %d %H:%M:%S %Y", gmtime()).encode()
        head = b"From MAILER-DAEMON " + stamp + b"\n" + b"\n".join(lines(mail, envelope, alert, name)) + b"\n"
        try:
            write_all(fd, iter((head,)))
            write_all(fd, mboxrd(mail.raw.chunks()))
            write_all(fd, iter((b"\n\n",)))
            posix.fsync(fd)
        except (OSError, SpoolTrouble):
            posix.ftruncate(fd, before)
            raise
    finally:
        posix.close(fd)
    return name.decode()


def _unlink(folder: int, name: bytes) -> None:
    try:
        posix.unlink(name, dir_fd=folder)
    except OSError:
        pass
