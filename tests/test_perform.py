"""perform: nothing leaves before it is sure that somebody hears how it ended."""

import os

import pytest

from amavis_pipe import intake
from amavis_pipe.config import load
from amavis_pipe.model import Envelope, Facts, Finding, Trouble
from amavis_pipe.perform import Actor
from amavis_pipe.policy import decide
from amavis_pipe.settings import Settings

CASES = {
    "a clean mail": ("clean", {}),
    "a delivery status notification": ("virus", {"infected": {"action": "bounce"}}),
    "word of mail kept back": ("crash", {}),
}
FINDINGS = {
    "clean": [],
    "virus": [Finding("virus", "Name", "1", "clamd")],
    "crash": [Finding("unchecked", "crash:zip", "1")],
}


@pytest.fixture
def act(tmp_path):
    """A function: performs what is decided for a case; it gives the folder where mail would go."""
    out = tmp_path / "out"
    for name in ("out", "work", "quarantine"):
        (tmp_path / name).mkdir()

    def run(found, settings, ready):
        route = f"file:{out}"
        tree = {
            "state": str(tmp_path),
            "forward": route,
            "notify": route,
            "scanners": ["builtin"],
            **settings,
        }
        site = Settings(load.read(tree, "", "")[0])
        envelope = Envelope(b"a@example.org", (b"b@example.org",))
        verdict = decide(Facts([], FINDINGS[found], []), envelope, site)
        mail = intake.of_bytes(b"Subject: x\n\nx\n", os.fsencode(tmp_path))
        Actor(site, ready, 30).perform(mail, envelope, verdict)

    return run, out


@pytest.mark.parametrize(("found", "settings"), CASES.values(), ids=CASES)
def test_it_is_sent_when_all_is_well(act, found, settings):
    run, out = act
    run(found, settings, lambda: None)
    assert len(list(out.iterdir())) == 1


@pytest.mark.parametrize(("found", "settings"), CASES.values(), ids=CASES)
def test_it_is_not_sent_when_nobody_listens_any_more(act, found, settings):
    run, out = act

    def gone():
        raise Trouble("gone")

    with pytest.raises(Trouble):
        run(found, settings, gone)
    assert list(out.iterdir()) == []
