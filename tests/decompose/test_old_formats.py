"""What must hold for the old compressions and archives, and for LZMA and Flash: each by its builder."""

import hashlib
import random

import archives
import pytest

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.decompose import registry
from amavis_pipe.kinds import Formats
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk

FORMATS = ["ace", "alz", "arc", "compress", "freeze", "lzip", "lzma", "pack", "swf", "szdd", "zoo"]
NAMED = ("ace", "alz", "arc", "zoo")
"""Those that store names."""
ENDLESS = ("compress",)
"""Those that can't tell that they were cut off."""
NOISE = random.Random(1).randbytes(3000)
KNOWN = Formats()
every = pytest.mark.parametrize("name", FORMATS)


def setup_module() -> None:
    global KNOWN
    KNOWN = registry.formats()


@every
def test_the_file_comes_out_as_it_went_in(name, take):
    result = take(archives.PACKERS[name](NOISE))
    assert result.content() == [(b"file" if name in NAMED else b"", NOISE)] and result.findings == []
    part = result.parts["1.1"]
    assert (part.sha256, part.decoder, part.flags) == (hashlib.sha256(NOISE).hexdigest(), name, ())


@every
def test_an_empty_file_is_listed(name, take):
    result = take(archives.PACKERS[name](b""))
    assert [(part.kind, part.size) for part in result.parts.values()] == [("application/x-empty", 0)]
    assert result.findings == []


@every
def test_of_a_file_cut_off_the_beginning_is_kept(name, take):
    content = random.Random(2).randbytes(200_000)
    packed = archives.PACKERS[name](content)
    result = take(packed[: len(packed) * 2 // 3], size=10 << 20)
    assert result.findings == ([] if name in ENDLESS else [("broken:" + name, "1")])
    part = result.parts["1.1"]
    assert part.size > 100_000 and part.blob.head(part.size) == content[: part.size]


@every
def test_a_bomb_stops_at_the_quota(name, take):
    result = take(archives.PACKERS[name](bytes(3 << 20)), size=0, max_quota=1 << 20, min_quota=1 << 20)
    assert result.findings == [("limit:quota", "1")]
    assert result.budget.used <= 1 << 20
    assert "partial" in result.parts["1.1"].flags


@every
def test_what_is_in_it_is_taken_apart_too(name, take):
    result = take(archives.PACKERS[name](archives.zipped({"deep.txt": b"deep"})))
    assert result.content()[-1] == (b"deep.txt", b"deep") and result.findings == []


@every
def test_the_format_in_itself_is_taken_apart(name, take):
    pack = archives.PACKERS[name]
    result = take(pack(pack(NOISE)))
    assert result.parts["1.1.1"].sha256 == hashlib.sha256(NOISE).hexdigest() and result.findings == []


@every
def test_cut_off_anywhere_it_is_broken_at_most(name):
    packed = archives.PACKERS[name](b"some text, some text, some other text" + NOISE[:100])
    for end in range(len(packed)):
        assert kinds_of(findings(packed[:end])) <= {"broken", "encrypted", "undecoded"}


@every
@pytest.mark.parametrize("seed", range(60))
def test_with_some_bytes_changed_it_is_broken_at_most(name, seed):
    source = random.Random(seed)
    damaged = bytearray(archives.PACKERS[name](b"some text, some text, some other text" + NOISE[:200]))
    for _ in range(1 + seed // 4):
        damaged[source.randrange(2, len(damaged))] = source.randrange(256)
    assert kinds_of(findings(bytes(damaged))) <= {"broken", "encrypted", "undecoded", "limit"}


@every
@pytest.mark.parametrize("size", [0, 1, 10, 300, 5000])
def test_noise_behind_the_head_is_never_our_bug(name, size):
    head = archives.PACKERS[name](NOISE)[:32]
    assert kinds_of(findings(head + random.Random(size).randbytes(size))) <= {
        "broken",
        "encrypted",
        "undecoded",
    }


TEXTS = [b"CWS 2022 was a meeting", b"FWS\r\nCWS\r\nZWS\r\n", b"\x1a\n", b"]\0\0", b"LZ", b"\x1aE\xdf\xa3 a film",
         b"\0" * 64, b"\x1a" + b"\0" * 64, b"]" * 64, b"\x1a\x08" + b"a" * 64]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_what_only_looks_like_one_is_none(text):
    assert KNOWN.kind_of(Blob(text)) not in {
        "application/x-arc",
        "application/x-lzma",
        "application/vnd.adobe.flash.movie",
    }


def kinds_of(said: list[str]) -> set[str]:
    return {one.partition(":")[0] for one in said}


def findings(data: bytes) -> list[str]:
    """What is said of a container taken apart in this process."""
    walk = Walk(Budget.of(Limits(), 1 << 20), Store(b"/var/tmp"), registry.openers(KNOWN), KNOWN)
    walk.file(Blob(data))
    return [finding.name for finding in walk.findings]
