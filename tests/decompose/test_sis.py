"""Packages of Symbian."""

import struct
import zlib
from pathlib import Path

import pytest
from built.sis import sis

SAMPLE = Path("/usr/share/clamav-testfiles/clam.sis")
FILES = [("!:\\a.app", [b"one" * 100]), ("b.txt", [b"two", b"zwei"])]
CONTENT = [(b"!:\\a.app", b"one" * 100), (b"b.txt", b"two"), (b"b.txt", b"zwei")]


@pytest.mark.parametrize(
    ("options", "release"), [(1, 6), (0, 6), (9, 6), (1, 5)], ids=["wide", "narrow", "stored", "old"]
)
def test_all_files_come_out_in_all_languages(options, release, take):
    result = take(sis(*FILES, options=options, release=release))
    assert result.content() == CONTENT and result.findings == []


def test_a_count_that_lies_is_broken(take):
    result = take(sis(*FILES, count=9))
    assert result.content()[:3] == CONTENT and result.findings == [("broken:sis", "1")]


def test_of_a_new_package_the_streams_are_taken(take):
    field = struct.pack("<IQ", 1, 400) + zlib.compress(b"file" * 100)
    result = take(struct.pack("<4I", 0x10201A7A, 0, 0, 0) + field + b"\1\2\3" + field)
    assert result.content() == [(b"", b"file" * 100)] * 2 and result.findings == []


def test_a_real_one_is_opened(take):
    result = take(SAMPLE.read_bytes())
    assert result.names() == [b"!:\\clam.exe"] and result.findings == []
    assert result.parts["1.1"].sha256.startswith("71e7b604d18aefd8")
