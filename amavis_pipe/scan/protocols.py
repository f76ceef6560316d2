"""Which module asks a scanner, by `via`; each is loaded when it is needed."""

from amavis_pipe.cache import Cache
from amavis_pipe.settings import Row, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.inquire import Scanner


def made(row: Row, settings: Settings, cache: Cache | None) -> "Scanner":
    """The scanner that a row describes, for every `via` but clamd and builtin."""
    if row.via == "command":
        from amavis_pipe.scan.command import Command

        return Command(row, settings)
    if row.via == "yara":
        from amavis_pipe.scan.yara import Yara

        return Yara(row, settings)
    if row.via == "icap":
        from amavis_pipe.scan.icap import Icap

        return Icap(row, settings, cache)
    if row.via == "sssp":
        from amavis_pipe.scan.sssp import Sssp

        return Sssp(row, settings, cache)
    if row.via == "drweb":
        from amavis_pipe.scan.drweb import DrWeb

        return DrWeb(row, settings, cache)
    from amavis_pipe.scan.line import Line

    return Line(row, settings, cache)
