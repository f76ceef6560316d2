"""ALZ: methods, sizes of every width, encrypted members, headers that lie."""

import pytest
from built.alz import alz

FILES = [(b"a.txt", b"one " * 500), (b"b.txt", b"two"), (b"c", b"")]


@pytest.mark.parametrize("method", [0, 2], ids=["stored", "deflated"])
@pytest.mark.parametrize("wide", [2, 4, 8])
def test_members_come_out(method, wide, take):
    result = take(alz(*FILES, method=method, wide=wide))
    assert result.content() == FILES and result.findings == []


def test_its_own_bzip2_is_undecoded(take):
    result = take(alz(*FILES, method=1))
    assert result.parts == {} and result.findings == [("undecoded:alz", "1")]


def test_encrypted_members_are_named(take):
    result = take(alz(*FILES, flags=1))
    assert result.content() == [(name, b"") for name, _ in FILES]
    assert result.findings == [("encrypted:alz", "1")]
    assert all(part.flags == ("encrypted",) for part in result.parts.values())


@pytest.mark.parametrize("size", [0, 5, 1 << 31], ids=["none", "too small", "too large"])
def test_a_size_that_lies_hides_no_other_member(size, take):
    for method in (0, 2):
        result = take(alz(*FILES, size=size, method=method))
        assert {*FILES} <= {*result.content()} and result.findings == [("broken:alz", "1")]


def test_a_folder_with_content_is_a_file(take):
    data = alz(*FILES).replace(b"\x20\0\0\0\0", b"\x10\0\0\0\0")
    result = take(data)
    assert data != alz(*FILES) and result.findings == []
    assert [content for content in result.content() if content[1]] == FILES[:2]


def test_an_archive_without_members_is_whole(take):
    assert take(alz()).findings == []
