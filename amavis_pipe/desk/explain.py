"""The command `explain`: all that is known of one mail, or of one file.

A mail is looked up in the history and the journal, by queue id, Message-ID, SHA-256, or by the address of its
sender or of a recipient, and then by the hash, too, that the journal may have instead. A file is examined
now, as `scan` would, and then looked up by its content and that of its parts.
"""

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator

from amavis_pipe import history
from amavis_pipe.desk import files, layout, scan, site
from amavis_pipe.desk.account import GRADE_COLOURS, LABEL_COLOURS
from amavis_pipe.desk.layout import Node
from amavis_pipe.desk.table import amount
from amavis_pipe.history import fields
from amavis_pipe.history.lines import Record
from amavis_pipe.history.reading import MOST
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.text import readable
from amavis_pipe.veil import Veil

MOST_PARTS = 20
"""Parts of a file whose content is looked up."""
DONE = {
    "pass": "delivered",
    "tag": "delivered, marked",
    "defer": "kept in the queue, to be tried again",
    "bounce": "refused, telling the sender",
    "discard": "discarded",
}
_PALE = "dim"


def run(config: bytes | None, what: bytes, as_json: bool) -> int:
    """Print what is known: 0, or 2 if nothing is."""
    opened = list(files.Inputs([what])) if _is_file(what) else []
    site.become_filter_user(config)
    here = site.find(config)
    for note in here.notes:
        print(note, file=sys.stderr)
    examined = _examined(opened[0], here) if opened else None
    wanted = _contents(examined) if examined else _names(readable(what), here)
    known = _known(here.folder, wanted)
    if not examined and not known:
        why = "" if here.settings.journal_days else " (journal.days = 0: none is kept)"
        print(f"amavis-pipe: the journal knows nothing of {readable(what)}{why}", file=sys.stderr)
        return 2
    _print(examined, known, as_json)
    return 0


def _is_file(what: bytes) -> bool:
    try:
        return stat.S_ISREG(os.stat(what).st_mode)
    except (OSError, ValueError):
        return False


def _examined(found: files.Opened, here: site.Site) -> Record:
    """The record of a file as it is found now."""
    said, trouble = scan.examined(found, here, "")
    if not said:
        raise SpoolTrouble(f"{readable(found.path)}: not examined: {trouble}")
    made: Record = json.loads(said)
    return made


def _contents(record: Record) -> list[str]:
    """The SHA-256s to look up: of the whole, and of its parts."""
    parts = fields.digests(record) - {record["sha256"]}
    return [record["sha256"], *sorted(parts)[:MOST_PARTS]]


def _names(what: str, here: site.Site) -> list[str]:
    """What a mail may be called in the journal."""
    if "@" not in what or here.folder is None:
        return [what]
    hidden = Veil(here.folder, make=False)
    return [what] if hidden.trouble else [what, hidden.of(what.strip("<>"))]


def _known(state: bytes | None, wanted: Iterable[str]) -> list[Record]:
    """The records of any of these, each once, oldest first."""
    if state is None:
        return []
    found: dict[str, Record] = {}
    for one in wanted:
        for record in history.find(state, one):
            found.setdefault(json.dumps(record, sort_keys=True), record)
    return sorted(found.values(), key=lambda record: fields.text(record.get("time")))[-MOST:]


def _print(examined: Record | None, known: list[Record], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"examined": examined, "known": known}))
        return
    nodes = [_mail(examined, now=True)] if examined else []
    nodes += [_mail(record, now=False) for record in known]
    if examined and not known:
        nodes.append(Node("The journal knows nothing of this content.", _PALE))
    if layout.on_terminal():
        layout.show_outline(nodes)
    else:
        print(layout.outline(nodes))


def _mail(record: Record, now: bool) -> Node:
    """All that a record tells, under one line that names it."""
    name = fields.text(record.get("source")) if now else fields.text(record.get("id")) or "no queue id"
    label = fields.text(record.get("verdict"))
    line = f"{name}: {label or 'not decided'}, {amount(int(fields.number(record.get('size'))))}"
    line += ", examined now" if now else f", {fields.text(record.get('time'))}"
    return Node(line, "bold", [node for node in _chapters(record, now) if node.below])


def _chapters(record: Record, now: bool) -> Iterator[Node]:
    yield Node("mail", "bold", list(_envelope(record)))
    yield Node("trouble", "bold red", [Node(text) for text in fields.texts(record, "trouble")])
    yield Node("parts", "bold", _tree(record))
    yield Node("findings", "bold", [_finding(found) for found in fields.rows(record, "findings")])
    yield Node("scanners", "bold", [_scanner(answer) for answer in fields.rows(record, "scanners")])
    yield Node("verdict", "bold", list(_verdict(record, now)))
    yield Node("what was done", "bold", list(_done(record)))
    yield Node("times", "bold", list(_times(record)))


