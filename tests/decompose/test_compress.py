"""compress, SCO's compress -H, and pack."""

import random

import pytest
from built._bits import lh5
from built.compress import compressed
from built.pack import packed

TEXT = b"".join(b"line %d of some text\n" % random.Random(number).randrange(500) for number in range(6000))
BYTES = random.Random(3).randbytes(30_000)


@pytest.mark.parametrize("widest", range(10, 17))
@pytest.mark.parametrize("data", [TEXT, BYTES, bytes(30_000)], ids=["text", "bytes", "zeros"])
@pytest.mark.parametrize("way", [{}, {"blocks": False}, {"clear": 300}], ids=["", "no blocks", "cleared"])
def test_every_width_comes_out(widest, data, way, take):
    result = take(compressed(data, widest, **way))
    assert result.content() == [(b"", data)] and result.findings == []


def test_the_table_may_be_cleared_at_any_time(take):
    result = take(compressed(BYTES[:3000], clear=1))
    assert result.content() == [(b"", BYTES[:3000])] and result.findings == []


def test_nine_bits_are_read_but_said_to_be_undecoded(take):
    result = take(compressed(TEXT, 9))
    assert result.content() == [(b"", TEXT)] and result.findings == [("undecoded:compress", "1")]


@pytest.mark.parametrize("flags", [0, 8, 17, 31, 0x80], ids=str)
def test_widths_that_are_none_are_broken(flags, take):
    assert take(b"\x1f\x9d" + bytes((flags,)) + bytes(100)).findings == [("broken:compress", "1")]


def test_a_code_that_stands_for_nothing_is_broken_and_leaves_what_came_before(take):
    data = b"\x1f\x9d\x90" + (97 | 98 << 9 | 400 << 18).to_bytes(4, "little")
    result = take(data)
    assert result.content() == [(b"", b"ab")] and result.findings == [("broken:compress", "1")]


@pytest.mark.parametrize("outer", [b"a.tar.Z", b"A.TAZ", b"a.tz"])
def test_its_name_is_the_container_s_without_suffix(outer, take):
    assert take(compressed(b"x"), outer).parts["1.1"].names[0].lower() == b"a.tar"


@pytest.mark.parametrize("data", [b"", b"x", TEXT, BYTES], ids=["none", "one", "text", "bytes"])
def test_what_sco_wrote_comes_out(data, take):
    result = take(b"\x1f\xa0" + lh5(data))
    assert result.content() == [(b"", data)] and result.findings == []


def test_a_block_that_is_cut_off_is_broken_and_leaves_what_came_before(take):
    data = b"\x1f\xa0" + lh5(TEXT)
    result = take(data[: len(data) // 2])
    ((_, content),) = result.content()
    assert content == TEXT[: len(content)] and len(content) > 10_000
    assert result.findings == [("broken:compress", "1")]


@pytest.mark.parametrize(
    "data", [b"", b"x", b"aaaa", TEXT, BYTES], ids=["none", "one", "run", "text", "bytes"]
)
def test_what_pack_wrote_comes_out(data, take):
    result = take(packed(data), b"a.txt.z")
    assert result.content() == [(b"a.txt", data)] and result.findings == []


def test_of_a_size_that_lies_nothing_is_believed(take):
    result = take(packed(TEXT, size=10))
    assert result.content() == [(b"", TEXT)] and result.findings == [("broken:pack", "1")]


@pytest.mark.parametrize(
    "table",
    [b"", b"\0", b"\1", b"\1\1\1", b"\x1a" + bytes(40), b"\2\0\0ab", b"\1\xff" + bytes(300)],
    ids=range(7),
)
def test_a_table_that_is_none_is_broken(table, take):
    result = take(b"\x1f\x1e\0\0\0\5" + table)
    assert result.parts == {} and result.findings == [("broken:pack", "1")]
