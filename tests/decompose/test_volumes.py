"""volumes: which parts belong together by their names, and what is in them together."""

import random
from zlib import crc32

import archives
import pytest
from built import rar, sevenzip

from amavis_pipe.decompose.volumes import MOST, joined, volumes_of
from amavis_pipe.model import Part
from amavis_pipe.spool import Blob
from amavis_pipe.subtree import is_volume

NOISE = random.Random(5).randbytes(5000)


class Beside:
    """A part among others, as far as its Sink shows them."""

    def __init__(self, number: int, names: list[bytes]) -> None:
        self.path, self.names = f"1.{number + 1}", (names[number],)
        self._parts = [Part(f"1.{at + 1}", (name,), blob=Blob(b"x")) for at, name in enumerate(names)]

    def beside(self) -> list[Part]:
        return self._parts


def together(names: list[bytes], order) -> list[list[bytes] | None]:
    """For each name, those that are read with it in their order; [] if it is not the first."""
    found = [order(Beside(number, names)) for number in range(len(names))]
    return [one and [part.names[0] for part in one] for one in found]


RARS = {
    "parts": [b"a.part1.rar", b"a.part2.rar", b"a.part10.rar"],
    "parts-of-a-program": [b"a.part1.exe", b"a.part2.rar"],
    "padded": [b"a.part001.rar", b"a.part002.rar"],
    "old": [b"a.rar", b"a.r00", b"a.r01", b"a.r99", b"a.s00"],
    "old-with-a-program": [b"a.exe", b"a.r00"],
    "any-case": [b"A.Part1.RAR", b"a.part2.rar"],
    "dots": [b"a.b.part1.rar", b"a.b.part2.rar"],
}
PIECES = {
    "zip": [b"a.z01", b"a.z02", b"a.zip"],
    "zipx": [b"a.zx01", b"a.zipx"],
    "many": [b"a.z99", b"a.z100", b"a.zip"],
    "7z": [b"a.7z.001", b"a.7z.002", b"a.7z.010"],
    "plain": [b"a.001", b"a.002"],
    "part": [b"a.part1", b"a.part2"],
    "any-case": [b"A.Z01", b"a.ZIP"],
}
TABLE = [(volumes_of, names) for names in RARS.values()] + [(joined, names) for names in PIECES.values()]


@pytest.mark.parametrize(("order", "names"), TABLE, ids=[*RARS, *PIECES])
def test_these_belong_together_in_this_order_however_they_came(order, names):
    assert together(names, order) == [names] * len(names)
    turned = names[::-1]
    assert together(turned, order) == [names] * len(names)


@pytest.mark.parametrize("names", [*RARS.values(), *PIECES.values()], ids=[*RARS, *PIECES])
def test_of_these_nothing_is_remembered(names):
    assert any(map(is_volume, names))


APART = {
    "another-stem": [b"a.part1.rar", b"b.part2.rar"],
    "one-alone": [b"a.part1.rar"],
    "not-numbered": [b"a.rar", b"b.txt"],
    "a-zip-and-its-copy": [b"a.zip", b"a.zip"],
    "a-zip-and-a-rar": [b"a.zip", b"a.rar"],
    "no-stem": [b".001", b".002"],
    "words": [b"chapter1.txt", b"chapter2.txt"],
}


@pytest.mark.parametrize("names", APART.values(), ids=APART)
@pytest.mark.parametrize("order", [volumes_of, joined], ids=["rar", "pieces"])
def test_these_stand_alone(order, names):
    assert together(names, order) == [None] * len(names)


def test_no_more_are_read_together_than_a_helper_is_given():
    names = [b"a.part%d.rar" % number for number in range(1, 200)]
    assert len(together(names, volumes_of)[0]) == MOST


def siblings(take, **members: bytes):
    """What is found in a tar of these; in their names a dot is written __."""
    result = take(archives.tarred({name.replace("__", "."): data for name, data in members.items()}))
    return result, [content for _, content in result.content()]


