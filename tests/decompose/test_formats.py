"""What holds for every format: a new one is tested here as soon as archives.SAMPLES knows it."""

import hashlib
import os
import random
from pathlib import Path

import archives
import pytest

from amavis_pipe.decompose import libmagic, registry
from amavis_pipe.decompose.formats.unknown import LIBMAGIC
from amavis_pipe.kinds import detect
from amavis_pipe.settings import identity
from amavis_pipe.spool import PAGE

FORMATS = sorted(archives.SAMPLES)
NOISE = random.Random(1).randbytes(3000)


def test_every_format_has_a_sample():
    assert sorted(registry.names()) == sorted(archives.PACKERS)
    for name, pack in archives.PACKERS.items():
        assert pack is not None or archives.BUILT[name].SAMPLE


def test_every_kind_is_known_as_a_container_or_by_how_it_starts():
    kinds = {kind for decoder in registry.decoders() for kind in decoder.kinds}
    assert kinds == registry.formats().opened.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_comes_out_as_it_went_in(name, take, either):
    result = take(archives.SAMPLES[name](NOISE))
    part = result.parts["1.1"]
    assert [part.blob.head(part.size) for part in result.parts.values()] == [NOISE]
    assert (part.size, part.sha256, part.decoder, part.flags) == (
        3000,
        hashlib.sha256(NOISE).hexdigest(),
        name,
        (),
    )
    assert result.findings == [] and result.budget.used == 3000


@pytest.mark.parametrize("name", FORMATS)
def test_its_kind_is_told_by_its_start(name):
    kind = detect(archives.SAMPLES[name](NOISE)[:4096], starts=registry.formats().starts)
    assert [decoder.name for decoder in registry.decoders() if kind in decoder.kinds] == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_file_is_listed(name, take, either):
    result = take(archives.SAMPLES[name](b""))
    assert [(part.kind, part.size) for part in result.parts.values()] == [("application/x-empty", 0)]
    assert result.findings == []


@pytest.mark.parametrize("name", FORMATS)
def test_of_a_file_cut_off_the_beginning_is_kept(name, take, either):
    content = random.Random(2).randbytes(2 << 20)
    packed = archives.SAMPLES[name](content)
    result = take(packed[: len(packed) * 2 // 3], size=10 << 20)
    assert result.findings == [("broken:" + name, "1")]
    part = result.parts["1.1"]
    assert "partial" in part.flags and part.size > 800_000
    assert part.blob.head(part.size) == content[: part.size]


@pytest.mark.parametrize("name", FORMATS)
def test_a_bomb_stops_at_the_quota(name, take, either):
    result = take(archives.SAMPLES[name](bytes(5 << 20)), size=0, max_quota=1 << 20, min_quota=1 << 20)
    assert result.findings == [("limit:quota", "1")] and result.budget.hit == ["quota"]
    assert (1 << 20) - (1 << 16) <= result.budget.used <= 1 << 20
    assert result.parts["1.1"].flags == ("partial",)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(6))
def test_noise_after_the_magic_is_broken_or_empty_but_never_our_bug(name, seed, take, either):
    packed, source = archives.SAMPLES[name](NOISE), random.Random(seed)
    damaged = bytearray(packed)
    for _ in range(1 + seed * 8):
        damaged[source.randrange(8 if name != "tar" else 100, len(packed))] = source.randrange(256)
    damaged[257:262] = packed[257:262]
    result = take(bytes(damaged))
    assert {found.partition(":")[0] for found, _ in result.findings} <= {"broken", "encrypted", "undecoded"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [0, 1, 10, 300, 5000])
def test_a_magic_with_nothing_but_noise_is_never_our_bug(name, size, take, either):
    decoder = next(one for one in registry.decoders() if one.name == name)
    start = decoder.starts[0]
    magic = start if isinstance(start, bytes) else bytes(start[0]) + start[1]
    result = take(magic + random.Random(size).randbytes(size))
    assert {found.partition(":")[0] for found, _ in result.findings} <= {"broken", "encrypted", "undecoded"}
    assert result.findings


def test_the_table_for_people_shows_what_is_there():
    rows = {row.name: row for row in registry.table()}
    assert rows.keys() >= set(FORMATS)
    name, path, package = rows["tar"].needs[0]
    assert (name, package) == ("libarchive", "libarchive13") and path.endswith("/libarchive.so.13")
    assert rows["gzip"].needs == ()


def test_the_key_of_facts_knows_the_library(no_libarchive):
    assert "libarchive missing" in registry.versions()
    assert "/" in registry.watched()  # the deepest that there is of /nowhere


@pytest.mark.parametrize("made", ["lib.so", "a/lib.so", "a/b/lib.so"])
def test_a_missing_library_that_comes_is_seen_by_the_folder_that_is_watched(tmp_path, made):
    place = tmp_path / made
    if made == "a/b/lib.so":
        (tmp_path / "a").mkdir()
    folder = registry._folder_of(str(place))
    os.utime(folder, (1, 1))  # the clock of a file system is coarse
    before = identity(folder.encode())
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")
    assert identity(folder.encode()) != before


def test_a_library_that_comes_or_goes_changes_the_key_of_facts(monkeypatch):
    before = registry.versions()
    watched = [path.rpartition("/")[2] for path in registry.watched()]
    assert "libarchive.so.13" in watched
    assert {name.partition(".so")[0] for name in watched} >= {"libz", "libbz2", "liblzma"}
    monkeypatch.setattr("amavis_pipe.decompose.libarchive.places", lambda: ())
    assert registry.versions() != before


def test_other_code_under_the_same_version_number_changes_the_key_of_facts(monkeypatch, tmp_path):
    before = registry.versions()
    (tmp_path / "new.py").write_text("x = 1")
    folders = registry.folders()
    monkeypatch.setattr(registry, "folders", lambda: (*folders, str(tmp_path)))
    assert registry.versions() != before


def test_libmagics_table_is_mapped_once_for_all_parts():
    def mapped() -> int:
        return int(Path("/proc/self/statm").read_text().split()[0]) * PAGE

    path = LIBMAGIC.path()
    libmagic.describe(path, b"first")
    before = mapped()
    for number in range(20):
        assert libmagic.describe(path, b"text %d" % number)
    assert mapped() - before < 8 << 20
