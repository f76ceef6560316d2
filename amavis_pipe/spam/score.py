"""What a spam checker says of a mail, as a value; and its numbers and names, read with suspicion."""

from amavis_pipe.text import ascii_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    Test = tuple[str, float | None]
    Packed = tuple[float, float | None, tuple[Test, ...], str, str, float]

HIGHEST = 1_000_000.0
"""A score beyond this, either way, is no score."""
MOST_TESTS = 300
LONGEST_NAME = 80
_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_NAME = bytes(byte if byte in _SAFE else ord("_") for byte in range(256))


class Score:
    """A checker's answer.

    score     points; the higher, the more likely it is spam
    required  points at which the checker itself calls mail spam, None if it doesn't tell
    tests     what it found, in its order: name (letters, digits, "_.-"), points or None where it tells none
    report    lines of printable ASCII that explain the score, "" where none were asked for
    checker   "spamd" or "rspamd"
    ms        milliseconds that it took
    """

    __slots__ = ("checker", "ms", "report", "required", "score", "tests")

    def __init__(
        self,
        score: float,
        required: float | None = None,
        tests: "tuple[Test, ...]" = (),
        report: str = "",
        checker: str = "",
        ms: float = 0.0,
    ) -> None:
        self.score = score
        self.required = required
        self.tests = tests
        self.report = report
        self.checker = checker
        self.ms = ms

    def pack(self) -> "Packed":
        """The same as a tuple that marshal takes."""
        return (self.score, self.required, self.tests, self.report, self.checker, self.ms)


def unpack(row: "Packed") -> Score:
    """The Score that pack() made this of."""
    return Score(*row)


def number(text: bytes) -> float | None:
    """A decimal number ("-1.5"), or None: float() would take nan, inf and 1_0 as well."""
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    whole, _, rest = digits.partition(b".")
    if len(text) > 20 or not (whole + rest).isdigit():
        return None
    return bounded(float(text))


def bounded(value: object) -> float | None:
    """A number that can be a score, as it is; else None."""
    if type(value) not in (int, float):
        return None
    assert isinstance(value, int | float)
    return float(value) if -HIGHEST <= value <= HIGHEST else None


def name_of(test: bytes) -> str:
    """A test's name: every other byte than letters, digits and "_.-" as "_"; bounded, never empty."""
    return test[:LONGEST_NAME].translate(_NAME).decode() or "_"


def report_line(points: "float | None", test: str, told: bytes) -> str:
    """One test of a report, as SpamAssassin lists them: "*  1.3 NAME what it means"."""
    shown = "     " if points is None else f"{points:5.1f}"
    return f"* {shown} {test} {ascii_of(told, 200)}".rstrip()
