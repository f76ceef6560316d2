"""Who is to be asked about a mail, and what their answers depend on: all that a remembered mail needs.

A scanner is anything with `row`, `version`, `steady`, `stamp()` and `scan(items)`: clamd.Scanner is the
model. Asking them is in ask.py.
"""

from amavis_pipe.cache import digest
from amavis_pipe.clamd import FOREVER
from amavis_pipe.clamd import Scanner as Clamd
from amavis_pipe.model import ScannerTrouble, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from amavis_pipe.cache import Cache
    from amavis_pipe.model import Finding
    from amavis_pipe.settings import Row, Settings
    from amavis_pipe.spool import Blob

    Items = list[tuple[str, Blob]]
    Answers = dict[str, list[Finding]]

    class Scanner(Protocol):
        """What every scanner can do."""

        row: Row
        version: str
        steady: bool

        said: Answers
        """What it has answered so far, if it has not come to an end."""

        def stamp(self, until: float = ...) -> Stamp:
            """What its answers depend on now; ScannerTrouble."""

        def scan(self, items: Items, until: float = ...) -> Answers:
            """What it says of each (path, blob), by path, before the monotonic time `until`; ScannerTrouble.

            Path "" stands for the whole mail, or for all items together. Where a virus is told of, other
            items may be missing: a scanner need not have gone on.
            """


def scanner_of(row: "Row", settings: "Settings", cache: "Cache | None" = None) -> "Scanner":
    """The scanner that a row of the settings describes; `cache` tells of addresses where nobody answered."""
    if row.via == "clamd":
        return Clamd(row, settings.work, settings.settle_seconds, cache)
    if row.via == "builtin":
        from amavis_pipe.scan.builtin import Scanner as Builtin

        return Builtin(row)
    from amavis_pipe.scan.protocols import made

    return made(row, settings, cache)


class Witness:
    """A scanner, and what its answers depend on: `stamp`; or why it can't be asked: `trouble`."""

    __slots__ = ("row", "scanner", "stamp", "trouble")

    def __init__(self, scanner: "Scanner", until: float) -> None:
        self.scanner = scanner
        self.row = scanner.row
        self.trouble: ScannerTrouble | None = None
        self.stamp = Stamp(b"", False)
        try:
            self.stamp = scanner.stamp(until)
        except ScannerTrouble as error:
            self.trouble = error

    def digest(self) -> bytes:
        """Of who answers, what it is shown, and what its answers depend on; b"" if nothing tells of that."""
        row = self.row
        shown = repr((row.sees, row.kinds)).encode()
        return digest(row.name.encode(), shown, self.stamp.text) if self.stamp.text else b""


def witnesses(settings: "Settings", cache: "Cache", until: float = FOREVER) -> list[Witness]:
    """All that are to be asked in any case. ScannerTrouble if it is one, without a backup, and can't be."""
    found = [Witness(scanner_of(row, settings, cache), until) for row in settings.rows]
    if found[0].trouble is not None and len(found) == 1 and not settings.backups:
        raise found[0].trouble
    return found
