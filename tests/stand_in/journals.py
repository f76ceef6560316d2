"""Journals as mail leaves them, made up: the same from the same seed, for tests and for contrib/bench/history.py."""

import json
import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import gmtime, strftime

DAY = 86400
ENVELOPE_FIELDS = {"client_address": "192.0.2.7", "client_name": "mx.example.net", "helo": "mx.example.net",
                   "sasl_username": None}  # fmt: skip
KINDS = ("text/plain", "text/html", "image/png", "application/pdf", "application/zip", "image/jpeg")
VIRUSES = ("Eicar-Signature", "Win.Test.Alpha-1", "Doc.Test.Beta-2", "Html.Test.Gamma-3")
FAULTS = ("encrypted:zip", "broken:gzip", "limit:files")


def digest(text: str) -> str:
    """A SHA-256 in hex."""
    return sha256(text.encode()).hexdigest()


def record(number: int, time: float, seed: int = 1) -> dict:
    """The record of the mail with this number."""
    chance = random.Random(seed * 1_000_003 + number)
    lot = chance.random()
    findings, label, action = [], "clean", "pass"
    if lot < 0.02:
        names = chance.sample(VIRUSES, 2 if lot < 0.005 else 1)
        findings = [{"grade": "virus", "name": name, "part": "1.1", "source": "clamd"} for name in names]
        label, action = "infected", "discard"
    elif lot < 0.05:
        findings = [
            {"grade": "unchecked", "name": chance.choice(FAULTS), "part": "1.1", "source": "decompose"}
        ]
        label, action = "unchecked", "tag"
    elif lot < 0.15:
        findings = [{"grade": "spam", "name": "spam", "part": "", "source": "policy"}]
        label, action = "spam", "bounce" if lot < 0.06 else "tag"
    elif lot < 0.16:
        action = "defer"
    sender = f"s{int(chance.paretovariate(0.6)) % 50_000}@example.org"
    recipients = [f"r{int(chance.paretovariate(0.6)) % 5_000}@example.net" for _ in range(1 + (lot > 0.9))]
    parts = [{"path": "1", "name": "", "names": [], "claimed": "", "kind": "multipart/mixed", "size": 0,
              "sha256": "", "decoder": "mime", "flags": ["structure"]}]  # fmt: skip
    for place in range(1, 2 + chance.randrange(4)):
        content = f"common {chance.randrange(2000)}" if chance.random() < 0.2 else f"{seed} {number} {place}"
        parts.append(
            {"path": f"1.{place}", "name": f"f{place}.bin", "names": [f"f{place}.bin"],
             "claimed": "application/octet-stream", "kind": chance.choice(KINDS),
             "size": chance.randrange(100_000), "sha256": digest(content), "decoder": "", "flags": []}
        )  # fmt: skip
    cached = chance.random() < 0.3
    replies = [] if action not in ("pass", "tag") else [
        {"recipient": address, "reply": "550 5.1.1 unknown" if lot > 0.995 else "250 2.1.5 Ok"}
        for address in recipients
    ]  # fmt: skip
    return {
        "schema": 1, "source": "pipe", "id": f"4b{number:X}", "message_id": f"<{seed}.{number}@example.org>",
        "time": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time)), "size": 1000 + chance.randrange(500_000),
        "sha256": digest(f"mail {seed} {number}"), "verdict": label, "trouble": [],
        "envelope": {"sender": sender, "recipients": recipients, **ENVELOPE_FIELDS},
        "actions": [{"action": action, "recipients": recipients, "reason": label}],
        "findings": findings, "parts": parts,
        "scanners": [{"name": "clamd", "version": "ClamAV 1.4.6/27500", "cached": cached,
                      "ms": 0.0 if cached else round(chance.lognormvariate(3, 1), 3), "trouble": ""}],
        "limits": {"quota_bytes": 500_000, "used_bytes": 812, "hit": []}, "spam": None,
        "cache": "hit" if chance.random() < 0.1 else "miss",
        "ms": {"read": 0.2, "decompose": 1.1, "scan": 1.6, "total": round(chance.lognormvariate(3.5, 1), 3)},
        "sent": [{"route": "sendmail", "queue_id": f"5c{number:X}", "taken": True, "replies": replies,
                  "note": ""}] if replies else [], "quarantined": [], "told": [],
    }  # fmt: skip


def lines(number: int, until: float, days: float, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """(day, line) of so many records, spread evenly over the days before `until`."""
    for at in range(number):
        time = until - days * DAY * (number - at) / number
        yield strftime("%Y-%m-%d", gmtime(time)), json.dumps(record(at, time, seed)).encode() + b"\n"


def write(folder: Path, number: int, until: float, days: float, seed: int = 1) -> None:
    """Append so many records to the files of their days."""
    file, name = None, ""
    for day, line in lines(number, until, days, seed):
        if day != name:
            if file:
                file.close()
            file, name = (folder / f"{day}.jsonl").open("ab"), day
        file.write(line)
    if file:
        file.close()


def append(folder: Path, record: dict) -> None:
    """Append a record to the file of today."""
    with (folder / strftime("%Y-%m-%d.jsonl", gmtime())).open("ab") as file:
        file.write(json.dumps(record).encode() + b"\n")
