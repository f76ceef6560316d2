"""A site on which what policy decided is carried out: settings below a folder, messages as files."""

import os
from time import monotonic

from amavis_pipe import intake
from amavis_pipe.committed import Committed
from amavis_pipe.config import load
from amavis_pipe.model import Envelope, Facts, Finding
from amavis_pipe.perform import Actor
from amavis_pipe.policy import decide
from amavis_pipe.settings import Settings

FINDINGS = {
    "clean": [],
    "virus": [Finding("virus", "Name", "1", "clamd")],
    "crash": [Finding("unchecked", "crash:zip", "1")],
    "encrypted": [Finding("unchecked", "encrypted:zip", "1")],
    "both": [Finding("virus", "Name", "1", "clamd"), Finding("unchecked", "encrypted:zip", "1")],
}
ALICE, A, B, C = b"alice@sender.example", b"a@site.example", b"b@site.example", b"c@site.example"
MAIL = b"Subject: x\n\nx\n"


def agree():
    """pipe(8) is still there."""


class Site:
    """Settings below a folder, and what is done for one mail under them."""

    def __init__(self, folder, **settings):
        for name in ("out", "work", "quarantine"):
            (folder / name).mkdir(exist_ok=True)
        self.out = folder / "out"
        self.folder = os.fsencode(folder)
        route = f"file:{self.out}"
        tree = {"state": str(folder), "forward": route, "notify": route, "scanners": ["builtin"], **settings}
        self.settings = Settings(load.read(tree, "", "")[0])

    def act(
        self,
        found="clean",
        recipients=(A,),
        ready=agree,
        groups=None,
        queue_id=b"4bQ7",
        sender=ALICE,
        mail=MAIL,
    ):
        """How it ends; `receipts` are those of this try."""
        envelope = Envelope(sender, recipients, queue_id)
        facts = Facts([], FINDINGS[found], [])
        mail = intake.of_bytes(mail, self.folder)
        decision = decide(facts, envelope, self.settings, mail)
        actor = Actor(self.settings, ready, monotonic() + 30)
        self.receipts = actor.receipts
        if groups is None:
            return actor.perform(mail, envelope, decision, facts)
        return actor.send_on(mail, envelope, decision, groups, Committed(self.settings.state, mail, envelope))

    def written(self):
        return [path.read_bytes() for path in sorted(self.out.iterdir())]

    def kept(self):
        """What is in the quarantine, less the records."""
        return [path for path in (self.out.parent / "quarantine").glob("*/*") if path.suffix != ".json"]
