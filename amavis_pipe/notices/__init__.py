"""Tells people what became of a mail: its sender, its recipients, and who looks after the site.

Best effort, when the mail itself is safe: what can't be sent is logged, and never decides over a mail.
"""

from amavis_pipe.model import AmavisPipeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope, Facts
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
) -> list[str]:
    """Send the notices that the verdict asks for; who was told: "sender", "recipients", "admin".

    `kept` is the name in the quarantine, or "".
    """
    from amavis_pipe import journal, notice

    told = []
    if verdict.withheld:
        admin = (verdict.admin,) if verdict.admin else ()
        text = notice.withheld(mail, envelope.only(verdict.recipients), kept, settings)
        try:
            actor.notify(text, (*verdict.recipients, *admin), SECONDS)
            told = ["recipients", *(["admin"] if admin else [])]
        except AmavisPipeError as error:
            journal.log(journal.WARNING, "notice not sent: " + ascii(str(error))[1:-1])
    return told
