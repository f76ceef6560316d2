"""Ways for the mail to go on; one of them is loaded. Hot.

The message that goes on is the raw bytes as they came, with our header lines at the top; nothing is
parsed and written out again.
"""

import posix

from amavis_pipe.spool import SMALL, unnamed, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.intake import Mail


FIRST_LINE = 1000
"""Bytes in which a mail without header shows how its lines end (RFC 5322 2.1.1)."""


def message(mail: "Mail", lines: list[bytes], remove: bytes, folder: bytes) -> int:
    """A new file that holds the mail with `lines` (without line ends) on top; the caller closes it.

    Fields named `remove` (lower case; b"" for none) are left out. Large mails are spooled below
    `folder`; SpoolTrouble if there is no room.
    """
    small = mail.raw.size <= SMALL
    fd = posix.memfd_create("message") if small else unnamed(folder)
    try:
        if small:
            write_all(fd, (b"".join(_pieces(mail, lines, remove)),))
        else:
            write_all(fd, _pieces(mail, lines, remove))
    except BaseException:
        posix.close(fd)
        raise
    return fd


def submit(route: str, fd: int, sender: bytes, recipients: tuple[bytes, ...], timeout: int) -> None:
    """Send the message in the file `fd` by a route of the settings; returns once it is committed.

    ForwardTrouble if it was not, or if that can't be known.
    """
    if route.startswith("file:"):
        from amavis_pipe.forward import file

        file.submit(fd, route[5:].encode())
    else:
        from amavis_pipe.forward import sendmail

        sendmail.submit(fd, sender, recipients, timeout)


def _pieces(mail: "Mail", lines: list[bytes], remove: bytes) -> "Iterator[bytes]":
    head = mail.raw.head(max(mail.head.body, FIRST_LINE))
    at = 0
    if head.startswith(b"From "):
        at = head.find(b"\n") + 1  # an mbox line stays first: sendmail(1) drops it only there
        yield head[:at]
    yield _added(lines, head[at:])
    for field in mail.head.fields:
        if remove and field.name == remove:
            yield head[at : field.start]
            at = field.end
    yield from mail.raw.chunks(at)


def _added(lines: list[bytes], head: bytes) -> bytes:
    """Our lines, ended as the mail's own first line is."""
    first = head.partition(b"\n")[0]
    end = b"\r\n" if first.endswith(b"\r") else b"\n"
    added = b"".join([line + end for line in lines])
    # an indented first line would become a fold of our field: it is body, and stays so
    return added + end if added and first.startswith((b" ", b"\t")) else added
