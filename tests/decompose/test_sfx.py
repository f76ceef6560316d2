"""Programs: archives in them and behind them, and what InstallShield appends."""

import gzip
import random
import struct
import zlib
from pathlib import Path

import archives
import pytest
from built.sfx import coded, elf, entry, installed, program, streamed
from test_carve import KINDS, cab, rar4

from amavis_pipe.decompose.formats.sfx import overlay

SAMPLES = Path("/usr/share/clamav-testfiles")
FILE = random.Random(4).randbytes(5000)
ZIP = archives.zipped({"a.txt": b"a"})


@pytest.mark.parametrize("make", [program, elf], ids=["Windows", "Linux"])
def test_an_archive_behind_a_program_is_opened(make, take):
    result = take(make(appended=ZIP + b"signature"))
    assert result.content() == [(b"archive.zip", ZIP), (b"a.txt", b"a")] and result.findings == []
    part = result.parts["1.1"]
    assert (part.kind, part.flags, part.decoder) == ("application/zip", ("carved",), "sfx")


def test_an_archive_among_the_sections_is_found(take):
    result = take(program(bytes(300) + ZIP + bytes(300)))
    assert result.names() == [b"archive.zip", b"a.txt"] and result.findings == []


@pytest.mark.parametrize("make", [program, elf], ids=["Windows", "Linux"])
def test_a_compressed_stream_counts_only_behind_the_sections(make, take):
    stream = gzip.compress(b"data" * 50)
    assert take(make(bytes(300) + stream + bytes(300))).parts == {}
    result = take(make(appended=stream))
    assert [data for _, data in result.content()] == [stream, b"data" * 50] and result.findings == []


def test_a_program_of_which_nothing_can_be_told_is_searched_all_the_same(take):
    result = take(b"MZ" + bytes(100) + ZIP)
    assert result.names() == [b"archive.zip", b"a.txt"] and result.findings == []


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_carved(name, take):
    data, kind = KINDS[name]
    result = take(program(appended=data))
    assert result.parts["1.1"].kind == kind and result.parts["1.1"].blob.head(1 << 20) == data


@pytest.mark.parametrize(
    "data",
    [program(), elf(), b"MZ", b"MZ" + FILE, program(appended=FILE), program(appended=program()), elf()[:70]],
    ids=["program", "elf", "magic", "noise", "noise behind", "another program", "cut off"],
)
def test_an_honest_program_gives_nothing(data, take):
    result = take(data)
    assert result.parts == {} and result.findings == []


def test_the_end_of_the_sections_is_told():
    assert overlay(program()) == len(program()) and overlay(elf()) == len(elf())
    assert overlay(b"MZ" + bytes(62)) == 0 and overlay(b"\x7fELF\2\1" + b"\xff" * 90) == 0


def test_archives_that_lie_within_each_other_are_bounded(take):
    result = take(program(appended=rar4() * 400), size=50 << 20)
    assert ("undecoded:sfx", "1") in result.findings and len(result.parts) < 100


INSTALLED = {
    "coded": installed(entry(b"a.exe", FILE), entry(b"b.txt", b"b" * 70_000)),
    "coded in one piece": installed(entry(b"a.exe", FILE, 2), entry(b"b.txt", b"b" * 70_000, 2)),
    "coded, not deflated": installed(
        entry(b"a.exe", FILE, packed=0), entry(b"b.txt", b"b" * 70_000, packed=0)
    ),
    "not coded": installed(entry(b"a.exe", FILE, 0), entry(b"b.txt", b"b" * 70_000, 0)),
}


@pytest.mark.parametrize("data", INSTALLED.values(), ids=INSTALLED)
def test_the_files_of_installshield_come_out(data, take):
    result = take(program(appended=b"NB10\0\0\0\0 and so on\0" + data))
    assert result.content() == [(b"a.exe", FILE), (b"b.txt", b"b" * 70_000)] and result.findings == []


@pytest.mark.parametrize("kind", [1, 4])
def test_those_of_newer_versions_too(kind, take):
    result = take(program(appended=streamed("ä.exe", FILE, kind)))
    assert result.content() == [("ä.exe".encode(), FILE)] and result.findings == []


