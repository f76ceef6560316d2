"""disguise: archives behind something else, or in it; and honest files, of which nothing is made."""

import random
import struct
import zlib

import archives
import pytest
from built import cab, iso, pdf, rar, sevenzip

from amavis_pipe.decompose import registry
from amavis_pipe.spool import Blob

DEEP = b"what is hidden"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(noise: bytes = b"") -> bytes:
    """A picture of one pixel, with some bytes in a comment."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"tEXt", noise)
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
    )


def gif() -> bytes:
    return b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


ZIP = archives.zipped({"deep.txt": DEEP})
NOISE = random.Random(3).randbytes(5000)
INNER = {
    "zip": ZIP,
    "rar4": rar.rar4(rar.file4(b"deep.txt", DEEP)),
    "rar5": rar.rar5(rar.file5(b"deep.txt", DEEP)),
    "7z": sevenzip.seven(("deep.txt", DEEP)),
    "cab": cab.cab((b"deep.txt", DEEP)),
}
OUTER = {
    "a-picture": png(NOISE),
    "a-small-picture": gif(),
    "junk": NOISE,
    "text": b"Dear reader,\r\n" * 100,
    "a-page": b"<html><body>page</body></html>\n",
}


def contents(result) -> list[bytes]:
    return [content for _, content in result.content()]


@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
@pytest.mark.parametrize("outer", OUTER.values(), ids=OUTER)
def test_an_archive_behind_it_is_opened(outer, inner, take):
    result = take(outer + inner)
    assert DEEP in contents(result) and result.findings == []


@pytest.mark.parametrize("name", ["zip", "rar5", "cab"])
def test_with_junk_behind_it_too(name, take):
    result = take(png() + INNER[name] + NOISE[:200])
    assert DEEP in contents(result)


@pytest.mark.parametrize("outer", ["rar4", "rar5", "7z", "cab"])
def test_a_zip_behind_another_archive_is_opened_and_so_is_that(outer, take):
    first = {
        "rar4": rar.rar4(rar.file4(b"a", b"shown")),
        "rar5": rar.rar5(rar.file5(b"a", b"shown")),
        "7z": sevenzip.seven(("a", b"shown")),
        "cab": cab.cab((b"a", b"shown")),
    }[outer]
    result = take(first + ZIP)
    assert {b"shown", DEEP} <= set(contents(result))


def test_both_of_two_archives_behind_a_picture_are_opened(take):
    result = take(png() + INNER["rar5"] + archives.zipped({"b": b"second"}))
    assert {DEEP, b"second"} <= set(contents(result))


def test_an_archive_behind_an_archive_behind_a_picture_in_a_zip(take):
    result = take(archives.zipped({"a.png": png() + ZIP}))
    assert DEEP in contents(result) and result.findings == []


def test_a_zip_with_a_comment_is_found(take):
    end = ZIP.rindex(b"PK\5\6")
    commented = ZIP[: end + 20] + struct.pack("<H", 300) + b"c" * 300
    assert DEEP in contents(take(png() + commented))


def test_what_is_hidden_is_told_as_carved(take):
    result = take(png() + ZIP)
    part = result.parts["1.1"]
    assert (part.names, part.kind, part.decoder, part.flags) == (
        (b"archive.zip",),
        "application/zip",
        "disguise",
        ("carved",),
    )
    assert part.blob.head(part.size) == ZIP


HONEST = {
    "a-picture": png(NOISE),
    "a-small-picture": gif(),
    "junk": NOISE,
    "text": OUTER["text"],
    "a-text-of-zips": b"A zip begins with PK\\3\\4 and ends with PK\\5\\6: Rar!, 7z, MSCF.\n" * 20,
    "a-picture-that-says-so": png(b"Comment\0PK\5\6 Rar!\x1a\7\0 MSCF\0\0\0\0 7z\xbc\xaf\x27\x1c PK\3\4"),
    "a-disc": iso.pack(NOISE),
}


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
def test_of_an_honest_file_nothing_is_made(data, take):
    result = take(archives.tarred({"honest": data}))
    assert [part for part in result.parts.values() if "carved" in part.flags] == []
    assert result.findings == []


PACKED = {
    "zip": archives.zipped({"inner.zip": ZIP}, 0),
    "tar": archives.tarred({"inner.zip": ZIP}),
    "rar": rar.rar5(rar.file5(b"inner.zip", ZIP)),
    "7z": sevenzip.seven(("inner.zip", ZIP)),
    "cab": cab.cab((b"inner.zip", ZIP)),
    "iso": iso.pack(ZIP),
    "pdf": pdf.pack(ZIP),
}


@pytest.mark.parametrize("data", PACKED.values(), ids=PACKED)
def test_an_archive_stored_in_an_archive_is_found_just_once(data, take):
    result = take(data)
    assert contents(result).count(ZIP) == 1 and contents(result).count(DEEP) == 1
    assert result.findings == []


@pytest.mark.parametrize("name", ["zip", "rar5", "7z", "cab"])
def test_what_has_nothing_behind_it_is_not_looked_into(name):
    blob = Blob(INNER[name])
    known = registry.formats()
    assert not known.is_disguised(blob, known.kind_of(blob, b"", ()))


def test_more_than_a_few_are_not_carved_and_that_is_said(take):
    many = b"".join(rar.rar5(rar.file5(b"%d" % number, b"%d" % number)) for number in range(60))
    result = take(gif() + many, files=5000)
    assert 1 <= len([part for part in result.parts.values() if "carved" in part.flags]) <= 16
    assert ("undecoded:disguise", "1") in result.findings
