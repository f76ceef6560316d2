"""OneNote: files in stores, and the names that are told elsewhere."""

import random
import struct

import pytest
from built.onenote import PACKAGE, STORE, header, named, store

FILE = b"MZ a file"


def test_files_have_their_names_in_order(take):
    data = header() + named("ä.exe") + named("b.txt") + store(FILE) + store(b"two")
    result = take(data)
    assert result.content() == [("ä.exe".encode(), FILE), (b"b.txt", b"two")] and result.findings == []
    assert result.parts["1.1"].kind == "application/x-dosexec"


def test_with_other_numbers_of_names_each_has_all(take):
    result = take(header() + named("a.exe") + store(b"picture") + store(FILE))
    assert result.content() == [(b"a.exe", b"picture"), (b"a.exe", FILE)] and result.findings == []


def test_a_name_told_again_in_another_revision_counts_once(take):
    result = take(header() + named("a.exe") * 3 + store(FILE))
    assert [part.names for part in result.parts.values()] == [(b"a.exe",)]


@pytest.mark.parametrize(
    "noise", [b"\x9c\x1d\x00\x1c" * 50, named("a")[:-9], struct.pack("<H", 60) + b"\x9c\x1d\x00\x1c" * 60]
)
def test_what_only_looks_like_a_name_is_none(noise, take):
    result = take(header() + noise + bytes(300) + store(FILE))
    assert result.content() == [(b"", FILE)] and result.findings == []


def test_a_size_that_lies_does_not_hide_the_file(take):
    result = take(header() + store(FILE, 1 << 62))
    assert result.content() == [(b"", FILE + bytes(-len(FILE) % 8))] and result.findings == []


def test_a_store_within_what_another_claims_is_one_too(take):
    inner = store(FILE)
    result = take(header() + STORE + struct.pack("<Q", len(inner)) + bytes(12) + inner)
    assert [data for _, data in result.content()] == [inner, FILE]


def test_a_table_of_contents_without_files_is_no_finding(take):
    toc = bytes.fromhex("a12fff43d9ef764c9ee210ea5722765f")
    assert take(toc + header()[16:]).findings == []


def test_notes_as_servers_send_them_are_undecoded(take):
    assert take(header(PACKAGE)).findings == [("undecoded:onenote", "1")]


def test_ten_thousand_files_end_at_the_limit_of_files(take):
    result = take(header() + store(b"x") * 10_000, files=100)
    assert len(result.parts) == 100 and result.findings == [("limit:files", "1")]


def test_noise_gives_no_names(take):
    noise = random.Random(5).randbytes(200_000).replace(b"\0\0\0\0", b"\x9c\x1d\x00\x1c")
    result = take(header() + noise + store(FILE))
    assert result.content()[-1] == (b"", FILE)
