"""AppleSingle, AppleDouble and MacBinary: the forks of a Macintosh file."""

import pytest
from archives import apple, mac_binary

from amavis_pipe.kinds import detect

FILES = {
    "single": apple((3, b"a.bin"), (9, bytes(32)), (1, b"data"), (2, b"resource")),
    "double": apple((3, b"a.bin"), (2, b""), (1, b"data"), (2, b"resource"), magic=0x00051607),
    "MacBinary": mac_binary(b"data", b"resource", b"a.bin"),
    "MacBinary, second header": mac_binary(b"data", b"resource", b"a.bin", b"x" * 200),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_both_forks_come_out_under_the_name(data, take):
    result = take(data)
    assert result.content() == [(b"a.bin", b"data"), (b"a.bin", b"resource")] and result.findings == []


def test_an_empty_resource_fork_is_no_part(take):
    assert take(mac_binary(b"data")).content() == [(b"file", b"data")]
    assert take(apple((1, b"data"), (2, b""))).content() == [(b"", b"data")]


@pytest.mark.parametrize(
    "data",
    [apple(), apple((1, b"data"))[:-1], apple((9, b"x"))[:30], mac_binary(b"data" * 50)[:200]],
    ids=["no entries", "data cut", "table cut", "MacBinary cut"],
)
def test_what_is_cut_off_is_broken(data, take):
    assert [name for name, _ in take(data).findings] == ["broken:applefile"]


def test_many_entries_with_all_of_the_file_end_at_a_limit(take):
    data = apple(*[(1, b"")] * 60_000) + bytes(100)
    assert take(data, files=100).findings == [("limit:files", "1")]


def test_other_binary_data_is_not_taken_for_macbinary():
    head = mac_binary(b"data")
    assert detect(head) == "application/applefile"
    for at, value in ((1, 0), (1, 64), (3, 1), (74, 1), (82, 1), (122, 0), (123, 7)):
        other = bytearray(head)
        other[at] = value
        assert detect(bytes(other)) == "application/octet-stream"
    assert detect(b"\0\4file") == "application/octet-stream"
