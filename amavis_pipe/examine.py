"""examine(): the facts of a mail, from the cache or by taking it apart and having it scanned.

Facts are a function of their key: the canonical mail, the limits, what decodes (versions, libraries,
helpers), and the stamp of every scanner. What is not (time ran out, a decoder crashed) is not kept, nor
are answers that may not be (inquire.py).
"""

import marshal
from time import perf_counter

from amavis_pipe.budget import Budget
from amavis_pipe.cache import digest, digest_of
from amavis_pipe.inquire import Inquiry
from amavis_pipe.mime.reader import MAIL, hot_openers
from amavis_pipe.model import Answer, Facts, Finding, Part
from amavis_pipe.settings import identity
from amavis_pipe.spool import Store
from amavis_pipe.walk import Walk, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.cache import Cache
    from amavis_pipe.intake import Mail
    from amavis_pipe.settings import Settings
    from amavis_pipe.spool import Blob

FORMAT = b"facts 1"
PASSING = ("limit:seconds", "limit:memory", "crash:", "poison")
"""Findings that another run may not have: facts with one are not kept."""


class Examination:
    """The facts of a mail; whether they were remembered; milliseconds by stage."""

    __slots__ = ("cached", "facts", "times")

    def __init__(self, facts: Facts, cached: bool, times: dict[str, float]) -> None:
        self.facts = facts
        self.cached = cached
        self.times = times


def examine(mail: "Mail", settings: "Settings", cache: "Cache") -> Examination:
    """The facts of a mail under these settings.

    Raises ScannerTrouble (a scanner gave no answer), SandboxTrouble, SpoolTrouble. Hostile content
    raises nothing.
    """
    inquiry = Inquiry(settings, cache)
    key = _key(mail, settings, inquiry.stamps())
    known = _recall(cache, key, settings.clean_seconds)
    if known is not None:
        return Examination(known, True, {})
    begun = perf_counter()
    facts = decompose(mail.canonical, settings)
    apart = perf_counter()
    lasting = inquiry.ask(mail.canonical, facts)
    if lasting and not any(found.name.startswith(PASSING) for found in facts.findings):
        cache.put(key, _packed(facts))
    scanned = perf_counter()
    return Examination(facts, False, {"decompose": (apart - begun) * 1000, "scan": (scanned - apart) * 1000})


def decompose(canonical: "Blob", settings: "Settings") -> Facts:
    """The parts of a mail and what could not be looked at; nothing is scanned.

    The mail's own structure is read here; whatever needs a decoder is opened in the sandboxed child.
    """
    limits = settings.limits
    budget = Budget.of(limits, canonical.size)
    walk = Walk(budget, Store(settings.work), hot_openers, settings.starts, settings.sandboxed)
    walk.mail(canonical, MAIL)
    parts, findings = walk.parts, walk.findings
    if walk.deferred:
        from amavis_pipe.jail import sandbox

        more, found = sandbox.unpack_in_child(
            walk.deferred, budget, settings.work, settings.sandbox, limits.memory, settings.starts
        )
        parts, findings = parts + more, findings + found
    return Facts(in_order(parts), findings, [], budget.quota, budget.used, tuple(budget.hit))


def _key(mail: "Mail", settings: "Settings", stamps: list[bytes]) -> bytes:
    """The key of a mail's facts."""
    files = repr([(path, identity(path)) for path in settings.decoder_files])
    words = (settings.limits.stamp(), settings.sandbox, *settings.decoders, files)
    return digest(FORMAT, mail.key, digest_of(word.encode() for word in words), digest_of(stamps))


def _packed(facts: Facts) -> bytes:
    parts = [
        (part.path, part.names, part.claimed, part.kind, part.size, part.sha256, part.decoder, part.flags)
        for part in facts.parts
    ]
    findings = [(found.grade, found.name, found.part, found.source) for found in facts.findings]
    answers = [(answer.name, answer.version) for answer in facts.answers]
    return marshal.dumps((parts, findings, answers, facts.quota, facts.used, facts.hit))


def _recall(cache: "Cache", key: bytes, clean_seconds: int) -> Facts | None:
    """The facts under this key, or None; without a virus they are believed for `clean_seconds`."""
    found = cache.get(key)
    if found is None:
        return None
    age, payload = found
    parts, findings, answers, quota, used, hit = marshal.loads(payload)
    infected = any(grade in ("virus", "suspect") for grade, *_ in findings)
    if age > clean_seconds and not infected:
        return None
    return Facts(
        [Part(*fields) for fields in parts],
        [Finding(*fields) for fields in findings],
        [Answer(name, version, cached=True) for name, version in answers],
        quota,
        used,
        hit,
    )
