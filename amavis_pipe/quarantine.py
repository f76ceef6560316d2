"""Keeps mail back, in a folder or a mailbox file; on disk when keep() returns.

A folder holds one file per mail in a subfolder named by two hex digits of its content's sha256: the bytes as
they came below a few lines of our own. The lines tell the envelope and why; the last of them,
X-Amavis-Original, says how many bytes from the end of the file are the mail. Beside it, NAME.json is its
record, with the envelope as given. Name: `virus-YYYYMMDD-HHMMSS-ID`, ID = queue id, "-", 12 hex digits of the
sha256; a retry finds its own copy, and adds the recipients for whom it was not there before; no other content
is ever overwritten. A mailbox file (name ends in .mbox) takes the same lines and bytes (mailbox.py).

What a kill at any moment leaves: a temporary file, or a record without its mail; `prune` takes both. Whoever
writes records, or removes mail, holds a lock (flock(2)) on the subfolder. One that is empty may be removed at
any time; then all is done once more.
"""

import posix
from fcntl import LOCK_EX, flock
from itertools import chain
from time import gmtime, strftime

from amavis_pipe.kept import (
    ALERT,
    FIRST,
    ORIGINAL,
    RECIPIENT,
    RECORD,
    SENDER,
    addresses_in,
    bracketed,
    envelope_in,
    head_of,
    read_record,
    temporary_of,
    unlink,
    write,
    write_record,
)
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import ascii_of, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope

    Entry = dict[str, Any]

PREFIX = {"infected": "virus"}
"""How names begin, by category; other categories by their own name."""
MAILBOX = ".mbox"
LONGEST_ALERT = 1000
TRIES = 100
"""Times that a subfolder may be removed just before something is put into it."""


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
        FIRST + name + b">",
        _sender(envelope),
        *(RECIPIENT + bracketed(one) for one in envelope.recipients),
        ALERT + ascii_of(alert.encode("ascii", "replace"), LONGEST_ALERT).encode(),
        _original(mail),
    ]


def keep(mail: "Mail", envelope: "Envelope", label: str, alert: str, path: bytes, entry: "Entry") -> str:
    """Store a copy in the folder or mailbox file at `path`; its name.

    `envelope` has the recipients for whom it is kept, `entry` is the record that goes beside it. SpoolTrouble
    if it can't be stored; then nothing of it is there that could be taken for a whole copy.
    """
    try:
        if path.endswith(MAILBOX.encode()):
            from amavis_pipe import mailbox

            name = name_of(label, mail, envelope)
            mailbox.append(path, lines(mail, envelope, alert, name), mail.raw.chunks())
            return name.decode()
        return _store(Copy(mail, envelope, label, alert, entry), path)
    except OSError as error:
        raise SpoolTrouble(f"quarantine {readable(path)}: {error.strerror}") from None
    except SpoolTrouble as error:
        raise SpoolTrouble(f"quarantine {readable(path)}: {str(error).removeprefix('spool: ')}") from None


class Copy:
    """What is to be stored, as keep() takes it; `ending` is what the names of all copies of it end in."""

    __slots__ = ("alert", "ending", "entry", "envelope", "label", "mail")

    def __init__(self, mail: "Mail", envelope: "Envelope", label: str, alert: str, entry: "Entry") -> None:
        self.mail = mail
        self.envelope = envelope
        self.label = label
        self.alert = alert
        self.entry = entry
        self.ending = _ending(mail, envelope)


def _sender(envelope: "Envelope") -> bytes:
    return SENDER + bracketed(envelope.sender)


def _ending(mail: "Mail", envelope: "Envelope") -> bytes:
    queue_id = b"".join(
        [bytes((byte,)) if bytes((byte,)).isalnum() else b"_" for byte in envelope.queue_id[:32]]
    )
    return b"-" + (queue_id + b"-" if queue_id else b"") + mail.sha256[:12].encode()


def _original(mail: "Mail") -> bytes:
    return ORIGINAL + b"size=%d sha256=%s" % (mail.raw.size, mail.sha256.encode())


def _store(copy: Copy, path: bytes) -> str:
    top = _opened_top(path)
    try:
        for _ in range(TRIES):
            try:
                return _store_below(top, copy)
            except FileNotFoundError:
                continue  # `prune` took the subfolder away while it was empty
    finally:
        posix.close(top)
    raise SpoolTrouble("its subfolders are removed again and again")


def _store_below(top: int, copy: Copy) -> str:
    folder = _subfolder(top, copy.mail.sha256[:2].encode())
    temporary = temporary_of(copy.ending)
    try:
        name = b"" if _known(folder, copy) else _write_copy(folder, temporary, copy)
        flock(folder, LOCK_EX)
        known = _known(folder, copy)  # another filter may have been faster
        if known:
            _add_recipients(folder, known, copy)
        else:
            name = name or _write_copy(folder, temporary, copy)  # the known one has just been pruned
            _commit(folder, temporary, name, copy)
        posix.fsync(folder)
        return (known or name).decode()
    finally:
        unlink(folder, temporary)
        posix.close(folder)


