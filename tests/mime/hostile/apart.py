"""A mail taken apart as the filter does it, with the decoders in this process: a child for each costs too much."""

from collections.abc import Callable

from amavis_pipe import dissect, intake
from amavis_pipe.budget import Budget
from amavis_pipe.decompose import registry
from amavis_pipe.jail import sandbox
from amavis_pipe.kinds import Formats
from amavis_pipe.model import Facts, Finding, Part
from amavis_pipe.settings import Settings
from amavis_pipe.spool import Store
from amavis_pipe.walk import Walk
from hostile import marker


def in_process(
    parts: list[Part],
    budget: Budget,
    folder: bytes,
    mode: str,
    memory: int,
    formats: Formats,
    clues: object = None,
) -> tuple[list[Part], list[Finding]]:
    """What sandbox.unpack_in_child does, without the child."""
    walk = Walk(budget, Store(folder), registry.openers(formats), formats)
    walk.open(parts)
    return walk.parts, walk.findings


def taker(settings: Settings, monkeypatch) -> Callable[[bytes], Facts]:
    """A function: the Facts of a mail."""
    monkeypatch.setattr(sandbox, "unpack_in_child", in_process)
    return lambda mail: dissect.decompose(intake.of_bytes(mail, settings.work).canonical, settings)


def bodies(facts: Facts) -> list[bytes]:
    """The bytes of all parts, without line ends around them."""
    return [b"".join(part.blob.chunks()).strip(b"\r\n") for part in facts.parts if part.blob is not None]


def is_found(facts: Facts) -> bool:
    """Whether the marker is a part, or in one."""
    return any(marker() in body for body in bodies(facts))


UNSEEN = ("\u202e".encode(), "\u200b".encode())
"""Characters that turn or part a name on the screen, and mean nothing to the system that opens it."""


def shown_names(facts: Facts) -> set[bytes]:
    """The names of all parts as Windows would store them: without dots and blanks at the end, or UNSEEN."""
    names = {name for part in facts.parts for name in part.names}
    for unseen in UNSEEN:
        names = {name.replace(unseen, b"") for name in names}
    return {name.rstrip(b". ") for name in names}


def is_named(facts: Facts, name: bytes) -> bool:
    """Whether a part has this name, if need be with something before it."""
    return any(shown.endswith(name) for shown in shown_names(facts))
