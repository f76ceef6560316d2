"""tar: links are names, devices have no content; long names, sparse files, all dialects."""

import io
import tarfile

import archives
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amavis_pipe.decompose import libarchive as binding
from amavis_pipe.decompose import tars

DIALECTS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.fixture(params=["own", "libarchive", "tarfile"])
def either(request, monkeypatch):
    """The test is run by each reader: the own one where it can, and by the others alone."""
    if request.param != "own":
        monkeypatch.setattr(tars, "members", lambda view, most, tick: None)
    if request.param == "tarfile":
        request.getfixturevalue("no_libarchive")
    else:
        assert binding.found()


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_is_read(dialect, take, either):
    members = {"a.txt": b"a" * 1000, "b/c.txt": b"", "d": b"d" * 70_000}
    result = take(archives.tarred(members, dialect))
    assert result.content() == [(name.encode(), data) for name, data in members.items()]
    assert result.findings == []


@pytest.mark.parametrize("dialect", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_long_names_are_whole(dialect, take, either):
    name = "/".join(["folder"] * 40) + "/file.exe"
    assert take(archives.tarred({name: b"x"}, dialect)).names() == [name.encode()]


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT], ids=["ustar", "gnu"])
def test_names_that_are_not_utf8_stay_the_bytes_they_are(dialect, take, either):
    name = b"\xe4\xff.txt"
    assert take(archives.tarred({name.decode("utf-8", "surrogateescape"): b"x"}, dialect)).names() == [name]


def odd(name: str, type_: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type_, target
    return info


def test_symbolic_links_devices_and_folders_are_left_out(take, either):
    extra = (
        odd("link", tarfile.SYMTYPE, "/etc/passwd"), odd("device", tarfile.CHRTYPE),
        odd("block", tarfile.BLKTYPE), odd("pipe", tarfile.FIFOTYPE), odd("folder", tarfile.DIRTYPE),
    )  # fmt: skip
    result = take(archives.tarred({"a": b"a"}, tarfile.GNU_FORMAT, extra))
    assert result.content() == [(b"a", b"a")] and result.findings == []


def test_a_hard_link_is_a_name_of_its_own(take, either):
    extra = (odd("invoice.js", tarfile.LNKTYPE, "readme.txt"),)
    result = take(archives.tarred({"readme.txt": b"a"}, tarfile.GNU_FORMAT, extra))
    assert result.content() == [(b"invoice.js", b""), (b"readme.txt", b"a")] and result.findings == []


def sparse(size: int) -> bytes:
    """A tar of one file of zeros with a single byte stored, at its end (GNU's sparse format 0.1)."""
    file, info = io.BytesIO(), tarfile.TarInfo("sparse")
    info.size = 1
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": str(size),
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.map": f"{size - 1},1",
    }
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(b"!"))
    return file.getvalue()


def test_a_sparse_file_has_its_holes(take, either):
    result = take(sparse(1000))
    assert result.content() == [(b"sparse", bytes(999) + b"!")] and result.findings == []


def test_a_sparse_file_without_end_stops_at_the_quota(take, either):
    result = take(sparse(1 << 40), size=0, min_quota=1 << 20, max_quota=1 << 20)
    assert result.findings == [("limit:quota", "1")] and result.budget.used <= 1 << 20


def test_a_tar_of_nothing_is_empty(take):
    result = take(archives.tarred({"a": b""})[:512] + bytes(10240))
    assert result.names() == [b"a"] and result.findings == []


def read(data: bytes, most: int = 100) -> list[tuple[bytes, bytes]] | None:
    """What the own reader finds."""
    found = tars.members(data, most, lambda: None)
    if found is None:
        return None
    return [(name, b"".join(tars.content(data, start, length))) for name, start, length in found]


def by_libarchive(data: bytes) -> list[tuple[bytes, bytes]]:
    library = binding.library(binding.found())
    return [(name, b"".join(chunks)) for name, chunks in binding.members(library, data, ("tar",))]


NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\"), min_size=1, max_size=25
).filter(lambda name: name.strip(". "))


@given(
    st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=4),
    st.sampled_from([*DIALECTS.values()]),
)
def test_an_ordinary_archive_is_read_as_libarchive_reads_it(members, dialect):
    data = archives.tarred(members, dialect)
    found = read(data)
    assert found == by_libarchive(data)
    assert found == [(name.encode(), content) for name, content in members.items()]


PLAIN = archives.tarred({"a.txt": b"a" * 700, "folder/" + "b" * 120: b"b", "c": b""}, tarfile.GNU_FORMAT)
EXTENDED = archives.tarred({"\u00e4.txt": b"a" * 700, "c": b"c"}, tarfile.PAX_FORMAT)
CHANGES = st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=3)


