"""Files in which a reader that stops early, or believes a name, would miss what others open."""

import archives
import pytest
from built import cab, rar
from built.sfx import program

FILE = b"what is hidden " * 40
GOOD = archives.zipped({"good": b"good"})
DECOYS = b"BZh91AY&SY" * 300


def contents(result) -> set[bytes]:
    return {content for _, content in result.content()}


def beside(take, **members: bytes):
    """What is found in a tar of these; in their names __ is a dot."""
    return take(archives.tarred({name.replace("__", "."): data for name, data in members.items()}))


VOLUMES = {
    "a program's": {"x__exe": GOOD, "x__r00": rar.pack(FILE)},
    "parts": {"x__part1__rar": GOOD, "x__part2__rar": rar.pack(FILE)},
    "pieces": {"x__001": GOOD, "x__002": archives.gzipped(FILE)},
    "behind a text": {"x__01": b"text", "x__02": archives.gzipped(FILE)},
    "old ones": {"x__rar": b"text", "x__r00": rar.pack(FILE)},
}


@pytest.mark.parametrize("members", VOLUMES.values(), ids=VOLUMES)
def test_a_name_makes_no_volume_of_an_archive(members, take):
    assert FILE in contents(beside(take, **members))


def test_more_pieces_than_are_joined_are_told_of_and_opened_alone(take):
    pieces = {f"x__{number:03}": b"x" for number in range(1, 130)}
    result = beside(take, **pieces, x__130=GOOD, x__131=archives.gzipped(FILE))
    assert FILE in contents(result) and ("limit:volumes", "1.1") in result.findings


@pytest.mark.parametrize("front", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"], ids=["png", "jpeg"])
@pytest.mark.parametrize("data", [rar.pack(FILE), archives.zipped({"a": FILE})], ids=["rar", "zip"])
def test_decoys_before_it_hide_nothing_behind_a_picture(front, data, take):
    assert FILE in contents(take(front + bytes(100) + DECOYS + data))


def test_nor_behind_a_program(take):
    data = program(appended=rar.pack(FILE))
    assert FILE in contents(take(data))
    at = data.find(b"Rar!")
    result = take(data[:at] + DECOYS + data[at:])
    assert FILE in contents(result) or ("undecoded:sfx", "1") in result.findings


def test_a_cabinets_size_covers_nothing(take):
    small = bytearray(cab.pack(b"small"))
    small[8:12] = (1 << 20).to_bytes(4, "little")
    result = take(b"\x89PNG\r\n\x1a\n" + bytes(small) + rar.pack(FILE))
    assert FILE in contents(result)


DOCUMENTS = {
    "pdf": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n",
    "rtf": b"{\\rtf1 text}\n",
    "cab": cab.pack(b"x"),
}


@pytest.mark.parametrize("front", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_rar_behind_what_is_opened_itself_is_found(front, take):
    assert FILE in contents(take(front + rar.pack(FILE)))


def test_fake_members_of_a_zip_cost_no_time(take):
    fake = b"PK\3\4" + b"\x14\0" + bytes(2) + bytes(18) + b"\1\0\0\0" + b"n"
    result = take(b"\x89PNG\r\n\x1a\n" + b"Rar!\x1a\7" + fake * 60_000, seconds=20)
    assert "limit:seconds" not in [name for name, _ in result.findings]  # it was minutes


def test_a_later_piece_may_hide_an_archive_behind_junk(take):
    result = beside(take, x__001=GOOD, x__002=bytes(range(256)) * 4 + rar.pack(FILE))
    assert FILE in contents(result)


def volume(data: bytes) -> bytes:
    """A RAR 5 that says that it is one of several."""
    import zlib

    head = bytes((1, 0, 1))
    block = bytes((len(head),)) + head
    return data[:8] + zlib.crc32(block).to_bytes(4, "little") + block + data[8 + 4 + 1 + data[12] :]


def test_a_volume_that_no_other_goes_on_to_is_opened_alone(take):
    result = beside(take, x__part1__rar=rar.pack(b"good"), x__part2__rar=volume(rar.pack(FILE)))
    assert FILE in contents(result)


@pytest.mark.parametrize("more", [False, True], ids=["none leads to it", "one does"])
def test_a_volume_that_cannot_be_read_is_told_of(more, take):
    first = rar.rar5(rar.file5(b"a", b"good"), volume=0, more=more)
    second = rar.rar5(rar.file5(b"b", FILE), volume=1)[:-200]
    result = beside(take, x__part1__rar=first, x__part2__rar=second)
    assert ("broken:rar", "1.2") in result.findings
