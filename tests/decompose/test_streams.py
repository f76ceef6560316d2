"""gzip, bzip2, xz: several in a row, what stands behind, names; all that comes before damage is kept."""

import bz2
import gzip
import lzma
import zlib

import archives
import pytest

from amavis_pipe.decompose.streams import Inflate, Streams, steps

PACK = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
pack = pytest.mark.parametrize("name", PACK)


@pack
def test_streams_in_a_row_are_one_file(name, take):
    result = take(PACK[name](b"one ") + PACK[name](b"two ") + PACK[name](b""))
    assert result.content() == [(b"", b"one two ")] and result.findings == []


@pack
def test_zeros_between_and_after_are_padding(name, take):
    result = take(PACK[name](b"one ") + bytes(512) + PACK[name](b"two") + bytes(70_000))
    assert result.content() == [(b"", b"one two")] and result.findings == []


@pack
def test_what_stands_behind_is_a_part_of_its_own(name, take):
    result = take(PACK[name](b"file") + b"MZ behind" + bytes(100_000) + b"end")
    assert [(part.names, part.kind, part.size) for part in result.parts.values()] == [
        ((), "text/plain", 4), ((b"trailer",), "application/x-dosexec", 100_012),
    ]  # fmt: skip
    assert result.findings == []


@pack
def test_an_archive_behind_is_opened(name, take):
    result = take(PACK[name](b"file") + archives.zipped({"a.txt": b"hidden"}))
    assert result.parts["1.2.1"].blob.head(9) == b"hidden"


@pack
def test_many_tiny_streams_are_read_in_time(name, take):
    result = take(PACK[name](b"x") * 20_000, size=10 << 20)
    assert result.content() == [(b"", b"x" * 20_000)] and result.findings == []


@pack
def test_a_second_stream_that_is_damaged_leaves_the_first(name, take):
    result = take(PACK[name](b"first") + PACK[name](b"second" * 100)[:20])
    assert result.content()[0][1].startswith(b"first") and result.findings == [("broken:" + name, "1")]


def test_a_wrong_checksum_costs_no_byte(take):
    packed = gzip.compress(b"all of it")
    result = take(packed[:-8] + b"\0\0\0\0" + packed[-4:])
    assert result.content() == [(b"", b"all of it")] and result.findings == [("broken:gzip", "1")]


def test_what_stands_before_the_damage_is_kept_to_the_byte(take):
    packed = bytearray(archives.gzipped(bytes(range(256)) * 40))
    packed[-60:] = b"\xff" * 60
    good = archives.gzipped(bytes(range(256)) * 40)
    assert take(good).content()[0][1] == bytes(range(256)) * 40
    assert len(take(bytes(packed)).content()[0][1]) > 200


NAMES = {
    "stored": (b"a.exe", (b"x.gz",), (b"a.exe", b"x")),
    "none-stored": (b"", (b"x.txt.gz",), (b"x.txt",)),
    "tgz": (b"", (b"x.TGZ",), (b"x.tar",)),
    "several": (b"", (b"x.gz", b"y.tgz"), (b"x", b"y.tar")),
    "no-suffix": (b"", (b"x",), ()),
    "suffix-only": (b"", (b".gz",), ()),
    "not-utf8": (b"\xe4.exe", (), (b"\xe4.exe",)),
}


@pytest.mark.parametrize(("stored", "outer", "names"), NAMES.values(), ids=NAMES)
def test_the_names_are_the_stored_one_and_the_container_s_without_suffix(stored, outer, names, take):
    assert take(archives.gzipped(b"x", stored), *outer).parts["1.1"].names == names


@pytest.mark.parametrize(("name", "outer", "inner"), [("bzip2", b"a.tbz2", b"a.tar"), ("bzip2", b"a.bz2", b"a"), ("xz", b"a.txz", b"a.tar"),
                                                      ("xz", b"a.c.xz", b"a.c")], ids=["tbz2", "bz2", "txz", "xz"])  # fmt: skip
def test_the_others_take_their_container_s_name(name, outer, inner, take):
    assert take(PACK[name](b"x"), outer).parts["1.1"].names == (inner,)


def test_a_stored_name_after_an_extra_field_is_found(take):
    packed = gzip.compress(b"x")
    head = packed[:3] + b"\x0c" + packed[4:10] + b"\x04\x00abcd" + b"name.txt\0"
    assert take(head + packed[10:]).names() == [b"name.txt"]


def test_a_dictionary_larger_than_memory_is_a_limit(take):
    packed = bytearray(lzma.compress(b"x"))
    end = 12 + (packed[12] + 1) * 4  # of the block's header, its checksum included (xz file format 3.1)
    packed[16] = 40  # 4 GiB
    packed[end - 4 : end] = zlib.crc32(packed[12 : end - 4]).to_bytes(4, "little")
    result = take(bytes(packed))
    assert result.findings == [("limit:memory", "1")] and result.budget.hit == ["memory"]


class Tickless:
    """A sink that only counts how often it was asked for the time."""

    asked = 0

    def tick(self) -> None:
        self.asked += 1


def test_a_stream_of_its_own_tells_how_much_is_left():
    data = archives.deflated(b"content" * 1000) + b"rest"
    sink = Tickless()
    streams = Streams(steps(data), sink, lambda: Inflate(-15), None, ())
    assert b"".join(streams.output()) == b"content" * 1000
    assert streams.left() == 4 and sink.asked > 0
