"""Which module asks a scanner, by `via`; each is loaded when it is needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from amavis_pipe.cache import Cache
from amavis_pipe.settings import Row, Settings

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
    from amavis_pipe.scan import drweb, icap, line, sssp

    daemons: dict[str, Callable[[Row, Settings, Cache | None], Scanner]] = {
        "line": line.Line,
        "icap": icap.Icap,
        "sssp": sssp.Sssp,
        "drweb": drweb.DrWeb,
    }
    return daemons[row.via](row, settings, cache)
