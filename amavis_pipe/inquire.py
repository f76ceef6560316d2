"""Asks every scanner about the mail and each of its parts, unless it answered before.

A scanner is anything with `row`, `version`, `steady`, `stamp()` and `scan(items)`: clamd.Scanner is the
model. An answer is remembered by the part's SHA-256, the scanner's name and its stamp; a clean one only
if the scanner must have loaded its newest signatures, said the same of itself before and after, and
nothing on disk changed meanwhile. *Unchecked* is never remembered here. One that gives no answer is
replaced by its backups, if there are any; with `require = "all"` the mail is deferred else.
"""

import marshal
from time import monotonic, perf_counter

from amavis_pipe.cache import digest
from amavis_pipe.clamd import Scanner as Clamd
from amavis_pipe.model import Answer, Finding, ScannerSlow, ScannerTrouble, Stamp
from amavis_pipe.recent import Recent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from amavis_pipe.cache import Cache
    from amavis_pipe.model import Facts, Part
    from amavis_pipe.settings import Row, Settings
    from amavis_pipe.spool import Blob

    Items = list[tuple[str, Blob]]
    Answers = dict[str, list[Finding]]
    Said = tuple[tuple[str, str], ...]

    class Scanner(Protocol):
        """What every scanner can do."""

        row: Row
        version: str
        steady: bool

        def stamp(self) -> Stamp:
            """What its answers depend on now; ScannerTrouble."""

        def scan(self, items: Items, until: float = ...) -> Answers:
            """What it says of each (path, blob), by path, before the monotonic time `until`; ScannerTrouble.

            Path "" stands for the whole mail, or for all items together. Where a virus is told of, other
            items may be missing: a scanner need not have gone on.
            """


RESERVE = 30
"""Seconds of `limits.hard_seconds` that scanners are not given: the mail has to go on, too."""


def scanner_of(row: "Row", settings: "Settings", recent: "Recent | None" = None) -> "Scanner":
    """The scanner that a row of the settings describes."""
    if row.via == "clamd":
        return Clamd(row, settings.work, settings.settle_seconds, recent)
    if row.via == "builtin":
        from amavis_pipe.scan.builtin import Scanner as Builtin

        return Builtin(row)
    from amavis_pipe.scan.protocols import made

    return made(row, settings, recent)


def checked(name: str, items: "Items", answers: "Answers") -> "Answers":
    """The answers of the scanner `name`, if they are complete or tell of a virus; ScannerTrouble."""
    silent = [path for path, _ in items if path not in answers]
    if silent and not any(found.grade == "virus" for said in answers.values() for found in said):
        raise ScannerTrouble(f"{name}: said nothing of part {silent[0] or 'mail'}")
    return answers


