"""Does what was decided: keep a copy, notify, send on; in the order in which a crash harms least.

quarantine (synced) -> delivery status notification -> reinjection -> notices (best effort). Once the
mail is committed nothing may fail; before that, anything may, and the mail is tried again. What was
committed before is left out then (committed.py).
"""

from time import monotonic

from amavis_pipe import exits, forward
from amavis_pipe.committed import Committed
from amavis_pipe.model import Envelope, Reply, Trouble
from amavis_pipe.policy import SENDABLE
from amavis_pipe.spool import Blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.exits import Outcome
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Facts, Receipt
    from amavis_pipe.policy import Decision, Verdict
    from amavis_pipe.settings import Settings

LEAST = 30
"""Seconds that a submission has in any case."""
SHOWN = 60
"""Characters of the reason that the status line has room for beside a queue id."""


class Group:
    """Recipients who get the same message: the mail with `lines` (without line ends) on top.

    subject_tag  what is put before its subject; extension  what is added to local recipients' addresses
    """

    __slots__ = ("extension", "lines", "recipients", "subject_tag")

    def __init__(
        self,
        recipients: tuple[bytes, ...],
        lines: list[bytes],
        subject_tag: bytes = b"",
        extension: bytes = b"",
    ) -> None:
        self.recipients = recipients
        self.lines = lines
        self.subject_tag = subject_tag
        self.extension = extension


