"""Takes a mail or a file apart into parts, within the limits; nothing is scanned here.

Loaded only for what is not remembered. The mail's own structure is read in this process; whatever
needs a decoder is opened in the sandboxed child.
"""

from amavis_pipe.budget import Budget
from amavis_pipe.mime.reader import MAIL, hot_openers
from amavis_pipe.model import Facts
from amavis_pipe.spool import Store
from amavis_pipe.walk import Walk, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.settings import Settings
    from amavis_pipe.spool import Blob


def decompose(canonical: "Blob", settings: "Settings") -> Facts:
    """The parts of a mail and what could not be looked at; nothing is scanned.

    The mail's own structure is read here; whatever needs a decoder is opened in the sandboxed child.
    """
    walk = _walk(canonical.size, settings)
    walk.mail(canonical, MAIL)
    return _facts(walk, settings)


def decompose_file(
    raw: "Blob", names: tuple[bytes, ...], canonical: "Blob | None", settings: "Settings"
) -> Facts:
    """The same for a file: it is part "1", flag "file"; `canonical`, its reading as a mail, part "2" on."""
    walk = _walk(raw.size, settings)
    walk.file(raw, names)
    if canonical is not None:
        walk.mail(canonical, MAIL)
    return _facts(walk, settings)


def _walk(size: int, settings: "Settings") -> Walk:
    budget = Budget.of(settings.limits, size)
    return Walk(budget, Store(settings.work), hot_openers, settings.starts, settings.sandboxed)


def _facts(walk: Walk, settings: "Settings") -> Facts:
    """What the walk gave, and what the child makes of the parts it left."""
    budget, parts, findings = walk.budget, walk.parts, walk.findings
    if walk.deferred:
        from amavis_pipe.jail import sandbox

        more, found = sandbox.unpack_in_child(
            walk.deferred, budget, settings.work, settings.sandbox, settings.limits.memory, settings.starts
        )
        parts, findings = parts + more, findings + found
    return Facts(in_order(parts), findings, [], budget.quota, budget.used, tuple(budget.hit))