class Witness:
    """One scanner, what its answers depend on, and what it has said before.

    trouble  why it can't be asked, or None
    oldest   age in seconds of the oldest remembered answer that was used
    """

    __slots__ = ("_cache", "_clean_seconds", "_known", "oldest", "row", "scanner", "stamp", "trouble")

    def __init__(self, scanner: "Scanner", cache: "Cache", clean_seconds: int) -> None:
        self.scanner = scanner
        self.row = scanner.row
        self.trouble: ScannerTrouble | None = None
        self.stamp = Stamp(b"", False)
        try:
            self.stamp = scanner.stamp()
        except ScannerTrouble as error:
            self.trouble = error
        self.oldest = 0.0
        self._cache = cache
        self._clean_seconds = clean_seconds
        self._known: dict[str, Said | None] = {}

    def digest(self) -> bytes:
        """Of who answers, what it is shown, and what its answers depend on."""
        row = self.row
        return digest(row.name.encode(), repr((row.sees, row.kinds)).encode(), self.stamp.text)

    def knows(self, sha256: str) -> bool:
        """Whether it will not be asked about a part with these bytes."""
        return self.row.sees == "mail" or self.recall(sha256) is not None

    def items(self, mail: "Blob | None", parts: "list[Part]") -> "Items":
        """What it is to be asked about: the mail, if there is one, and a part of each unknown content."""
        if mail is None or self.row.sees == "parts":
            return self._unknown(parts)
        return [("", mail)] + (self._unknown(parts) if self.row.sees == "both" else [])

    def _unknown(self, parts: "list[Part]") -> "Items":
        unknown: dict[str, tuple[str, Blob]] = {}
        for part in parts:
            if not part.size or not part.sha256 or part.sha256 in unknown:
                continue
            if self.recall(part.sha256) is None and self._wants(part.kind):
                if part.blob is None:
                    raise ScannerTrouble(f"part {part.path}: neither its bytes nor an answer is there")
                unknown[part.sha256] = (part.path, part.blob)
        return list(unknown.values())

    def _wants(self, kind: str) -> bool:
        if not self.row.kinds:
            return True
        from fnmatch import fnmatchcase

        return any(fnmatchcase(kind, pattern) for pattern in self.row.kinds)

    def recall(self, sha256: str) -> "Said | None":
        """What it said of these bytes before, or None; looked up once for a mail."""
        known = self._known
        if sha256 not in known:
            known[sha256] = None
            found = self._cache.get(self._key(sha256)) if self.stamp.text else None
            if found is not None:
                said: Said = marshal.loads(found[1])[1]
                infected = any(grade == "virus" for grade, _ in said)
                if infected or found[0] <= self._clean_seconds:
                    self.oldest = max(self.oldest, found[0])
                    known[sha256] = said
        return known[sha256]

    def learn(self, sha256: str, findings: "list[Finding]", keep: bool) -> None:
        """Take an answer for this mail, and remember it if it may be."""
        said = tuple((found.grade, found.name) for found in findings)
        self._known[sha256] = said
        grades = [grade for grade, _ in said]
        if self.stamp.text and "unchecked" not in grades and (keep or "virus" in grades):
            self._cache.put(self._key(sha256), marshal.dumps((sha256, said)))  # as desk/forget.py reads it

    def _key(self, sha256: str) -> bytes:
        return digest(b"answer 2", sha256.encode(), self.row.name.encode(), self.stamp.text)


