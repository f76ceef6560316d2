"""What a scanner had no time for: not given to it again while it may still be at work on it."""

from amavis_pipe.model import ScannerTrouble
from amavis_pipe.recent import Recent
from amavis_pipe.settings import Row
from amavis_pipe.spool import Blob

Items = list[tuple[str, Blob]]


def note_pending(row: Row, items: Items, recent: Recent) -> None:
    """That the scanner gave no answer in time when it was asked about these."""
    recent.note("slow", row.name)
    for _, blob in items:
        recent.note("slow", row.name, blob.sha256())


def refuse_pending(row: Row, items: Items, recent: Recent) -> None:
    """ScannerTrouble if it had no time for one of these within twice its time limit."""
    for path, blob in items:
        age = recent.age("slow", row.name, blob.sha256())
        if age is not None and age < 2 * row.timeout:
            where = f"part {path}" if path else "this mail"
            raise ScannerTrouble(
                f"{row.name}: had no time for {where} {age:.0f} s ago, and is not asked again "
                f"before {2 * row.timeout} s are over"
            )
