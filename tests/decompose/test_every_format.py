"""What must hold for every format there is: whole, damaged, nested, without what opens it, as a bomb.

The samples are small; where a program of another's opens a format, each run of it costs some ten milliseconds.
"""

import random
import shutil
from pathlib import Path

import archives
import pytest

FORMATS = sorted(archives.PACKERS)
BUILT = [name for name in FORMATS if archives.PACKERS[name] is not None]
NOISE = random.Random(1).randbytes(3000)
ALLOWED = {"broken", "encrypted", "undecoded", "limit"}

NAMELESS = (
    "activemime",
    "applefile",
    "bzip2",
    "cms",
    "compress",
    "freeze",
    "gzip",
    "lrzip",
    "lz4",
    "lzip",
    "lzma",
    "lzop",
    "openpgp",
    "pack",
    "swf",
    "szdd",
    "xz",
    "zstd",
)
"""Formats that keep no name."""
BESIDES = {"xar": [b"[TOC].xml"]}
"""Parts that come besides the file."""
NAMES_IN = {
    "officexml": b"editdata.mso", "dmg": b"FILE", "iso": b"FILE", "squashfs": b"FILE", "vhd": b"FILE",
}  # fmt: skip
FIRST = {
    "nsis": (b"NullsoftInst", 64, "a program is an installer by what stands behind it"),
    "sfx": (b"InstallShield", 384, "the same"),
    "onenote": (b"\xe7\x16\xe3\xbd", 64, "a notebook may have no files"),
    "pdf": (b"stream", 64, "a document may have none"),
}
"""Where a container without a file is honest: what begins the file, and the bytes of its header.

Cut off before that, nothing is said. And why.
"""
SLOW = {"stuffit": 6, "unknown": 10, "rar": 10, "sevenzip": 10}
"""Damaged files that are tried, in place of 30: what opens these takes long to start."""
OWN = ("bzip2", "gzip", "tar", "xz", "zip")
"""Formats that Python opens, without anything else."""


def called(name: str) -> tuple[bytes, ...]:
    return tuple(filter(None, [getattr(archives.BUILT.get(name), "CALLED", b"")]))


def packed(name: str, data: bytes = NOISE) -> bytes:
    """A container of this format; it holds `data` if it is built."""
    module = archives.BUILT.get(name)
    tool, sample = getattr(module, "TOOL", ""), getattr(module, "SAMPLE", "")
    if tool and not shutil.which(tool):
        pytest.fail(f"no {tool}")
    if sample and not Path(sample).exists():
        pytest.fail(f"no {sample}")
    return Path(sample).read_bytes() if sample else archives.PACKERS[name](data)


def holds(name: str, contents: list[tuple[bytes, bytes]], data: bytes = NOISE) -> bool:
    """Whether all that is to be found is among these."""
    if archives.PACKERS[name] is not None:
        return data in [content for _, content in contents]
    return all(any(one.endswith(end) for one, _ in contents) for end in archives.BUILT[name].NAMES)


def below(result, path: str) -> list[tuple[bytes, bytes]]:
    """Names and contents of the parts in the one at `path`."""
    parts = [part for at, part in result.parts.items() if at.startswith(path + ".")]
    return [(part.names[0] if part.names else b"", part.blob.head(part.size)) for part in parts if part.blob]


@pytest.mark.parametrize("name", BUILT)
def test_its_file_is_found_by_its_name_and_nothing_is_said(name, take):
    result = take(packed(name), *called(name))
    expected = NAMES_IN.get(name, b"" if name in NAMELESS else b"file")
    found = [one for one in result.content() if one[0] not in BESIDES.get(name, ())]
    assert found == [(expected, NOISE)] and result.findings == []


@pytest.mark.parametrize("name", sorted(set(FORMATS) - set(BUILT)))
def test_the_files_in_a_sample_are_found_and_nothing_is_said(name, take):
    result = take(packed(name))
    assert holds(name, result.content()) and result.findings == []


@pytest.mark.parametrize("name", FORMATS)
def test_cut_off_anywhere_what_is_missing_is_told(name, take_all):
    whole = packed(name)
    source = random.Random(name)
    count = SLOW.get(name, 12)
    begins = whole.index(FIRST[name][0]) + FIRST[name][1] if name in FIRST else 0
    sizes = sorted({len(whole) - 1, *(source.randrange(1, len(whole)) for _ in range(count))})
    sizes = [size for size in sizes if is_opened(whole[:size], name)]
    result = take_all([whole[:size] for size in sizes], *called(name))
    told = {path: found for found, path in result.findings}
    assert {found.partition(":")[0] for found in told.values()} <= {"broken", "undecoded"}
    for number, size in enumerate(sizes, 1):
        if size > begins and kind_is_told(whole[:size], name) and name not in ENDLESS:
            assert holds(name, below(result, str(number))) or any(
                path == str(number) or path.startswith(f"{number}.") for path in told
            ), size


ENDLESS = ("compress",)
"""Formats without a mark of the end, or a length: nobody can tell that one is cut off."""


def is_opened(data: bytes, name: str) -> bool:
    """Whether the filter gives it to the child at all: with the first letters alone it may be a text."""
    from amavis_pipe.decompose import registry
    from amavis_pipe.spool import Blob

    known = registry.formats()
    return known.kind_of(Blob(data), b"", called(name)) in known.opened


def kind_is_told(data: bytes, name: str) -> bool:
    """Whether this much of it is still known for what it is."""
    from amavis_pipe.decompose import registry
    from amavis_pipe.kinds import CONTAINERS
    from amavis_pipe.spool import Blob

    known = registry.formats()
    kind = known.kind_of(Blob(data), b"", called(name))
    return kind in known.opened and kind in CONTAINERS


@pytest.mark.parametrize("name", FORMATS)
def test_with_some_bits_changed_it_is_damaged_at_most(name, take_all):
    whole, source = packed(name), random.Random(name)
    damaged = []
    for number in range(SLOW.get(name, 30)):
        data = bytearray(whole)
        for _ in range(1 + number // 5):
            data[source.randrange(min(len(data), 600 if number % 2 else len(data)))] ^= 1 << source.randrange(
                8
            )
        damaged.append(bytes(data))
    result = take_all(damaged, *called(name), size=64 << 20)
    assert {found.partition(":")[0] for found, _ in result.findings} <= ALLOWED


@pytest.mark.parametrize("name", FORMATS)
def test_in_another_container_it_is_opened_too(name, take_all):
    whole = packed(name)
    title = called(name)[0] if called(name) else b"inner"
    result = take_all([archives.zipped({title.decode(): whole}), archives.gzipped(whole, title)])
    assert holds(name, below(result, "1.1")) and holds(name, below(result, "2.1"))
    assert result.findings == []


@pytest.mark.parametrize("name", FORMATS)
def test_without_anything_to_open_it_that_is_said(name, take, nothing_else):
    result = take(packed(name), *called(name))
    found = holds(name, result.content())
    if name in OWN:
        assert found and result.findings == []
    elif not found and name != "unknown":
        assert result.findings == [("undecoded:" + ("7z" if name == "sevenzip" else name), "1")]


@pytest.mark.parametrize("name", BUILT)
def test_a_bomb_ends_at_the_quota(name, take):
    whole = packed(name, bytes(4 << 20))
    result = take(whole, *called(name), size=0, max_quota=1 << 20, min_quota=1 << 20)
    assert [found for found, _ in result.findings] == ["limit:quota"]
    assert result.budget.used <= 1 << 20
