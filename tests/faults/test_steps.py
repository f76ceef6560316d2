"""Whatever fails in whatever step of the filter, one thing becomes of the mail, and docs/faults.rst says which.

Each fault is made on the real program, for a clean mail and for an infected one; then it is taken away, and
what was deferred is tried again, as Postfix does. Counted in the end: one copy of each, whole, in one place.
A run here takes some of the forms of each fault; `make faults` takes them all.
"""

import os
import pwd
import re
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from faults import cases
from faults.outcome import ALL, HEAD, became, large, packed, plain
from stand_in.faults import FaultSite
from stand_in.filter_site import USER

from amavis_pipe.scan.builtin import eicar

PAGE = Path(__file__).resolve().parents[2] / "docs/faults.rst"
TABLE = os.environ.get("TABLE")
PLAIN = HEAD + b"\nwarm\n"


MAILS = {"sandbox": packed, "decoder": packed, "spool": large}
"""What mail a step takes; others a plain one."""
ROWS = [(step, fault) for step, rows in cases.STEPS.items() for fault in rows]
SEEN: dict[tuple[str, str], tuple[str, str]] = {}


@pytest.fixture(scope="module")
def site():
    made = FaultSite(Path(tempfile.mkdtemp(prefix="amavis-pipe-test-")))
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize(("step", "fault"), ROWS, ids=[f"{step}: {fault}" for step, fault in ROWS])
def test_one_thing_becomes_of_the_mail_as_published(site, step, fault):
    make = MAILS.get(step, plain)
    site.configure(cases.HELD_BACK if make is packed else "")
    site.obey()
    site.launch(PLAIN, None)  # with these settings there is a snapshot
    forms = cases.STEPS[step][fault]
    seen = [
        {became(site, form, make(content), content != b"hello") for form in (forms if ALL else some)}
        for content, some in ((b"hello", forms[:: max(1, len(forms) // 2)]), (eicar(), forms[-1:]))
    ]
    SEEN[step, fault] = "; ".join(sorted(seen[0])), "; ".join(sorted(seen[1]))
    if ALL and not TABLE:
        assert SEEN[step, fault] == published()[step, fault]
    for found, said in zip(seen, published().get((step, fault), ()), strict=False):
        assert TABLE or found <= set(said.split("; "))


@pytest.mark.parametrize("umask", ["0", "777", "022"])
def test_all_that_is_left_behind_is_private_and_nothing_is_left_over(site, umask):
    site.configure(cases.HELD_BACK)
    site.clear()
    for mail in (plain(b"hello"), plain(eicar()), packed(b"hello"), large(eicar())):
        site.launch(mail, ["/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh"])
    left = [path for path in site.state.rglob("*") if "ballast" not in path.name]
    assert len(left) > 10
    for path in left:
        found = path.lstat()
        assert found.st_uid == pwd.getpwnam(USER).pw_uid
        assert found.st_mode in (stat.S_IFREG | 0o600, stat.S_IFDIR | 0o700), path
    assert list((site.state / "work").iterdir()) == []
    assert not [path for path in left if path.name.startswith(".") or path.name.endswith(".part")]


def published():
    """The rows of the page."""
    rows = re.findall(r"^   \* - (.+)\n     - (.+)\n     - (.+)\n     - (.+)$", PAGE.read_text(), re.M)[1:]
    return {(step, fault): (clean, infected) for step, fault, clean, infected in rows}


def test_the_published_table_has_these_rows():
    """With STEP=1 and TABLE=1 in the environment it is written anew."""
    if ALL and TABLE and len(SEEN) == len(ROWS):
        rows = "".join(
            f"   * - {step}\n     - {fault}\n     - {SEEN[step, fault][0]}\n     - {SEEN[step, fault][1]}\n"
            for step, fault in ROWS
        )
        text = PAGE.read_text()
        start = text.index("     - what becomes of an infected mail\n") + 40
        end = text.index("\n\n", start) + 1
        PAGE.write_text(text[:start] + rows + text[end:])
    assert list(published()) == ROWS
