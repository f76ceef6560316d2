"""api: a blob as a file for those who want one; names without their suffix."""

import io

import pytest

from amavis_pipe.decompose.api import open_file, without_suffix
from amavis_pipe.spool import Blob, Store


@pytest.fixture(params=[10, 3 << 20], ids=["memory", "file"])
def data(request) -> bytes:
    return bytes(range(10)) * (request.param // 10)


def test_a_blob_reads_as_a_file(data, tmp_path):
    blob = Store(str(tmp_path).encode()).put([data])
    with open_file(blob) as file:
        assert file.read() == data and file.read(1) == b""
        file.seek(-3, io.SEEK_END)
        assert (file.tell(), file.read(9)) == (len(data) - 3, data[-3:])
        file.seek(2)
        assert file.read(3) == data[2:5]
        file.seek(1, io.SEEK_CUR)
        assert file.read(1) == data[6:7]


def test_beyond_its_end_there_is_nothing():
    with open_file(Blob(b"abc")) as file:
        file.seek(100)
        assert file.read(5) == b""


@pytest.mark.parametrize(
    ("name", "result"), [(b"a.tgz", (b"a.tar",)), (b"A.GZ", (b"A",)), (b"a", ()), (b".gz", ())], ids=repr
)
def test_a_suffix_is_taken_off(name, result):
    assert without_suffix((name,), {b".tgz": b".tar", b".gz": b""}) == result
