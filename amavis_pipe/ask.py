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
    from collections.abc import Callable, Sequence
    from typing import Any

    from amavis_pipe.cache import Cache
    from amavis_pipe.inquire import Answers, Items
    from amavis_pipe.model import Facts, Part
    from amavis_pipe.settings import Row, Settings
    from amavis_pipe.spool import Blob

    Said = tuple[tuple[str, str], ...]


class Certainty:
    """Whether a finding makes the mail infected whatever else is there: not so if the site may excuse it."""

    __slots__ = ("_hashes", "_names", "_suspicious")

    def __init__(self, settings: "Settings") -> None:
        self._names = {value for kind, value, *_ in settings.allow if kind == "name"}
        self._hashes = {value for kind, value, *_ in settings.allow if kind == "sha256"}
        self._suspicious = False

    def look(self, parts: "list[Part]") -> None:
        """Nothing is certain of a mail in which one of these is allowed: what is around it may be excused."""
        self._suspicious = any(part.sha256 in self._hashes for part in parts)

    def holds(self, found: Finding) -> bool:
        """Whether it does."""
        return found.grade == "virus" and not self._suspicious and found.name not in self._names


def checked(
    name: str, items: "Items", answers: "Answers", is_certain: "Callable[[Finding], bool] | None" = None
) -> "Answers":
    """The answers of a scanner, if they are complete or tell of a virus for certain; ScannerTrouble."""
    silent = [path for path, _ in items if path not in answers]
    if silent:
        certain = is_certain or _is_virus
        if not any(certain(found) for said in answers.values() for found in said):
            raise ScannerTrouble(f"{name}: said nothing of part {silent[0] or 'mail'}")
    return answers


def _is_virus(found: Finding) -> bool:
    return found.grade == "virus"


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

    def items(self, mail: "Blob | None", parts: "list[Part]") -> "Items":
        """What it is to be asked about: the mail, if there is one, and a part of each unknown content."""
        if mail is None or self.row.sees == "parts":
            return self._unknown(parts)
        return [("", mail)] + (self._unknown(parts) if self.row.sees == "both" else [])

    def _unknown(self, parts: "list[Part]") -> "Items":
        unknown: dict[str, tuple[str, Blob]] = {}
        for part in parts:
            if part.sha256 not in unknown and self.owes(part):
                if part.blob is None:
                    raise ScannerTrouble(f"part {part.path}: neither its bytes nor an answer is there")
                unknown[part.sha256] = (part.path, part.blob)
        return list(unknown.values())

    def owes(self, part: "Part") -> bool:
        """Whether it is to be shown this part, and has not said anything of these bytes before."""
        return bool(part.size and part.sha256) and self.recall(part.sha256) is None and self._wants(part.kind)

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
                said: Said = marshal.loads(found[1])[1]  # noqa: S302 - whole, and ours: cache.opened()
                infected = any(grade == "virus" for grade, _ in said)
                if infected or found[0] <= self._clean_seconds:
                    self.oldest = max(self.oldest, found[0])
                    known[sha256] = said
        return known[sha256]

    def learn(self, sha256: str, findings: "list[Finding]", keep: bool) -> None:
        """Take an answer for this mail, and remember it if it may be."""
        said = tuple((found.grade, found.name) for found in findings)
        self._known[sha256] = said
        if self.stamp.text and keep and "unchecked" not in [grade for grade, _ in said]:
            self._cache.put(self._key(sha256), marshal.dumps((sha256, said)))  # as desk/forget.py reads it

    def _key(self, sha256: str) -> bytes:
        return digest(b"answer 2", sha256.encode(), self.row.name.encode(), self.stamp.text)