class Inquiry:
    """The questions of one mail to all configured scanners.

    steady  whether every clean answer of ask() may be remembered
    alike   whether all of them are shown the mail besides every part, or nothing but parts
    """

    def __init__(self, settings: "Settings", cache: "Cache") -> None:
        self._settings = settings
        self._cache = cache
        self._recent = Recent(cache)
        self._until = monotonic() + max(settings.hard_seconds - RESERVE, settings.hard_seconds / 2)
        self._witnesses = [self._witness(row) for row in settings.rows]
        self._stand_ins: dict[str, Witness] = {}
        self.steady = True
        self.alike = all(
            row.sees == "parts" or (row.sees == "both" and not row.kinds) for row in settings.rows
        )
        only = self._witnesses[0]
        if only.trouble is not None and len(self._witnesses) == 1 and not settings.backups:
            raise only.trouble

    def _witness(self, row: "Row") -> Witness:
        scanner = scanner_of(row, self._settings, self._recent)
        return Witness(scanner, self._cache, self._settings.clean_seconds)

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest remembered answer that was used."""
        return max([witness.oldest for witness in self._witnesses])

    def stamps(self) -> list[bytes] | None:
        """Who answers, and what the answers depend on, one for each scanner; None if nothing tells of one."""
        if not all(witness.stamp.text for witness in self._witnesses):
            return None
        return [witness.digest() for witness in self._witnesses]

    def knows(self, sha256: str) -> bool:
        """Whether no scanner will be asked about these bytes again."""
        return all(witness.knows(sha256) for witness in self._witnesses)

    def ask(self, mail: "Blob | None", facts: "Facts") -> bool:
        """Have the mail (if it is one) and all parts scanned, adding findings and answers to `facts`.

        Bytes that several parts share are scanned once. Returns whether all that was said may be
        remembered. ScannerTrouble if one does not answer and has no backup that does, unless another
        one has found a virus, or it is enough that one answers.
        """
        kept, failed, answered = True, [], 0
        for witness, said in self._asked(mail, facts.parts):
            if not isinstance(said, ScannerTrouble):
                kept = self._take(witness, said, facts) and kept
                answered += 1
                continue
            self.steady = kept = False
            facts.answers.append(Answer(witness.row.name, trouble=str(said)))
            if self._is_replaced(witness, mail, facts):
                answered += 1
            else:
                failed.append(said)
        enough = answered and not self._settings.need_all
        if failed and not enough and not any(found.grade == "virus" for found in facts.findings):
            raise failed[0]
        return kept

    def _asked(
        self, mail: "Blob | None", parts: "list[Part]"
    ) -> "list[tuple[Witness, Given | ScannerTrouble]]":
        """What each scanner says, or why it says nothing; at the same time if there are several."""

        def asking(witness: Witness) -> "Callable[[], Given | ScannerTrouble]":
            return lambda: self._one(witness, mail, parts)

        jobs = [asking(witness) for witness in self._witnesses]
        if sum([witness.row.via != "builtin" for witness in self._witnesses]) < 2:
            return list(zip(self._witnesses, [job() for job in jobs], strict=True))
        from amavis_pipe.scan.together import together

        return list(zip(self._witnesses, together(jobs), strict=True))

    def _one(self, witness: Witness, mail: "Blob | None", parts: "list[Part]") -> "Given | ScannerTrouble":
        begun = perf_counter()
        try:
            if witness.trouble is not None:
                raise witness.trouble
            items = witness.items(mail, parts)
            answers = self._scanned(witness, items) if items else {}
            return Given(items, answers, (perf_counter() - begun) * 1000)
        except ScannerTrouble as error:
            return error

    def _scanned(self, witness: Witness, items: "Items") -> "Answers":
        """The scanner's answers, checked to be complete."""
        name = witness.row.name
        age = self._recent.age("slow", name)
        if age is not None and age < 2 * witness.row.timeout:
            from amavis_pipe.scan.pending import refuse_pending

            refuse_pending(witness.row, items, self._recent)
        try:
            answers = witness.scanner.scan(items, self._until)
        except ScannerSlow:
            from amavis_pipe.scan.pending import note_pending

            note_pending(witness.row, items, self._recent)
            raise
        return checked(name, items, answers)

    def _is_replaced(self, failed: Witness, mail: "Blob | None", facts: "Facts") -> bool:
        """Whether a backup answers what this scanner does not; what it said before stands."""
        shas = [part.sha256 for part in facts.parts if part.sha256 and failed.recall(part.sha256) is None]
        parts = [part for part in facts.parts if part.sha256 in shas]
        for row in self._settings.backups:
            if row.backup_of not in (failed.row.name, "*"):
                continue
            if row.name not in self._stand_ins:
                self._stand_ins[row.name] = self._witness(row)
            backup = self._stand_ins[row.name]
            said = self._one(backup, mail, parts)
            if isinstance(said, ScannerTrouble):
                backup.trouble = said  # not asked a second time
                facts.answers.append(Answer(row.name, trouble=str(said)))
                continue
            self._add_known(failed, facts)
            self._take(backup, said, facts)
            return True
        return False

    def _take(self, witness: Witness, given: "Given", facts: "Facts") -> bool:
        """Add what a scanner said now and before; whether all of it may be remembered."""
        scanner, stamp, fresh = witness.scanner, witness.stamp, given.answers
        keep = stamp.settled and scanner.steady and scanner.stamp().text == stamp.text
        self.steady = self.steady and keep
        hashes = {part.path: part.sha256 for part in facts.parts}
        for path, _ in given.items:
            if path and path in fresh:
                witness.learn(hashes[path], fresh[path], keep)
        facts.findings += fresh.get("", [])
        self._add_known(witness, facts)
        asked = any(path for path, _ in given.items)
        facts.answers.append(Answer(witness.row.name, scanner.version, cached=not asked, ms=given.ms))
        said = [found.grade for findings in fresh.values() for found in findings]
        return "unchecked" not in said and (keep or "virus" in said)

    def _add_known(self, witness: Witness, facts: "Facts") -> None:
        """Add what a scanner is known to say of each part."""
        for part in facts.parts:
            for grade, text in witness.recall(part.sha256) or ():
                facts.findings.append(Finding(grade, text, part.path, witness.row.name))


class Given:
    """What one scanner was asked, what it answered to that, and in how many milliseconds."""

    __slots__ = ("answers", "items", "ms")

    def __init__(self, items: "Items", answers: "Answers", ms: float) -> None:
        self.items = items
        self.answers = answers
        self.ms = ms
