"""What the tests of formats share: a real child for a part, with libarchive and without."""

import os
import tempfile
from pathlib import Path

import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.decompose import libarchive, registry, ways
from amavis_pipe.decompose.api import LIBARCHIVE
from amavis_pipe.jail import programs
from amavis_pipe.jail.sandbox import unpack_in_child
from amavis_pipe.model import Part
from amavis_pipe.spool import Blob

PROGRAMS = ("SEVEN_ZIP", "UNAR", "UNRAR", "LHASA", "CABEXTRACT", "LZOP", "LRZIP", "GZIP")
"""What needs of formats are programs, as ways calls them."""


class Result:
    """What came of one container: `parts` by path, `findings` as (name, path), the `budget` after it."""

    def __init__(self, parts: list[Part], findings: list[tuple[str, str]], budget: Budget) -> None:
        self.parts = {part.path: part for part in parts}
        self.findings = findings
        self.budget = budget

    def content(self) -> list[tuple[bytes, bytes]]:
        """First name and bytes of each part, in the order they came."""
        return [
            (part.names[0] if part.names else b"", part.blob.head(part.size)) for part in self.parts.values()
        ]

    def names(self) -> list[bytes]:
        return [name for name, _ in self.content()]


@pytest.fixture
def work():
    """A work folder. Helper programs have to reach it as nobody, if the tests are run by root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def take(work):
    """A function: the Result of one container at "1", opened in a child with the real formats."""
    arenas = []

    def take(data: bytes, *names: bytes, size: int = 1 << 20, clues=None, **limits) -> Result:
        budget = Budget.of(Limits(**limits), size)
        blob = Blob(data)
        part = Part("1", names, kind=registry.formats().kind_of(blob, b"", names), size=len(data), blob=blob)
        parts, findings = unpack_in_child([part], budget, os.fsencode(work), clues=clues)
        arenas.extend({one.blob.fd for one in parts if one.blob})
        assert all(one.source == "decompose" for one in findings)
        assert all(one.grade == "unchecked" for one in findings if not one.name.startswith("decrypted:"))
        return Result(parts, [(one.name, one.part) for one in findings], budget)

    yield take
    for arena in arenas:
        os.close(arena)


@pytest.fixture
def no_libarchive(monkeypatch):
    """As on a machine without it."""
    monkeypatch.setattr(libarchive, "places", lambda: ("/nowhere/libarchive.so.13",))


@pytest.fixture
def no_programs(monkeypatch):
    """As on a machine without any helper program."""
    monkeypatch.setattr(programs.Program, "places", lambda self: ())
    monkeypatch.setattr(programs.Script, "places", lambda self: ())
    for name in PROGRAMS:
        monkeypatch.setattr(getattr(ways, name), "places", tuple)  # bound before


@pytest.fixture(params=["libarchive", "without"])
def either(request):
    """The test is run twice: with libarchive, and without."""
    if request.param == "without":
        request.getfixturevalue("no_libarchive")
    else:
        assert LIBARCHIVE.path()
