"""The record of one mail: what `--json` prints and the journal keeps (interface.md, The record).

Written by hand, one line of ASCII-safe JSON: the json module costs as much as a bare interpreter. Its
schema is record.schema.json; a test holds the two together.
"""

from time import gmtime, strftime, time

from amavis_pipe.text import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from amavis_pipe.model import Envelope, Facts, Finding, Part, Receipt
    from amavis_pipe.policy import Decision, Verdict
    from amavis_pipe.spam.score import Score

    Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

SCHEMA = 1


def record(
    source: str,
    envelope: "Envelope",
    size: int,
    sha256: str,
    facts: "Facts | None",
    decision: "Decision | None",
    trouble: list[str],
    times: dict[str, float],
    cached: bool = False,
    receipts: "Iterable[Receipt]" = (),
    message_id: bytes = b"",
    kept: "Iterable[str]" = (),
    told: "Iterable[str]" = (),
) -> "dict[str, Json]":
    """The record as a dict in the schema's order; `times` in milliseconds by stage."""
    return {
        "schema": SCHEMA,
        "source": source,
        "id": readable(envelope.queue_id) or None,
        "message_id": readable(message_id) or None,
        "time": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time())),
        "size": size,
        "sha256": sha256,
        "envelope": _envelope(envelope),
        "verdict": decision.label if decision and not trouble else None,
        "trouble": list(trouble),
        "actions": [_action(verdict) for verdict in decision.verdicts] if decision else [],
        "findings": _findings((*facts.findings, *(decision.findings if decision else ()))) if facts else [],
        "parts": [_part(part) for part in facts.parts] if facts else [],
        "scanners": _scanners(facts) if facts else [],
        "limits": {
            "quota_bytes": facts.quota if facts else 0,
            "used_bytes": facts.used if facts else 0,
            "hit": list(facts.hit) if facts else [],
        },
        "spam": _score(decision.score) if decision and decision.score else None,
        "cache": "hit" if cached else "miss",
        "ms": {stage: round(ms, 3) for stage, ms in times.items()},
        "sent": [_sent(receipt) for receipt in receipts],
        "quarantined": list(kept),
        "told": list(told),
    }


def to_json(value: "Json") -> str:
    """One line of JSON, ASCII only."""
    if isinstance(value, str):
        return _string(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_string(key)}: {to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([to_json(item) for item in value]) + "]"
    return repr(value)


def _string(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        text = text.encode("utf-8", "backslashreplace").decode()
        return '"' + "".join(map(_char, text)) + '"'
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text + '"'


def _char(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _envelope(envelope: "Envelope") -> "Json":
    """Who sent it to whom, and from where; what was not told is ""."""
    recipients: list[Json] = [readable(address) for address in envelope.recipients]
    return {
        "sender": readable(envelope.sender),
        "recipients": recipients,
        "client_address": readable(envelope.client_address),
        "client_name": readable(envelope.client_name),
        "helo": readable(envelope.helo),
        "sasl_username": readable(envelope.sasl_username),
    }


def _action(verdict: "Verdict") -> "Json":
    recipients: list[Json] = [readable(address) for address in verdict.recipients]
    return {
        "action": verdict.action,
        "recipients": recipients,
        "reason": verdict.reason,
        "rules": list(verdict.rules),
    }


def _score(score: "Score") -> "Json":
    tests: list[Json] = [name for name, _ in score.tests]
    return {
        "score": round(score.score, 3),
        "required": score.required,
        "tests": tests,
        "checker": score.checker,
    }


def _sent(receipt: "Receipt") -> "Json":
    replies: list[Json] = [
        {"recipient": readable(reply.recipient), "reply": reply.text} for reply in receipt.replies
    ]
    return {
        "route": receipt.route,
        "queue_id": receipt.queue_id or None,
        "taken": receipt.taken,
        "replies": replies,
        "note": receipt.note,
    }


def _findings(findings: "Iterable[Finding]") -> "list[Json]":
    return [
        {"grade": found.grade, "name": found.name, "part": found.part, "source": found.source}
        for found in findings
    ]


def _part(part: "Part") -> "Json":
    names: list[Json] = [readable(name) for name in part.names]
    return {
        "path": part.path,
        "name": names[0] if names else "",
        "names": names,
        "claimed": readable(part.claimed),
        "kind": part.kind,
        "size": part.size,
        "sha256": part.sha256,
        "decoder": part.decoder,
        "flags": list(part.flags),
    }


def _scanners(facts: "Facts") -> "list[Json]":
    return [
        {
            "name": answer.name,
            "version": answer.version,
            "cached": answer.cached,
            "ms": round(answer.ms, 3),
            "trouble": answer.trouble,
        }
        for answer in facts.answers
    ]
