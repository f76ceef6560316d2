"""SZDD, QuickBASIC's form of it, KWAJ."""

import struct

import pytest
from built.szdd import basic, kwaj, lzss, mszip, szdd

TEXT = b"one text, one more text, and then one text again. " * 900


@pytest.mark.parametrize(
    ("outer", "last", "name"),
    [(b"SETUP.EX_", b"E", b"SETUP.EXE"), (b"setup.ex$", b"e", b"setup.exe"), (b"a.ex_", b"\0", b"a.ex"), (b"a.exe", b"e", b"a.exe")],
    ids=["upper", "dollar", "not told", "whole"],
)  # fmt: skip
def test_the_last_letter_of_the_name_comes_back(outer, last, name, take):
    result = take(szdd(b"x", last), outer)
    assert result.parts["1.1"].names == (name,) and result.findings == []


PACKED = {
    "szdd": szdd(TEXT),
    "basic": basic(TEXT),
    "none": kwaj(TEXT, 0),
    "inverted": kwaj(bytes(255 - byte for byte in TEXT), 1),
    "lzss": kwaj(lzss(TEXT), 2, 1, struct.pack("<I", len(TEXT))),
    "mszip": kwaj(mszip(TEXT), 4),
    "mszip, large": kwaj(mszip(TEXT * 4), 4),
}


@pytest.mark.parametrize("name", PACKED)
def test_each_form_comes_out(name, take):
    result = take(PACKED[name])
    assert result.content() == [(b"", TEXT * 4 if name.endswith("large") else TEXT)] and result.findings == []


FIELDS = {
    "name": (8, b"README\0", b"README"),
    "name and ending": (8 | 16, b"README\0TXT\0", b"README.TXT"),
    "all": (31, struct.pack("<I", 4) + b"xx" + b"\3\0abc" + b"A\0B\0", b"A.B"),
    "none": (0, b"", b"outer"),
    "ending only": (16, b"TXT\0", b"outer"),
}


@pytest.mark.parametrize(("flags", "fields", "name"), FIELDS.values(), ids=FIELDS)
def test_the_name_in_the_header_is_its_name(flags, fields, name, take):
    result = take(kwaj(b"text", 0, flags, fields), b"outer_")
    assert result.parts["1.1"].names == (name,) and result.findings == []


def test_a_method_that_is_not_known_is_said(take):
    result = take(kwaj(b"text", 3))
    assert result.parts == {} and result.findings == [("undecoded:szdd", "1")]


def test_a_size_that_is_too_large_is_damage_and_one_too_small_hides_nothing(take):
    assert take(szdd(b"text", size=5)).findings == [("broken:szdd", "1")]
    result = take(szdd(b"text", size=1))
    assert result.content() == [(b"", b"text")] and result.findings == []


def test_a_match_may_run_into_what_it_writes_and_reach_before_the_beginning(take):
    packed = b"SZDD\x88\xf0\x27\x33A\0" + struct.pack("<I", 1 + 18 + 3) + b"\1a\xf0\xff\0\x10"
    assert take(packed).content() == [(b"", b"a" * 19 + b" " * 3)]


def test_a_damaged_block_leaves_those_before(take):
    packed = bytearray(mszip(TEXT))
    second = 2 + int.from_bytes(packed[:2], "little")
    packed[second + 2] ^= 1
    result = take(kwaj(bytes(packed), 4))
    assert result.content() == [(b"", TEXT[: 1 << 15])] and result.findings == [("broken:szdd", "1")]
