"""Has a mail kept in one of the places that policy names: a folder, a mailbox file, an address.

Mail for an address is sent there under the null sender, past the filter, with the lines on top that the file
would have; that and what was put into a mailbox file is noted, so that a retry does not double it.
"""

from amavis_pipe import forward, quarantine
from amavis_pipe.model import Envelope
from amavis_pipe.policy import CATEGORIES, SENDABLE
from amavis_pipe.record import record
from amavis_pipe.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.committed import Committed
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Facts, Reply
    from amavis_pipe.perform import Actor
    from amavis_pipe.policy import Decision, Verdict
    from amavis_pipe.settings import Settings


def keep(
    actor: "Actor",
    mail: "Mail",
    envelope: Envelope,
    verdicts: "list[Verdict]",
    decision: "Decision",
    facts: "Facts",
    place: str,
    committed: "Committed",
    settings: "Settings",
) -> str:
    """Keep one copy for all recipients of these verdicts; its name. Trouble if that is not possible."""
    heaviest = min(verdicts, key=lambda verdict: CATEGORIES.index(verdict.label))
    alert = heaviest.alert or heaviest.reason
    to = envelope.only(tuple(one for verdict in verdicts for one in verdict.recipients))
    path = quarantine.folder_of(settings.state, place)
    if path and not path.endswith(quarantine.MAILBOX.encode()):
        sha256, size = mail.raw.sha256(), mail.raw.size
        entry = record("quarantine", to, size, sha256, facts, decision, [], {}, message_id=mail.message_id)
        entry["label"] = heaviest.label
        served = [one for verdict in verdicts if verdict.action in SENDABLE for one in verdict.recipients]
        entry["served"] = [address.decode("latin-1") for address in served]
        return quarantine.keep(mail, to, heaviest.label, alert, path, entry)
    what = b"kept " + place.encode()
    if envelope.queue_id and not committed.left(to.recipients, what):
        return readable(quarantine.name_of(heaviest.label, mail, to))  # of an earlier try, at another time
    if path:
        name = quarantine.keep(mail, to, heaviest.label, alert, path, {})
    else:
        name = _send(actor, mail, to, heaviest.label, alert, place, settings)
    committed.note(to.recipients, what)
    return name


def _send(
    actor: "Actor", mail: "Mail", to: Envelope, label: str, alert: str, place: str, settings: "Settings"
) -> str:
    name = quarantine.name_of(label, mail, to)
    message = forward.Message(mail, quarantine.lines(mail, to, alert, name))
    recipients = (place.encode(),)

    def before(_: "list[Reply]") -> None:
        actor.ready()

    receipt = actor.forwarded(settings.forward, message, Envelope(b"", recipients), recipients, before)
    if not receipt.taken:
        from amavis_pipe.model import ForwardTrouble

        raise ForwardTrouble(f"quarantine {place}: {receipt.refused[0].text}")
    return name.decode()
