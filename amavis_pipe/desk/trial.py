"""The trial form: take a mail apart, have it scanned, say what would be done; do none of it."""

import sys
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from amavis_pipe import intake, policy
from amavis_pipe.arguments import Arguments
from amavis_pipe.desk import account, site
from amavis_pipe.examine import Examination, examine
from amavis_pipe.exits import DONE, REJECTED, TRY_AGAIN
from amavis_pipe.model import Envelope, Trouble
from amavis_pipe.policy import Decision
from amavis_pipe.record import record, to_json
from amavis_pipe.settings import Settings
from amavis_pipe.spam import consult
from amavis_pipe.spool import Blob
from amavis_pipe.text import readable

if TYPE_CHECKING:
    from amavis_pipe.record import Json


def run(found: Arguments) -> int:
    """Give the account of the mail on stdin; the status that the filter form would leave with."""
    config = site.absolute(found.options.get(b"config"))
    site.become_filter_user(config)
    here = site.find(config, b"no-cache" not in found.switches)
    tell = _tell if b"debug" in found.switches else _silent
    _introduce(here, tell, quiet=b"json" in found.switches)
    envelope = found.envelope or Envelope()
    begun = perf_counter()
    mail = intake.read(0, here.settings.work)
    tell(f"read {mail.raw.size} bytes, sha256 {mail.sha256}; canonical mail {mail.canonical.size} bytes")

    until = monotonic() + here.settings.scan_seconds
    asked = consult.begin(mail, envelope, here.settings, until, here.cache)

    scanned = policy.is_scanned(envelope, here.settings)
    looked = here.settings if scanned else here.settings.without_scanners()

    def look() -> Examination:
        return examine(mail, looked, here.cache, until, asked.jobs if asked else ())

    made, decision = judged("stdin", mail.raw, look, envelope, here, begun, mail, asked)
    if b"json" in found.switches:
        print(to_json(made))
    else:
        print(account.text(made, account.Paint(sys.stdout.isatty())))
    tell("nothing was sent, stored in the quarantine or notified")
    return status(decision, here.settings)


def judged(
    source: str,
    raw: Blob,
    look: Callable[[], Examination],
    envelope: Envelope,
    here: site.Site,
    begun: float,
    mail: intake.Mail | None = None,
    asked: consult.Consultation | None = None,
) -> "tuple[dict[str, Json], Decision | None]":
    """The record of what `look` finds, and the decision; None, and trouble in the record, where it fails.

    `mail` is what was read, if it is a mail; `asked` what a spam checker is asked of it.
    """
    sha256 = raw.sha256()
    message_id = mail.message_id if mail else b""
    try:
        examination = look()
        scores = asked.scored(examination.facts, here.settings) if asked else None
    except Trouble as trouble:
        times = {"total": (perf_counter() - begun) * 1000}
        return record(source, envelope, raw.size, sha256, None, None, [str(trouble)], times), None
    decision = policy.decide(examination.facts, envelope, here.settings, mail, scores)
    examination.times["total"] = (perf_counter() - begun) * 1000
    facts, times, cached = examination.facts, examination.times, examination.cached
    made = record(
        source,
        envelope,
        raw.size,
        sha256,
        facts,
        decision,
        [],
        times,
        cached,
        (),
        message_id,
        _kept(decision),
    )
    return made, decision


def status(decision: Decision | None, settings: Settings) -> int:
    """What the filter form would leave with."""
    if decision is None or any(verdict.action == "defer" for verdict in decision.verdicts):
        return TRY_AGAIN
    if any(verdict.action != "bounce" or verdict.label == "infected" for verdict in decision.verdicts):
        return DONE
    return DONE if settings.bounces == "own" else REJECTED


def _kept(decision: Decision) -> list[str]:
    """The places where copies would be kept."""
    return list(dict.fromkeys(verdict.place for verdict in decision.verdicts if verdict.place))


def _introduce(here: site.Site, tell: "object", quiet: bool) -> None:
    for note in here.notes:
        print(note, file=sys.stderr if quiet else sys.stdout)
    if tell is _silent:
        return
    shown = readable(here.path) if here.path else "defaults"
    _tell(f"settings: {shown}; state {readable(here.settings.state)}; spool {readable(here.settings.work)}")
    for row in here.settings.rows:
        _tell(f"scanner {row.name}: {row.via} at {row.at or 'this process'}, timeout {row.timeout} s")
    from amavis_pipe.decompose import registry
    from amavis_pipe.jail import sandbox

    for line in registry.versions():
        _tell(f"decoder: {line}")
    _tell(f"sandbox ({here.settings.sandbox}): {sandbox.capabilities()}")


def _tell(step: str) -> None:
    print(f"debug: {step}", file=sys.stderr, flush=True)


def _silent(step: str) -> None:
    """Says nothing."""
