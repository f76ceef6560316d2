"""inquire and examine: how long answers live, and what a scanner's trouble does."""

import pytest

from amavis_pipe import cache as caching
from amavis_pipe import inquire, intake
from amavis_pipe.cache import Cache
from amavis_pipe.config import load
from amavis_pipe.examine import examine
from amavis_pipe.model import Finding, ScannerTrouble, Stamp
from amavis_pipe.settings import Settings

MAIL = b"Subject: x\n\nhello\n"


class FakeScanner:
    """Answers every part with the same grade, or with trouble; counts how often it was asked."""

    version, steady, said = "1", True, {}

    def __init__(self, row, grade):
        self.row, self.grade, self.asked = row, grade, 0

    def stamp(self, until=None):
        return Stamp(b"same", True)

    def scan(self, items, until=None):
        self.asked += 1
        if self.grade == "trouble":
            raise ScannerTrouble("no answer")
        found = [Finding(self.grade, "Name", "", self.row.name)] if self.grade else []
        return {path: found for path, _ in items}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A function: scanners that give these grades; it returns them and what examines MAIL."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "work").mkdir()
    tree = {"state": str(tmp_path), "scanners": ["builtin"], "cache": {"clean_minutes": 60}}

    def make(*grades):
        values = load.read(tree, "", "")[0]
        values["rows"] = [values["rows"][0] | {"name": f"s{number}"} for number in range(len(grades))]
        settings = Settings(values)
        scanners = [FakeScanner(row, grade) for row, grade in zip(settings.rows, grades, strict=True)]
        monkeypatch.setattr(inquire, "scanner_of", lambda row, *_: scanners[settings.rows.index(row)])
        cache = Cache(str(tmp_path / "cache").encode(), 7)
        return scanners, lambda mail=MAIL: examine(intake.of_bytes(mail, settings.work), settings, cache)

    return make


def later(monkeypatch, seconds):
    now = caching.time()
    monkeypatch.setattr(caching, "time", lambda: now + seconds)


@pytest.mark.parametrize(
    ("grade", "seconds", "asked"),
    [
        ("", 1800, 1),
        ("", 7200, 2),
        ("suspect", 1800, 1),
        ("suspect", 7200, 2),
        ("virus", 7200, 1),
        ("virus", 8 * 86400, 2),
    ],
)
def test_only_a_virus_is_believed_for_longer_than_clean_minutes(site, monkeypatch, grade, seconds, asked):
    (scanner,), run = site(grade)
    run()
    later(monkeypatch, seconds)
    run()
    assert scanner.asked == asked


def test_facts_made_of_old_answers_are_as_old_as_these(site, monkeypatch):
    (scanner,), run = site("")
    run()
    later(monkeypatch, 3000)
    run(MAIL.replace(b"x", b"y"))  # another mail with the same part
    later(monkeypatch, 3000)
    run(MAIL.replace(b"x", b"y"))
    assert scanner.asked == 3


def test_trouble_of_one_scanner_is_trouble_of_the_mail(site):
    _, run = site("", "trouble")
    with pytest.raises(ScannerTrouble):
        run()


@pytest.mark.parametrize("grades", [("virus", "trouble"), ("trouble", "virus")])
def test_trouble_counts_for_nothing_where_another_scanner_found_a_virus(site, grades):
    scanners, run = site(*grades)
    assert [found.grade for found in run().facts.findings] == ["virus", "virus"]
    run()
    assert scanners[grades.index("trouble")].asked == 2  # and nothing was remembered as answered


def test_a_mere_suspicion_does_not_outweigh_trouble(site):
    _, run = site("suspect", "trouble")
    with pytest.raises(ScannerTrouble):
        run()


def test_unchecked_is_never_remembered(site):
    (scanner,), run = site("unchecked")
    run()
    run()
    assert scanner.asked == 2