def written(*files: tuple[str, bytes], wide: bool = False) -> bytes:
    out = struct.pack("<I", len(files)) if wide else b""
    for name, data in files:
        fields = (name, "Disk1\\" + name, "1.0", str(len(data)))
        out += b"".join(
            field.encode("utf-16-le") + b"\0\0" if wide else field.encode() + b"\0" for field in fields
        )
        out += data
    return out


@pytest.mark.parametrize("wide", [False, True])
def test_a_plain_list_is_read(wide, take):
    result = take(program(appended=written(("a.exe", FILE), ("b.cab", cab()), wide=wide)))
    listed = [part for path, part in result.parts.items() if path.count(".") == 1]  # cab() is broken
    assert [part.names for part in listed] == [(b"Disk1\\a.exe", b"a.exe"), (b"Disk1\\b.cab", b"b.cab")]
    assert [data for _, data in result.content()][:2] == [FILE, cab()]


def cabinet(files: list[tuple[bytes, bytes, int]]) -> tuple[bytes, bytes]:
    """A header of version 9 and its volume: name, content, flags of each file."""
    volume, table, names = b"ISc(".ljust(512, b"\0"), b"", b""
    for name, data, flags in files:
        packed = data
        if flags & 4:
            pieces = [deflated(data[at : at + 3000]) for at in range(0, len(data), 3000)]
            packed = b"".join(struct.pack("<H", len(piece)) + piece for piece in pieces)
        if flags & 2:
            packed = bytes(mixed(byte, at) for at, byte in enumerate(packed))
        place = 87 * len(files) + len(names)
        fixed = struct.pack("<HQQQ", flags, len(data), len(packed), len(volume)) + bytes(32)
        table += (fixed + struct.pack("<I", place)).ljust(85, b"\0") + struct.pack("<H", 1)
        names += name + b"\0"
        volume += packed
    descriptor = bytearray(100)
    struct.pack_into("<I", descriptor, 12, 100)
    struct.pack_into("<I", descriptor, 40, len(files))
    head = b"ISc(" + struct.pack("<IIII", 0x1009500, 0, 20, 100 + len(table) + len(names))
    return head + bytes(descriptor) + table + names, volume


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def mixed(byte: int, at: int) -> int:
    value = byte + at % 71 & 255
    return (value << 2 | value >> 6) & 255 ^ 0xD5


def test_the_files_of_cabinets_come_out(take):
    header, volume = cabinet([(b"a.exe", FILE, 4), (b"b", b"plain", 0), (b"c", FILE, 6), (b"gone", b"x", 12)])
    result = take(program(appended=written(("data1.hdr", header), ("data1.cab", volume))))
    assert result.content()[2:] == [(b"a.exe", FILE), (b"b", b"plain"), (b"c", FILE)]
    assert result.findings == []


def test_files_split_over_volumes_or_in_one_not_here_are_undecoded(take):
    header, volume = cabinet([(b"a", FILE, 5), (b"b", FILE, 4)])
    result = take(program(appended=written(("data1.hdr", header), ("data1.cab", volume))))
    assert result.content()[2:] == [(b"b", FILE)] and result.findings == [("undecoded:installshield", "1")]
    result = take(program(appended=written(("data1.hdr", header), ("other.bin", volume))))
    assert result.findings == [("undecoded:installshield", "1")]


def test_a_list_that_is_cut_off_is_broken(take):
    result = take(program(appended=installed(entry(b"a", FILE, size=1 << 30))))
    assert result.content() == [(b"a", FILE)] and result.findings == [("broken:sfx", "1")]


def test_the_builder_hides_what_it_codes():
    assert coded(b"\0" * 4, b"name", 1024) not in (bytes(4), b"name")


@pytest.mark.parametrize("name", ["clam_IScab_ext.exe", "clam_IScab_int.exe", "clam_ISmsi_ext.exe"])
def test_real_ones_are_opened(name, take):
    data = (SAMPLES / name).read_bytes()
    result = take(data, size=len(data))
    assert any(part.sha256.startswith("71e7b604d18aefd8") for part in result.parts.values())
    assert not [name for name, _ in result.findings if name.startswith(("broken", "crash"))]
