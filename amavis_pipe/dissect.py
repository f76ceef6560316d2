"""Takes a mail or a file apart into parts, within the limits; nothing is scanned here.

Loaded only for what is not remembered. The mail's own structure is read in this process; whatever
needs a decoder is opened in the sandboxed child.
"""

from amavis_pipe.budget import Budget
from amavis_pipe.mime.reader import MAIL, hot_openers
from amavis_pipe.model import Facts, Finding, Part
from amavis_pipe.spool import Store
from amavis_pipe.walk import Walk, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.settings import Settings
    from amavis_pipe.spool import Blob
    from amavis_pipe.subtree import Memory


def decompose(canonical: "Blob", settings: "Settings", memory: "Memory | None" = None) -> Facts:
    """The parts of a mail and what could not be looked at; nothing is scanned.

    The mail's own structure is read here; whatever needs a decoder is opened in the sandboxed child,
    unless `memory` knows what is in it.
    """
    walk = _walk(canonical.size, settings)
    walk.mail(canonical, MAIL)
    return _facts(walk, settings, memory)


def decompose_file(
    raw: "Blob",
    names: tuple[bytes, ...],
    canonical: "Blob | None",
    settings: "Settings",
    memory: "Memory | None" = None,
) -> Facts:
    """The same for a file: it is part "1", flag "file"; `canonical`, its reading as a mail, part "2" on."""
    walk = _walk(raw.size, settings)
    walk.file(raw, names)
    if canonical is not None:
        walk.mail(canonical, MAIL)
    return _facts(walk, settings, memory)


def _walk(size: int, settings: "Settings") -> Walk:
    budget = Budget.of(settings.limits, size)
    return Walk(budget, Store(settings.work), hot_openers, settings.starts, settings.sandboxed)


def _facts(walk: Walk, settings: "Settings", memory: "Memory | None") -> Facts:
    """What the walk gave, and what is in the containers it left."""
    budget, parts, findings = walk.budget, walk.parts, walk.findings
    closed = []
    for container in walk.deferred:
        known = memory.recall(container, budget) if memory else None
        if known is None:
            closed.append(container)
        else:
            parts += known
    if closed:
        more, found = _opened(closed, budget, settings)
        if memory and not budget.hit and not any(one.name.startswith("crash:") for one in found):
            for container in closed:
                memory.remember(container, more, found)
        parts, findings = parts + more, findings + found
    return Facts(in_order(parts), findings, [], budget.quota, budget.used, tuple(budget.hit))


def _opened(closed: list[Part], budget: Budget, settings: "Settings") -> tuple[list[Part], list[Finding]]:
    """What the sandboxed child finds in these containers."""
    from amavis_pipe.jail import sandbox

    memory = settings.limits.memory
    return sandbox.unpack_in_child(closed, budget, settings.work, settings.sandbox, memory, settings.starts)
