"""zip: what the directory shows, what the local headers show, what is encrypted, damaged, or rare."""

import struct
import zipfile
import zlib

import archives
import pytest
from archives import central, deflated, ended, local

METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("build", [archives.zipped, archives.streamed_zip], ids=["sized", "described"])
def test_members_come_out(build, method, take, either):
    members = {"a.txt": b"a" * 100_000, "b.txt": b"", "c/d.txt": b"d"}
    result = take(build(members, method))
    assert result.content() == [(name.encode(), data) for name, data in members.items()]
    assert result.findings == []


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("build", [archives.zipped, archives.streamed_zip], ids=["sized", "described"])
def test_without_its_directory_the_members_come_out_all_the_same(build, method, take):
    if build is archives.streamed_zip and method == zipfile.ZIP_BZIP2:
        members = {"a.txt": b"a" * 1000}
    else:
        members = {"a.txt": b"a" * 1000, "b.txt": b"b"}
    data = build(members, method)
    result = take(data[: data.index(b"PK\1\2")])
    assert result.content() == [(name.encode(), content) for name, content in members.items()]


def test_lzma_members_are_left_to_libarchive(take):
    result = take(archives.zipped({"a.txt": b"a" * 1000}, zipfile.ZIP_LZMA))
    assert result.content() == [(b"a.txt", b"a" * 1000)] and result.findings == []


def test_without_libarchive_rare_methods_are_left_to_programs(take, no_libarchive):
    result = take(archives.zipped({"a.txt": b"a" * 1000}, zipfile.ZIP_LZMA))
    assert result.content() == [(b"a.txt", b"a" * 1000)] and result.findings == []


def test_without_these_too_they_are_said_to_be_undecoded(take, no_libarchive, no_programs):
    result = take(archives.zipped({"a.txt": b"a" * 1000}, zipfile.ZIP_LZMA))
    assert result.content() == [] and result.findings == [("undecoded:zip", "1")]


def hiding(name: str = "evil.exe", mode: int = 0, listed: bool = True) -> bytes:
    """A zip of a stored member, and one by LZMA that says this of itself."""
    data = bytearray(archives.zipped({name: b"evil" * 100}, zipfile.ZIP_LZMA))
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    data[start + 40 : start + 42] = mode.to_bytes(2, "little")
    directory = data[start:end] if listed else b""
    body = data[:start] + local(b"plain", b"plain")
    return bytes(ended(body, central(b"plain", b"plain", start) + directory, 1 + listed))


HIDDEN = {
    "folder": hiding(mode=0o40755),
    "link": hiding(mode=0o120777),
    "name-of-a-folder": hiding("folder/"),
    "no-name": hiding(""),
    "not-listed": hiding(listed=False),
}


@pytest.mark.parametrize("data", HIDDEN.values(), ids=HIDDEN)
def test_a_rare_member_comes_out_whatever_it_says_that_it_is(data, take):
    result = take(data)
    assert {content for _, content in result.content()} == {b"plain", b"evil" * 100} and result.findings == []


@pytest.mark.parametrize("data", HIDDEN.values(), ids=HIDDEN)
def test_a_rare_member_that_programs_leave_out_is_undecoded(data, take, no_libarchive):
    result = take(data)
    contents = [content for _, content in result.content()]
    assert b"plain" in contents
    assert b"evil" * 100 in contents or result.findings == [("undecoded:zip", "1")]


def rare(data: bytes, told: bytes, at: int = 0) -> tuple[bytes, bytes]:
    """Both headers of a member by Deflate64 that tells size and checksum of another content."""
    packed, crc = deflated(data), zlib.crc32(told)
    head = bytearray(local(b"a", packed, 9, crc=crc))
    entry = bytearray(central(b"a", packed, at, 9, crc=crc))
    head[22:26] = entry[24:28] = len(told).to_bytes(4, "little")
    return bytes(head), bytes(entry)


@pytest.mark.parametrize("told", [b"evil", b"good", b"plain"], ids=["itself", "its-like", "one-of-ours"])
def test_a_rare_member_that_is_not_listed_hides_behind_no_other(told, take):
    good, entry = rare(b"good", b"good")
    body = good + rare(b"evil", told)[0] + local(b"plain", b"plain")
    directory = entry + central(b"plain", b"plain", len(body) - len(local(b"plain", b"plain")))
    result = take(ended(body, directory, 2))
    assert {content for _, content in result.content()} >= {b"good", b"plain"}
    assert result.findings == [("undecoded:zip", "1")]


