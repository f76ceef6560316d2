"""Mail held back at a site for commands, as the filter would have put it there."""

import os
import shutil
import tempfile
from pathlib import Path

from stand_in.desk_site import DeskSite

from amavis_pipe import intake, policy, quarantine, record
from amavis_pipe.model import Envelope, Facts, Finding, Part

ENVELOPE = Envelope(b"a@example.org", (b"b@example.org", b"c@example.net"), b"4bQ7Xz", b"192.0.2.7")


def hold(
    site: DeskSite,
    mail: bytes,
    envelope: Envelope = ENVELOPE,
    label: str = "infected",
    names: tuple[str, ...] = ("Eicar-Test-Signature",),
    place: str = "quarantine",
    parts: tuple[Part, ...] = (),
) -> str:
    """Put a mail into a place below the state folder; its name."""
    made = Path(tempfile.mkdtemp(prefix="amavis-pipe-held-"))
    target = site.state / place
    try:
        work = made / target.name
        if target.exists():
            (shutil.copytree if target.is_dir() else shutil.copy)(target, work)
        elif not target.name.endswith(quarantine.MAILBOX):
            work.mkdir(mode=0o700)
        taken_over(made)
        read = intake.of_bytes(mail, os.fsencode(made))
        grade = {"infected": "virus"}.get(label, label)
        facts = Facts(
            [*parts] or [Part("1", size=len(mail))], [Finding(grade, name, "1", "x") for name in names], []
        )
        verdict = policy.Verdict(label, "discard", f"{label} {', '.join(names)}", envelope.recipients)
        entry = record.record(
            "quarantine", envelope, len(mail), read.sha256, facts, policy.Decision((verdict,)), [], {}
        )
        entry["label"] = label
        alert = f"{label.upper()} {', '.join(names)}"
        name = quarantine.keep(read, envelope, label, alert, os.fsencode(work), entry)
        if target.is_dir():
            shutil.rmtree(target)
        shutil.move(work, target)
        site.own(site.state)
        return name
    finally:
        shutil.rmtree(made)


def taken_over(top: Path) -> None:
    """Give a folder and all in it to the caller."""
    for path in [top, *top.rglob("*")]:
        os.chown(path, os.geteuid(), os.getegid())
