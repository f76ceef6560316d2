#!/usr/bin/env python3
"""Asks PyPI whether a vulnerability is known in what amavis-pipe needs, in the versions that are installed.

`python contrib/audit.py`, by the interpreter of the environment that is meant: a line for each vulnerability,
and status 1 if there is any; else 0. The asking is pip-audit's, which also calls clean what it could not ask
about; here that is said: without a network, or with an index that tells nothing of vulnerabilities, nothing
is known, which is no failure. Test and lint tools are left out: no mail gets near them.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = ("formats", "yara")
SECONDS = 120
"""For all questions together."""
PATIENCE = 10
"""Seconds for one."""


def installed() -> dict[str, str]:
    """Versions by name of what amavis-pipe needs and of what that needs, as far as it is installed."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    wanted = [Requirement(one) for one in project["dependencies"]]
    wanted += [Requirement(one) for extra in EXTRAS for one in project["optional-dependencies"][extra]]
    found: dict[str, str] = {}
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        if name in found:
            continue
        try:
            here = distribution(one.name)
        except PackageNotFoundError:
            continue
        found[name] = here.version
        extras = [{"extra": extra} for extra in (*one.extras, "")]
        more = [Requirement(line) for line in here.requires or ()]
        wanted += [other for other in more if other.marker is None or any(map(other.marker.evaluate, extras))]
    return found


def asked(versions: dict[str, str]) -> dict[str, Any] | str:
    """What pip-audit tells of these, or why it tells nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in versions.items())
        file.flush()
        words = ["--requirement", file.name, "--no-deps", "--disable-pip", "--format", "json"]
        words += ["--progress-spinner", "off", "--timeout", str(PATIENCE)]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pip_audit", *words],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {SECONDS} s"
    try:
        told: dict[str, Any] = json.loads(done.stdout)
        return told if isinstance(told["dependencies"], list) else "an odd answer"
    except (ValueError, TypeError, KeyError):
        return (done.stderr.strip() or "no answer").rpartition("\n")[2][:300]


def judged(versions: dict[str, str], told: dict[str, Any] | str) -> tuple[list[str], int]:
    """The lines to be printed, and the status."""
    if isinstance(told, str):
        return [f"audit: nothing could be asked, so nothing is known: {told}"], 0
    rows = {canonicalize_name(one["name"]): one for one in told["dependencies"]}
    lines, skipped = [], []
    for name, version in sorted(versions.items()):
        row = rows.get(name, {})
        if "vulns" not in row:
            skipped.append(f"{name} {version}")
        for vulnerability in row.get("vulns", ()):
            fixed = ", ".join(vulnerability.get("fix_versions") or ["no version"])
            lines.append(f"audit: {name} {version}: {vulnerability['id']}, mended in {fixed}")
    status = 1 if lines else 0
    if len(skipped) == len(versions):
        lines.append(
            f"audit: the index tells nothing of vulnerabilities: none of {len(skipped)} packages was checked"
        )
    elif skipped:
        lines.append(f"audit: not checked, the index does not know them: {', '.join(skipped)}")
    if len(skipped) < len(versions):
        lines.append(f"audit: {len(versions) - len(skipped)} packages checked")
    return lines, status


def main() -> int:
    """Ask, and say it."""
    versions = installed()
    lines, status = judged(versions, asked(versions))
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
