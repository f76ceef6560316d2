"""dissect: of the mails that CPython's own tests are made of, we have every leaf that Python reads.

They are in Debian's package libpython3.11-testsuite (or 3.13), which contrib/test installs; without it, or an interpreter
built from source, the first of these tests fails.
"""

import sysconfig
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from hostile.apart import taker
from test_mime_benign import leaves, like

PLACES = (
    Path(sysconfig.get_path("stdlib")) / "test/test_email/data",
    *sorted(Path("/usr/lib").glob("python3*/test/test_email/data"), reverse=True),
)
FILES = next((sorted(place.glob("msg_*.txt")) for place in PLACES if place.is_dir()), [])


@pytest.fixture
def taken_apart(settings_of, monkeypatch):
    return taker(settings_of(), monkeypatch)


def test_they_are_as_many_as_they_were():
    assert len(FILES) >= 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_leaf_that_the_library_reads_is_a_part(file, taken_apart):
    mail = file.read_bytes()
    facts = taken_apart(mail)
    for leaf in leaves(message_from_bytes(mail, policy=default)):
        parts = like(facts, leaf)
        assert parts, leaf.as_bytes()[:300]
        wanted = (leaf.get_filename() or "").encode("utf-8", "surrogateescape")
        assert not wanted or wanted in {name for part in parts for name in part.names}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_is_said_against_it(file, taken_apart):
    facts = taken_apart(file.read_bytes())
    assert [(found.grade, found.name) for found in facts.findings if found.grade != "note"] == []
