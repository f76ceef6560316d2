"""Members that call themselves folders, sockets or links, and have content all the same."""

import sys

import pytest
from built import cpio, sevenzip

from amavis_pipe.decompose.seven_zip import read

FILE = b"what is hidden " * 20
FOLDER, UNIX = 0x10, 0x8000
TYPES = {
    "folder": FOLDER,
    "folder of Unix": FOLDER | UNIX | 0o040755 << 16,
    "socket": UNIX | 0o140755 << 16,
    "pipe": UNIX | 0o010644 << 16,
    "link": UNIX | 0o120777 << 16,
}
MODES = {"folder": 0o040755, "socket": 0o140755, "pipe": cpio.PIPE, "device": cpio.DEVICE}


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("way", ["all", "without-py7zr", "7zz-alone"])
def test_a_member_of_a_7z_with_content_is_a_file_whatever_it_calls_itself(kind, way, take, request):
    if way != "all":
        request.getfixturevalue("monkeypatch").setitem(sys.modules, "py7zr", None)
    if way == "7zz-alone":
        request.getfixturevalue("no_libarchive")
    result = take(sevenzip.seven(("a", b"shown"), ("b", FILE), attributes=(0x20, kind)))
    assert result.content() == [(b"a", b"shown"), (b"b", FILE)] and result.findings == []


def test_if_nothing_can_read_it_that_is_said(take, no_libarchive, no_programs):
    result = take(sevenzip.seven(("a", b"shown"), ("b", FILE), attributes=(0x20, FOLDER)))
    assert result.names() == [b"a"] and result.findings


def test_a_folder_without_content_is_left_out(take):
    result = take(sevenzip.seven(("a", b"shown"), ("b", b""), attributes=(0x20, FOLDER)))
    assert result.names() == [b"a"] and result.findings == []


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_so_is_one_of_a_cpio(mode, take):
    result = take(cpio.cpio(cpio.entry(b"a", b"shown"), cpio.entry(b"b", FILE, mode)))
    assert result.content() == [(b"a", b"shown"), (b"b", FILE)] and result.findings == []


def test_a_link_s_target_is_no_file_but_what_is_too_long_for_one_is_told_of(take):
    short, long = (cpio.entry(b"b", FILE * times, cpio.LINK) for times in (1, 20))
    result = take(cpio.cpio(cpio.entry(b"a", b"shown"), short))
    assert result.content() == [(b"a", b"shown")] and result.findings == []
    result = take(cpio.cpio(cpio.entry(b"a", b"shown"), long))
    assert FILE * 20 in [data for _, data in result.content()] or result.findings == [("broken:cpio", "1")]


def test_what_7zz_lists_as_a_folder_is_a_member_if_it_has_a_size():
    listed = b"----------\nPath = a\nSize = 5\nAttributes = D\n\nPath = b\nSize = 0\nAttributes = D\n"
    assert [(one.name, one.size) for one in read(b"Type = 7z\n" + listed)[1]] == [(b"a", 5)]
