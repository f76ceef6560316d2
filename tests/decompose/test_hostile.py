"""What is made to harm: it ends in time, in little memory, in the work folder, and it is told of.

Each is taken apart by a program of its own (alone.py), whose children are watched from here.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import hostile_files as hostile
import pytest

import amavis_pipe

SECONDS, SLACK = 10, 6.0
"""The limit of each, and seconds that starting and ending may take besides on a busy machine."""
MEMORY = 160 << 20
"""Bytes of their own that the sandboxed child and a helper may have together."""
QUOTA = 50 << 20
ROOT = str(Path(amavis_pipe.__file__).parents[1])
ALONE = str(Path(__file__).with_name("alone.py"))
LIMITS = {"limit:quota", "limit:files", "limit:depth", "limit:seconds", "limit:memory"}


class Told:
    """What alone.py told, and `memory`: the most that its children had at a time."""

    def __init__(self, told: dict, memory: int) -> None:
        self.memory = memory
        self.seconds = told["seconds"]
        self.findings = {name for name, _ in told["findings"]}
        self.names = [bytes.fromhex(names[0]) if names else b"" for _, names, _ in told["parts"]]
        self.heads = [bytes.fromhex(head) for head in told["heads"]]
        self.bytes, self.count = told["bytes"], told["count"]


def own_memory(pid: int) -> int:
    """Bytes of its own that a process has now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in status.split("\n") if line.startswith("RssAnon:")) << 10


def children(pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) > pid:
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(name))
    return found


