"""Flash: packed movies, and files in plain ones."""

import struct

import pytest
from built.swf import lzmaed, movie, zlibbed

PLAIN = movie(b"one file", b"another")


@pytest.mark.parametrize("pack", [zlibbed, lzmaed], ids=["zlib", "lzma"])
def test_a_packed_movie_holds_the_plain_one_and_that_its_files(pack, take):
    result = take(pack(PLAIN), b"a.swf")
    assert result.content() == [(b"a.swf", PLAIN), (b"", b"one file"), (b"", b"another")]
    assert [*result.parts] == ["1.1", "1.1.1", "1.1.2"] and result.findings == []


@pytest.mark.parametrize("pack", [zlibbed, lzmaed], ids=["zlib", "lzma"])
@pytest.mark.parametrize("size", [0, 20, 1 << 26], ids=str)
def test_its_size_is_not_believed(pack, size, take):
    packed = pack(PLAIN)
    result = take(packed[:4] + struct.pack("<I", size) + packed[8:])
    assert (b"", b"another") in result.content()
    assert {name for name, _ in result.findings} <= {"broken:swf"}


def test_what_stands_behind_is_a_part_of_its_own(take):
    assert take(zlibbed(PLAIN) + b"behind").content()[1] == (b"trailer", b"behind")


def test_without_the_end_it_is_broken(take):
    result = take(movie(b"one file", ended=False))
    assert result.content() == [(b"", b"one file")] and result.findings == [("broken:swf", "1")]