def test_rare_members_that_are_alike_come_out(take):
    first, entry = rare(b"good", b"good")
    result = take(ended(first + first, entry + rare(b"good", b"good", len(first))[1], 2))
    assert {content for _, content in result.content()} == {b"good"} and result.findings == []


def test_a_method_nobody_knows_is_undecoded_and_its_neighbours_come_out(take, either):
    odd, plain = local(b"odd", b"???", method=77), local(b"plain", b"plain")
    directory = central(b"odd", b"???", 0, method=77) + central(b"plain", b"plain", len(odd))
    result = take(ended(odd + plain, directory, 2))
    assert result.content()[0] == (b"plain", b"plain") and result.findings == [("undecoded:zip", "1")]


def test_encrypted_members_are_named_and_the_others_come_out(take, either):
    locked, plain = local(b"secret.exe", b"?" * 30, flags=1), local(b"plain.txt", b"plain")
    directory = central(b"secret.exe", b"?" * 30, 0, flags=1) + central(b"plain.txt", b"plain", len(locked))
    result = take(ended(locked + plain, directory, 2))
    assert result.content() == [(b"plain.txt", b"plain"), (b"secret.exe", b"")]
    assert result.parts["1.2"].flags == ("encrypted",) and result.findings == [("encrypted:zip", "1")]


@pytest.mark.parametrize(("here", "there"), [(1, 0), (0, 1)], ids=["local", "directory"])
def test_a_member_that_only_one_header_calls_encrypted_is_tried(here, there, take):
    result = take(ended(local(b"a", b"plain", flags=here), central(b"a", b"plain", 0, flags=there)))
    assert result.content() == [(b"a", b"plain")] and result.findings == [("encrypted:zip", "1")]


@pytest.mark.parametrize("behind", [b"", archives.zipped({"plain.txt": b"plain"})], ids=["alone", "before"])
def test_an_encrypted_member_whose_size_stands_behind_it_is_named(behind, take):
    result = take(local(b"secret.exe", b"?" * 30, flags=9, crc=0, size=0) + behind)
    assert (b"secret.exe", b"") in result.content() and result.findings == [("encrypted:zip", "1")]
    assert (b"plain.txt", b"plain") in result.content() or not behind


def test_an_empty_member_needs_no_password(take):
    result = take(local(b"empty", b"", flags=1) + local(b"plain", b"plain"))
    assert result.content() == [(b"plain", b"plain")] and result.findings == []


def test_members_that_the_directory_hides_come_out(take):
    shown, hidden = local(b"shown", b"shown"), local(b"hidden", b"hidden")
    result = take(ended(shown + hidden, central(b"shown", b"shown", 0)))
    assert result.content() == [(b"shown", b"shown"), (b"hidden", b"hidden")]


def test_a_name_that_differs_between_headers_counts_twice(take):
    result = take(ended(local(b"a.exe", b"x"), central(b"a.txt", b"x", 0)))
    assert result.parts["1.1"].names == (b"a.txt", b"a.exe") and len(result.parts) == 1


def test_two_entries_for_one_content_give_it_both_names(take):
    result = take(ended(local(b"a", b"x"), central(b"a", b"x", 0) + central(b"b", b"x", 0), 2))
    assert [part.names for part in result.parts.values()] == [(b"a", b"b")]


def test_headers_that_differ_in_method_are_read_both_ways(take):
    packed, crc = deflated(b"the real one"), zlib.crc32(b"the real one")
    result = take(ended(local(b"a", packed, method=8, crc=crc), central(b"a", packed, 0, method=0)))
    assert sorted(data for _, data in result.content()) == sorted([packed, b"the real one"])
    assert result.findings == []


@pytest.mark.parametrize("size", [0, 1, 1 << 31], ids=["none", "less", "more"])
def test_a_declared_size_of_a_compressed_member_is_not_believed(size, take):
    packed, crc = deflated(b"content"), zlib.crc32(b"content")
    result = take(local(b"a", packed, method=8, crc=crc, size=size) + local(b"b", b"b"))
    assert result.content() == [(b"a", b"content"), (b"b", b"b")] and result.findings == []


