"""ActiveMime: macros packed for web pages."""

import random

import pytest
from built import activemime, ole

PROGRAM = b"MZ" + random.Random(1).randbytes(3000)
STORAGE = ole.compound({"x": PROGRAM})


@pytest.mark.parametrize("header", [0x32, 0x22A, 60])
def test_the_compound_file_in_it_comes_out(header, take):
    result = take(activemime.pack(STORAGE, header), b"editdata.mso")
    assert result.content() == [(b"editdata.mso", STORAGE), (b"x", PROGRAM)] and result.findings == []


def test_what_only_looks_packed_is_passed_over(take):
    data = activemime.pack(STORAGE, 60)
    result = take(data[:0x32] + b"x" + data[0x33:])
    assert result.content()[0][1] == STORAGE and result.findings == []


def test_without_anything_packed_it_is_broken(take):
    assert take(b"ActiveMime" + bytes(5000)).findings == [("broken:activemime", "1")]


def test_cut_anywhere_it_is_broken(take):
    data = activemime.pack(PROGRAM[:200])
    for at in range(10, len(data) - 1, 5):
        assert [name for name, _ in take(data[:at]).findings] == ["broken:activemime"]