class Inquiry:
    """The questions of one mail to all configured scanners.

    steady  whether every clean answer of ask() may be remembered
    fresh   whether every scanner was asked something, and has answered
    """

    def __init__(
        self,
        settings: "Settings",
        cache: "Cache",
        called: list[Witness] | None = None,
        until: float | None = None,
        beside: "Sequence[Callable[[], None]]" = (),
    ) -> None:
        """`beside` is what else takes time, done while scanners are waited for, or left undone."""
        self._settings = settings
        self._beside = beside
        self._cache = cache
        self._recent = Recent(cache)
        self._certainty = Certainty(settings)
        self._until = monotonic() + settings.scan_seconds if until is None else until
        self._sources = [self._source(one) for one in called or witnesses(settings, cache, self._until)]
        self._stand_ins: dict[str, Source] = {}
        self.steady = self.fresh = True

    def _source(self, witness: Witness) -> Source:
        return Source(witness, self._cache, self._settings.clean_seconds)

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest remembered answer that was used."""
        return max([source.oldest for source in self._sources])

    def knows(self, sha256: str) -> bool:
        """Whether no scanner will be asked about these bytes again, nor a backup have to be."""
        return all(
            source.recall(sha256) is not None or (source.row.sees == "mail" and not self._settings.backups)
            for source in self._sources
        )

    def ask(self, mail: "Blob | None", facts: "Facts") -> bool:
        """Have the mail (if it is one) and all parts scanned, adding findings and answers to `facts`.

        Bytes that several parts share are scanned once. Returns whether all that was said may be
        remembered. ScannerTrouble if one does not answer, and no backup, or where one is enough no other
        scanner, has answered for all that it should have, unless a virus was found for certain.
        """
        self._certainty.look(facts.parts)
        kept, failed, answered = True, [], []
        for source, said in self._asked(mail, facts.parts):
            if isinstance(said, ScannerTrouble):
                self.steady = self.fresh = kept = False
                facts.answers.append(Answer(source.row.name, trouble=str(said)))
                failed.append((source, said))
            else:
                kept = self._take(source, said, facts) and kept
                answered.append(source)
        enough = [] if self._settings.need_all else answered
        lost = [said for source, said in failed if not self._is_replaced(source, enough, mail, facts)]
        if lost and not any(self._certainty.holds(found) for found in facts.findings):
            raise lost[0]
        return kept

    def _asked(
        self, mail: "Blob | None", parts: "list[Part]"
    ) -> "list[tuple[Source, Given | ScannerTrouble]]":
        """What each scanner says, or why it says nothing; at the same time if there are several."""

        def asking(source: Source) -> "Callable[[], Given | ScannerTrouble]":
            return lambda: self._one(source, mail, parts)

        jobs = [asking(source) for source in self._sources]
        if sum([source.row.via != "builtin" for source in self._sources]) + len(self._beside) < 2:
            return list(zip(self._sources, [job() for job in jobs], strict=True))
        from amavis_pipe.scan.together import together

        both: list[Callable[[], Any]] = [*jobs, *self._beside]
        return list(zip(self._sources, together(both), strict=False))

    def _one(self, source: Source, mail: "Blob | None", parts: "list[Part]") -> "Given | ScannerTrouble":
        begun = perf_counter()
        try:
            if source.trouble is not None:
                raise source.trouble
            items = source.items(mail, parts)
            if not items and source.row.backup_of:
                source.scanner.scan([], self._until)  # whether it is there at all
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

            said = source.scanner.said
            note_pending(source.row, [item for item in items if item[0] not in said], self._recent)
            raise
        return checked(name, items, answers, self._certainty.holds)

    def _is_replaced(self, failed: Source, enough: list[Source], mail: "Blob | None", facts: "Facts") -> bool:
        """Whether others have answered for all that this scanner owes, its backups being asked for that.

        enough  scanners that have answered already, if that is enough for the site
        """
        self._add_known(failed, facts)
        if enough and _is_covered(failed, enough, facts.parts):
            return True
        owes_mail = mail is not None and failed.row.sees != "parts"
        # where it has not seen this mail, its memory of the parts is all that is left of them without bytes
        parts = [part for part in facts.parts if failed.owes(part) or (owes_mail and part.blob is not None)]
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
            self._take(backup, said, facts)
            if _is_covered(failed, [*enough, backup], facts.parts):
                return True
        return False

    def _backup(self, row: "Row") -> Witness:
        return Witness(scanner_of(row, self._settings, self._cache), self._until)

    def _take(self, source: Source, given: "Given", facts: "Facts") -> bool:
        """Add what a scanner said now and before; whether all of it may be remembered."""
        scanner, stamp, fresh = source.scanner, source.stamp, given.answers
        same = scanner.steady and scanner.stamp(self._until).text == stamp.text
        keep = same and stamp.settled
        asked = [path for path, _ in given.items]
        self.steady = self.steady and keep and all(path in fresh for path in asked)
        self.fresh = self.fresh and bool(asked)
        hashes = {part.path: part.sha256 for part in facts.parts}
        for path in asked:
            if path and path in fresh:
                said = fresh[path]
                source.learn(hashes[path], said, keep or (same and self._are_certain(said)))
        facts.findings += fresh.get("", [])
        self._add_known(source, facts)
        ms = given.ms
        facts.answers.append(Answer(source.row.name, scanner.version, cached=not any(asked), ms=ms))
        found = [one for findings in fresh.values() for one in findings]
        unchecked = any(one.grade == "unchecked" for one in found)
        return not unchecked and (keep or (same and self._are_certain(found)))

    def _are_certain(self, findings: list[Finding]) -> bool:
        """Whether one of them makes the mail infected, whatever signatures are still to be loaded."""
        return any(self._certainty.holds(found) for found in findings)

    def _add_known(self, source: Source, facts: "Facts") -> None:
        """Add what a scanner is known to say of each part."""
        for part in facts.parts:
            for grade, text in source.recall(part.sha256) or ():
                facts.findings.append(Finding(grade, text, part.path, source.row.name))


def _is_covered(failed: Source, others: list[Source], parts: "list[Part]") -> bool:
    """Whether the others have said something of each part that this scanner owes, or of all if it owes none.

    One that is shown the mail alone owes its parts: they are all that others are sure to have seen of it.
    """
    return all(
        any(other.recall(part.sha256) is not None for other in others) for part in parts if failed.owes(part)
    )


class Given:
    """What one scanner was asked, what it answered to that, and in how many milliseconds."""

    __slots__ = ("answers", "items", "ms")

    def __init__(self, items: "Items", answers: "Answers", ms: float) -> None:
        self.items = items
        self.answers = answers
        self.ms = ms
