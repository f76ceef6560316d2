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
from amavis_pipe.model import Answer, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from amavis_pipe.cache import Cache
    from amavis_pipe.model import Facts, Stamp
    from amavis_pipe.settings import Row, Settings
    from amavis_pipe.spool import Blob

    Items = list[tuple[str, Blob]]
    Answers = dict[str, list[Finding]]

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
    """

    def __init__(self, settings: "Settings", cache: "Cache") -> None:
        self._settings = settings
        self._cache = cache
        self._scanners = [scanner_of(row, settings) for row in settings.rows]
        self._stamps = [scanner.stamp() for scanner in self._scanners]
        self.oldest = 0.0

    def stamps(self) -> list[bytes]:
        """Who answers, and what the answers depend on, one for each scanner."""
        named = zip(self._scanners, self._stamps, strict=True)
        return [digest(scanner.row.name.encode(), stamp.text) for scanner, stamp in named]

    def ask(self, mail: "Blob | None", facts: "Facts") -> bool:
        """Have the mail (if it is one) and all parts scanned, adding findings and answers to `facts`.

        Returns whether all that was said may be remembered. ScannerTrouble if one does not answer.
        """
        items: Items = [("", mail)] if mail is not None else []
        items += [(part.path, part.blob) for part in facts.parts if part.blob and part.size]
        hashes = {part.path: part.sha256 for part in facts.parts}
        kept = [self._ask(number, items, hashes, facts) for number in range(len(self._scanners))]
        return all(kept)

    def _ask(self, number: int, items: "Items", hashes: dict[str, str], facts: "Facts") -> bool:
        scanner, stamp, begun = self._scanners[number], self._stamps[number], perf_counter()
        name = scanner.row.name
        keys = {
            path: digest(b"answer 1", hashes[path].encode(), name.encode(), stamp.text)
            for path, _ in items
            if path
        }
        known = self._recall(keys, name)
        asked = [item for item in items if item[0] not in known]
        answers = scanner.scan(asked) if asked else {}
        keep = stamp.settled and scanner.steady and scanner.stamp().text == stamp.text
        self._remember(keys, answers, keep)
        for path, _ in items:
            facts.findings += answers[path] if path in answers else known[path]
        ms = (perf_counter() - begun) * 1000
        facts.answers.append(Answer(name, scanner.version, cached=not any(path for path, _ in asked), ms=ms))
        if any(found.grade == "unchecked" for findings in answers.values() for found in findings):
            return False
        return keep or any(_is_virus(findings) for findings in answers.values())

    def _recall(self, keys: dict[str, bytes], name: str) -> "Answers":
        """What the scanner said of these parts before, by path."""
        known: Answers = {}
        for path, key in keys.items():
            found = self._cache.get(key)
            if found is None:
                continue
            answer = marshal.loads(found[1])
            if answer or found[0] <= self._settings.clean_seconds:
                self.oldest = max(self.oldest, found[0])
                known[path] = [Finding(grade, text, path, name) for grade, text in answer]
        return known

    def _remember(self, keys: dict[str, bytes], answers: "Answers", keep: bool) -> None:
        for path, findings in answers.items():
            if path and (keep or _is_virus(findings)) and all(f.grade != "unchecked" for f in findings):
                said = tuple((found.grade, found.name) for found in findings)
                self._cache.put(keys[path], marshal.dumps(said))


def _is_virus(findings: "list[Finding]") -> bool:
    return any(found.grade in ("virus", "suspect") for found in findings)
