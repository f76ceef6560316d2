"""The command `quarantine rescan`: examines mail that is held back with what scanners know today.

As `scan` does it: each in a process of its own, taken apart in the sandbox; nothing is remembered, run or
sent. Mail that is clean now is released if that is wanted.
"""

import json
import sys
from collections import Counter
from functools import partial
from time import monotonic, perf_counter
from typing import Any

from amavis_pipe import intake
from amavis_pipe.desk import progress, site
from amavis_pipe.desk.account import MEANING
from amavis_pipe.desk.held import release, stock
from amavis_pipe.desk.held.copy import NAME, Copy
from amavis_pipe.desk.scan import in_child
from amavis_pipe.desk.table import counted
from amavis_pipe.desk.trial import judged
from amavis_pipe.examine import examine
from amavis_pipe.model import Trouble
from amavis_pipe.policy import SENDABLE
from amavis_pipe.record import to_json
from amavis_pipe.spam import consult
from amavis_pipe.text import readable


def run(
    config: bytes | None, words: tuple[str, ...], as_json: bool, release_clean: bool, postfix: bytes
) -> int:
    """Examine the mails that the words name, none for all: 0 all clean, 1 something found, 2 trouble."""
    found = stock.of(config)
    release.use_postfix(postfix)
    copies = found.chosen(words) if words else found.sorted()
    labels: Counter[str] = Counter()
    status = 2 if found.failed else 0
    with progress.bar(len(copies), "examining") as step:
        for copy in copies:
            record, trouble = in_child(partial(_record, copy, found.site), found.site.settings.hard_seconds)
            entry: dict[str, Any] = json.loads(record) if record else {"trouble": [trouble]}
            progress.clear()
            status = max(status, _tell(copy, entry, record if as_json else ""))
            labels[entry["verdict"] if not entry["trouble"] else "not examined"] += 1
            if release_clean and _may_go(entry):
                done = release.released(copy, release.Order(), found.site)
                status = max(status, release.tell(copy, done) if not as_json else done.status)
            step()
    progress.clear()
    if not as_json:
        words_ = [f"{number:,} {label}" for label, number in sorted(labels.items())]
        print(f"{counted(len(copies), 'mail')}: {', '.join(words_) or 'nothing is held back'}")
    return status


def _record(copy: Copy, here: site.Site) -> str:
    """The record of the mail as it would be judged if it came now; in a process of its own."""
    begun = perf_counter()
    try:
        known = copy.known()
    except OSError as error:
        raise Trouble(error.strerror) from None
    found = NAME.fullmatch(copy.name)
    envelope = known.envelope((found[4] or "").encode() if found else b"")
    with copy.original(here.settings.work) as blob:
        mail = intake.Mail(blob, known.sha256, here.settings.work)
        look = partial(examine, mail, here.settings, here.cache)
        until = monotonic() + here.settings.scan_seconds
        asked = consult.begin(mail, envelope, here.settings, until, here.cache)
        return to_json(judged(copy.name, blob, look, envelope, here, begun, mail, asked)[0])


def _tell(copy: Copy, entry: dict[str, Any], as_json: str) -> int:
    """Say what was found and what would be done now; the status."""
    if entry["trouble"]:
        print(f"{copy.name}: not examined: {'; '.join(entry['trouble'])}", file=sys.stderr, flush=True)
        return 2
    if as_json:
        print(as_json, flush=True)
    else:
        for action in entry["actions"]:
            to = ", ".join(action["recipients"][:5]) + (" …" if len(action["recipients"]) > 5 else "")
            line = f"{action['reason']}; would {MEANING[action['action']]}" + (f" for {to}" if to else "")
            print(f"{copy.name}: {readable(line.encode())}", flush=True)
    return 0 if entry["verdict"] == "clean" else 1


def _is_archived(name: str) -> bool:
    """Whether it is a copy of clean mail, whose recipients have it."""
    return name.startswith("clean-")


def _may_go(entry: dict[str, Any]) -> bool:
    """Whether nothing is found in it any more, and policy would send it on to everybody."""
    if entry["trouble"] or entry["verdict"] != "clean" or _is_archived(entry["source"]):
        return False
    # a spam checker that is away, say: no answer is no acquittal
    answered = not any(scanner["trouble"] for scanner in entry["scanners"])
    return answered and all(action["action"] in SENDABLE for action in entry["actions"])
