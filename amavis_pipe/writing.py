"""Writes down what became of a mail: the line in the log, the record in the journal.

It comes when that can't be changed any more, and decides nothing. A mail that is to be tried again has a
record of each try, which says why. One whose filter was killed (the hard time limit, a crash) has none:
Postfix logs it.
"""

import posix

from amavis_pipe import journal
from amavis_pipe.record import record, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.examine import Examination
    from amavis_pipe.intake import Mail
    from amavis_pipe.model import Envelope
    from amavis_pipe.perform import Actor
    from amavis_pipe.policy import Decision
    from amavis_pipe.settings import Settings
    from amavis_pipe.veil import Veil


def decided(
    site: "Settings",
    envelope: "Envelope",
    mail: "Mail",
    examination: "Examination",
    decision: "Decision",
    actor: "Actor",
    total: float,
) -> None:
    """Of a mail that was decided, in so many milliseconds: warnings, the line for the log, the record."""
    facts, times, cached = examination.facts, examination.times, examination.cached
    cpu = sum(posix.times()[:4])
    for answer in facts.answers:
        if answer.trouble:
            journal.log(journal.WARNING, "warning: " + ascii(answer.trouble)[1:-1])
    veil = veil_of(site)
    shown = envelope if veil is None else veil.envelope(envelope)
    journal.log(journal.INFO, journal.summary(shown, facts, decision, cached, cpu, actor.receipts))
    if not site.journal_days:
        return
    times["total"] = total
    size, sha256 = mail.raw.size, mail.sha256
    made = record(
        "pipe",
        envelope,
        size,
        sha256,
        facts,
        decision,
        [],
        times,
        cached,
        actor.receipts,
        mail.message_id,
        actor.kept,
        actor.told,
    )
    _append(site, to_json(made if veil is None else veil.record(made)))


def deferred(
    site: "Settings", envelope: "Envelope", mail: "Mail", actor: "Actor | None", trouble: str, total: float
) -> None:
    """Of a mail that will be tried again, since there was trouble."""
    if not site.journal_days:
        return
    veil, size, sha256 = veil_of(site), mail.raw.size, mail.sha256
    receipts, kept, told = (actor.receipts, actor.kept, actor.told) if actor is not None else ((), (), ())
    times = {"total": total}
    made = record(
        "pipe",
        envelope,
        size,
        sha256,
        None,
        None,
        [trouble],
        times,
        False,
        receipts,
        mail.message_id,
        kept,
        told,
    )
    _append(site, to_json(made if veil is None else veil.record(made)))


def veil_of(site: "Settings") -> "Veil | None":
    """What hides addresses, where the site wants that."""
    if not site.values["journal.hash_addresses"]:
        return None
    from amavis_pipe.veil import Veil

    veil = Veil(site.state)
    if veil.trouble:
        journal.log(journal.WARNING, "warning: journal: addresses can't be told apart: " + veil.trouble)
    return veil


def _append(site: "Settings", line: str) -> None:
    why = journal.append(site.state + b"/journal", line)
    if why:
        journal.log(journal.WARNING, f"warning: journal: a record is not written: {why}")
