"""A short run of every fuzzer, and what the driver promises of long ones (`make fuzz`)."""

import random
import subprocess
import sys
import time

import pytest

from fuzz import driver

RUN = str(driver.HERE / "run.py")
SEED = 7
CASES = 300
OTHERS = {
    "mime": 120,
    "pdf": 80,
    "imported": 60,
    "history": 150,
    "settings": 200,
    "maps": 150,
    "kept_mail": 100,
}
"""Cases of those of which each takes longer."""


def run(*words: object) -> "subprocess.CompletedProcess[str]":
    """The runner with these arguments: in a process of its own, since fuzzers change what they are about."""
    return subprocess.run(
        [sys.executable, RUN, *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", driver.NAMES)
def test_nothing_is_found_in_some_hundred_cases(name):
    cases = OTHERS.get(name, CASES)
    done = run("--cases", cases, "--seed", SEED, name)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith(f"{name}: {cases} cases in ") and done.stdout.endswith("findings: none\n")


def breaks(source: random.Random) -> None:
    if source.randrange(3) == 0:
        raise ValueError("not right")


def test_what_is_raised_is_told_once_with_its_case_which_can_be_made_again():
    outcome = driver.run("some", breaks, SEED, cases=100)
    (told,) = outcome.findings.values()
    number = int(told.partition(", case ")[2].partition(":")[0])
    assert told.startswith(f"some {SEED}, case {number}: ValueError('not right') in test_fuzz.py:")
    with pytest.raises(ValueError, match="not right"):
        driver.case("some", breaks, SEED, number)
    assert str(outcome).startswith("some: 100 cases in ") and str(outcome).endswith("findings: 1")


def test_a_case_without_end_is_a_finding(monkeypatch):
    def hang(source: random.Random) -> None:
        while True:
            time.sleep(1)

    monkeypatch.setattr(driver, "PATIENCE", 1)
    (told,) = driver.run("some", hang, SEED, cases=1).findings.values()
    assert "took more than 1 s" in told


def test_a_run_says_what_it_did():
    done = run("--seconds", 0.2, "--seed", 3, "sis", "wire")
    lines = done.stdout.split("\n")
    assert [line.partition(":")[0] for line in lines] == ["sis", "wire", ""]
    assert all("seed 3" in line and line.endswith("findings: none") for line in lines[:2])
    assert not done.stderr
