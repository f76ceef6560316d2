#!/usr/bin/env python3
"""Runs fuzzers, all or those that are named, one after the other: `python tests/fuzz/run.py --help` (make fuzz).

Says on standard output what was run: cases, seconds, seed, findings. The status is 1 if there are any.
"""

import argparse
import resource
import subprocess
import sys
from pathlib import Path

sys.path[0] = str(
    Path(__file__).resolve().parents[1]
)  # not our own folder: its modules are called like others

from fuzz import driver  # noqa: E402

SECONDS = {"mime": 3600}
"""How long a fuzzer runs by default; of others DEFAULT."""
DEFAULT = 600
MEMORY = 4 << 30
"""Bytes of address space: a reader that wants more has believed a size that it should not have."""


def main() -> int:
    """Run what the arguments ask for; 1 if there are findings."""
    given = _arguments()
    names = given.names or driver.NAMES
    if len(names) == 1:
        return _run(names[0], given)
    # each in a process of its own, since fuzzers put parts of theirs in the place of the product's
    words = [sys.executable, __file__, *(word for word in sys.argv[1:] if word not in names)]
    return max([subprocess.run([*words, name], check=False).returncode for name in names])


def _run(name: str, given: argparse.Namespace) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    fuzz = driver.of(name)
    if given.case is not None:
        driver.case(name, fuzz, given.seed, given.case)
        return 0
    seconds = given.seconds or (SECONDS.get(name, DEFAULT) if given.cases is None else float("inf"))
    outcome = driver.run(name, fuzz, given.seed, seconds, given.cases or 1 << 60)
    print(*outcome.findings.values(), outcome, sep="\n", flush=True)
    return 1 if outcome.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz what reads what others wrote.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(driver.NAMES))
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"for each ({DEFAULT}, " + ", ".join(map("{0[0]} {0[1]}".format, SECONDS.items())) + ")",
    )
    parser.add_argument("--cases", type=int, help="so many at most, for however long if no time is given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="only this one; what is raised is shown whole")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in driver.NAMES]
    if unknown:
        parser.error(f"no fuzzer {', '.join(unknown)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
