"""What `check` looks at: each module gives Results about one part of the installation. Cold."""

from typing import NamedTuple

OK, WARNING, PROBLEM = "ok", "warning", "problem"


class Result(NamedTuple):
    """One thing that was looked at: level, what was found, what to do about it, and where that is explained.

    The last two are "" where nothing is to be done.
    """

    level: str
    what: str
    advice: str = ""
    read: str = ""


def ok(what: str) -> Result:
    """It is as it should be."""
    return Result(OK, what)


def warning(what: str, advice: str) -> Result:
    """Mail flows, but something is weaker than it could be."""
    return Result(WARNING, what, advice)


def problem(what: str, advice: str) -> Result:
    """Mail is deferred, lost to the sender, or passes unscanned, until this is mended."""
    return Result(PROBLEM, what, advice)
