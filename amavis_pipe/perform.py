"""Does what was decided: keep a copy, notify, send on; in the order in which a crash harms least.

quarantine (synced) -> delivery status notification -> reinjection -> notices (best effort). Once the
mail is committed nothing may fail; before that, anything may, and the mail is tried again.
"""

import posix

from amavis_pipe import exits, forward
from amavis_pipe.model import ForwardTrouble, SpoolTrouble
from amavis_pipe.spool import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.exits import Outcome
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope
    from amavis_pipe.policy import Verdict
    from amavis_pipe.settings import Settings

SENDABLE = ("pass", "tag")
NOTICE_SECONDS = 30
"""A notice is given up after this: the outcome stands, and Postfix waits for us."""


class Actor:
    """Acts on one mail for one site.

    ready    called just before anything leaves this machine; raises Trouble if it must not
    timeout  seconds for each submission
    """

    __slots__ = ("_ready", "_settings", "_timeout")

    def __init__(self, settings: "Settings", ready: "Callable[[], None]", timeout: int) -> None:
        self._settings = settings
        self._ready = ready
        self._timeout = timeout

    def perform(self, mail: "Mail", envelope: "Envelope", verdict: "Verdict") -> "Outcome":
        """Carry out the verdict; how that ended. Raises Trouble if the mail must be tried again."""
        if verdict.action == "defer":
            return exits.try_again("held back by policy: " + verdict.reason, "4.7.1")
        kept = ""
        if verdict.quarantine and self._settings.quarantine:
            from amavis_pipe import quarantine

            kept = quarantine.keep(mail, envelope, verdict, self._settings.quarantine)
        if verdict.action in SENDABLE:
            self._send_on(mail, envelope, verdict)
            return exits.done(f"passed {verdict.reason}")
        if verdict.action == "bounce":
            return self._bounce(mail, envelope, verdict)
        if verdict.withheld:
            self._tell(mail, envelope, kept)
        return exits.done(f"discarded {verdict.reason}" + (f", kept as {kept}" if kept else ""))

    def _send_on(self, mail: "Mail", envelope: "Envelope", verdict: "Verdict") -> None:
        settings = self._settings
        remove = settings.tag.lower() if settings.remove_foreign else b""
        fd = forward.message(mail, added_lines(settings, verdict), remove, settings.work)
        self._ready()
        forward.submit(settings.forward, fd, envelope.sender, envelope.recipients, self._timeout)

    def _bounce(self, mail: "Mail", envelope: "Envelope", verdict: "Verdict") -> "Outcome":
        """Refuse: by Postfix's own bounce, or for a virus by a notification without the content."""
        if verdict.label != "infected":
            return exits.rejected("message refused: " + verdict.reason)
        from amavis_pipe import notice

        if notice.may_answer(mail, envelope):
            text = notice.not_delivered(mail, envelope, verdict, self._settings)
            self._ready()
            self._notify(text, (envelope.sender,), self._timeout)
            return exits.done(f"refused {verdict.reason}, sender notified")
        return exits.done(f"discarded {verdict.reason}, no sender to notify")

    def _tell(self, mail: "Mail", envelope: "Envelope", kept: str) -> None:
        """Tell recipients and admin, as far as that goes: the mail itself is safe by now."""
        from amavis_pipe import journal, notice

        admin = (self._settings.admin,) if self._settings.admin else ()
        text = notice.withheld(mail, envelope, kept, self._settings)
        self._ready()
        try:
            self._notify(text, (*envelope.recipients, *admin), min(self._timeout, NOTICE_SECONDS))
        except (ForwardTrouble, SpoolTrouble) as error:
            journal.log(journal.WARNING, f"notice not sent: {error}")

    def _notify(self, text: bytes, recipients: tuple[bytes, ...], timeout: int) -> None:
        """Send a message of our own, under the null sender."""
        fd = posix.memfd_create("notice")
        try:
            write_all(fd, (text,))
            forward.submit(self._settings.notify, fd, b"", recipients, timeout)
        finally:
            posix.close(fd)


def added_lines(settings: "Settings", verdict: "Verdict") -> list[bytes]:
    """The header lines that mail gets which goes on, without line ends."""
    lines = []
    if settings.tag and settings.line:
        lines.append(settings.tag + b": " + settings.line)
    if verdict.alert:
        lines.append(b"X-Amavis-Alert: " + verdict.alert.encode("ascii", "replace"))
    return lines
