"""The converters of what can stand encoded inside a text: a table, by what mime.hints sees in it.

To add one: a module with a DECODER, a hint in mime.hints, a row here.
"""

from amavis_pipe.kinds import PLAIN
from amavis_pipe.mime import hints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from amavis_pipe.model import Part
    from amavis_pipe.walk import Decoder

CONVERTERS = ("uu", "yenc", "binhex", "html", "charset", "mbox", "ical", "armor")
"""Modules in this folder, in the order in which their parts come."""


def openers(part: "Part") -> "tuple[Decoder, ...]":
    """What opens the text `part`: one look at it for all, then only those modules that are asked for."""
    if part.blob is None:
        return ()
    view = part.blob.view()
    found = hints.found(view, len(view))
    if not _is_page(part):
        found.discard("html")
    if hints.is_script(part.names):
        found.add("html")
    return tuple(_decoders(part, found)) if found else ()


def _is_page(part: "Part") -> bool:
    """Whether any reader shows the text as a page, or runs it; a mail in a bounce is not."""
    return part.kind != PLAIN or part.claimed != b"text/plain" or hints.is_script(part.names)


def _decoders(part: "Part", found: set[str]) -> "Iterator[Decoder]":
    for name in CONVERTERS:
        if name not in found:
            continue
        if name == "charset":  # its part is of the type that the text is claimed to be
            from amavis_pipe.mime import charset

            yield charset.decoder(part.claimed)
            continue
        full = "amavis_pipe.mime." + name
        __import__(full)
        from sys import modules

        decoder: Decoder = modules[full].DECODER
        yield decoder
