"""The header lines that tell of a score, in the form that amavisd-new gave them.

    X-Spam-Flag: YES
    X-Spam-Score: 7.1
    X-Spam-Level: *******
    X-Spam-Status: Yes, hits=7.1 tagged_above=4.0 required=6.9 tests=BAYES_99, GTUBE

Pure; what stands in them is ASCII without controls, whatever the checker said. Folds are a line feed and a
tab: forward.added() ends lines as the mail does.
"""

from amavis_pipe.spam.score import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from amavis_pipe.spam.score import Score

WIDTH = 78
STARS = 64
"""Stars of X-Spam-Level at most."""
TESTS = 100
"""Tests that X-Spam-Status names at most; X-Spam-Report has as many lines."""
NAMES = frozenset(
    (
        b"x-spam-checker-version",
        b"x-spam-flag",
        b"x-spam-level",
        b"x-spam-report",
        b"x-spam-score",
        b"x-spam-status",
        b"x-spam-tests",
    )
)
"""Fields of that kind that others may have added, in lower case: they are removed where ours are made."""


def lines(
    score: "Score", tag: float, required: float, hits: float | None = None, report: bool = False
) -> list[bytes]:
    """The lines for a mail, without line ends; none if it is below `tag`.

    `required` is the level from which it is called spam; `hits` the points that count, where they are not
    the checker's alone; `report` asks for X-Spam-Report, too.
    """
    points = score.score if hits is None else hits
    if not points >= tag:
        return []
    spam = points >= required
    made = ["X-Spam-Flag: YES"] if spam else []
    made.append("X-Spam-Score: " + shown(points))
    if points >= 1:
        made.append("X-Spam-Level: " + "*" * min(int(points), STARS))
    made.append(_status(score, spam, points, tag, required))
    if report and score.report:
        made.append(_report(score.report))
    return [line.encode("ascii", "replace") for line in made]


def shown(points: float) -> str:
    """Points with one to three decimals: as many as tell them from a level they just miss."""
    text = f"{points:.3f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def folded(words: list[str]) -> str:
    """The words with blanks between, folded where a line would pass WIDTH; long words stay whole."""
    line, made = words[0], []
    for word in words[1:]:
        if len(line) + 1 + len(word) > WIDTH:
            made.append(line)
            line = "\t" + word
        else:
            line += " " + word
    return "\n".join([*made, line])


def _status(score: "Score", spam: bool, points: float, tag: float, required: float) -> str:
    names = [name_of(name.encode("ascii", "replace")) for name, _ in score.tests[:TESTS]]
    names += ["..."] if len(score.tests) > TESTS else []
    tests = [name + "," for name in names[:-1]] + names[-1:] or ["none"]
    levels = [f"hits={shown(points)}", f"tagged_above={shown(tag)}", f"required={shown(required)}"]
    return folded(["X-Spam-Status:", "Yes," if spam else "No,", *levels, "tests=" + tests[0], *tests[1:]])


def _report(report: str) -> str:
    """Each line of the report on one of its own, or on several, if it is long."""
    made = ["X-Spam-Report:"]
    for line in report.split("\n")[:TESTS]:
        # a line of blanks alone would end the header for some readers
        words = "".join(char for char in line if " " <= char <= "~").split()
        if words:
            made.append(folded(["\t" + words[0], *words[1:]]))
    return "\n".join(made) if len(made) > 1 else "X-Spam-Report: none"
