"""tar: links and devices have no content; long names, sparse files, all dialects."""

import io
import tarfile

import archives
import pytest

DIALECTS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


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


def test_links_devices_and_folders_are_left_out(take, either):
    extra = (
        odd("link", tarfile.SYMTYPE, "/etc/passwd"), odd("hard", tarfile.LNKTYPE, "a"), odd("device", tarfile.CHRTYPE),
        odd("block", tarfile.BLKTYPE), odd("pipe", tarfile.FIFOTYPE), odd("folder", tarfile.DIRTYPE),
    )  # fmt: skip
    result = take(archives.tarred({"a": b"a"}, tarfile.GNU_FORMAT, extra))
    assert result.content() == [(b"a", b"a")] and result.findings == []


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
