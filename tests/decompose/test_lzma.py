"""LZMA alone, and lzip."""

import lzma
import random
import struct

import pytest
from built.lzip import member

TEXT = b"some text " * 500


def alone(data: bytes, **filters: int) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, **filters}])


@pytest.mark.parametrize(
    "filters",
    [{"preset": 0}, {"preset": 9}, {"lc": 0, "lp": 2, "pb": 0}, {"dict_size": 4096}, {"dict_size": 3 << 20}],
    ids=str,
)
def test_it_is_known_by_its_header_and_comes_out(filters, take):
    result = take(alone(TEXT, **filters))
    assert result.content() == [(b"", TEXT)] and result.findings == []


def test_a_size_in_the_header_is_the_end(take):
    packed = alone(TEXT)
    result = take(packed[:5] + struct.pack("<Q", len(TEXT)) + packed[13:], b"a.tlz")
    assert result.content() == [(b"a.tar", TEXT)] and result.findings == []


@pytest.mark.parametrize("size", [len(TEXT) + 1, 1 << 37], ids=["by one", "by far"])
def test_a_size_that_is_too_large_hides_nothing(size, take):
    packed = alone(TEXT)
    result = take(packed[:5] + struct.pack("<Q", size) + packed[13:])
    assert (b"", TEXT) in result.content()


def test_by_its_name_a_header_that_no_program_writes_is_tried(take):
    packed = alone(TEXT)
    odd = packed[:1] + (4099).to_bytes(4, "little") + packed[5:]
    assert take(odd, b"a.lzma").content() == [(b"a", TEXT)]
    assert take(odd, b"a.bin").parts == {}


def test_of_what_is_only_called_so_nothing_is_said(take):
    result = take(b"\xff\xee" + bytes(range(200)), b"a.lzma")
    assert result.parts == {} and result.findings == []


def test_a_dictionary_larger_than_memory_is_not_needed(take):
    packed = alone(TEXT)
    result = take(packed[:1] + b"\xff\xff\xff\xff" + packed[5:])
    assert result.content() == [(b"", TEXT)] and result.findings == []
    assert take(member(TEXT, code=29)).content() == [(b"", TEXT)]


def test_all_that_comes_before_an_error_is_kept(take):
    packed = alone(random.Random(3).randbytes(5000))
    result = take(packed[:4000] + b"\xff" * 2000)
    assert len(result.content()[0][1]) > 3000 and result.findings == [("broken:lzma", "1")]


def test_what_stands_behind_is_a_part_of_its_own(take):
    assert take(alone(TEXT) + b"behind").content() == [(b"", TEXT), (b"trailer", b"behind")]
    assert take(member(TEXT) + b"behind").content() == [(b"", TEXT), (b"trailer", b"behind")]


@pytest.mark.parametrize("version", [0, 1])
def test_members_in_a_row_are_one_file(version, take):
    result = take(member(b"one ", version=version) + member(b"two ", code=0xB4) + member(b""), b"a.lz")
    assert result.content() == [(b"a", b"one two ")] and result.findings == []


def test_many_tiny_members_are_read_in_time(take):
    result = take(member(b"x", code=12) * 5000, size=10 << 20)
    assert result.content() == [(b"", b"x" * 5000)] and result.findings == []


@pytest.mark.parametrize("at", [-1, -10, -20], ids=["size of the member", "size", "checksum"])
def test_a_trailer_that_lies_costs_no_byte(at, take):
    packed = bytearray(member(TEXT))
    packed[at] ^= 1
    result = take(bytes(packed))
    assert result.content() == [(b"", TEXT)] and result.findings == [("broken:lzip", "1")]