def _envelope(record: Record) -> Iterator[Node]:
    envelope = fields.envelope(record)
    told = {
        "Message-ID": record.get("message_id"),
        "from": None if fields.sender(record) is None else fields.sender(record) or "<>",
        "to": ", ".join(fields.recipients(record)),
        "client": " ".join(
            filter(None, (fields.text(envelope.get(key)) for key in ("client_name", "client_address")))
        ),
        "HELO": envelope.get("helo"),
        "SASL user": envelope.get("sasl_username"),
        "SHA-256": record.get("sha256"),
    }
    for name, value in told.items():
        if fields.text(value):
            yield Node(f"{name}  {fields.text(value)}")


def _tree(record: Record) -> list[Node]:
    """The parts, each below the one it came out of."""
    grades = {
        fields.text(found.get("part")): fields.text(found.get("grade"))
        for found in fields.rows(record, "findings")
    }
    top: list[Node] = []
    places: list[tuple[str, list[Node]]] = []
    for part in fields.rows(record, "parts"):
        path = fields.text(part.get("path"))
        below: list[Node] = []
        while places and not path.startswith(places[-1][0] + "."):
            places.pop()
        (places[-1][1] if places else top).append(
            Node(_part(part, path), _colour(GRADE_COLOURS.get(grades.get(path, ""), "")), below)
        )
        places.append((path, below))
    return top


def _part(part: Record, path: str) -> str:
    words = [path, fields.text(part.get("kind")), amount(int(fields.number(part.get("size"))))]
    names = fields.texts(part, "names")
    words += [" = ".join(f'"{name}"' for name in names)] if names and names != [""] else []
    claimed, decoder, flags = part.get("claimed"), part.get("decoder"), fields.texts(part, "flags")
    words += [f"called {fields.text(claimed)}"] if claimed and claimed != part.get("kind") else []
    words += [f"by {fields.text(decoder)}"] if decoder else []
    words += [f"({', '.join(flags)})"] if flags else []
    sha256 = fields.text(part.get("sha256"))
    words += [f"sha256 {sha256[:16]}"] if sha256 else []
    return "  ".join(filter(None, words))


def _finding(found: Record) -> Node:
    grade, name, source = (fields.text(found.get(key)) for key in ("grade", "name", "source"))
    where = fields.text(found.get("part")) or "the whole mail"
    return Node(f"{grade}  {name}  in {where}, says {source}", _colour(GRADE_COLOURS.get(grade, "")))


def _scanner(answer: Record) -> Node:
    name, version, trouble = (fields.text(answer.get(key)) for key in ("name", "version", "trouble"))
    how = "remembered" if answer.get("cached") is True else f"{fields.number(answer.get('ms')):.1f} ms"
    words = [name, version, f"no answer: {trouble}" if trouble else how]
    return Node("  ".join(filter(None, words)), _colour("red") if trouble else "")


def _verdict(record: Record, now: bool) -> Iterator[Node]:
    label = fields.text(record.get("verdict"))
    if label:
        yield Node(label, _colour(LABEL_COLOURS.get(label, "yellow")))
    for action in fields.rows(record, "actions"):
        name, reason = fields.text(action.get("action")), fields.text(action.get("reason"))
        to = ", ".join(fields.texts(action, "recipients")) or "all recipients"
        rules = [_rule(one) for one in fields.texts(action, "rules")]
        done = f"would be {DONE.get(name, name)}" if now else DONE.get(name, name)
        yield Node(f"{name}: {done}, for {to}: {reason}", "", [Node(rule) for rule in rules])


def _rule(named: str) -> str:
    """ "recipient:12" for people."""
    kind, _, line = named.partition(":")
    return f"by [[{kind}]], line {line} of the settings" if line else named


def _done(record: Record) -> Iterator[Node]:
    """Where it went, what was answered, what was kept, who was told."""
    for sent in fields.rows(record, "sent"):
        queue_id = fields.text(sent.get("queue_id"))
        line = f"{'taken' if sent.get('taken') else 'not taken'} by {fields.text(sent.get('route'))}"
        line += f", there {queue_id}" if queue_id else ""
        line += f" ({fields.text(sent.get('note'))})" if sent.get("note") else ""
        replies = [
            Node(f"{fields.text(reply.get('recipient'))}: {fields.text(reply.get('reply'))}")
            for reply in fields.rows(sent, "replies")
        ]
        yield Node(line, "", replies)
    for name in fields.texts(record, "quarantined"):
        yield Node(f"kept in the quarantine: {name}")
    for who in fields.texts(record, "told"):
        yield Node(f"told: {who}")


def _times(record: Record) -> Iterator[Node]:
    stages = record.get("ms")
    if isinstance(stages, dict):
        told = ", ".join(f"{fields.text(stage)} {fields.number(ms):.1f} ms" for stage, ms in stages.items())
        yield Node(f"{told}; cache {fields.text(record.get('cache'))}", _PALE)
    limits = record.get("limits")
    if isinstance(limits, dict):
        used, quota = (amount(int(fields.number(limits.get(key)))) for key in ("used_bytes", "quota_bytes"))
        hit = ", ".join(fields.texts(limits, "hit")) or "none met"
        yield Node(f"unpacked {used} of {quota} allowed; limits: {hit}", _PALE)


def _colour(name: str) -> str:
    """A colour of account.py in rich's words."""
    return {"red": "bold red", "dim": _PALE}.get(name, name)
