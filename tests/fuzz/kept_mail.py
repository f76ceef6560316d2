"""Fuzzes what reads the quarantine: records beside mails, our own lines at the top of them, mailbox files.

What must hold: nothing is raised; a copy that is not whole says so; what is listed and shown has nothing that a
terminal would obey; a mail that is whole comes out as it was, whatever its record says.
"""

import json
import os
import random
from functools import cache
from hashlib import sha256
from pathlib import Path

from stand_in import journals

from amavis_pipe.desk.held import folder, listing, mailboxes, show
from amavis_pipe.desk.held.copy import Copy
from amavis_pipe.desk.held.places import Place
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.record import to_json
from fuzz import driver
from fuzz.mutants import bent, changed

MAIL = b"From: a@example.org\nSubject: x\n\nFrom here\n>From there\ntext\n"
DIGEST = sha256(MAIL).hexdigest()
NAME = "virus-20261125-070000-4bQ7Xz-" + DIGEST[:12]
HEAD = b"".join(
    (
        b"X-Quarantine-ID: <%s>\n" % NAME.encode(),
        b"X-Envelope-From: <a@example.org>\nX-Envelope-To: <b@example.net>\nX-Envelope-To: <c\\xff@example.net>\n",
        b"X-Amavis-Alert: INFECTED Eicar-Test, Other\n",
        b"X-Amavis-Original: size=%d sha256=%s\n" % (len(MAIL), DIGEST.encode()),
    )
)
RECORD = {
    **journals.record(7, 1_790_000_000), "quarantine_id": NAME, "label": "infected",
    "served": ["x@example.org"],
    "released": [{"time": "2026-11-25T07:00:00Z", "to": ["a@example.org"], "route": "sendmail", "queue_id": "5c"}],
}  # fmt: skip
WORDS = [
    b"\n", b"X-Envelope-To: <", b"X-Amavis-Original: ", b"size=", b"9" * 18, b"\\x", b"\\xzz", b">", b"From \n", b"\nFrom a@b Wed\n",
    b"\0", b"\xff", b"\x1b[2J", b"{", b"null", b"[]", b'"', b"\\ud800", b"9" * 400, b"[" * 3000, b"X-Quarantine-ID: <", b"\r\n",
]  # fmt: skip


@cache
def _folder() -> Path:
    made = driver.scratch() / "quarantine"
    made.mkdir(mode=0o700)
    return made


def fuzz(source: random.Random) -> None:
    """Look at one mail that is held back, in a folder or in a mailbox file."""
    for file in _folder().iterdir():
        file.unlink()
    if source.randrange(4):
        _in_folder(source)
    else:
        _in_mailbox(source)


def _in_folder(source: random.Random) -> None:
    is_whole = bool(source.randrange(2))
    data = HEAD + MAIL if is_whole else changed(HEAD + MAIL, [HEAD], WORDS, source, 3)
    (_folder() / NAME).write_bytes(data)
    record = json.dumps(bent(RECORD, source, 25)).encode()
    if source.randrange(3) == 0:
        record = changed(record, [record], WORDS, source, 3)
    (_folder() / (NAME + ".json")).write_bytes(record)
    (copy,) = folder.copies(Place("quarantine", os.fsencode(_folder())))
    original = _look(copy)
    assert not is_whole or original == MAIL
    assert original is None or sha256(original).hexdigest() == copy.known().sha256
    copy.note_release(
        {"time": "2026-11-25T08:00:00Z", "to": ["z@example.org"], "route": "sendmail", "queue_id": ""}
    )
    assert "z@example.org" in [to for one in copy.known().released for to in one["to"]]


def _in_mailbox(source: random.Random) -> None:
    stuffed = b"".join(
        b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in MAIL.splitlines(True)
    )
    one = b"From MAILER-DAEMON Wed Nov 25 07:00:00 2026\n" + HEAD + stuffed + b"\n"
    (_folder() / "held.mbox").write_bytes(changed(one * 3, [one], WORDS, source, 4))
    copies = list(mailboxes.copies(Place("held.mbox", os.fsencode(_folder() / "held.mbox"))))
    assert len(copies) <= 50
    for copy in copies:
        _look(copy)


def _look(copy: Copy) -> bytes | None:
    """What people see of it; the mail itself, if it can be had."""
    known = copy.known()
    known.envelope()
    known.released_to()
    assert listing.Wanted(name="a").has_known(known) in (True, False)
    assert to_json(listing.entry(copy, known)).isprintable()
    lines = [
        *listing.fitted([listing.row(copy, known)], 80),
        *show._summary(copy, known),
        *show._parts(known),
    ]
    assert all(line.isprintable() and len(line) < 70_000 for line in lines), lines
    try:
        with copy.original(b"/var/tmp") as blob:
            return blob.head(blob.size)
    except SpoolTrouble:
        return None
