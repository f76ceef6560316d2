"""What the tests of formats share: a real child for a part, with libarchive and without."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.decompose import libarchive, libmagic, registry
from amavis_pipe.decompose.api import LIBARCHIVE, Need
from amavis_pipe.jail import helper, programs
from amavis_pipe.jail.sandbox import unpack_in_child
from amavis_pipe.model import Part
from amavis_pipe.spool import Blob

MODULES = ("acefile", "brotli", "msoffcrypto", "ncompress", "olefile", "pikepdf", "py7zr", "rarfile", "unrar")
"""Third parties' modules that decoders may import."""


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
def take_all(work):
    """A function: the Result of several containers at "1", "2" …, opened in one child with the real formats."""
    arenas = []

    def take_all(several: list[bytes], *names: bytes, size: int = 1 << 20, clues=None, **limits) -> Result:
        budget, known = Budget.of(Limits(**limits), size), registry.formats()
        given = []
        for number, data in enumerate(several, 1):
            blob = Blob(data)
            kind = known.kind_of(blob, b"", names)
            given.append(Part(str(number), names, kind=kind, size=len(data), blob=blob))
        parts, findings = unpack_in_child(given, budget, os.fsencode(work), clues=clues)
        arenas.extend({one.blob.fd for one in parts if one.blob})
        assert all(one.source == "decompose" for one in findings)
        assert all(one.grade == "unchecked" for one in findings if not one.name.startswith("decrypted:"))
        return Result(parts, [(one.name, one.part) for one in findings], budget)

    yield take_all
    for arena in arenas:
        os.close(arena)


@pytest.fixture
def take(take_all):
    """The same for one container, at "1"."""

    def take(data: bytes, *names: bytes, **options) -> Result:
        return take_all([data], *names, **options)

    return take


@pytest.fixture
def no_libarchive(monkeypatch):
    """As on a machine without it."""
    monkeypatch.setattr(libarchive, "places", lambda: ("/nowhere/libarchive.so.13",))


@pytest.fixture
def no_programs(monkeypatch):
    """As on a machine without any helper program."""
    path, names = Need.path, {job.program.name for job in programs.JOBS.values()}
    monkeypatch.setattr(helper, "found", lambda program: "")
    monkeypatch.setattr(Need, "path", lambda need: "" if need.name in names else path(need))


@pytest.fixture
def nothing_else(monkeypatch, no_libarchive):
    """As on a machine with Python's standard library alone."""
    monkeypatch.setattr(helper, "found", lambda program: "")
    monkeypatch.setattr(Need, "path", lambda need: "")
    monkeypatch.setattr(libmagic, "places", tuple)
    for name in MODULES:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture(params=["libarchive", "without"])
def either(request):
    """The test is run twice: with libarchive, and without."""
    if request.param == "without":
        request.getfixturevalue("no_libarchive")
    else:
        assert LIBARCHIVE.path()
