"""Ten minutes of mixed mail through a real Postfix, with everything around the filter failing in turn (make soak).

Each mail arrives exactly once and whole, or is exactly once in the quarantine; filters leave nothing behind and
need no more memory in the end than in the beginning. pytest collects this file only where it is named.
SOAK_SECONDS sets another time; the figures are printed, and written to build/soak-*.txt. Of a run in which
something was wrong, journal and mail log are kept beside them.
"""

import os
import shutil
from pathlib import Path

import pytest
from harness.site import Site
from soak.figures import Figures
from soak.run import Run, say

BUILD = Path(__file__).resolve().parents[2] / "build"
SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))


@pytest.mark.parametrize("filters", [8, 32], ids=["8-filters", "32-filters"])
def test_under_load_and_all_faults_in_turn_each_mail_arrives_once_and_nothing_is_left(
    site: Site, filters: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        say(f"\n{filters} filters at once, {SECONDS:.0f} s, in {site.folder}")
        run = Run(site, filters, SECONDS)
        run.go()
        found = Figures(run)
        say(found.table)
    keep(site, filters, found)
    assert not found.wrong, "\n".join(found.wrong[:50])


def keep(site: Site, filters: int, found: Figures) -> None:
    """Leave the figures in build, and what explains them if they are not good."""
    place = BUILD / f"soak-{filters}"
    shutil.rmtree(place, ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    place.with_suffix(".txt").write_text(found.table + "\n")
    if found.wrong:
        shutil.copytree(site.state / "journal", place / "journal")
        for name in ("mail.log", "control.log"):
            shutil.copy(site.postfix.folder / name, place)
        (place / "wrong.txt").write_text("\n".join(found.wrong) + "\n")