def test_of_two_sizes_of_a_stored_member_the_larger_counts(take):
    body = local(b"a", b"longer", size=2, crc=0)
    result = take(ended(body, central(b"a", b"longer", 0)))
    assert result.content() == [(b"a", b"longer")] and result.findings == []


def test_zips_in_a_row_and_what_is_between_are_no_hiding_place(take):
    result = take(archives.zipped({"a": b"a"}) + b"junk" * 1000 + archives.zipped({"b": b"b"}) + b"junk")
    assert result.content() == [(b"a", b"a"), (b"b", b"b")] and result.findings == []


@pytest.mark.parametrize("front", [b"PK00", b"PK\7\x08"], ids=["one-piece", "split-mark"])
def test_a_zip_that_was_to_be_split_is_one(front, take):
    result = take(front + archives.zipped({"a": b"a"}))
    assert result.content() == [(b"a", b"a")] and result.findings == []


def test_what_lies_in_a_stored_member_is_not_taken_for_ours(take):
    inner = archives.zipped({"inner": b"x" * 50})
    result = take(archives.zipped({"a.zip": inner, "b": b"b"}, zipfile.ZIP_STORED))
    names = {path: part.names for path, part in result.parts.items()}
    assert names == {"1.1": (b"a.zip",), "1.1.1": (b"inner",), "1.2": (b"b",)} and result.findings == []


def test_members_one_in_another_all_come_out(take):
    inner = local(b"inner", b"inner")
    outer = local(b"outer", inner)
    directory = central(b"outer", inner, 0) + central(b"inner", b"inner", len(outer) - len(inner))
    result = take(ended(outer, directory, 2))
    names = {path: part.names for path, part in result.parts.items()}
    assert names == {"1.1": (b"outer",), "1.2": (b"inner",), "1.1.1": (b"inner",)}


def test_folders_are_left_out(take):
    result = take(archives.zipped({"folder/": b"", "folder/a": b"a"}))
    assert result.names() == [b"folder/a"] and result.findings == []


def test_a_folder_with_content_is_a_file(take):
    assert take(archives.zipped({"folder/": b"content"})).content() == [(b"folder/", b"content")]


def test_an_empty_zip_is_empty(take):
    result = take(archives.zipped({}))
    assert result.parts == {} and result.findings == []


NAMES = {"utf-8": "ä.txt".encode(), "cp437": b"\x84.txt", "latin-1": b"\xe4.txt", "broken": b"\xff\xfe\x80"}


@pytest.mark.parametrize("flags", [0, 0x800], ids=["unmarked", "marked-utf-8"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_stay_the_bytes_they_are(name, flags, take):
    result = take(ended(local(name, b"x", flags=flags), central(name, b"x", 0, flags=flags)))
    assert result.names() == [name]


def test_a_unicode_name_in_its_own_field_is_a_name_too(take):
    field = struct.pack("<HHBI", 0x7075, 5 + 5, 1, 0) + b"b.exe"
    body = (
        struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(b"x"), 1, 1, 5, len(field))
        + b"a.txt"
        + field
        + b"x"
    )
    assert take(body).parts["1.1"].names == (b"a.txt", b"b.exe")


def test_sizes_of_64_bits_are_understood(take):
    wide = struct.pack("<HHQQ", 1, 16, 5, 5)
    body = (
        struct.pack(
            "<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, zlib.crc32(b"hello"), 0xFFFFFFFF, 0xFFFFFFFF, 1, len(wide)
        )
        + b"a"
        + wide
    )
    result = take(body + b"hello" + local(b"b", b"b"))
    assert result.content() == [(b"a", b"hello"), (b"b", b"b")] and result.findings == []


DAMAGED = {
    "wrong-checksum": (ended(local(b"a", b"content", crc=1), central(b"a", b"content", 0, crc=1)), [b"content"]),
    "entry-without-member": (ended(local(b"a", b"content"), central(b"a", b"content", 0) + central(b"b", b"b", 7), 2), [b"content"]),
    "header-cut-off": (local(b"a", b"content") + b"PK\3\4\x14\0", [b"content"]),
    "content-cut-off": (local(b"a", b"content")[:-2], [b"conte"]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "contents"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_said_and_the_rest_comes_out(data, contents, take):
    result = take(data)
    assert [content for _, content in result.content()] == contents
    assert result.findings == [("broken:zip", "1")]
