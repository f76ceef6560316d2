"""examine(): the facts of a mail, from the cache or by taking it apart and having it scanned.

Facts are a function of their key: the canonical mail, the limits, what decodes (versions, libraries,
helpers), and the stamp of every scanner. What is not (time ran out, a decoder crashed) is not kept, nor
are answers that may not be (inquire.py).
"""

import marshal
import sys
from time import monotonic, perf_counter

from amavis_pipe import Room
from amavis_pipe.cache import digest, digest_of
from amavis_pipe.inquire import witnesses
from amavis_pipe.model import Answer, Facts, Finding, Part, Trouble
from amavis_pipe.settings import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amavis_pipe.ask import Inquiry
    from amavis_pipe.cache import Cache
    from amavis_pipe.dissect import Remembered
    from amavis_pipe.intake import Mail
    from amavis_pipe.settings import Settings
    from amavis_pipe.spool import Blob
    from amavis_pipe.tries import Tries

sys.modules[__name__].__class__ = Room

FORMAT = b"facts 2"
FILE_FORMAT = b"file 2"
POISON = "poison"
"""That filters died of it before: a finding."""
PASSING = ("limit:seconds", "limit:memory", "limit:passwords", "crash:", "poison")
"""Findings that another run may not have: facts with one are not kept."""


class Examination:
    """The facts of a mail; whether they were remembered; milliseconds by stage."""

    __slots__ = ("cached", "facts", "times")

    def __init__(self, facts: Facts, cached: bool, times: dict[str, float]) -> None:
        self.facts = facts
        self.cached = cached
        self.times = times


def examine(
    mail: "Mail",
    settings: "Settings",
    cache: "Cache",
    until: float | None = None,
    beside: "Sequence[Callable[[], None]]" = (),
    guarded: bool = False,
) -> Examination:
    """The facts of a mail under these settings; scanners have answered by the monotonic time `until`.

    `beside` is what else takes time: done while scanners are waited for, left undone if none is. `guarded`
    leaves out what filters have died in with this mail (tries.py).

    Raises ScannerTrouble (a scanner gave no answer), SandboxTrouble, SpoolTrouble. Hostile content
    raises nothing.
    """
    canonical = mail.canonical

    def apart(memory: "Remembered | None") -> Facts:
        from amavis_pipe.dissect import decompose

        return decompose(canonical, settings, memory)

    key = mail.key if guarded and settings.poison_tries else b""
    return _examined((FORMAT, mail.key), mail.scanned, apart, settings, cache, until, beside, key)


def examine_file(
    raw: "Blob", names: tuple[bytes, ...], mail: "Mail | None", settings: "Settings", cache: "Cache"
) -> Examination:
    """The facts of a file with these names; of what it is read as a mail, too, if `mail` is that reading.

    Raises as examine().
    """
    canonical = mail.canonical if mail is not None else None
    reading = b"file" if mail is None else b"file or mail"
    content = digest(reading, raw.sha256().encode(), *names)

    def apart(memory: "Remembered | None") -> Facts:
        from amavis_pipe.dissect import decompose_file

        return decompose_file(raw, names, canonical, settings, memory)

    scanned = mail.scanned if mail is not None else None
    return _examined((FILE_FORMAT, content), scanned, apart, settings, cache)


def _examined(
    content: tuple[bytes, bytes],
    mail: "Blob | None",
    apart: "Callable[[Remembered | None], Facts]",
    settings: "Settings",
    cache: "Cache",
    until: float | None = None,
    beside: "Sequence[Callable[[], None]]" = (),
    guarded: bytes = b"",
) -> Examination:
    """The facts that `apart` and the scanners give of a content, unless they are known.

    `guarded` is the key under which deaths are counted, or b"".
    """
    if not settings.rows:  # for those who are spared the virus check: nothing is asked, nothing remembered
        begun = perf_counter()
        tries = _begun(settings, guarded)
        facts = _taken_apart(apart, None, tries)
        if tries is not None:
            tries.end(True, scanned=False)
        return Examination(facts, False, {"decompose": (perf_counter() - begun) * 1000})
    until = monotonic() + settings.scan_seconds if until is None else until
    called = witnesses(settings, cache, until)
    context, known_stamps = _context(settings), [witness.digest() for witness in called]
    stamps = digest_of(known_stamps)
    # facts of a mail that was shown whole, and without the attachments that are known: never the same key;
    # none where nothing tells what answers depend on
    keys = [digest(*content, context, stamps)] if all(known_stamps) else []
    if keys and mail is not None and settings.mail_scan == "new" and _is_alike(settings):
        keys.append(digest(*content, context, stamps, b"new"))
    for name in keys:
        known = _recall(cache, name, settings)
        if known is not None:
            return Examination(_allowed(known, settings), True, {})
    from amavis_pipe.ask import Inquiry

    inquiry = Inquiry(settings, cache, called, until, beside)
    begun = perf_counter()
    tries = _begun(settings, guarded)
    facts = _taken_apart(apart, (cache, context, inquiry.knows), tries)
    opened = perf_counter()

    def ask() -> tuple[bool, int, float]:
        if mail is not None and facts.bodies and len(keys) > 1:
            return _ask_without_known(mail, facts, inquiry, stamps, settings, cache)
        return inquiry.ask(mail, facts), 0, 0.0

    lasting, key, oldest = _asked(ask, inquiry, facts, tries)
    if lasting and keys and not any(found.name.startswith(PASSING) for found in facts.findings):
        cache.put(keys[key], _packed(facts), max(oldest, inquiry.oldest))
    scanned = perf_counter()
    times = {"decompose": (opened - begun) * 1000, "scan": (scanned - opened) * 1000}
    return Examination(_allowed(facts, settings), False, times)


