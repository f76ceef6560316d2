"""Ways for the mail to go on; one of them is loaded. Hot.

The message that goes on is the raw bytes as they came, with our header lines at the top; nothing is
parsed and written out again.

| route            | committed by                | what goes another way                          |
|------------------|-----------------------------|------------------------------------------------|
| `sendmail`       | exit status 0               |                                                |
| `smtp:HOST:PORT` | the reply to the final dot  | stray CR, NUL, odd addresses: by sendmail (1)  |
| `file:DIR`       | the file, whole and synced  |                                                |
"""

from amavis_pipe.model import Receipt
from amavis_pipe.spool import CHUNK, SMALL, Blob, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope, Reply

    Before = Callable[[list[Reply]], None]
    """Called once, just before the message can be committed, with the replies that refuse some recipients
    for good; what it raises stops the submission."""

FIRST_LINE = 1000
"""Bytes in which a mail without header shows how its lines end (RFC 5322 2.1.1)."""


class Message:
    """A mail with `lines` on top (see added()), less its fields named in `remove` (lower case).

    `subject_tag` is put before the subject's text, if it isn't there; the mail without one gets a subject.

    Reads like a Blob: its bytes are put together each time they are asked for, so that a large mail is
    not copied.
    """

    __slots__ = ("_lines", "_mail", "_remove", "_subject_tag")

    def __init__(
        self,
        mail: "Mail",
        lines: list[bytes],
        remove: "Collection[bytes]" = (),
        subject_tag: bytes = b"",
    ) -> None:
        self._mail = mail
        self._lines = lines
        self._remove = remove
        self._subject_tag = subject_tag

    def chunks(self) -> "Iterator[bytes]":
        """The bytes in order; those of a small mail in one piece."""
        if self._mail.raw.size <= SMALL:
            yield b"".join(self._pieces())
        else:
            yield from self._pieces()

    def descriptor(self, folder: bytes) -> int:
        """A new descriptor of a file with these bytes, at its start; large ones are spooled below `folder`.

        The caller closes it. SpoolTrouble if there is no room.
        """
        if self._mail.raw.size <= SMALL:
            return Blob(b"".join(self._pieces())).descriptor(folder)
        return Store(folder).put(self._pieces()).descriptor(folder)

    def is_smtputf8(self) -> bool:
        """Whether the mail came to this host by SMTPUTF8 (RFC 6531 3.7.3): Postfix notes it in Received."""
        return b" with UTF8SMTP" in (self._mail.head.first(b"received") or b"")

    def _pieces(self) -> "Iterator[bytes]":
        mail = self._mail
        head = mail.raw.head(max(mail.head.body, FIRST_LINE))
        at = 0
        if head.startswith(b"From "):
            at = head.find(b"\n") + 1  # an mbox line stays first: sendmail(1) drops it only there
            yield head[:at]
        tag, fields = self._subject_tag, mail.head.fields
        if tag and not any(field.name == b"subject" for field in fields):
            yield added([*self._lines, b"Subject: " + tag], head[at:])
            tag = b""
        else:
            yield added(self._lines, head[at:])
        for field in fields if self._remove or tag else ():
            if field.name in self._remove:
                yield head[at : field.start]
                at = field.end
            elif tag and field.name == b"subject":
                yield head[at : field.start] + _tagged(head[field.start : field.end], tag)
                at = field.end
                tag = b""
        yield from mail.raw.chunks(at, CHUNK)


def added(lines: list[bytes], head: bytes) -> bytes:
    """Our lines, without line ends, ended as the mail's own first line is; `head` begins with that.

    A line is folded where it has a line feed and a tab (RFC 5322 2.2.3).
    """
    first = head.partition(b"\n")[0]
    end = b"\r\n" if first.endswith(b"\r") else b"\n"
    whole = b"".join([line.replace(b"\n\t", end + b"\t") + end for line in lines])
    # an indented first line would become a fold of our field: it is body, and stays so
    return whole + end if whole and first.startswith((b" ", b"\t")) else whole


def submit(
    route: str,
    message: "Message | Blob",
    envelope: "Envelope",
    recipients: tuple[bytes, ...],
    before: "Before",
    timeout: int,
    folder: bytes,
    stray_cr: str = "sendmail",
) -> Receipt:
    """Send the message by a route of the settings; how it was taken, once that can't be undone.

    `envelope` gives the sender and tells of the client, `recipients` whom this submission is for;
    `timeout` is the seconds it may take, `folder` where files may be made, `stray_cr` what smtp does
    with a CR that ends no line ("sendmail" or "blank"). ForwardTrouble if it was not taken, or if that
    can't be known.
    """
    if route.startswith("smtp:"):
        from amavis_pipe.forward import smtp
        from amavis_pipe.forward.wire import Survey

        survey = Survey(message.chunks())
        obstacle = survey.obstacle((envelope.sender, *recipients), stray_cr)
        if not obstacle:
            smtputf8 = isinstance(message, Message) and message.is_smtputf8()
            return smtp.submit(route, message, survey, envelope, recipients, smtputf8, before, timeout)
        receipt = Receipt("sendmail", obstacle)
    else:
        receipt = Receipt(route)
    if route.startswith("file:"):
        from amavis_pipe.forward import file

        file.submit(message, route[5:].encode(), before)
    else:
        from amavis_pipe.forward import sendmail

        sendmail.submit(message, envelope.sender, recipients, folder, before, timeout)
    return receipt


def _tagged(field: bytes, tag: bytes) -> bytes:
    """The subject field with the tag before its text; as it is if the tag is there already."""
    name, colon, text = field.partition(b":")
    if text.lstrip().startswith(tag):
        return field
    return name + colon + b" " + tag + (text if text.startswith((b" ", b"\t", b"\r", b"\n")) else b" " + text)
