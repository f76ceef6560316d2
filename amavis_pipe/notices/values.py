"""What templates of notices are given of one mail: numbers and texts, each bounded, in one printable line.

Control, bidirectional and invisible characters are escaped as in the log (text.readable), so no value can end
its line, forge another one, or turn a text around. The manual has the list of values (docs/notices.rst).
"""

from typing import Any

from amavis_pipe import __version__, notice
from amavis_pipe.intake import Mail
from amavis_pipe.model import Envelope, Facts, Finding
from amavis_pipe.policy import NAMES_SHOWN, Verdict, is_forging
from amavis_pipe.rules import is_local
from amavis_pipe.settings import Settings
from amavis_pipe.text import readable

WORDS = {
    "infected": "VIRUS",
    "banned": "BANNED",
    "unchecked": "UNCHECKED",
    "spam": "SPAM",
    "bad-header": "BAD HEADER",
    "oversized": "OVERSIZED",
    "clean": "MAIL",
}
"""What the subject calls a category."""
REPLIES = {
    "pass": "250 2.6.0 Ok, passed",
    "tag": "250 2.6.0 Ok, passed with marks",
    "discard": "250 2.7.0 Ok, discarded",
    "bounce": "554 5.7.1 Refused",
    "defer": "450 4.7.1 Deferred",
}
"""What became of the mail, as an answer to its sender would say it."""
NAME_SHOWN, ADDRESS_SHOWN, LINE_SHOWN = 80, 320, 900
RECIPIENTS_SHOWN = 100
FINDINGS_SHOWN = 200
HEADER_LINES = 1000


def about(
    kind: str,
    mail: Mail,
    envelope: Envelope,
    verdict: Verdict,
    facts: Facts,
    kept: str,
    settings: Settings,
    own: tuple[Finding, ...] = (),
    for_admin: bool = False,
) -> dict[str, Any]:
    """The values for a notice of this kind; what only admins may see only for them.

    A heavier category may be present in a mail that was kept back unexamined: `withheld` tells of the latter.
    """
    label = "unchecked" if kind == "withheld" else verdict.label
    found = _findings(label, facts, own, settings)
    names = _names(found, verdict)
    number = b"-".join([*([envelope.queue_id] if envelope.queue_id else []), mail.sha256[:12].encode()])
    shown: dict[str, Any] = {
        "version": __version__,
        "host": line(notice.host()),
        "label": label,
        "word": WORDS[label],
        "names": names[:NAMES_SHOWN],
        "more": len(names[NAMES_SHOWN:]),
        "all_names": names[:FINDINGS_SHOWN],
        "count": len(names),
        "sender": line(envelope.sender, ADDRESS_SHOWN) or "?",
        "has_sender": bool(envelope.sender),
        "forged": is_forging(facts, settings),
        "local": is_local(envelope.sender, settings),
        "recipients": [line(one, ADDRESS_SHOWN) for one in verdict.recipients[:RECIPIENTS_SHOWN]],
        "more_recipients": len(verdict.recipients[RECIPIENTS_SHOWN:]),
        "action": verdict.action,
        "kept": line(kept.encode("utf-8", "backslashreplace"), 200),
        "id": line(number, 100),
        "size": mail.raw.size,
        "message_id": line(mail.message_id, 250),
        "for_admin": for_admin,
    }
    if for_admin:
        shown |= _for_admin(mail, envelope, verdict, facts, found, shown)
    return shown


def line(data: bytes, longest: int = LINE_SHOWN) -> str:
    """Outside bytes for one line of a notice."""
    return readable(data, longest)


def name_of(text: str) -> str:
    """The name of a finding for one line of a notice."""
    return line(text.encode("utf-8", "backslashreplace"), NAME_SHOWN)


def grades(label: str, settings: Settings) -> tuple[str, ...]:
    """The grades of findings that make up a category."""
    if label == "infected":
        return ("virus", "suspect") if settings.suspect else ("virus",)
    return (label,)


def _findings(label: str, facts: Facts, own: tuple[Finding, ...], settings: Settings) -> list[Finding]:
    wanted = grades(label, settings)
    return [one for one in (*facts.findings, *own) if one.grade in wanted]


def _names(found: list[Finding], verdict: Verdict) -> list[str]:
    """The names found, each once; those that the verdict's own line tells where nothing else does."""
    names = list(dict.fromkeys(name_of(one.name) for one in found))
    if not names:
        _, _, told = (verdict.alert or verdict.reason).partition(" ")
        names = [name_of(told or verdict.label)]
    return names


def _for_admin(
    mail: Mail,
    envelope: Envelope,
    verdict: Verdict,
    facts: Facts,
    found: list[Finding],
    shown: dict[str, Any],
) -> dict[str, Any]:
    said = f"{REPLIES[verdict.action]}, id={shown['id']} - {shown['word']}: {', '.join(shown['names'])}"
    return {
        "place": line(verdict.place.encode("utf-8", "backslashreplace"), 300),
        "client": _client(envelope),
        "origin": _origin(mail),
        "answers": [{"recipient": one, "reply": said} for one in shown["recipients"]],
        "detected_by": list(dict.fromkeys(name_of(one.source) for one in found)),
        "scanners": _scanners(facts),
        "header": _header(mail),
    }


def _client(envelope: Envelope) -> str:
    """Where Postfix had the mail from: "mail.example.net [192.0.2.1], HELO x", "" if it did not say."""
    words = [line(envelope.client_name, 255)] if envelope.client_name else []
    words += ["[" + line(envelope.client_address, 100) + "]"] if envelope.client_address else []
    told = " ".join(words)
    if envelope.helo:
        told += (", " if told else "") + "HELO " + line(envelope.helo, 255)
    if envelope.sasl_username:
        told += (", " if told else "") + "user " + line(envelope.sasl_username, 255)
    return told


def _origin(mail: Mail) -> str:
    """What the oldest Received field says of where the mail came from; anybody may have written it."""
    traces = [field.value for field in mail.head.fields if field.name == b"received"]
    words = b" ".join(traces[-1].split()) if traces else b""
    return line(words.partition(b" by ")[0].removeprefix(b"from "), 300)


def _scanners(facts: Facts) -> list[dict[str, Any]]:
    """What each scanner said, as far as the facts have it: a line for each finding."""
    said: dict[str, list[str]] = {answer.name: [] for answer in facts.answers}
    for one in facts.findings[:FINDINGS_SHOWN]:
        if one.source in said:
            said[one.source].append(f"{_part(one)}: {name_of(one.name)} ({name_of(one.grade)})")
    return [
        {
            "name": name_of(answer.name),
            "version": line(answer.version.encode("utf-8", "backslashreplace"), 200),
            "cached": answer.cached,
            "trouble": line(answer.trouble.encode("utf-8", "backslashreplace"), 300),
            "lines": said[answer.name],
        }
        for answer in facts.answers
    ]


def _part(found: Finding) -> str:
    return "part " + name_of(found.part) if found.part else "mail"


def _header(mail: Mail) -> list[str]:
    """The mail's header, line by line, up to a bound."""
    head = mail.raw.head(min(mail.head.body, notice.HEADER_SHOWN)).rstrip(b"\r\n")
    lines = [line(one.rstrip(b"\r").replace(b"\t", b" ")) for one in head.split(b"\n")]
    cut = mail.head.body > notice.HEADER_SHOWN or len(lines) > HEADER_LINES
    return [*lines[:HEADER_LINES], *(["[…]"] if cut else [])]
