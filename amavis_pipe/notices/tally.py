"""Sums up the journal's records for a digest: who is told of which mail, and what it comes to. No I/O.

A record may lack fields, or have others: it may be of an older version. Whatever it says is bounded and
escaped again. A mail that Postfix tried several times counts once.
"""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from amavis_pipe.model import Envelope
from amavis_pipe.notices.values import ADDRESS_SHOWN, WORDS, grades, line, name_of
from amavis_pipe.policy import CATEGORIES, NAMES_SHOWN, SENDABLE
from amavis_pipe.rules import by_domain, is_local, profiles
from amavis_pipe.settings import Settings

Record = dict[str, Any]

HITS_SHOWN = 200
RECIPIENTS_SHOWN = 10
ROWS_SHOWN = 50
DISTINCT = 20_000
"""Names and domains that are told apart; the rest counts as others."""
PEOPLE = 10_000
"""Recipients that get a digest of their own."""
REMEMBERED = 500_000
"""Mails of which it is known that they were counted."""


class Tally:
    """What one reader of a digest is told: counts, and the newest hits."""

    def __init__(self) -> None:
        self.total = 0
        self.kept = 0
        self.labels: Counter[str] = Counter()
        self.names: Counter[str] = Counter()
        self.domains: Counter[str] = Counter()
        self.hits: deque[Record] = deque(maxlen=HITS_SHOWN)

    def add(self, hit: Record, names: list[str]) -> None:
        """Count one mail; `names` are all that were found in it."""
        self.total += 1
        self.kept += bool(hit["kept"])
        self.labels[hit["label"]] += 1
        for name in names:
            _count(self.names, name)
        _count(self.domains, hit["sender"].rpartition("@")[2].lower() or "<>")
        self.hits.append(hit)

    def values(self) -> Record:
        """For the templates, the newest hit last."""
        labels = [label for label in CATEGORIES if label in self.labels]
        return {
            "total": self.total,
            "kept": self.kept,
            "labels": [{"label": one, "word": WORDS[one], "count": self.labels[one]} for one in labels],
            **_rows("names", self.names),
            **_rows("domains", self.domains),
            "hits": list(self.hits),
            "more_hits": self.total - len(self.hits),
        }


class Tallies:
    """The tallies of all readers: `admins` and `people`, each by address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._for_admins = settings.values["notices.admin"] in ("digest", "both")
        # where the journal hides addresses, it names nobody to whom a mail could go
        hidden: bool = settings.values["journal.hash_addresses"]
        self._for_people: bool = settings.values["notices.digest_recipients"] and not hidden
        self._seen: set[tuple[str, str, int]] = set()
        self.admins: dict[bytes, Tally] = {}
        self.people: dict[bytes, Tally] = {}

    def add(self, record: Record) -> None:
        """Count a record for everybody whom it concerns; one that tells of no category for nobody."""
        label = record.get("verdict")
        if (
            not isinstance(label, str)
            or label not in CATEGORIES
            or label == "clean"
            or self._is_known(record)
        ):
            return
        hit, names = _hit(record, label, self._settings)
        envelope = _envelope(record)
        actions = _actions(record)
        if self._for_admins:
            for admin, recipients in self._admins(envelope, label):
                self.admins.setdefault(admin, Tally()).add(hit | _shown(recipients, actions), names)
        if self._for_people and hit["kept"]:
            for one in self._people(envelope, actions):
                self.people.setdefault(one, Tally()).add(hit, names)

    def _is_known(self, record: Record) -> bool:
        """Whether this mail was counted: it is tried again, and recorded again, as long as it is deferred."""
        number, digest = record.get("id"), record.get("sha256")
        if not isinstance(number, str) or not isinstance(digest, str):
            return False
        # deliveries of one mail to several groups of recipients have its queue id, each
        envelope = record.get("envelope")
        to = hash(str(envelope.get("recipients") if isinstance(envelope, dict) else None))
        key = (number[:64], digest[:64], to)
        if key in self._seen:
            return True
        if len(self._seen) < REMEMBERED:
            self._seen.add(key)
        return False

    def _admins(self, envelope: Envelope, label: str) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        """Whom the settings in force today name for mail of this category, each with the recipients."""
        found: dict[bytes, tuple[bytes, ...]] = {}
        delimiter: bytes = self._settings.values["recipient_delimiter"]
        for profile, recipients in profiles(envelope, self._settings):
            if label not in (profile.get("lover") or ()) and label not in profile.get("bypass"):
                admin = by_domain(profile.category(label).admin, envelope.sender, delimiter)
                found[admin] = found.get(admin, ()) + recipients
        return ((admin, recipients) for admin, recipients in found.items() if admin)

    def _people(self, envelope: Envelope, actions: dict[str, str]) -> Iterator[bytes]:
        """The local recipients who didn't get the mail; an address that the record shows escaped is none."""
        for one in dict.fromkeys(envelope.recipients):
            usual = one.isascii() and one.count(b"@") == 1 and not one.translate(None, _USUAL)
            held = actions.get(one.decode("utf-8", "replace"), "pass") not in (*SENDABLE, "defer")
            if usual and held and is_local(one, self._settings):
                key = one.lower()
                if key in self.people or len(self.people) < PEOPLE:
                    yield key


