"""Runs fuzzers: one module of this folder each, whose fuzz() makes one case and raises if something is wrong.

A case is made of nothing but a fuzzer's name, the seed and a number, so that each can be made again:
`run.py --case 17 NAME`. A case that takes PATIENCE seconds is a finding as well. Findings that are raised at
one place are told once.
"""

import contextlib
import importlib
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent / "decompose", HERE.parent / "mime", HERE.parent, HERE.parents[1]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

NOT_FUZZERS = ("__init__", "driver", "mutants", "run", "test_fuzz")
NAMES = tuple(sorted(file.stem for file in HERE.glob("*.py") if file.stem not in NOT_FUZZERS))
PATIENCE = 60
"""Seconds after which a case is given up."""
MOST = 10
"""Different findings after which a fuzzer stops."""

Fuzz = Callable[[random.Random], None]


class StuckError(BaseException):
    """A case that doesn't end; no reader catches it."""


class Outcome:
    """What a run came to: cases, seconds, the CPU seconds of the slowest case and its number, the findings."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.seed = seed
        self.cases = 0
        self.seconds = 0.0
        self.slowest = (0.0, 0)
        self.findings: dict[str, str] = {}

    def __str__(self) -> str:
        took, number = self.slowest
        return (
            f"{self.name}: {self.cases:,} cases in {self.seconds:.0f} s, seed {self.seed}, "
            f"the slowest {took:.2f} s (case {number}), findings: {len(self.findings) or 'none'}"
        )


def of(name: str) -> Fuzz:
    """The fuzzer of that name."""
    fuzz: Fuzz = importlib.import_module("fuzz." + name).fuzz
    return fuzz


def run(name: str, fuzz: Fuzz, seed: int, seconds: float = 1e9, cases: int = 1 << 60) -> Outcome:
    """Fuzz for so long, or so many cases."""
    outcome = Outcome(name, seed)
    begun = time.monotonic()
    while outcome.cases < cases and time.monotonic() - begun < seconds and len(outcome.findings) < MOST:
        _try(outcome, fuzz)
    outcome.seconds = time.monotonic() - begun
    return outcome


def case(name: str, fuzz: Fuzz, seed: int, number: int) -> None:
    """Make one case again; what it raises is raised."""
    fuzz(random.Random(f"{name} {seed}-{number}"))


def scratch() -> Path:
    """A private folder for what a fuzzer writes, gone with the process."""
    _FOLDERS.append(tempfile.TemporaryDirectory(prefix="amavis-pipe-fuzz-"))
    return Path(_FOLDERS[-1].name)


_FOLDERS: "list[tempfile.TemporaryDirectory[str]]" = []


def _try(outcome: Outcome, fuzz: Fuzz) -> None:
    number = outcome.cases
    begun = time.process_time()
    try:
        with _watched():
            case(outcome.name, fuzz, outcome.seed, number)
    except (Exception, StuckError) as error:
        outcome.findings.setdefault(
            _place(error), f"{outcome.name} {outcome.seed}, case {number}: {_told(error)}"
        )
    outcome.slowest = max(outcome.slowest, (time.process_time() - begun, number))
    outcome.cases += 1


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise StuckError(f"took more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _place(error: BaseException) -> str:
    """Where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {last.filename}:{last.lineno}"


def _told(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error!r:.500} in {Path(last.filename).name}:{last.lineno}"
