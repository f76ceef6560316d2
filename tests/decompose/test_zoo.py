"""zoo: methods, names, deleted members, lists that lead nowhere or in circles."""

import struct

import pytest
from built.zoo import TAG, zoo

FILES = [(b"a long name.txt", b"one " * 500), (b"b", b"two")]
ENTRY = 42


@pytest.mark.parametrize("method", [0, 1, 2], ids=["stored", "LZW", "LZH"])
@pytest.mark.parametrize("deleted", [False, True], ids=["", "deleted"])
def test_members_come_out_with_their_names(method, deleted, take):
    result = take(zoo(*FILES, method=method, deleted=deleted))
    assert result.content() == FILES and result.findings == []
    assert result.parts["1.1"].names == (b"a long name.txt", b"~SHORT.X")


def test_short_names_are_names(take):
    assert take(zoo(*FILES, long=False)).names() == [b"a long name.", b"b"]


@pytest.mark.parametrize("to", [ENTRY, 24, 5, 1 << 31], ids=["itself", "the head", "text", "outside"])
def test_a_list_that_leads_astray_ends_and_hides_nothing(to, take):
    data = bytearray(zoo(*FILES))
    at = data.index(TAG, ENTRY - 1)
    data[at + 6 : at + 10] = struct.pack("<I", to)
    result = take(bytes(data))
    assert result.content() == FILES and result.findings == [("broken:zoo", "1")]


def test_a_start_that_leads_astray_hides_nothing(take):
    data = bytearray(zoo(*FILES))
    data[24:28] = bytes(4)
    result = take(bytes(data))
    assert result.content() == FILES and result.findings == [("broken:zoo", "1")]


def test_a_wrong_checksum_costs_no_byte_and_no_other_member(take):
    data = bytearray(zoo(*FILES))
    data[data.index(TAG, ENTRY - 1) + 18] ^= 1
    result = take(bytes(data))
    assert result.content() == FILES and result.findings == [("broken:zoo", "1")]
    assert [part.flags for part in result.parts.values()] == [("partial",), ()]


def test_a_method_that_is_not_known_is_said(take):
    data = bytearray(zoo(*FILES))
    data[data.index(TAG, ENTRY - 1) + 5] = 9
    result = take(bytes(data))
    assert result.content() == FILES[1:] and result.findings == [("undecoded:zoo", "1")]
