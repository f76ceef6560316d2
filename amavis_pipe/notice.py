"""Mail of our own: delivery status notifications (an infected mail, recipients who were refused), and word
of mail kept back; reports of cron's commands.

A notification has no content of the mail but its header (RFC 3464, RFC 6522; RET=HDRS of RFC 3461) and
goes out under the null sender; that of an infected mail to nobody who can't want it: not to a null
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
_BULK = (b"bulk", b"list", b"junk")


def may_answer(mail: "Mail", envelope: "Envelope") -> bool:
    """Whether a notification of a virus may go to the sender of this mail."""
    if not envelope.sender or envelope.sender.lower().startswith((b"mailer-daemon@", b"owner-")):
        return False
    head = mail.head
    automatic = (head.first(b"auto-submitted") or b"no").strip().lower()
    bulk = (head.first(b"precedence") or b"").strip().lower() in _BULK
    return not bulk and automatic.startswith(b"no") and head.first(b"list-id") is None


def bounced(
    mail: "Mail",
    envelope: "Envelope",
    failed: "list[tuple[bytes, Verdict]]",
    settings: "Settings",
) -> bytes:
    """The delivery status notification for recipients whose mail policy refuses, each with its verdict."""
    reasons = dict.fromkeys(verdict.reason.encode("ascii", "replace") for _, verdict in failed)
    why = b"because of\nwhat was found in it:\n\n" + b"\n".join(b"    " + reason for reason in reasons)
    rows = [
        (word, b"5.7.1", b"x-unix; 5.7.1 " + verdict.reason.encode("ascii", "replace"))
        for word, verdict in failed
    ]
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
    host = _host()
    listed = b"".join(b"<%s>\n" % _address(word) for word, _, _ in failed)
    text = (
        b"This is the mail system at host %s.\n\n"
        b"Your message was not delivered to the recipients below, %s\n\n%s\n"
        b"The message itself is not attached, only its header.\n"
    ) % (host, why, listed)
    status = b"Reporting-MTA: dns; %s\n" % host
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


def withheld(mail: "Mail", envelope: "Envelope", name: str, settings: "Settings") -> bytes:
    """Word for recipients and admin that a mail was kept back, since it could not be examined."""
    text = (
        b"A message for %s was not delivered: it could not be examined for viruses,\n"
        b"because the program that unpacks it failed on it.\n\n"
        b"From:       <%s>\nKept as:    %s\nSize:       %d bytes\n\n"
        b"Please ask the postmaster at %s if you expected it.\n"
    ) % (
        b", ".join(_address(word) for word in envelope.recipients[:20]),
        _address(envelope.sender),
        name.encode(),
        mail.raw.size,
        _host(),
    )
    return (
        _top(
            settings,
            b"undisclosed-recipients:;",
            b"Message kept back unexamined",
            b"text/plain; charset=us-ascii",
        )
        + text
    )


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


def _top(
    settings: "Settings", to: bytes, subject: bytes, kind: bytes, automatic: bytes = b"auto-replied"
) -> bytes:
    sender = settings.notice_sender or b"postmaster@" + _host()
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


def _host() -> bytes:
    return ascii_of(posix.uname().nodename.encode("utf-8", "replace")).encode() or b"localhost"


def _date() -> bytes:
    return strftime("%a, %d %b %Y %H:%M:%S +0000", gmtime()).encode()
