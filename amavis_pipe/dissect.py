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
    from collections.abc import Callable

    from amavis_pipe.cache import Cache
    from amavis_pipe.settings import Settings
    from amavis_pipe.spool import Blob

    Remembered = tuple[Cache, bytes, Callable[[str], bool]]
    """What subtree.Memory is made of: cache, context, and whether scanners know a SHA-256."""


def decompose(canonical: "Blob", settings: "Settings", memory: "Remembered | None" = None) -> Facts:
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
    memory: "Remembered | None" = None,
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


def _facts(walk: Walk, settings: "Settings", memory: "Remembered | None") -> Facts:
    """What the walk gave, and what is in the containers it left."""
    budget, parts, findings = walk.budget, walk.parts, walk.findings
    if walk.deferred:
        more, found = _inside(walk.deferred, budget, settings, memory)
        parts, findings = parts + more, findings + found
    return Facts(in_order(parts), findings, [], budget.quota, budget.used, tuple(budget.hit))


def _inside(
    containers: list[Part], budget: Budget, settings: "Settings", memory: "Remembered | None"
) -> tuple[list[Part], list[Finding]]:
    """What is in these containers, as far as possible from memory."""
    if memory is None:
        return _opened(containers, budget, settings)
    from amavis_pipe.subtree import Memory

    subtrees = Memory(*memory, settings.limits.depth)
    parts, closed = [], []
    for container in containers:
        known = subtrees.recall(container, budget)
        if known is None:
            closed.append(container)
        else:
            parts += known
    if not closed:
        return parts, []
    more, found = _opened(closed, budget, settings)
    # a child that some container took over could lie about its neighbours: only one alone is remembered
    if len(closed) == 1 and not budget.hit and not any(one.name.startswith("crash:") for one in found):
        subtrees.remember(closed[0], more, found)
    return parts + more, found


def _opened(closed: list[Part], budget: Budget, settings: "Settings") -> tuple[list[Part], list[Finding]]:
    """What the sandboxed child finds in these containers."""
    from amavis_pipe.jail import sandbox

    memory = settings.limits.memory
    return sandbox.unpack_in_child(closed, budget, settings.work, settings.sandbox, memory, settings.starts)