def split_zip() -> tuple[bytes, bytes]:
    """As Info-ZIP splits: a mark in front, the end on the second disk."""
    member = archives.local(b"file", NOISE)
    directory = archives.central(b"file", NOISE, 4)
    whole = bytearray(archives.ended(b"PK\7\x08" + member, directory))
    end = whole.rindex(b"PK\5\6")
    whole[end + 4 : end + 8] = b"\1\0\1\0"
    return bytes(whole[:2000]), bytes(whole[2000:])


def test_a_split_zip_is_joined(take):
    first, last = split_zip()
    result, contents = siblings(take, a__z01=first, a__zip=last)
    assert contents.count(NOISE) == 1 and result.findings == []
    assert result.parts["1.1.1"].names == (b"a.zip",)


@pytest.mark.parametrize("which", [0, 1], ids=["first", "last"])
def test_a_piece_of_a_split_zip_alone_is_broken(which, take):
    names = ["a__z01", "a__zip"]
    result, contents = siblings(take, **{names[which]: split_zip()[which]})
    assert NOISE not in contents and result.findings == [("broken:zip", "1.1")]


def test_pieces_of_a_7z_are_joined(take):
    whole = sevenzip.pack(NOISE)
    result, contents = siblings(take, b__7z__002=whole[1000:], b__7z__001=whole[:1000])
    assert contents.count(NOISE) == 1 and result.findings == []
    assert result.parts["1.2.1"].names == (b"b.7z",)


def test_a_piece_of_a_7z_alone_is_broken(take):
    whole = sevenzip.pack(NOISE)
    result, contents = siblings(take, b__7z__001=whole[:1000])
    assert NOISE not in contents and result.findings == [("broken:7z", "1.1")]


def rar5_volumes(data: bytes, cut: int) -> list[bytes]:
    first, second = data[:cut], data[cut:]
    return [
        rar.rar5(rar.file5(b"file", first, 2 | 16, crc32(first), len(data)), volume=0, more=True),
        rar.rar5(rar.file5(b"file", second, 2 | 8, crc32(data), len(data)), volume=1),
    ]


def rar4_volumes(data: bytes, cut: int) -> list[bytes]:
    first, second = data[:cut], data[cut:]
    return [
        rar.rar4(rar.file4(b"file", first, 2, crc32(first), len(data)), flags=0x111, end=1),
        rar.rar4(rar.file4(b"file", second, 1, crc32(data), len(data)), flags=0x11),
    ]


@pytest.mark.parametrize("build", [rar4_volumes, rar5_volumes], ids=["rar4", "rar5"])
@pytest.mark.parametrize(
    "names", [("a__part1__rar", "a__part2__rar"), ("a__rar", "a__r00")], ids=["new", "old"]
)
def test_volumes_of_rar_are_read_together(names, build, take):
    first, second = build(NOISE, 2000)
    result, contents = siblings(take, **{names[1]: second, names[0]: first})
    assert contents.count(NOISE) == 1 and result.findings == []


@pytest.mark.parametrize("build", [rar4_volumes, rar5_volumes], ids=["rar4", "rar5"])
@pytest.mark.parametrize("which", [0, 1], ids=["first", "second"])
def test_a_volume_of_rar_alone_is_not_whole(which, build, take):
    result, contents = siblings(take, a__part1__rar=build(NOISE, 2000)[which])
    assert NOISE not in contents and result.findings == [("broken:rar", "1.1")]


def test_names_alone_do_not_hide_what_is_no_volume(take):
    """Each is a zip of its own, whatever they are called."""
    result, contents = siblings(
        take, a__part1__rar=archives.zipped({"x": b"first"}), a__part2__rar=archives.zipped({"y": b"second"})
    )
    assert {b"first", b"second"} <= set(contents) or result.findings


def test_pieces_that_are_files_of_their_own_are_opened_or_told_of(take):
    result, contents = siblings(
        take, a__001=archives.zipped({"x": b"first"}), a__002=archives.zipped({"y": b"second"})
    )
    assert {b"first", b"second"} <= set(contents) or result.findings