class Actor:
    """Acts on one mail for one site.

    ready     called just before anything leaves this machine; raises Trouble if it must not
    deadline  of monotonic(), when all submissions should be over
    receipts  how the mail itself was handed on, one for each submission
    kept      names in the quarantine
    told      who got a notice or delivery report: words such as "sender", "recipients", "admin"
    """

    __slots__ = ("_deadline", "_settings", "_virus", "kept", "ready", "receipts", "told")

    def __init__(self, settings: "Settings", ready: "Callable[[], None]", deadline: float) -> None:
        self._settings = settings
        self.ready = ready
        self._deadline = deadline
        self._virus = False  # also one that some recipients are spared the check for
        self.receipts: list[Receipt] = []
        self.kept: list[str] = []
        self.told: list[str] = []

    def perform(self, mail: "Mail", envelope: "Envelope", decision: "Decision", facts: "Facts") -> "Outcome":
        """Carry out the decision; how that ended. Raises Trouble if the mail must be tried again."""
        verdicts = decision.verdicts
        self._virus = any(found.grade in ("virus", "suspect") for found in facts.findings)
        if any(verdict.action == "defer" for verdict in verdicts):
            reason = next(verdict.reason for verdict in verdicts if verdict.action == "defer")
            return exits.try_again("held back by policy: " + reason, "4.7.1")
        self._require_one_fate(verdicts)
        committed = Committed(self._settings.state, mail, envelope)
        self._keep_untold(mail, envelope, verdicts, facts)
        places = self._keep(mail, envelope, decision, facts, committed)
        bounced = [verdict for verdict in verdicts if verdict.action == "bounce"]
        alone = bounced and len(verdicts) == len(bounced)
        # status 69 would return the mail for those, too, who got it in an earlier try, under other settings
        if alone and self._is_postfix_to_tell(bounced) and _is_new(envelope, committed):
            self._notices(mail, envelope, decision, facts, places)
            return exits.rejected("message refused: " + bounced[0].reason)
        told = self._report_bounced(mail, envelope, bounced, facts, committed) if bounced else False
        going = [verdict for verdict in verdicts if verdict.action in SENDABLE]
        groups = [self._group(verdict, places.get(verdict.place, "")) for verdict in going]
        outcome = self.send_on(mail, envelope, decision, groups, committed) if groups else None
        if outcome is not None and outcome.status != exits.DONE:
            return outcome
        self._notices(mail, envelope, decision, facts, places)
        return outcome or exits.done(_ended(decision, self.kept, bounced, told))

    def send_on(
        self,
        mail: "Mail",
        envelope: "Envelope",
        decision: "Decision",
        groups: list[Group],
        committed: Committed,
    ) -> "Outcome":
        """Hand the mail on to each group, but to nobody who got it in an earlier try."""
        for group in groups:
            recipients = committed.left(group.recipients)
            if not recipients:
                continue
            sent = Group(recipients, group.lines, group.subject_tag, group.extension)
            receipt = self._submit(mail, envelope, sent, committed)
            self.receipts.append(receipt)
            if not receipt.taken:
                # status 69 returns the whole mail for everybody: no virus, and nothing that others got
                if recipients == envelope.recipients and not self._virus and _is_new(envelope, committed):
                    return exits.refused(receipt.refused[0].text)
                self.ready()
                self._report(mail, envelope, receipt.refused, committed)
            committed.note(recipients)
        return exits.done(_passed(decision, self.receipts))

    def _require_one_fate(self, verdicts: "tuple[Verdict, ...]") -> None:
        """Trouble if senders are to be told by Postfix alone, and one status can't say it all."""
        if self._settings.bounces != "postfix" or len(verdicts) == 1:
            return
        if any(verdict.action == "bounce" for verdict in verdicts):
            raise Trouble(
                'bounces = "postfix" wants amavis_destination_recipient_limit = 1 in main.cf: the recipients '
                "of one delivery fare differently"
            )

    def _is_postfix_to_tell(self, bounced: "list[Verdict]") -> bool:
        """Whether status 69 is to say it: Postfix then returns the mail, which must not be a virus."""
        infected = any(verdict.label == "infected" for verdict in bounced)
        return self._settings.bounces != "own" and not infected and not self._virus

    def _keep_untold(
        self, mail: "Mail", envelope: "Envelope", verdicts: "tuple[Verdict, ...]", facts: "Facts"
    ) -> None:
        """See to a copy of what is refused while nobody may be told: a list's mail, a forged sender's."""
        untold = [verdict for verdict in verdicts if verdict.action == "bounce" and not verdict.place]
        if untold and (len(verdicts) > len(untold) or not self._is_postfix_to_tell(untold)):
            from amavis_pipe import notice
            from amavis_pipe.policy import is_forging

            if not notice.may_answer(mail, envelope) or is_forging(facts, self._settings):
                for verdict in untold:
                    verdict.place = self._settings.values["quarantine.place"]

    def _keep(
        self,
        mail: "Mail",
        envelope: "Envelope",
        decision: "Decision",
        facts: "Facts",
        committed: Committed,
    ) -> dict[str, str]:
        """Store the copies that are wanted, one in each place; their names by place."""
        names: dict[str, str] = {}
        wanted = [verdict for verdict in decision.verdicts if verdict.place]
        for place in dict.fromkeys(verdict.place for verdict in wanted):
            from amavis_pipe import keeping

            alike = [verdict for verdict in wanted if verdict.place == place]
            names[place] = keeping.keep(
                self, mail, envelope, alike, decision, facts, place, committed, self._settings
            )
        self.kept += names.values()
        return names

    def _group(self, verdict: "Verdict", kept: str) -> Group:
        lines = added_lines(self._settings, verdict, kept)
        return Group(verdict.recipients, lines, verdict.subject_tag, verdict.extension)

    def _submit(self, mail: "Mail", envelope: "Envelope", group: Group, committed: Committed) -> "Receipt":
        settings = self._settings
        message = forward.Message(mail, group.lines, removed(settings), group.subject_tag)
        to = group.recipients
        if group.extension:
            from amavis_pipe.rules import extended

            to = extended(group.recipients, group.extension, settings)
        given: dict[bytes, list[bytes]] = {}
        for address, old in zip(to, group.recipients, strict=True):
            given.setdefault(address, []).append(old)

        def before(refused: "list[Reply]") -> None:
            self.ready()
            if group.extension:  # told by the addresses that the sender wrote
                refused[:] = [
                    Reply(old, reply.text)
                    for reply in refused
                    for old in given.get(reply.recipient, [reply.recipient])
                ]
            self._report(mail, envelope, refused, committed)

        return self.forwarded(settings.forward, message, envelope, tuple(given), before)

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
            self.notify(notice.refused(mail, envelope, due, self._settings), (envelope.sender,))
            committed.note(recipients, b"report")

    def _report_bounced(
        self,
        mail: "Mail",
        envelope: "Envelope",
        bounced: "list[Verdict]",
        facts: "Facts",
        committed: Committed,
    ) -> bool:
        """Tell the sender of recipients that policy refuses the mail for; whether there is one to be told."""
        from amavis_pipe import notice
        from amavis_pipe.policy import is_forging

        if not notice.may_answer(mail, envelope) or is_forging(facts, self._settings):
            return False
        without = committed.left(tuple(one for verdict in bounced for one in verdict.recipients))
        due = committed.left(without, b"report")
        if due:
            failed = [(one, verdict) for verdict in bounced for one in verdict.recipients if one in due]
            self.notify(notice.bounced(mail, envelope, failed, self._settings), (envelope.sender,))
            committed.note(due, b"report")
        self.told.append("sender")
        return True

    def _notices(
        self,
        mail: "Mail",
        envelope: "Envelope",
        decision: "Decision",
        facts: "Facts",
        places: dict[str, str],
    ) -> None:
        """Tell whom policy wants told, as far as that goes: the mail itself is safe by now."""
        wanted = [one for one in decision.verdicts if one.is_told]
        if wanted and not self.receipts:
            self.ready()  # nothing is committed yet: the mail may be cut, and comes again
        for verdict in wanted:
            from amavis_pipe import notices

            kept = places.get(verdict.place, "")
            self.told += notices.send(
                self, mail, envelope, verdict, facts, kept, self._settings, decision.findings
            )

    def notify(self, text: bytes, recipients: tuple[bytes, ...], most: float = 3600) -> None:
        """Send a message of our own, under the null sender; ForwardTrouble if that is not possible now."""

        def before(_: "list[Reply]") -> None:
            self.ready()

        null = Envelope(b"", recipients)
        self.forwarded(self._settings.notify, Blob(text), null, recipients, before, most)

    def forwarded(
        self,
        route: str,
        message: "forward.Message | Blob",
        envelope: "Envelope",
        recipients: tuple[bytes, ...],
        before: "forward.Before",
        most: float = 3600,
    ) -> "Receipt":
        """How the message was taken, in `most` seconds and what is left of all; as forward.submit()."""
        timeout = int(min(most, max(LEAST, self._deadline - monotonic())))
        work, stray_cr = self._settings.work, self._settings.stray_cr
        return forward.submit(route, message, envelope, recipients, before, timeout, work, stray_cr)