_USUAL = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@!#$%&'*+/=?^_`{|}~.-"


def _count(counter: "Counter[str]", name: str) -> None:
    counter[name if name in counter or len(counter) < DISTINCT else ""] += 1


def _rows(what: str, counter: "Counter[str]") -> Record:
    """The most frequent ones, and how many others there are."""
    ordered = sorted(counter.items(), key=lambda row: (-row[1], row[0]))
    rows = [(name, count) for name, count in ordered if name][:ROWS_SHOWN]
    others = counter.total() - sum(count for _, count in rows)
    return {what: [{"name": name, "count": count} for name, count in rows], "more_" + what: others}


def _hit(record: Record, label: str, settings: Settings) -> tuple[Record, list[str]]:
    """A mail as the list shows it, and all names found in it."""
    wanted = grades(label, settings)
    findings = [one for one in _list(record, "findings") if isinstance(one, dict)]
    names = [name_of(str(one.get("name"))) for one in findings if one.get("grade") in wanted]
    names = list(dict.fromkeys(names)) or [name_of(_reason(record) or label)]
    envelope = record.get("envelope") if isinstance(record.get("envelope"), dict) else {}
    hit = {
        "label": label,
        "word": WORDS[label],
        "time": _word(record.get("time"), 40),
        "id": _word(record.get("id"), 80),
        "sender": _word((envelope or {}).get("sender"), ADDRESS_SHOWN),
        "client": _word((envelope or {}).get("client_address"), 100),
        "names": names[:NAMES_SHOWN],
        "more_names": len(names[NAMES_SHOWN:]),
        "kept": [_word(name, 200) for name in _list(record, "quarantined")[:RECIPIENTS_SHOWN]],
    }
    return hit, names


def _shown(recipients: tuple[bytes, ...], actions: dict[str, str]) -> Record:
    """Recipients as the list shows them."""
    rows = [
        {"address": line(one, ADDRESS_SHOWN), "action": actions.get(one.decode("utf-8", "replace"), "")}
        for one in recipients[:RECIPIENTS_SHOWN]
    ]
    return {"recipients": rows, "more_recipients": len(recipients[RECIPIENTS_SHOWN:])}


def _envelope(record: Record) -> Envelope:
    """The envelope as recorded; of a record that has none, recipients from what was done for whom."""
    told = record.get("envelope")
    told = told if isinstance(told, dict) else {}
    recipients = [one for one in _list(told, "recipients") if isinstance(one, str)] or list(_actions(record))
    return Envelope(
        sender=_bytes(told.get("sender")),
        recipients=tuple(one for word in recipients if (one := _bytes(word))),
        client_address=_bytes(told.get("client_address")),
        sasl_username=_bytes(told.get("sasl_username")),
    )


def _actions(record: Record) -> dict[str, str]:
    """What was done, by recipient."""
    found: dict[str, str] = {}
    for one in _list(record, "actions"):
        if isinstance(one, dict):
            for recipient in _list(one, "recipients"):
                if isinstance(recipient, str):
                    found[recipient] = _word(one.get("action"), 20)
    return found


def _reason(record: Record) -> str:
    return next(
        (_word(one.get("reason"), 200) for one in _list(record, "actions") if isinstance(one, dict)), ""
    )


def _list(record: Record, key: str) -> list[Any]:
    found = record.get(key)
    return found if isinstance(found, list) else []


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8", "backslashreplace") if isinstance(value, str) else b""


def _word(value: Any, longest: int) -> str:
    return line(_bytes(value), longest)
