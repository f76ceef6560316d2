"""Tells people what became of a mail: its sender, its recipients, and who looks after the site.

Best effort, when the mail itself is safe: what can't be sent is logged, and never decides over a mail.
Nobody is told of a notice, and a sender only of what a person sent (RFC 3834 2). The texts are templates.
"""

from amavis_pipe import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope, Facts, Finding
    from amavis_pipe.perform import Actor
    from amavis_pipe.policy import Verdict
    from amavis_pipe.settings import Settings

SECONDS = 30
"""A notice is given up after this: the outcome stands, and Postfix waits for us."""


def send(
    actor: "Actor",
    mail: "Mail",
    envelope: "Envelope",
    verdict: "Verdict",
    facts: "Facts",
    kept: str,
    settings: "Settings",
    own: "tuple[Finding, ...]" = (),
) -> list[str]:
    """Send the notices that the verdict asks for; who was told: "sender", "recipients", "admin".

    `kept` is the name in the quarantine, or ""; `own` is what policy itself found. Never raises.
    """
    try:
        if is_notice(mail, envelope, settings):
            return []
        return Sending(actor, mail, envelope, verdict, facts, kept, settings, own).run()
    except Exception as error:  # the mail is committed: nothing may undo that now
        _log(error)
        return []


def is_notice(mail: "Mail", envelope: "Envelope", settings: "Settings") -> bool:
    """Whether a mail is one of our own that came back in: under the null sender, automatic, from our address.

    Whoever forges all that for a virus gets it treated as any other, and the digest tells of it.
    """
    if envelope.sender or mail.head.first(b"auto-submitted") is None:
        return False
    from amavis_pipe import notice

    author = (mail.head.first(b"from") or b"").strip().lower()
    return any(author.endswith(b"<" + one.lower() + b">") for one in notice.authors(settings))


class Sending:
    """The notices of one verdict."""

    def __init__(
        self,
        actor: "Actor",
        mail: "Mail",
        envelope: "Envelope",
        verdict: "Verdict",
        facts: "Facts",
        kept: str,
        settings: "Settings",
        own: "tuple[Finding, ...]",
    ) -> None:
        self._actor = actor
        self._mail = mail
        self._envelope = envelope
        self._verdict = verdict
        self._facts = facts
        self._kept = kept
        self._settings = settings
        self._own = own
        self._sender_told = "off"

    def run(self) -> list[str]:
        """Send them: first the sender's, of which the admin's tells."""
        verdict = self._verdict
        self._sender_told = self._about_sender()
        if self._sender_told == "yes" and not self._one("sender", (self._envelope.sender,)):
            self._sender_told = "failed"
        told = ["sender"] if self._sender_told == "yes" else []
        kinds = ("withheld", "withheld") if verdict.withheld else ("recipients", "admin")
        wanted = self._local(verdict.recipients) if verdict.withheld or verdict.notify_recipients else ()
        if wanted and self._one(kinds[0], wanted):
            told.append("recipients")
        at_once = verdict.withheld or self._settings.values["notices.admin"] in ("each", "both")
        if verdict.admin and at_once and self._one(kinds[1], (verdict.admin,), for_admin=True):
            told.append("admin")
        return told

    def _local(self, recipients: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Those who are of this site, where it says who that is: others have asked for no word of ours."""
        if not self._settings.local:
            return recipients
        from amavis_pipe.rules import is_local

        return tuple(one for one in recipients if is_local(one, self._settings))

    def _about_sender(self) -> str:
        """Whether the sender is to be told: "yes", or why not."""
        from amavis_pipe import notice
        from amavis_pipe.policy import is_forging

        if not self._envelope.sender:
            return "null"
        if is_forging(self._facts, self._settings):
            return "forging"
        if not notice.may_answer(self._mail, self._envelope):
            return "robot"
        if self._verdict.action == "bounce":
            return "bounce"
        return "yes" if self._verdict.notify_sender else "off"

    def _one(self, kind: str, to: tuple[bytes, ...], for_admin: bool = False) -> bool:
        """Send one notice; whether that went well. The hour's share of its kind is looked at first."""
        from time import time

        from amavis_pipe.notices import rate

        settings = self._settings
        try:
            if not rate.may_send(settings.state, kind, settings.values["notices.per_hour"], time()):
                return False
            held = rate.held(settings.state) if for_admin else {}
            text = self._text(kind, to, for_admin, held)
            self._actor.notify(text, to, SECONDS)
            rate.tell(settings.state, held)
        except Exception as error:  # the next notice may go well; this one is given up
            _log(error)
            return False
        return True

    def _text(self, kind: str, to: tuple[bytes, ...], for_admin: bool, held: dict[str, int]) -> bytes:
        from amavis_pipe.notices import compose, render, values

        shown = values.about(
            kind,
            self._mail,
            self._envelope,
            self._verdict,
            self._facts,
            self._kept,
            self._settings,
            self._own,
            for_admin,
        )
        shown |= {"sender_told": self._sender_told, "held": held}
        subject, body = render.rendered(kind, shown, self._settings)
        # recipients are not told of each other
        open_to = to[0] if for_admin or kind == "sender" else b""
        automatic = "auto-replied" if kind == "sender" else "auto-generated"
        return compose.message(open_to, subject, body, self._settings, automatic)


def _log(error: Exception) -> None:
    why = ascii(str(error) or type(error).__name__)[1:-1]
    journal.log(journal.WARNING, "notice not sent: " + why[:400])
