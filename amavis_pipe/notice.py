"""Mail of our own: delivery status notifications (recipients whose mail policy or the next host refuses), and
reports of cron's commands. Other notices are in notices/.

A notification has no content of the mail but its header (RFC 3464, RFC 6522; RET=HDRS of RFC 3461) and
goes out under the null sender; what policy refuses is told to nobody who can't want it: not to a null
sender, a list or a robot (RFC 3834 2). Written by hand, from bytes: nothing of the mail is parsed.
"""

import posix
from time import gmtime, strftime

from amavis_pipe.exits import is_permanent
from amavis_pipe.text import ascii_of, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope, Reply
    from amavis_pipe.policy import Verdict
    from amavis_pipe.settings import Settings

HEADER_SHOWN = 16 << 10
"""Bytes of the mail's header that a notification carries at most."""
_HOST = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
_BULK = (b"bulk", b"list", b"junk")
_LIST = (
    b"list-id",
    b"list-help",
    b"list-subscribe",
    b"list-unsubscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
)
"""Fields of mailing lists (RFC 2369, RFC 2919)."""
_ROBOTS = (b"mailer-daemon", b"bounce", b"bounces")
_BEGINS = (b"owner-", b"bounce-", b"bounces-")
_ENDS = (b"-owner", b"-request", b"-bounce", b"-bounces")
"""Local parts of addresses where no person reads."""


def may_answer(mail: "Mail", envelope: "Envelope") -> bool:
    """Whether the sender of this mail may be told of it: a person, as far as one can see."""
    if not envelope.sender:
        return False
    name, at, domain = envelope.sender.lower().rpartition(b"@")
    local = (name if at else domain).partition(b"+")[0]
    if local in _ROBOTS or local.startswith(_BEGINS) or local.endswith(_ENDS):
        return False
    return not any(_is_automatic(field.name, field.value.strip().lower()) for field in mail.head.fields)


def _is_automatic(name: bytes, value: bytes) -> bool:
    """Whether a field says that a list or a robot sent the mail, or that it is a bounce itself."""
    if name == b"auto-submitted":
        return value.partition(b";")[0].partition(b"(")[0].strip() != b"no"
    if name == b"precedence":
        return value in _BULK
    return name in _LIST or (name == b"content-type" and value.startswith(b"multipart/report"))


def bounced(
    mail: "Mail",
    envelope: "Envelope",
    failed: "list[tuple[bytes, Verdict]]",
    settings: "Settings",
) -> bytes:
    """The delivery status notification for recipients whose mail policy refuses, each with its verdict."""
    reasons = dict.fromkeys(_line(verdict.reason) for _, verdict in failed)
    why = b"because of\nwhat was found in it:\n\n" + b"\n".join(b"    " + reason for reason in reasons)
    rows = [(word, b"5.7.1", b"x-unix; 5.7.1 " + _line(verdict.reason)) for word, verdict in failed]
    return _not_delivered(mail, envelope, why, rows, settings)


def refused(mail: "Mail", envelope: "Envelope", replies: "list[Reply]", settings: "Settings") -> bytes:
    """The one for recipients whom the next host refused, while others get the mail."""
    why = b"because the next\nhost refused them; other recipients may have got it"
    failed = [(one.recipient, _code(one.text), b"smtp; " + one.text.encode()) for one in replies]
    return _not_delivered(mail, envelope, why, failed, settings)


def _not_delivered(
    mail: "Mail",
    envelope: "Envelope",
    why: bytes,
    failed: list[tuple[bytes, bytes, bytes]],
    settings: "Settings",
) -> bytes:
    """The notification that some recipients, each with status and diagnostic code, don't get a mail."""
    boundary = b"=_" + posix.urandom(18).hex().encode()
    own = host()
    listed = b"".join(b"<%s>\n" % _address(word) for word, _, _ in failed)
    text = (
        b"This is the mail system at host %s.\n\n"
        b"Your message was not delivered to the recipients below, %s\n\n%s\n"
        b"The message itself is not attached, only its header.\n"
    ) % (own, why, listed)
    status = b"Reporting-MTA: dns; %s\n" % own
    if envelope.queue_id:
        status += b"X-Postfix-Queue-ID: %s\n" % _address(envelope.queue_id)
    status += b"Arrival-Date: %s\n" % _date()
    for word, code, diagnostic in failed:
        status += (b"\nFinal-Recipient: rfc822; %s\nAction: failed\nStatus: %s\nDiagnostic-Code: %s\n") % (
            _address(word),
            code,
            diagnostic,
        )
    head = mail.raw.head(min(mail.head.body, HEADER_SHOWN)).replace(b"\0", b"")
    parts = (
        (b"text/plain; charset=us-ascii", b"7bit", text),
        (b"message/delivery-status", b"7bit", status),
        (b"text/rfc822-headers", b"8bit", head),
    )
    kind = b'multipart/report; report-type=delivery-status;\n boundary="%s"' % boundary
    top = _top(settings, b"<%s>" % _address(envelope.sender), b"Undelivered Mail Returned to Sender", kind)
    return top + b"".join(_part(boundary, *part) for part in parts) + b"--%s--\n" % boundary


def report(to: bytes, subject: str, text: str, settings: "Settings") -> bytes:
    """Word of something that went on here, for whoever looks after it; what is no ASCII becomes "?"."""
    kind = b"text/plain; charset=us-ascii"
    top = _top(
        settings,
        _address(to),
        readable(subject.encode(), 200).encode("ascii", "replace"),
        kind,
        b"auto-generated",
    )
    return top + text.encode("ascii", "replace")


def host() -> bytes:
    """This host's name as it may stand in an address."""
    name = posix.uname().nodename.encode("utf-8", "replace")[:255]
    return b"localhost" if not name or name.translate(None, _HOST) else name


def authors(settings: "Settings") -> tuple[bytes, ...]:
    """The addresses that mail of our own may come from."""
    return (settings.notice_sender or b"postmaster@" + host(), b"amavis@" + host())


def _top(
    settings: "Settings", to: bytes, subject: bytes, kind: bytes, automatic: bytes = b"auto-replied"
) -> bytes:
    sender = authors(settings)[0]
    return (
        b"From: amavis-pipe <%s>\nTo: %s\nSubject: %s\nDate: %s\nAuto-Submitted: %s\n"
        b"MIME-Version: 1.0\nContent-Type: %s\n\n"
    ) % (sender, to, subject, _date(), automatic, kind)


def _part(boundary: bytes, kind: bytes, encoding: bytes, body: bytes) -> bytes:
    if not body.endswith(b"\n"):
        body += b"\n"
    return b"--%s\nContent-Type: %s\nContent-Transfer-Encoding: %s\n\n%s\n" % (boundary, kind, encoding, body)


def _code(reply: str) -> bytes:
    """The enhanced status code of a reply (RFC 3463), 5.0.0 if it has none."""
    code = reply[4:].partition(" ")[0]
    return code.encode() if is_permanent(code) else b"5.0.0"


def _address(word: bytes) -> bytes:
    """An outside word for one line of ours: printable ASCII, bounded."""
    return ascii_of(word, 320).encode()


def _line(reason: str) -> bytes:
    """A reason for one line of ours: printable ASCII, bounded."""
    return b"".join([char.encode() if " " <= char <= "~" else b"?" for char in reason[:700]])


def _date() -> bytes:
    return strftime("%a, %d %b %Y %H:%M:%S +0000", gmtime()).encode()