MADE = {"plain": PLAIN, "extended": EXTENDED}


@settings(max_examples=1000)
@given(st.sampled_from([*MADE]), CHANGES, st.booleans())
def test_whatever_is_changed_it_is_read_as_libarchive_reads_it_or_left_to_that(made, changes, summed):
    changed = bytearray(MADE[made])
    for at, value in changes:
        changed[at % len(changed)] = value
        start = at % len(changed) // 512 * 512
        if summed:  # so that the checksum does not tell
            head = changed[start : start + 512]
            changed[start + 148 : start + 156] = b"%06o\0 " % (sum(head) - sum(head[148:156]) + 256)
    found = read(bytes(changed))
    assert found is None or found == by_libarchive(bytes(changed))


def headed(data: bytes = PLAIN, **fields: bytes) -> bytes:
    """The archive, with other bytes in its first header, and the checksum of that."""
    places = {
        "name": (0, 100),
        "size": (124, 12),
        "kind": (156, 1),
        "magic": (257, 8),
        "prefix": (345, 155),
        "rest": (500, 12),
    }
    head = bytearray(data[:512])
    for field, value in fields.items():
        start, length = places[field]
        head[start : start + length] = value.ljust(length, b"\0")
    head[148:156] = b"%06o\0 " % (sum(head) - sum(head[148:156]) + 256)
    return bytes(head) + data[512:]


def pax(*records: bytes) -> bytes:
    """An archive with these records in a pax header."""
    told = b"".join(b"%d %s" % (len(one) + 1 + len(b"%d" % (len(one) + 3)), one) for one in records)
    return extended(told)


def extended(told: bytes) -> bytes:
    """An archive with this as its pax header."""
    head = headed(kind=b"x", size=b"%011o" % len(told), magic=tars.POSIX)[:512]
    return head + told.ljust(512, b"\0") + archives.tarred({"a": b"a"}, tarfile.USTAR_FORMAT)


ODD = {
    "no magic": headed(magic=b""),
    "another magic": headed(magic=b"ustar\x0001"),
    "a wrong checksum": PLAIN[:148] + b"000000\0 " + PLAIN[156:],
    "a number in base 256": headed(size=b"\x80" + bytes(10) + b"\x01"),
    "a number with a sign": headed(size=b"-0000000001"),
    "a number that isn't octal": headed(size=b"00000000089"),
    "a field without end": headed(size=b"000000001274"),
    "an old sparse file": headed(kind=b"S"),
    "a file in several volumes": headed(kind=b"M"),
    "an unknown type": headed(kind=b"Z"),
    "a contiguous file": headed(kind=b"7"),
    "a link with content": headed(kind=b"2"),
    "a file that is called like a folder": headed(name=b"a/"),
    "no name": headed(name=b""),
    "times where POSIX has a prefix": headed(rest=b"x", prefix=b"x"),
    "bytes behind the end": PLAIN + b"x",
    "a second archive behind the end": PLAIN + PLAIN,
    "no end": PLAIN[:1536],
    "cut off": PLAIN[:1000],
    "nothing": bytes(10240),
    "a pax size": pax(b"size=5\n"),
    "a pax sparse map": pax(b"GNU.sparse.map=0,1\n"),
    "a pax charset": pax(b"hdrcharset=BINARY\n"),
    "a pax name that is not UTF-8": pax(b"path=\xff\n"),
    "a pax record longer than its header": extended(b"9999 path=b\n"),
    "a pax name that comes twice": pax(b"path=a\n", b"path=b\n"),
    "a pax comment with a NUL": pax(b"comment=\0\n", b"path=b\n"),
    "a hard link": headed(kind=b"1", size=b"%011o" % 0),
    "a long name for what is called like a folder": PLAIN[1536:2560] + headed(PLAIN[2560:], name=b"a/"),
    "a global pax header": headed(kind=b"g", size=b"%011o" % 0),
    "two names for one member": PLAIN[1536:3072] * 2 + PLAIN[1536:],
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_what_is_not_ordinary_is_left_to_a_library(data):
    assert read(data) is None


def test_a_pax_header_of_times_and_a_name_is_ordinary():
    assert read(pax(b"mtime=1.5\n")) == [(b"a", b"a")]
    assert (
        read(pax(b"mtime=1.5\n", b"path=b\n"))
        == [(b"b", b"a")]
        == by_libarchive(pax(b"mtime=1.5\n", b"path=b\n"))
    )


def test_more_files_than_there_is_room_for_are_left_to_the_library():
    assert read(PLAIN, 3) is not None and read(PLAIN, 2) is None