def _write_copy(folder: int, temporary: bytes, copy: Copy) -> bytes:
    """Write the mail below our lines to a file of that name; the name that it is to have."""
    name = name_of(copy.label, copy.mail, copy.envelope)
    head = b"\n".join(lines(copy.mail, copy.envelope, copy.alert, name)) + b"\n"
    write(folder, temporary, chain((head,), copy.mail.raw.chunks()))
    return name


def _commit(folder: int, temporary: bytes, name: bytes, copy: Copy) -> None:
    """Give the file its name, its record first; nothing is left of both if that fails."""
    if _is_there(folder, name):
        raise FileExistsError(17, f"{readable(name)} is there with other content")
    known = copy.entry.get("envelope", {})
    envelope = {**known, **envelope_in(copy.envelope)}
    write_record(folder, name, {**copy.entry, "quarantine_id": name.decode(), "envelope": envelope})
    try:
        posix.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        unlink(folder, name + RECORD)
        raise


def _add_recipients(folder: int, name: bytes, copy: Copy) -> None:
    """Put into the record of a copy those of the recipients whom it doesn't name; make one if need be."""
    wanted = envelope_in(copy.envelope)
    entry = read_record(folder, name)
    is_lost = entry is None
    if entry is None:
        envelope = {**copy.entry.get("envelope", {}), **wanted, "recipients": _first_recipients(folder, name)}
        entry = {**copy.entry, "quarantine_id": name.decode(), "envelope": envelope}
    there: list[str] = entry["envelope"]["recipients"]
    missing = [one for one in wanted["recipients"] if one not in there]
    if missing or is_lost:
        there += missing
        write_record(folder, name, entry)


def _first_recipients(folder: int, name: bytes) -> list[str]:
    """Those whom the file itself names, as a record has them."""
    fd = posix.open(name, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW, dir_fd=folder)
    try:
        return [address.decode("latin-1") for address in addresses_in(head_of(fd), RECIPIENT)]
    finally:
        posix.close(fd)


def _opened_top(path: bytes) -> int:
    """A descriptor of the folder at `path`; made if the folder that is to hold it is ours."""
    try:
        return _opened(path)
    except FileNotFoundError:
        parent = _opened(path.rstrip(b"/").rpartition(b"/")[0] or b"/")
        try:
            _make_folder(path, parent)
        finally:
            posix.close(parent)
        return _opened(path)


def _subfolder(top: int, name: bytes) -> int:
    """A descriptor of the subfolder, made if need be, on disk."""
    _make_folder(name, top)
    return _opened(name, top)


def _make_folder(path: bytes, parent: int) -> None:
    """Make a folder below an open one, if it isn't there; whoever did, it is on disk then."""
    try:
        posix.mkdir(path.rstrip(b"/").rpartition(b"/")[2], 0o700, dir_fd=parent)
    except FileExistsError:
        pass
    posix.fsync(parent)


def _opened(path: bytes, folder: int | None = None) -> int:
    """A descriptor of a folder that is ours alone, else OSError."""
    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC | posix.O_NOFOLLOW
    fd = posix.open(path, flags, dir_fd=folder)
    found = posix.fstat(fd)
    if found.st_uid != posix.geteuid() or found.st_mode & 0o022:
        posix.close(fd)
        raise OSError(1, f"wants a folder of uid {posix.geteuid()} that nobody else can write")
    return fd


def _known(folder: int, copy: Copy) -> bytes:
    """The name of the copy that is there already, whole; b"" if there is none."""
    for name in posix.listdir(folder):
        encoded = name.encode("utf-8", "surrogateescape")
        if _is_named(encoded, copy.ending) and _is_whole(folder, encoded, copy):
            return encoded
    return b""


def _is_named(name: bytes, ending: bytes) -> bool:
    """Whether a name ends so just behind its time; no temporary's does."""
    stem = name.removesuffix(ending)
    time = stem[-16:]
    return stem != name and name[:1] != b"." and time[:1] + time[9:10] == b"--" and time[10:].isdigit()


def _is_whole(folder: int, name: bytes, copy: Copy) -> bool:
    """Whether the file holds this mail, of this sender, to the end: one of a crashed machine may not."""
    flags = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    try:
        fd = posix.open(name, flags, dir_fd=folder)
    except OSError:
        return False
    try:
        head = head_of(fd)
        ours = head.split(b"\n", 2)[1:2] == [_sender(copy.envelope)]
        ours = ours and head.endswith(b"\n" + _original(copy.mail) + b"\n")
        return ours and posix.fstat(fd).st_size == len(head) + copy.mail.raw.size
    except OSError:
        return False
    finally:
        posix.close(fd)


def _is_there(folder: int, name: bytes) -> bool:
    try:
        posix.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
