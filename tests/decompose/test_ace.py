"""ACE: members by acefile, and what it doesn't do: damaged ends, volumes, encryption, sizes that lie."""

import sys

import pytest
from built.ace import ace, member

ONE, TWO = member(b"folder\\a.txt", b"one " * 500), member(b"b.txt", b"two")
CONTENT = [(b"folder\\a.txt", b"one " * 500), (b"b.txt", b"two")]


def test_members_come_out_with_their_names(take):
    result = take(ace(ONE, TWO))
    assert result.content() == CONTENT and result.findings == []


@pytest.mark.parametrize(
    "behind", [b"junk", bytes(40) + b"MZ", ONE[:2] + b"\1" + ONE[3:]], ids=["junk", "zeros first", "header"]
)
def test_what_stands_behind_costs_no_member(behind, take):
    result = take(ace(ONE, TWO) + behind)
    assert result.content() == CONTENT and result.findings == [("broken:ace", "1")]


def test_zeros_behind_are_padding(take):
    assert take(ace(ONE, TWO) + bytes(100)).findings == []


def test_encrypted_members_are_named_and_the_others_come_out(take):
    result = take(ace(member(b"secret", b"x" * 16, 0x4000), TWO))
    assert result.content() == [(b"secret", b""), (b"b.txt", b"two")]
    assert result.findings == [("encrypted:ace", "1")]


@pytest.mark.parametrize("flag", [0x1000, 0x2000], ids=["from the one before", "in the next"])
def test_a_member_that_goes_on_in_another_file_is_undecoded(flag, take):
    some = (TWO, member(b"a", b"x", flag)) if flag == 0x2000 else (member(b"a", b"x", flag), TWO)
    result = take(ace(*some, flags=0x800))
    assert result.content() == CONTENT[1:] and result.findings == [("undecoded:ace", "1")]


def test_a_packed_member_that_would_not_fit_in_memory_is_a_limit(take):
    result = take(ace(member(b"a", bytes(64), size=1 << 31, method=1), TWO), size=10 << 20)
    assert result.content()[-1] == (b"b.txt", b"two")
    assert ("limit:memory", "1") in result.findings


def test_a_stored_member_that_is_shorter_than_it_says_is_kept(take):
    result = take(ace(member(b"a", b"text", size=1 << 31), TWO))
    assert result.content() == [(b"a", b"text"), (b"b.txt", b"two")] and result.findings == [
        ("broken:ace", "1")
    ]


def test_without_acefile_it_is_undecoded(take, monkeypatch):
    monkeypatch.setitem(sys.modules, "acefile", None)
    result = take(ace(ONE, TWO))
    assert result.parts == {} and result.findings == [("undecoded:ace", "1")]
