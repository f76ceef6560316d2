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

    Found = tuple[list[Part], list[Finding]]

    from amavis_pipe.cache import Cache
    from amavis_pipe.settings import Settings
    from amavis_pipe.spool import Blob

    Remembered = tuple[Cache, bytes, Callable[[str], bool]]
    """What subtree.Memory is made of: cache, context, and whether scanners know a SHA-256."""


OF_THE_MACHINE = ("seconds", "memory", "passwords")
"""Limits that another run may not meet: facts with one are not kept."""


def decompose(canonical: "Blob", settings: "Settings", memory: "Remembered | None" = None) -> Facts:
    """The parts of a mail and what could not be looked at; nothing is scanned.

    The mail's own structure is read here; whatever needs a decoder is opened in the sandboxed child,
    unless `memory` knows what is in it.
    """
    walk = _walk(canonical.size, settings)
    walk.mail(canonical, MAIL)
    return _facts(walk, settings, memory, canonical)


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
    return _facts(walk, settings, memory, canonical)


def _walk(size: int, settings: "Settings") -> Walk:
    budget = Budget.of(settings.limits, size)
    return Walk(budget, Store(settings.work), hot_openers, settings.formats, sandboxed=True)


def _facts(walk: Walk, settings: "Settings", memory: "Remembered | None", mail: "Blob | None") -> Facts:
    """What the walk gave, and what is in the containers it left."""
    budget, parts, findings = walk.budget, walk.parts, walk.findings
    if walk.deferred:
        more, found = _inside(walk, budget, settings, memory, mail)
        parts, findings = parts + more, findings + found
    bodies = () if _is_cut(findings) else tuple(walk.bodies)
    return Facts(in_order(parts), findings, [], budget.quota, budget.used, tuple(budget.hit), bodies)


def _is_cut(findings: list[Finding]) -> bool:
    """Whether the mail's own structure, or anything in it, was not read to its end."""
    return any(found.name.startswith("limit:") for found in findings)


def _inside(
    walk: Walk, budget: Budget, settings: "Settings", memory: "Remembered | None", mail: "Blob | None"
) -> "Found":
    """What is in the containers that the walk left, as far as possible from memory."""
    from amavis_pipe.subtree import Memory, is_volume

    def opened(closed: list[Part]) -> "Found":
        return _opened(closed, budget, settings, walk.parts, mail)

    if memory is None or any(is_volume(name) for part in walk.parts for name in part.names):
        return opened(walk.deferred)
    subtrees = Memory(*memory, settings.limits.depth)
    parts, closed = [], []
    before = budget.files, budget.used, list(budget.hit)
    for container in walk.deferred:
        known = subtrees.recall([container], budget)
        if known is None:
            closed.append(container)
        else:
            parts += known
    if not closed:
        return parts, []
    together = subtrees.recall(closed, budget) if len(closed) > 1 else None
    if together is not None:
        return parts + together, []
    more, found = opened(closed)
    if not budget.hit:
        subtrees.remember(closed, more, found)
    elif parts and not set(budget.hit) <= {*before[2], *OF_THE_MACHINE}:
        # what a limit leaves out must not depend on what was known: all of it anew, in order
        budget.files, budget.used, budget.hit[:] = before
        return opened(walk.deferred)
    return parts + more, found


def _opened(
    closed: list[Part], budget: Budget, settings: "Settings", parts: list[Part], mail: "Blob | None"
) -> "Found":
    """What the sandboxed child finds in these containers; the other `parts` may tell passwords of them."""
    from amavis_pipe import bundle

    bundle.extend()
    from amavis_pipe.jail import sandbox

    texts = [part for part in parts if part.kind.startswith("text/")]
    clues = sandbox.Clues(
        b"" if mail is None else mail.head(sandbox.SUBJECT),
        texts,
        settings.passwords,
        settings.password_tries,
        settings.password_seconds,
    )
    return sandbox.unpack_in_child(
        closed,
        budget,
        settings.work,
        settings.sandbox,
        settings.limits.memory,
        settings.formats,
        clues=clues,
    )
