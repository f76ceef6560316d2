"""Does what was decided: keep a copy, notify, send on; in the order in which a crash harms least.

quarantine (synced) -> delivery status notification -> reinjection -> notices (best effort). Once the
mail is committed nothing may fail; before that, anything may, and the mail is tried again. What was
committed before is left out then (committed.py).
"""

from time import monotonic

from amavis_pipe import exits, forward
from amavis_pipe.committed import Committed
from amavis_pipe.model import Envelope, ForwardTrouble, SpoolTrouble
from amavis_pipe.spool import Blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.exits import Outcome
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Receipt, Reply
    from amavis_pipe.policy import Verdict
    from amavis_pipe.settings import Settings

SENDABLE = ("pass", "tag")
NOTICE_SECONDS = 30
"""A notice is given up after this: the outcome stands, and Postfix waits for us."""
LEAST = 30
"""Seconds that a submission has in any case."""
SHOWN = 60
"""Characters of the reason that the status line has room for beside a queue id."""


class Group:
    """Recipients who get the same message: the mail with `lines` (without line ends) on top."""

    __slots__ = ("lines", "recipients")

    def __init__(self, recipients: tuple[bytes, ...], lines: list[bytes]) -> None:
        self.recipients = recipients
        self.lines = lines


class Actor:
    """Acts on one mail for one site.

    ready     called just before anything leaves this machine; raises Trouble if it must not
    deadline  of monotonic(), when all submissions should be over
    receipts  how the mail itself was handed on, one for each submission
    """

    __slots__ = ("_deadline", "_ready", "_settings", "receipts")

    def __init__(self, settings: "Settings", ready: "Callable[[], None]", deadline: float) -> None:
        self._settings = settings
        self._ready = ready
        self._deadline = deadline
        self.receipts: list[Receipt] = []

    def perform(self, mail: "Mail", envelope: "Envelope", verdict: "Verdict") -> "Outcome":
        """Carry out the verdict; how that ended. Raises Trouble if the mail must be tried again."""
        if verdict.action == "defer":
            return exits.try_again("held back by policy: " + verdict.reason, "4.7.1")
        kept = ""
        if verdict.quarantine and self._settings.quarantine:
            from amavis_pipe import quarantine

            kept = quarantine.keep(mail, envelope, verdict, self._settings.quarantine)
        if verdict.action in SENDABLE:
            lines = added_lines(self._settings, verdict)
            return self.send_on(mail, envelope, verdict, [Group(envelope.recipients, lines)])
        if verdict.action == "bounce":
            return self._bounce(mail, envelope, verdict)
        if verdict.withheld:
            self._tell(mail, envelope, kept)
        return exits.done(f"discarded {verdict.reason}" + (f", kept as {kept}" if kept else ""))

    def send_on(
        self, mail: "Mail", envelope: "Envelope", verdict: "Verdict", groups: list[Group]
    ) -> "Outcome":
        """Hand the mail on to each group, but to nobody who got it in an earlier try."""
        committed = Committed(self._settings.state, mail, envelope)
        for group in groups:
            recipients = committed.left(group.recipients)
            if not recipients:
                continue
            receipt = self._submit(mail, envelope, Group(recipients, group.lines), committed)
            self.receipts.append(receipt)
            if not receipt.taken:
                # status 69 returns the whole mail for everybody: no virus, and nothing that others got
                if recipients == envelope.recipients and verdict.label != "infected":
                    return exits.refused(receipt.refused[0].text)
                self._ready()
                self._report(mail, envelope, receipt.refused, committed)
            committed.note(recipients)
        return exits.done(_passed(verdict, self.receipts))

    def _submit(self, mail: "Mail", envelope: "Envelope", group: Group, committed: Committed) -> "Receipt":
        settings = self._settings
        remove = settings.tag.lower() if settings.remove_foreign else b""
        message = forward.Message(mail, group.lines, remove)

        def before(refused: "list[Reply]") -> None:
            self._ready()
            self._report(mail, envelope, refused, committed)

        return self._forwarded(settings.forward, message, envelope, group.recipients, before)

    def _report(
        self, mail: "Mail", envelope: "Envelope", refused: "list[Reply]", committed: Committed
    ) -> None:
        """Tell the sender who will not get the mail; Trouble if that can't be done, and nothing is sent."""
        if not refused or not envelope.sender:
            return
        recipients = committed.left(tuple(reply.recipient for reply in refused), b"report")
        if recipients:
            from amavis_pipe import notice

            due = [reply for reply in refused if reply.recipient in recipients]
            self._notify(notice.refused(mail, envelope, due, self._settings), (envelope.sender,))
            committed.note(recipients, b"report")

    def _bounce(self, mail: "Mail", envelope: "Envelope", verdict: "Verdict") -> "Outcome":
        """Refuse: by Postfix's own bounce, or for a virus by a notification without the content."""
        if verdict.label != "infected":
            return exits.rejected("message refused: " + verdict.reason)
        from amavis_pipe import notice

        if notice.may_answer(mail, envelope):
            committed = Committed(self._settings.state, mail, envelope)
            recipients = committed.left(envelope.recipients, b"report")
            if recipients:
                text = notice.infected(mail, envelope, verdict, self._settings)
                self._notify(text, (envelope.sender,))
                committed.note(recipients, b"report")
            return exits.done(f"refused {verdict.reason}, sender notified")
        return exits.done(f"discarded {verdict.reason}, no sender to notify")

    def _tell(self, mail: "Mail", envelope: "Envelope", kept: str) -> None:
        """Tell recipients and admin, as far as that goes: the mail itself is safe by now."""
        from amavis_pipe import journal, notice

        admin = (self._settings.admin,) if self._settings.admin else ()
        text = notice.withheld(mail, envelope, kept, self._settings)
        try:
            self._notify(text, (*envelope.recipients, *admin), NOTICE_SECONDS)
        except (ForwardTrouble, SpoolTrouble) as error:
            journal.log(journal.WARNING, f"notice not sent: {error}")

    def _notify(self, text: bytes, recipients: tuple[bytes, ...], most: float = 3600) -> None:
        """Send a message of our own, under the null sender; ForwardTrouble if that is not possible now."""

        def before(_: "list[Reply]") -> None:
            self._ready()

        null = Envelope(b"", recipients)
        self._forwarded(self._settings.notify, Blob(text), null, recipients, before, most)

    def _forwarded(
        self,
        route: str,
        message: "forward.Message | Blob",
        envelope: "Envelope",
        recipients: tuple[bytes, ...],
        before: "forward.Before",
        most: float = 3600,
    ) -> "Receipt":
        """How the message was taken, in `most` seconds and what is left of all."""
        timeout = int(min(most, max(LEAST, self._deadline - monotonic())))
        work, stray_cr = self._settings.work, self._settings.stray_cr
        return forward.submit(route, message, envelope, recipients, before, timeout, work, stray_cr)


def _passed(verdict: "Verdict", receipts: "list[Receipt]") -> str:
    """The status line for a mail that went on."""
    ids = " ".join(receipt.queue_id for receipt in receipts if receipt.queue_id)
    if ids:
        return f"passed {verdict.reason[:SHOWN]}, queued as {ids}"
    if receipts and not any(receipt.taken for receipt in receipts):
        return f"passed {verdict.reason[:SHOWN]}, refused, sender notified"
    return f"passed {verdict.reason}" + ("" if receipts else ", sent before")


def added_lines(settings: "Settings", verdict: "Verdict") -> list[bytes]:
    """The header lines that mail gets which goes on, without line ends."""
    lines = []
    if settings.tag and settings.line:
        lines.append(settings.tag + b": " + settings.line)
    if verdict.alert:
        lines.append(b"X-Amavis-Alert: " + verdict.alert.encode("ascii", "replace"))
    return lines