def _is_new(envelope: Envelope, committed: Committed) -> bool:
    """Whether nobody got the mail in an earlier try, nor a report of it."""
    to = envelope.recipients
    return committed.left(to) == to == committed.left(to, b"report")


def _passed(decision: "Decision", receipts: "list[Receipt]") -> str:
    """The status line for a mail that went on."""
    ids = " ".join(receipt.queue_id for receipt in receipts if receipt.queue_id)
    reason = _of_passed(decision)
    others = "" if len(decision.verdicts) == 1 else " to some"
    if ids:
        return f"passed{others} {reason[:SHOWN]}, queued as {ids}"
    if receipts and not any(receipt.taken for receipt in receipts):
        return f"passed{others} {reason[:SHOWN]}, refused, sender notified"
    return f"passed{others} {reason}" + ("" if receipts else ", sent before")


def _of_passed(decision: "Decision") -> str:
    return next(verdict.reason for verdict in decision.verdicts if verdict.action in SENDABLE)


def _ended(decision: "Decision", kept: list[str], bounced: "list[Verdict]", told: bool) -> str:
    """The status line for a mail that went to nobody."""
    where = f", kept as {kept[0]}" if kept else ""
    if bounced and told:
        return f"refused {bounced[0].reason[:SHOWN]}, sender notified{where}"
    return f"discarded {decision.reason[:SHOWN]}" + (", no sender to notify" if bounced else "") + where


def added_lines(settings: "Settings", verdict: "Verdict", kept: str = "") -> list[bytes]:
    """The header lines that mail gets which goes on, without line ends; `kept` is a copy's name."""
    lines = []
    if settings.tag and settings.line and verdict.scanned:
        lines.append(settings.tag + b": " + settings.line)
    if verdict.alert:
        lines.append(b"X-Amavis-Alert: " + verdict.alert.encode("ascii", "replace"))
    if kept:
        lines.append(b"X-Quarantine-ID: <" + kept.encode("ascii", "replace") + b">")
    lines += verdict.headers
    lines += verdict.spam
    return lines


def removed(settings: "Settings") -> "frozenset[bytes]":
    """Names of fields, lower case, that are taken from mail that goes on: others' fields of our names."""
    names: frozenset[bytes] = frozenset()
    if settings.remove_foreign:
        names |= {settings.tag.lower(), b"x-amavis-alert", b"x-quarantine-id"}
    if settings.checker:
        from amavis_pipe.spam import headers

        names |= headers.NAMES
    return names
