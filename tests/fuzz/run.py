#!/usr/bin/env python3
"""Runs fuzzers, all or those that are named, one after the other: `python tests/fuzz/run.py --help` (make fuzz).

Says on standard output what was run: cases, seconds, seed, findings. The status is 1 if there are any.
"""

import argparse
import resource
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
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found = 0
    for name in given.names or driver.NAMES:
        fuzz = driver.of(name)
        if given.case is not None:
            driver.case(name, fuzz, given.seed, given.case)
            continue
        outcome = driver.run(name, fuzz, given.seed, given.seconds or SECONDS.get(name, DEFAULT))
        print(*outcome.findings.values(), outcome, sep="\n", flush=True)
        found += len(outcome.findings)
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz what reads what others wrote.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(driver.NAMES))
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"for each ({DEFAULT}, " + ", ".join(map("{0[0]} {0[1]}".format, SECONDS.items())) + ")",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="only this one; what is raised is shown whole")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in driver.NAMES]
    if unknown:
        parser.error(f"no fuzzer {', '.join(unknown)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
