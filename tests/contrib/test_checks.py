"""What `make check` promises besides what its tools do."""

import re
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
NOQA = re.compile(r"# noqa: [A-Z0-9, ]*\bS\d+(.*)")


def sources() -> list[Path]:
    return [*(CHECKOUT / "amavis_pipe").rglob("*.py"), *(CHECKOUT / "contrib").rglob("*.py")]


def test_the_security_rules_hold_for_program_and_contrib():
    lint = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    ignored = [rule for rule in lint["ignore"] if rule.startswith("S")]
    ignored += [rule for rule in lint["per-file-ignores"]["amavis_pipe/**"] if re.match(r"S\d", rule)]
    assert ignored == ["S101"]


def test_each_exception_from_a_security_rule_says_why():
    found = [
        (path.name, number, why[1])
        for path in sources()
        for number, line in enumerate(path.read_text().split("\n"), 1)
        if (why := NOQA.search(line))
    ]
    assert len(found) > 10
    assert [one for one in found if not re.match(r" - .{4}", one[2])] == []
