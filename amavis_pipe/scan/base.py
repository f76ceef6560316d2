"""What scanners other than clamd have in common: size limits, and what their answers depend on."""

import posix
from time import time

from amavis_pipe.model import Finding, ScannerTrouble, Stamp
from amavis_pipe.settings import Row, Settings, identity
from amavis_pipe.spool import Blob
from amavis_pipe.text import ascii_of

Items = list[tuple[str, Blob]]
Answers = dict[str, list[Finding]]

FOREVER = float("inf")
MOST_FILES = 2000
"""Files that a stamp is made of at most."""
NAMES = 50
"""Different viruses that one reply is read for at most."""
UNNAMED = "unnamed"
"""The name of a virus of which the scanner gives none that we can read."""


def found(name: bytes, path: str, scanner: str, suspect: bool = False) -> Finding:
    """A virus's name from outside as a finding."""
    return Finding("suspect" if suspect else "virus", ascii_of(name, 200) or UNNAMED, path, scanner)


def matching(pattern: str) -> list[str]:
    """The files that a shell pattern names (glob(7)); the module of that name costs more than a scan."""
    folder, _, name = pattern.rpartition("/")
    start, star, end = name.partition("*")
    if any(sign in folder + start + end for sign in "*?["):
        from glob import glob

        return glob(pattern)
    if not star:
        return [pattern] if identity(pattern.encode()) else []
    try:
        names = posix.listdir(folder or "/")
    except OSError:
        return []
    least = len(start) + len(end)
    return [
        f"{folder}/{one}"
        for one in names
        if one.startswith(start) and one.endswith(end) and len(one) >= least and (start or one[0] != ".")
    ]


class Base:
    """A scanner as a row of the settings describes it; amavis_pipe.inquire says what is expected of one."""

    def __init__(self, row: Row, settings: Settings) -> None:
        self.row = row
        self.version = ""
        self.steady = True
        self.said: Answers = {}
        self.work = settings.work
        self.settle = settings.settle_seconds

    def scan(self, items: Items, until: float = FOREVER) -> Answers:
        """What it says of each item; larger ones than it looks at are *unchecked*, and not shown to it."""
        row, answers, self.said = self.row, {}, {}
        small: Items = []
        for path, blob in items:
            if 0 < row.largest < blob.size:
                answers[path] = [Finding("unchecked", "limit:" + row.name, path, row.name)]
            else:
                small.append((path, blob))
        said = self.ask(small, until)
        for path, findings in said.items():
            answers[path] = answers.get(path, []) + findings
        return answers

    def ask(self, items: Items, until: float) -> Answers:
        """The same for items that are small enough; ScannerTrouble. With none: whether it is there."""
        raise NotImplementedError

    def engine(self) -> list[bytes] | None:
        """Files that change with the engine; None if it isn't there."""
        return []

    def stamp(self, until: float = FOREVER) -> Stamp:
        """From its files of signatures, its engine and its options; empty if no such files can be seen."""
        row, engine = self.row, self.engine()
        patterns = [*row.more.get("stamp", ()), *([row.databases.decode() + "/*"] if row.databases else [])]
        files = sorted({path for pattern in patterns for path in matching(pattern)})[:MOST_FILES]
        known = [(path, identity(path.encode())) for path in files]
        if engine is None or not known:
            return Stamp(b"", False)
        newest = max(seen[4] for _, seen in known if seen) / 1e9 if any(seen for _, seen in known) else 0.0
        engines = [(path, identity(path)) for path in engine]
        options = (row.pool, row.how, row.largest, sorted(row.more.items()))
        old = newest + row.self_check + (self.settle if row.self_check else 0) < time()
        return Stamp(repr((options, engines, known)).encode(), old)

    def trouble(self, what: str, at: str = "") -> ScannerTrouble:
        """An error that says who failed, where, how."""
        return ScannerTrouble(f"{self.row.name}{f' at {at}' if at else ''}: {what}")

    def slow(self, at: str = "") -> ScannerTrouble:
        """That it gave no answer in time."""
        return ScannerTrouble(
            f"{self.row.name}{f' at {at}' if at else ''}: no answer in {self.row.timeout} s", "slow"
        )
