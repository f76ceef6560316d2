"""Archives within other files, and what only looks like one."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zlib

import archives
import pytest

from amavis_pipe.decompose.carve import SUFFIXES, extent, found, is_nsis

NOISE = random.Random(8).randbytes(5000)


def rar4() -> bytes:
    main = b"\x73" + struct.pack("<HHHI", 0, 13, 0, 0)
    return b"Rar!\x1a\7\0" + struct.pack("<H", zlib.crc32(main) & 0xFFFF) + main + NOISE[:50]


def rar5() -> bytes:
    body = b"\3\1\5\0"
    return b"Rar!\x1a\7\1\0" + struct.pack("<I", zlib.crc32(body)) + body + NOISE[:50]


def rar1() -> bytes:
    entry = struct.pack("<IIHHIBBBBB", 5, 5, 0, 22, 0, 0, 0, 2, 1, 0) + b"a"
    return b"RE~^" + struct.pack("<HB", 7, 0) + entry + b"xxxxx"


def seven() -> bytes:
    start = struct.pack("<QQI", 100, 40, 0)
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + bytes(140)


def arj() -> bytes:
    head = bytes([30, 11, 1, 0, 0, 0, 2, 0]) + bytes(22) + b"a.arj\0\0"
    return b"\x60\xea" + struct.pack("<H", len(head)) + head + struct.pack("<I", zlib.crc32(head)) + bytes(2)


def lha(level: int = 0) -> bytes:
    if level == 2:
        head = b"-lh5-" + struct.pack("<IIIBBHB", 3, 3, 0, 32, 2, 0, 77)
        whole = struct.pack("<H", 31) + head + struct.pack("<HBH", 5, 0, 0) + struct.pack("<H", 0)
        crc = crc16(whole)
        return whole[:27] + struct.pack("<H", crc) + whole[29:] + b"xyz\0"
    body = b"-lh0-" + struct.pack("<IIIBBB", 3, 3, 0, 32, level, 1) + b"a" + struct.pack("<H", 0)
    return bytes([len(body), sum(body) & 255]) + body + b"xyz\0"


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def cab(size: int = 100) -> bytes:
    head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, size, 0, 44, 0, 3, 1, 1, 1, 0, 0, 0)
    return head.ljust(size, b"\0")


def ace() -> bytes:
    body = b"\0" + struct.pack("<H", 0) + b"**ACE**" + bytes(20)
    return struct.pack("<HH", ~zlib.crc32(body) & 0xFFFF, len(body)) + body


def zoo() -> bytes:
    return b"ZOO 2.10 Archive.\x1a\0\0" + b"\xdc\xa7\xc4\xfd" + struct.pack("<Ii", 34, -34) + bytes(60)


def ole() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<4H", 62, 3, 0xFFFE, 9) + bytes(500)


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


TEXT = b"some text " * 20
KINDS = {
    "zip": (archives.zipped({"a": b"b"}), "application/zip"),
    "rar 4": (rar4(), "application/vnd.rar"),
    "rar 5": (rar5(), "application/vnd.rar"),
    "rar 1": (rar1(), "application/vnd.rar"),
    "7z": (seven(), "application/x-7z-compressed"),
    "arj": (arj(), "application/x-arj"),
    "lha, level 0": (lha(0), "application/x-lzh"),
    "lha, level 1": (lha(1), "application/x-lzh"),
    "lha, level 2": (lha(2), "application/x-lzh"),
    "cab": (cab(), "application/vnd.ms-cab-compressed"),
    "ace": (ace(), "application/x-ace"),
    "zoo": (zoo(), "application/x-zoo"),
    "ole": (ole(), "application/x-ole-storage"),
    "tar": (tar(), "application/x-tar"),
    "gzip": (gzip.compress(TEXT), "application/gzip"),
    "xz": (lzma.compress(TEXT), "application/x-xz"),
    "bzip2": (bz2.compress(TEXT), "application/x-bzip2"),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("before", [b"x", NOISE, bytes(700)], ids=["a byte", "noise", "zeros"])
@pytest.mark.parametrize("after", [b"", NOISE], ids=["nothing", "noise"])
def test_an_archive_is_found_wherever_it_begins(data, kind, before, after):
    view = before + data + after
    assert found(view, len(view))[0] == [(len(before), kind)]
    assert kind in SUFFIXES


@pytest.mark.parametrize("data", [data for data, _ in KINDS.values()], ids=KINDS)
def test_what_is_an_archive_itself_is_not_found(data):
    assert found(data, len(data)) == ([], True)


MAGICS = [data[:end] for data, _ in KINDS.values() for end in (8, 14, 30)]


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_no_archive(seed):
    source = random.Random(seed)
    view = source.randbytes(1 << 20)
    mixed = b"".join(source.choice(MAGICS[::3]) + source.randbytes(40) for _ in range(3000))
    assert found(view, len(view)) == ([], True)
    assert len(found(mixed, len(mixed))[0]) < 20


SAID = [
    b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00", b"PK\x03\x04", b"PK\x05\x06", b"MSCF",
    b"MSCF\0\0\0\0", b"**ACE**", b"-lh5-", b"-lzs-", b"ustar", b"ustar  ", b"\x60\xea", b"\x1f\x8b\x08",
    b"\xfd7zXZ\0", b"BZh9", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"RE~^",
]  # fmt: skip


def test_a_program_that_knows_of_archives_holds_none():
    view = b"\0".join(SAID) * 3 + bytes(100)
    assert found(view, len(view)) == ([], True)


@pytest.mark.parametrize(
    ("data", "kind"), [KINDS[name] for name in ("zip", "7z", "cab")], ids=["zip", "7z", "cab"]
)
def test_the_end_is_told_where_it_is_known(data, kind):
    view = b"x" * 9 + data + b"signature"
    assert extent(view, len(view), 9, kind) == 9 + len(data)
    assert extent(view[:-12], len(view) - 12, 9, kind) <= len(view) - 12


def test_several_in_a_row_are_all_found():
    view = b"x" + cab() + cab() + seven() + archives.zipped({"a": b"b", "c": b"d"}) + rar5()
    assert [kind for _, kind in found(view, len(view))[0]] == [
        KINDS[name][1] for name in ("cab", "cab", "7z", "zip", "rar 5")
    ]


def test_one_hides_not_in_what_another_claims_to_hold():
    view = b"x" + cab(1 << 20)[:60] + KINDS["zip"][0]
    assert found(view, len(view))[0] == [(1, KINDS["cab"][1]), (61, "application/zip")]
    view = b"x\x1f\x8b\x08\0" + KINDS["zip"][0]
    assert found(view, len(view))[0] == [(5, "application/zip")]


def test_no_more_are_told_than_can_be_asked_for():
    view = b"x" + cab() * 1000
    hits, all_told = found(view, len(view))
    assert (len(hits), all_told) == (256, False)


def test_time_is_asked_for():
    calls = []
    view = b"PK\3\4" * 1000
    assert found(view, len(view), lambda: calls.append(1)) == ([], True) and len(calls) == 15


def test_an_installer_of_nsis_is_told_by_its_header():
    header = struct.pack("<I", 0) + b"\xef\xbe\xad\xdeNullsoftInst"
    assert is_nsis(b"MZ".ljust(1024, b"\0") + header)
    assert not is_nsis(b"MZ".ljust(1000, b"\0") + header)
    assert not is_nsis(b"MZ" + NOISE)