def watched(process: subprocess.Popen) -> tuple[bytes, int]:
    """What the process says to its end, and the most memory that its children had together."""
    most = 0
    while True:
        most = max(most, sum(map(own_memory, children(process.pid))))
        try:
            return process.communicate(timeout=0.01)[0], most
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture
def place():
    """A folder with a work folder, and beside it one that is to stay as it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for one in ("work", "outside"):
            (folder / one).mkdir()
            (folder / one).chmod(0o777)
        (folder / "outside" / "there").write_bytes(b"as it was")
        (folder / "outside" / "there").chmod(0o666)
        yield folder


@pytest.fixture
def harm(place):
    """A function: what is told of a file, after the promises were looked at that hold for each."""

    def harm(data: bytes, *names: bytes, **limits) -> Told:
        file = place / "file"
        file.write_bytes(data)
        options = {"names": [name.hex() for name in names], "seconds": SECONDS, "max_quota": QUOTA}
        options |= {"min_quota": QUOTA, **limits}
        command = [sys.executable, ALONE, str(file), str(place / "work"), json.dumps(options)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={"PYTHONPATH": ROOT, "PATH": "/usr/bin"}
        )
        output, memory = watched(process)
        assert process.returncode == 0
        told = Told(json.loads(output), memory)
        assert told.seconds < SECONDS + SLACK and told.bytes <= QUOTA
        assert told.memory < MEMORY, told.memory >> 20
        assert not any(name.startswith("crash:") for name in told.findings), told.findings
        assert list((place / "work").iterdir()) == []
        assert sorted(one.name for one in place.iterdir()) == ["file", "outside", "work"]
        assert [(one.name, one.read_bytes()) for one in (place / "outside").iterdir()] == [
            ("there", b"as it was")
        ]
        assert not Path("/tmp/amavis-pipe-test-escape").exists()
        return told

    return harm


BOMBS = {
    "gzip": (hostile.gzip_bomb, {"limit:quota"}),
    "bzip2": (hostile.bzip2_bomb, {"limit:quota"}),
    "xz": (hostile.xz_bomb, {"limit:quota"}),
    "lzip": (hostile.lzip_bomb, {"limit:quota"}),
    "lzma": (hostile.lzma_bomb, {"limit:quota"}),
    "compress": (hostile.compress_bomb, {"limit:quota"}),
    "zstd": (hostile.zstd_bomb, {"limit:quota"}),
    "lz4": (hostile.lz4_bomb, {"limit:quota"}),
    "lz4-legacy": (hostile.lz4_legacy_bomb, {"limit:quota"}),
    "lzop": (hostile.lzop_bomb, {"limit:quota"}),
    "lrzip": (hostile.lrzip_bomb, {"limit:quota", "broken:lrzip"}),  # gives nothing beyond its memory
    "zips-in-zips": (hostile.zips_in_zips, {"limit:quota", "limit:files"}),
    "files-that-overlap": (hostile.overlapping, {"limit:quota"}),
    "a-sparse-tar": (hostile.sparse_tar, {"limit:quota"}),
    "an-image-of-zeros": (hostile.image_of_zeros, {"limit:quota"}),
    "7z": (hostile.seven_bomb, {"limit:quota"}),
    "7z-of-many": (lambda: hostile.seven_bomb(64), {"limit:quota"}),
    "cab": (hostile.cab_bomb, {"limit:quota"}),
    "a-disc-that-overlaps": (hostile.iso_overlapping, {"limit:quota"}),
    "a-xar-that-overlaps": (hostile.xar_overlapping, {"limit:quota"}),
}


@pytest.mark.parametrize(("build", "expected"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_at_a_limit(build, expected, harm):
    assert harm(build()).findings & expected


def test_a_bomb_that_only_its_name_tells_of_ends_too(harm):
    assert harm(hostile.brotli_bomb(), b"a.br").findings == {"limit:quota"}


LOOPS = {
    "fat": hostile.fat_loop,
    "iso": hostile.iso_loop,
    "cab": hostile.cab_loop,
    "folders-in-a-xar": hostile.xar_nested,
    "files-of-a-7z": hostile.seven_of_one,
}


@pytest.mark.parametrize("build", LOOPS.values(), ids=LOOPS)
def test_what_runs_in_circles_ends_and_is_told(build, harm):
    assert harm(build()).findings


WIDE = {"xz": hostile.wide_xz, "7z": hostile.wide_7z, "zstd": hostile.wide_zstd}


@pytest.mark.parametrize("build", WIDE.values(), ids=WIDE)
def test_what_wants_gigabytes_is_opened_without_or_told_of(build, harm):
    told = harm(build())
    assert told.heads == [b"plain"] or told.findings <= {"limit:memory", *(f"broken:{name}" for name in WIDE)}
    assert told.heads or told.findings


DEEP = {
    "gzip": hostile.archives.gzipped,
    "zip": lambda data: hostile.archives.zipped({"a": data}),
    "tar": lambda data: hostile.archives.tarred({"a": data}),
    "cpio": hostile.cpio.pack,
}


@pytest.mark.parametrize("build", DEEP.values(), ids=DEEP)
def test_what_goes_ever_deeper_ends_at_the_depth(build, harm):
    told = harm(hostile.deep(build, 100))
    assert told.findings == {"limit:depth"} and told.count == 13


def test_what_libarchive_itself_peels_ends_there(harm):
    assert harm(hostile.deep(hostile.lz4.framed, 100)).findings == {"broken:lz4"}


def test_what_is_its_own_content_is_not_opened_for_ever(harm):
    """libarchive gives what it takes for not compressed as it is."""
    assert harm(hostile.lz4.MAGIC).findings == {"broken:lz4"}


MANY = ["tar", "zip", "cpio", "ar", "cab", "rar", "lha", "7z", "arj", "stuffit", "xar"]


@pytest.mark.parametrize("name", MANY)
def test_members_without_number_end_at_a_limit(name, harm):
    told = harm(hostile.many(name))
    assert told.findings and told.count <= 1500


@pytest.mark.parametrize("name", hostile.NAMED)
def test_names_are_data_whatever_they_are(name, harm):
    names = list(hostile.NAMES.values())
    data, contents = hostile.named(name, names)
    told = harm(data)
    assert set(contents) <= set(told.heads)


@pytest.mark.parametrize("name", hostile.NAMED)
def test_a_name_of_64_kilobytes_hides_nothing(name, harm):
    data, contents = hostile.named(name, [b"first", hostile.LONG, b"last"])
    told = harm(data)
    assert set(contents) <= set(told.heads) or told.findings
    assert all(len(one) <= 65536 for one in told.names)


@pytest.mark.parametrize("name", ["cpio", "rar4", "rar5", "zip", "arj", "lha", "cab"])
def test_a_name_with_nul_hides_nothing(name, harm):
    data, contents = hostile.named(name, [b"first", b"a\0b", b"last"])
    told = harm(data)
    assert set(contents) <= set(told.heads) or told.findings


LINKED = {
    "tar": hostile.linked_tar,
    "cpio": hostile.linked_cpio,
    "zip": hostile.linked_zip,
    "rar": hostile.linked_rar,
}


@pytest.mark.parametrize("build", LINKED.values(), ids=LINKED)
def test_links_lead_nowhere_and_what_comes_by_them_is_found(build, harm, place):
    told = harm(build(str(place / "outside")))
    assert b"through a link" in told.heads


@pytest.mark.parametrize("name", ["tar", "cpio"])
def test_devices_and_pipes_are_no_files(name, harm, place):
    told = harm(LINKED[name](str(place / "outside")))
    assert not {b"device", b"disk", b"pipe", b"link"} & set(told.names) and not told.findings
    assert b"over a link" in told.heads


def test_a_member_that_is_skipped_is_told_of(harm):
    """Its header is no header: what looks for the next one finds it, and says nothing."""
    first = hostile.cpio.entry(b"first", b"hidden").replace(b"000081A4", b"0000\xff1A4")
    assert harm(hostile.cpio.cpio(first)).findings == {"broken:cpio"}
    told = harm(
        hostile.cpio.cpio(hostile.cpio.entry(b"zeroth", b"0"), first, hostile.cpio.entry(b"second", b"2"))
    )
    assert told.findings == {"broken:cpio"} and {b"0", b"2"} <= set(told.heads)


@pytest.mark.parametrize("sizes", [(10, 3000), (3000, 10)], ids=["short-first", "long-first"])
def test_files_that_begin_at_one_place_are_all_found(sizes, harm):
    """libarchive takes them for one."""
    data = bytes(range(256)) * 20
    records = [hostile.iso.record(b"%d.;1" % number, 21, size) for number, size in enumerate(sizes)]
    told = harm(hostile.iso.iso(*records, data=data))
    assert told.bytes == 3010 and told.findings == set()


def test_names_are_data_where_members_are_asked_for_by_name(harm):
    """A size that is a lie: what comes in a row can't be told apart."""
    names = list(hostile.NAMES.values())
    contents = [b"content of %d" % number for number in range(len(names))]
    files = zip(names, contents, strict=True)
    lies = [
        hostile.arj.member(name, content, size=len(content) + (number == 3))
        for number, (name, content) in enumerate(files)
    ]
    assert set(contents) <= set(harm(hostile.arj.arj(*lies)).heads)
