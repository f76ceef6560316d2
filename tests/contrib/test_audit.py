"""The check for known vulnerabilities: what pip-audit tells, by a stand-in of it, and what comes of that."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parents[2] / "contrib" / "audit.py"
STAND_IN = """\
import json, os, sys
lines = open(sys.argv[sys.argv.index("--requirement") + 1]).read().split()
print({before!r}, end="")
if {sick!r} is not None:
    rows = []
    for name, version in (line.split("==") for line in lines):
        row = {{"name": name, "version": version, "vulns": []}}
        if name == {sick!r}:
            row["vulns"] = [{{"id": "PYSEC-2026-1", "fix_versions": ["9.9"], "aliases": [], "description": "bad"}}]
        if {unknown!r} in (name, "all"):
            row = {{"name": name, "skip_reason": "Dependency not found on PyPI"}}
        rows.append(row)
    print(json.dumps({{"dependencies": rows, "fixes": []}}))
print({error!r}, file=sys.stderr)
sys.exit({status})
"""


def audit(
    folder: Path, sick: str | None = "", unknown: str = "", before: str = "", error: str = "", status: int = 0
):
    """Status and lines of the check."""
    text = STAND_IN.format(sick=sick, unknown=unknown, before=before, error=error, status=status)
    (folder / "pip_audit.py").write_text(text)
    done = subprocess.run(
        [sys.executable, str(AUDIT)],
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def test_where_nothing_is_known_it_says_how_many_were_checked(tmp_path):
    status, (line,) = audit(tmp_path)
    assert status == 0
    assert line.endswith(" packages checked") and int(line.split()[1]) > 10


@pytest.mark.parametrize("sick", ["click", "markupsafe", "cryptography"])
def test_a_known_vulnerability_fails_also_in_what_a_dependency_needs(tmp_path, sick):
    status, lines = audit(tmp_path, sick, status=1)
    assert status == 1
    assert lines[0].startswith(f"audit: {sick} ") and lines[0].endswith(": PYSEC-2026-1, mended in 9.9")


def test_what_the_index_does_not_know_is_told_and_no_failure(tmp_path):
    status, lines = audit(tmp_path, unknown="click")
    assert status == 0
    assert lines[0].startswith("audit: not checked, the index does not know them: click ")


def test_an_index_that_tells_nothing_does_not_pass_for_a_clean_one(tmp_path):
    status, (line,) = audit(tmp_path, unknown="all", error="No known vulnerabilities found")
    assert status == 0
    assert line.startswith("audit: the index tells nothing of vulnerabilities: none of ")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"sick": None, "error": "Traceback\nConnectionError: no route", "status": 1},
            "ConnectionError: no route",
        ),
        ({"sick": None}, "no answer"),
        ({"sick": None, "before": json.dumps({"dependencies": 5})}, "an odd answer"),
        ({"sick": None, "before": "[]"}, "no answer"),
    ],
    ids=["no network", "nothing", "other types", "a list"],
)
def test_where_nobody_can_be_asked_it_says_so_and_does_not_fail(tmp_path, given, told):
    status, (line,) = audit(tmp_path, **given)
    assert (status, line) == (0, f"audit: nothing could be asked, so nothing is known: {told}")
