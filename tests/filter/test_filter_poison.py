"""A mail that filters die of is not tried for ever: it is kept back unchecked, and people are told."""

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stand_in.faults import FaultSite

HEAD = b"From: a@example.org\nSubject: poison\nDate: Wed, 25 Nov 2026 08:00:00 +0000\n\n"
MAIL, OTHER = HEAD + b"deadly\n", HEAD + b"harmless\n"
DEATHS = {
    "decompose": ("dissect.py", "def decompose(", "b'deadly' in canonical.head(4096)"),
    "scan": ("ask.py", "    def ask(self, mail", "b'deadly' in mail.head(4096)"),
}


def deadly(site, step):
    """Have a step kill the filter, as a signal would, for one mail."""
    name, start, when = DEATHS[step]
    path = site.folder / "amavis_pipe" / name
    text = path.read_text()
    assert text.count(start) == 1
    before, _, rest = text.partition(start)
    end = rest.index('"""', rest.index('"""') + 3) + 3
    indent = "        " if step == "scan" else "    "
    killed = f"\n{indent}if {when}:\n{indent}    import os\n{indent}    os.kill(os.getpid(), 9)\n"
    path.write_text(before + start + rest[:end] + killed + rest[end:])


@pytest.fixture
def telling():
    """A site that can make notices, and keeps them in `told`."""
    made = FaultSite(Path(tempfile.mkdtemp(prefix="amavis-pipe-test-")))
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize("step", DEATHS)
def test_after_three_deaths_it_is_kept_back_and_recipients_and_admin_are_told(telling, step):
    deadly(telling, step)
    telling.configure('[unchecked]\nadmin = "admin@example.org"\n')
    for number in range(3):
        assert telling.filter(MAIL).status == -9
        assert telling.filter(OTHER + b"%d\n" % number).out == b"passed clean\n"
    done = telling.filter(MAIL)
    assert done.status == 0
    assert done.out.startswith(b"discarded unchecked poison, kept as unchecked-")
    record = json.loads(telling.records()[-1])
    assert [found["name"] for found in record["findings"]] == ["poison"]
    assert [one.endswith(MAIL) for one in (path.read_bytes() for path in kept(telling))] == [True]
    notices = [path.read_bytes() for path in telling.told.iterdir()]
    assert sorted(to(notice) for notice in notices) == [b"admin@example.org", b"undisclosed-recipients:;"]
    assert telling.filter(OTHER).out == b"passed clean\n"


def kept(site):
    """What is in the quarantine."""
    return [path for path in (site.state / "quarantine").glob("*/*") if path.suffix != ".json"]


def to(notice):
    """Whom a notice is addressed to."""
    return notice.partition(b"\nTo: ")[2].partition(b"\n")[0].strip(b"<>")


def test_of_eight_at_once_each_is_counted_for_itself(site):
    deadly(site, "decompose")
    mails = [HEAD + b"%s %d\n" % (word, number) for word in (b"deadly", b"tame") for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            ended = list(pool.map(site.filter, mails))
            assert [done.status for done in ended] == [-9] * 4 + [0] * 4
            assert site.filter(OTHER + os.urandom(8).hex().encode()).status == 0  # after the last death
        ended = list(pool.map(site.filter, mails))
    assert all(done.out.startswith(b"discarded unchecked poison, kept as ") for done in ended[:4])
    assert [done.out for done in ended[4:]] == [b"passed clean\n"] * 4
    assert len(site.forwarded()) == 4 * 4 + 3


def test_a_scanner_that_is_not_there_makes_no_mail_poison(site):
    site.configure(
        '[[scanner]]\nname = "x"\nvia = "clamd"\nat = "/nowhere/clamd.ctl"\nretry = 0\n', scanners='["x"]'
    )
    for _ in range(10):
        assert site.filter(MAIL).status == 75
    site.configure()
    assert site.filter(MAIL).out == b"passed clean\n"


def test_a_site_may_have_it_tried_for_ever(site):
    deadly(site, "decompose")
    site.configure("[limits]\npoison_tries = 0\n")
    for _ in range(5):
        assert site.filter(MAIL).status == -9
        assert site.filter(OTHER).out == b"passed clean\n"