def _begun(settings: "Settings", key: bytes) -> "Tries | None":
    """The notes of earlier tries, with one that this one begins; None if nobody counts."""
    if not key:
        return None
    from amavis_pipe.tries import Tries

    tries = Tries(settings.state, key, settings.poison_tries)
    tries.begin()
    return tries


def _taken_apart(
    apart: "Callable[[Remembered | None], Facts]", memory: "Remembered | None", tries: "Tries | None"
) -> Facts:
    """The facts, by `apart` unless filters have died in that."""
    if tries is None:
        return apart(memory)
    if tries.skipped & tries.DECOMPOSE:
        return Facts([], [Finding("unchecked", POISON)], [])
    try:
        return apart(memory)
    except Trouble:  # the machine's doing; whatever else it is, is counted as a death
        tries.end(False)
        raise


def _asked(
    ask: "Callable[[], tuple[bool, int, float]]", inquiry: "Inquiry", facts: Facts, tries: "Tries | None"
) -> tuple[bool, int, float]:
    """What `ask` gives, or that nothing may be remembered, if filters have died in that."""
    if tries is None:
        return ask()
    if tries.skipped & tries.SCAN:
        facts.findings.append(Finding("unchecked", POISON))
        tries.end(True, scanned=False)
        return False, 0, 0.0
    tries.enter(tries.SCAN)
    try:
        answered = ask()
    except Trouble as trouble:
        if getattr(trouble, "kind", "") == "slow":  # a scanner that works on it for ever may die of it, too
            tries.hang(tries.SCAN)
        else:
            tries.end(False)
        raise
    tries.end(True, inquiry.fresh)
    return answered


def _is_alike(settings: "Settings") -> bool:
    """Whether all scanners are shown the mail besides every part, or nothing but parts."""
    return all(row.sees == "parts" or (row.sees == "both" and not row.kinds) for row in settings.rows)


def _allowed(facts: Facts, settings: "Settings") -> Facts:
    """The facts, what the site allows among the findings being but noted; not for the cache."""
    if settings.allow:
        from amavis_pipe.allow import apply

        apply(facts, settings.allow)
    return facts


def _ask_without_known(
    mail: "Blob", facts: Facts, inquiry: "Inquiry", stamps: bytes, settings: "Settings", cache: "Cache"
) -> tuple[bool, int, float]:
    """As Inquiry.ask(), the mail less what is known of it; which key its facts have; how old that is."""
    from amavis_pipe.bodies import Bodies

    bodies = Bodies(mail, facts.bodies, stamps, cache, settings.work, settings.clean_seconds)
    # where only some could be left out, what is said is no function of the mail: another run leaves out all
    lasting = inquiry.ask(bodies.given, facts) and bodies.whole
    if inquiry.steady and all(found.part or found.source == "decompose" for found in facts.findings):
        bodies.learn()
    return lasting, int(bodies.left_out > 0), bodies.oldest


def _context(settings: "Settings") -> bytes:
    """What decomposition depends on besides the content: limits, decoders, libraries and helpers."""
    files = repr([(path, identity(path)) for path in settings.decoder_files])
    tries = f"{settings.password_tries} {settings.password_seconds}"
    words = (settings.limits.stamp(), settings.sandbox, tries, *settings.decoders, files)
    return digest_of((*settings.passwords, *(word.encode() for word in words)))


def _packed(facts: Facts) -> bytes:
    parts = [part.row() for part in facts.parts]
    findings = [(found.grade, found.name, found.part, found.source) for found in facts.findings]
    answers = [(answer.name, answer.version) for answer in facts.answers]
    return marshal.dumps((parts, findings, answers, facts.quota, facts.used, facts.hit))


def _recall(cache: "Cache", key: bytes, settings: "Settings") -> Facts | None:
    """The facts under this key, or None; without a virus, or if some are allowed, they soon grow too old."""
    found = cache.get(key)
    if found is None:
        return None
    age, payload = found
    parts, findings, answers, quota, used, hit = marshal.loads(payload)  # noqa: S302 - whole, and ours: cache.opened()
    infected = not settings.allow and any(grade == "virus" for grade, *_ in findings)
    if age > settings.clean_seconds and not infected:
        return None
    return Facts(
        [Part(*fields) for fields in parts],
        [Finding(*fields) for fields in findings],
        [Answer(name, version, cached=True) for name, version in answers],
        quota,
        used,
        hit,
    )
