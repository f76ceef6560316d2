"""Asks every scanner about the mail and each of its parts, unless it answered before.

A scanner is anything with `row`, `version`, `steady`, `stamp()` and `scan(items)`: clamd.Scanner is the
model. An answer is remembered by the part's SHA-256, the scanner's name and its stamp; a clean one only
if the scanner must have loaded its newest signatures, said the same of itself before and after, and
nothing on disk changed meanwhile. *Unchecked* is never remembered here.
"""

import marshal
from time import perf_counter

from amavis_pipe.cache import digest
from amavis_pipe.clamd import Scanner as Clamd
from amavis_pipe.model import Answer, Finding, ScannerTrouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from amavis_pipe.cache import Cache
    from amavis_pipe.model import Facts, Stamp
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

        def stamp(self) -> Stamp: ...
        def scan(self, items: Items) -> Answers: ...


def scanner_of(row: "Row", settings: "Settings") -> "Scanner":
    """The scanner that a row of the settings describes."""
    if row.via == "builtin":
        from amavis_pipe.scan.builtin import Scanner as Builtin

        return Builtin(row)
    return Clamd(row, settings.work, settings.settle_seconds)


class Inquiry:
    """The questions of one mail to all configured scanners.

    oldest  age in seconds of the oldest remembered answer that was used
    steady  whether every clean answer of ask() may be remembered
    """

    def __init__(self, settings: "Settings", cache: "Cache") -> None:
        self._settings = settings
        self._cache = cache
        self._scanners = [scanner_of(row, settings) for row in settings.rows]
        self._stamps = [scanner.stamp() for scanner in self._scanners]
        self._known: list[dict[str, Said | None]] = [{} for _ in self._scanners]
        self.oldest = 0.0
        self.steady = True

    def stamps(self) -> list[bytes]:
        """Who answers, and what the answers depend on, one for each scanner."""
        named = zip(self._scanners, self._stamps, strict=True)
        return [digest(scanner.row.name.encode(), stamp.text) for scanner, stamp in named]

    def knows(self, sha256: str) -> bool:
        """Whether every scanner has answered for these bytes before; it will not be asked again then."""
        return all(self._recall(number, sha256) is not None for number in range(len(self._scanners)))

    def ask(self, mail: "Blob | None", facts: "Facts") -> bool:
        """Have the mail (if it is one) and all parts scanned, adding findings and answers to `facts`.

        Bytes that several parts share are scanned once. Returns whether all that was said may be
        remembered. ScannerTrouble if one does not answer, unless another one has found a virus.
        """
        kept, trouble = True, None
        for number in range(len(self._scanners)):
            try:
                kept = self._ask(number, mail, facts) and kept
            except ScannerTrouble as error:
                trouble = trouble or error
                self.steady = False
        if trouble and not any(found.grade == "virus" for found in facts.findings):
            raise trouble
        return kept and trouble is None

    def _ask(self, number: int, mail: "Blob | None", facts: "Facts") -> bool:
        scanner, stamp, begun = self._scanners[number], self._stamps[number], perf_counter()
        unknown = self._unknown(number, facts)
        items: Items = [("", mail)] if mail is not None else []
        items += [(path, blob) for path, blob in unknown.values()]
        fresh = scanner.scan(items) if items else {}
        keep = stamp.settled and scanner.steady and scanner.stamp().text == stamp.text
        self.steady = self.steady and keep
        for sha256, (path, _) in unknown.items():
            self._learn(number, sha256, fresh[path], keep)
        name = scanner.row.name
        facts.findings += fresh.get("", [])
        for part in facts.parts:
            for grade, text in self._known[number].get(part.sha256) or ():
                facts.findings.append(Finding(grade, text, part.path, name))
        ms = (perf_counter() - begun) * 1000
        facts.answers.append(Answer(name, scanner.version, cached=not unknown, ms=ms))
        said = [found.grade for findings in fresh.values() for found in findings]
        return "unchecked" not in said and (keep or "virus" in said)

    def _unknown(self, number: int, facts: "Facts") -> "dict[str, tuple[str, Blob]]":
        """By SHA-256, the first part of each content that the scanner has not answered for."""
        unknown: dict[str, tuple[str, Blob]] = {}
        for part in facts.parts:
            if not part.size or not part.sha256 or part.sha256 in unknown:
                continue
            if self._recall(number, part.sha256) is None:
                if part.blob is None:
                    raise ScannerTrouble(f"part {part.path}: neither its bytes nor an answer is there")
                unknown[part.sha256] = (part.path, part.blob)
        return unknown

    def _recall(self, number: int, sha256: str) -> "Said | None":
        """What the scanner said of these bytes before, or None; looked up once for a mail."""
        known = self._known[number]
        if sha256 not in known:
            known[sha256] = None
            found = self._cache.get(self._key(number, sha256))
            if found is not None:
                said: Said = marshal.loads(found[1])
                infected = any(grade == "virus" for grade, _ in said)
                if infected or found[0] <= self._settings.clean_seconds:
                    self.oldest = max(self.oldest, found[0])
                    known[sha256] = said
        return known[sha256]

    def _learn(self, number: int, sha256: str, findings: "list[Finding]", keep: bool) -> None:
        """Take an answer for this mail, and remember it if it may be."""
        said = tuple((found.grade, found.name) for found in findings)
        self._known[number][sha256] = said
        grades = [grade for grade, _ in said]
        if "unchecked" not in grades and (keep or "virus" in grades):
            self._cache.put(self._key(number, sha256), marshal.dumps(said))

    def _key(self, number: int, sha256: str) -> bytes:
        name = self._scanners[number].row.name.encode()
        return digest(b"answer 1", sha256.encode(), name, self._stamps[number].text)
