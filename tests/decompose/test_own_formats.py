"""What must hold for the formats with builders of their own: AutoIt, PDF, OneNote, programs, Symbian."""

import hashlib
import random

import archives
import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.decompose import registry
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk

FORMATS = ["autoit", "onenote", "pdf", "sfx", "sis"]
NOISE = random.Random(1).randbytes(3000)


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_comes_out_as_it_went_in(name, take):
    result = take(archives.PACKERS[name](NOISE))
    assert result.content() == [(b"file", NOISE)] and result.findings == []
    part = result.parts["1.1"]
    assert (part.sha256, part.decoder, part.flags) == (hashlib.sha256(NOISE).hexdigest(), name, ())


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_file_is_listed(name, take):
    result = take(archives.PACKERS[name](b""))
    assert [(part.kind, part.size) for part in result.parts.values()] == [("application/x-empty", 0)]
    assert result.findings == []


@pytest.mark.parametrize("name", FORMATS)
def test_of_a_file_cut_off_the_beginning_is_kept(name, take):
    content = random.Random(2).randbytes(2 << 20)
    packed = archives.PACKERS[name](content)
    result = take(packed[: len(packed) * 2 // 3], size=10 << 20)
    assert result.findings == [("broken:" + name, "1")]
    part = result.parts["1.1"]
    assert part.size > 800_000 and part.blob.head(part.size) == content[: part.size]


@pytest.mark.parametrize("name", FORMATS)
def test_a_bomb_stops_at_the_quota(name, take):
    result = take(archives.PACKERS[name](bytes(5 << 20)), size=0, max_quota=1 << 20, min_quota=1 << 20)
    assert result.findings == [("limit:quota", "1")]
    assert result.budget.used <= 1 << 20


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_in_it_is_taken_apart_too(name, take):
    inner = archives.zipped({"deep.txt": b"deep"})
    result = take(archives.PACKERS[name](inner))
    assert result.content()[-1] == (b"deep.txt", b"deep") and result.findings == []


@pytest.mark.parametrize("name", FORMATS)
def test_cut_off_anywhere_it_is_broken_at_most(name):
    packed = archives.PACKERS[name](NOISE[:200])
    for end in range(len(packed)):
        said = findings(packed[:end])
        assert {one.partition(":")[0] for one in said} <= {"broken", "encrypted", "undecoded"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(60))
def test_with_some_bytes_changed_it_is_broken_at_most(name, seed):
    source = random.Random(seed)
    damaged = bytearray(archives.PACKERS[name](NOISE[:200]))
    for _ in range(1 + seed // 4):
        damaged[source.randrange(4, len(damaged))] = source.randrange(256)
    said = findings(bytes(damaged))
    assert {one.partition(":")[0] for one in said} <= {"broken", "encrypted", "undecoded", "limit"}


def findings(data: bytes) -> list[str]:
    """What is said of a container taken apart in this process."""
    known = registry.formats()
    walk = Walk(Budget.of(Limits(), 1 << 20), Store(b"/var/tmp"), registry.openers(known), known)
    walk.file(Blob(data))
    return [finding.name for finding in walk.findings]
