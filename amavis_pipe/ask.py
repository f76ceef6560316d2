"""Asks every scanner about the mail and each of its parts, unless it answered before.

An answer is remembered by the part's SHA-256, the scanner's name and its stamp; a clean one only
if the scanner must have loaded its newest signatures, said the same of itself before and after, and
nothing on disk changed meanwhile. *Unchecked* is never remembered here. One that gives no answer is
replaced by its backups, if there are any; with `require = "all"` the mail is deferred else.
"""

import marshal
from time import monotonic, perf_counter

from amavis_pipe.cache import digest
from amavis_pipe.inquire import Witness, scanner_of, witnesses
from amavis_pipe.model import Answer, Finding, ScannerTrouble
from amavis_pipe.recent import Recent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from amavis_pipe.cache import Cache
    from amavis_pipe.inquire import Answers, Items
    from amavis_pipe.model import Facts, Part
    from amavis_pipe.settings import Row, Settings
    from amavis_pipe.spool import Blob

    Said = tuple[tuple[str, str], ...]

RESERVE = 30
"""Seconds of `limits.hard_seconds` that scanners are not given: the mail has to go on, too."""


def checked(name: str, items: "Items", answers: "Answers") -> "Answers":
    """The answers of the scanner `name`, if they are complete or tell of a virus; ScannerTrouble."""
    silent = [path for path, _ in items if path not in answers]
    if silent and not any(found.grade == "virus" for said in answers.values() for found in said):
        raise ScannerTrouble(f"{name}: said nothing of part {silent[0] or 'mail'}")
    return answers


class Source:
    """A witness, and what it has said before.

    oldest  age in seconds of the oldest remembered answer that was used
    """

    __slots__ = ("_cache", "_clean_seconds", "_known", "oldest", "row", "scanner", "stamp", "trouble")

    def __init__(self, witness: Witness, cache: "Cache", clean_seconds: int) -> None:
        self.scanner = witness.scanner
        self.row = witness.row
        self.stamp = witness.stamp
        self.trouble = witness.trouble
        self.oldest = 0.0
        self._cache = cache
        self._clean_seconds = clean_seconds
        self._known: dict[str, Said | None] = {}

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
    """

    def __init__(self, settings: "Settings", cache: "Cache", called: list[Witness] | None = None) -> None:
        self._settings = settings
        self._cache = cache
        self._recent = Recent(cache)
        self._until = monotonic() + max(settings.hard_seconds - RESERVE, settings.hard_seconds / 2)
        self._sources = [self._source(one) for one in called or witnesses(settings, cache)]
        self._stand_ins: dict[str, Source] = {}
        self.steady = True

    def _source(self, witness: Witness) -> Source:
        return Source(witness, self._cache, self._settings.clean_seconds)

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest remembered answer that was used."""
        return max([source.oldest for source in self._sources])

    def knows(self, sha256: str) -> bool:
        """Whether no scanner will be asked about these bytes again."""
        return all(source.knows(sha256) for source in self._sources)

    def ask(self, mail: "Blob | None", facts: "Facts") -> bool:
        """Have the mail (if it is one) and all parts scanned, adding findings and answers to `facts`.

        Bytes that several parts share are scanned once. Returns whether all that was said may be
        remembered. ScannerTrouble if one does not answer and has no backup that does, unless another
        one has found a virus, or it is enough that one answers.
        """
        kept, failed, answered = True, [], 0
        for source, said in self._asked(mail, facts.parts):
            if not isinstance(said, ScannerTrouble):
                kept = self._take(source, said, facts) and kept
                answered += 1
                continue
            self.steady = kept = False
            facts.answers.append(Answer(source.row.name, trouble=str(said)))
            if self._is_replaced(source, mail, facts):
                answered += 1
            else:
                failed.append(said)
        enough = answered and not self._settings.need_all
        if failed and not enough and not any(found.grade == "virus" for found in facts.findings):
            raise failed[0]
        return kept

    def _asked(
        self, mail: "Blob | None", parts: "list[Part]"
    ) -> "list[tuple[Source, Given | ScannerTrouble]]":
        """What each scanner says, or why it says nothing; at the same time if there are several."""

        def asking(source: Source) -> "Callable[[], Given | ScannerTrouble]":
            return lambda: self._one(source, mail, parts)

        jobs = [asking(source) for source in self._sources]
        if sum([source.row.via != "builtin" for source in self._sources]) < 2:
            return list(zip(self._sources, [job() for job in jobs], strict=True))
        from amavis_pipe.scan.together import together

        return list(zip(self._sources, together(jobs), strict=True))

    def _one(self, source: Source, mail: "Blob | None", parts: "list[Part]") -> "Given | ScannerTrouble":
        begun = perf_counter()
        try:
            if source.trouble is not None:
                raise source.trouble
            items = source.items(mail, parts)
            answers = self._scanned(source, items) if items else {}
            return Given(items, answers, (perf_counter() - begun) * 1000)
        except ScannerTrouble as error:
            return error

    def _scanned(self, source: Source, items: "Items") -> "Answers":
        """The scanner's answers, checked to be complete."""
        name = source.row.name
        age = self._recent.age("slow", name)
        if age is not None and age < 2 * source.row.timeout:
            from amavis_pipe.scan.pending import refuse_pending

            refuse_pending(source.row, items, self._recent)
        try:
            answers = source.scanner.scan(items, self._until)
        except ScannerTrouble as error:
            if error.kind != "slow":
                raise
            from amavis_pipe.scan.pending import note_pending

            note_pending(source.row, items, self._recent)
            raise
        return checked(name, items, answers)

    def _is_replaced(self, failed: Source, mail: "Blob | None", facts: "Facts") -> bool:
        """Whether a backup answers what this scanner does not; what it said before stands."""
        shas = [part.sha256 for part in facts.parts if part.sha256 and failed.recall(part.sha256) is None]
        parts = [part for part in facts.parts if part.sha256 in shas]
        for row in self._settings.backups:
            if row.backup_of not in (failed.row.name, "*"):
                continue
            if row.name not in self._stand_ins:
                self._stand_ins[row.name] = self._source(self._backup(row))
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

    def _backup(self, row: "Row") -> Witness:
        return Witness(scanner_of(row, self._settings, self._cache))

    def _take(self, source: Source, given: "Given", facts: "Facts") -> bool:
        """Add what a scanner said now and before; whether all of it may be remembered."""
        scanner, stamp, fresh = source.scanner, source.stamp, given.answers
        keep = stamp.settled and scanner.steady and scanner.stamp().text == stamp.text
        self.steady = self.steady and keep
        hashes = {part.path: part.sha256 for part in facts.parts}
        for path, _ in given.items:
            if path and path in fresh:
                source.learn(hashes[path], fresh[path], keep)
        facts.findings += fresh.get("", [])
        self._add_known(source, facts)
        asked = any(path for path, _ in given.items)
        facts.answers.append(Answer(source.row.name, scanner.version, cached=not asked, ms=given.ms))
        said = [found.grade for findings in fresh.values() for found in findings]
        return "unchecked" not in said and (keep or "virus" in said)

    def _add_known(self, source: Source, facts: "Facts") -> None:
        """Add what a scanner is known to say of each part."""
        for part in facts.parts:
            for grade, text in source.recall(part.sha256) or ():
                facts.findings.append(Finding(grade, text, part.path, source.row.name))


class Given:
    """What one scanner was asked, what it answered to that, and in how many milliseconds."""

    __slots__ = ("answers", "items", "ms")

    def __init__(self, items: "Items", answers: "Answers", ms: float) -> None:
        self.items = items
        self.answers = answers
        self.ms = ms
