"""spool: blobs in memory and in files are the same, and no room is trouble, never a loss."""

import contextlib
import errno
import os
import posix
import resource
import signal
import stat

import pytest

from amavis_pipe import spool
from amavis_pipe.model import SpoolTrouble
from amavis_pipe.spool import CHUNK, IN_MEMORY, PAGE, SMALL, Blob, Store

SIZES = [
    0,
    1,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    SMALL - 1,
    SMALL,
    SMALL + 1,
    2 * SMALL + 3,
]


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path).encode()


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def cut(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_in_a_file_is_the_same_as_one_in_memory(folder, size):
    data = pattern(size)
    store = Store(folder, memory=0)
    before = store.put([b"x" * (PAGE + 1)])
    filed, held = store.put(cut(data, 1000)), Blob(data)
    after = store.put([b"y" * 3])
    assert (filed.fd >= 0, held.fd) == (True, -1)
    for blob in (filed, held):
        assert blob.size == size
        assert len(blob.view()) == size
        assert blob.view()[:] == data
        assert blob.view().find(data[-3:]) == data.find(data[-3:])
        assert b"".join(blob.chunks()) == data
        assert b"".join(blob.chunks(start=min(size, 5))) == data[5:]
        assert all(blob.chunks(step=777))
        assert [blob.head(part) for part in (0, 1, 4096, size + 1)] == [
            data[:part] for part in (0, 1, 4096, size + 1)
        ]
    assert filed.sha256() == held.sha256()
    assert (before.head(9999), after.head(9)) == (b"x" * (PAGE + 1), b"yyy")


@pytest.mark.parametrize("size", SIZES)
def test_a_descriptor_is_a_regular_file_of_its_own_at_its_start(folder, size):
    data = pattern(size)
    for blob in (Blob(data), Store(folder, memory=0).put([data])):
        fd = blob.descriptor(folder)
        try:
            status = os.fstat(fd)
            assert stat.S_ISREG(status.st_mode)
            assert (status.st_size, status.st_nlink) == (size, 0)
            assert not os.get_inheritable(fd)
            with open(fd, "rb", closefd=False) as file:
                assert file.read() == data
            with contextlib.suppress(OSError):  # one that shares the blob's file is for reading only
                os.pwrite(fd, b"changed", 0)
            assert blob.head(size) == data
        finally:
            os.close(fd)


@pytest.mark.parametrize(
    ("size", "step", "in_memory"),
    [
        (0, 1, True),
        (SMALL, SMALL, True),
        (SMALL, 1000, True),
        (SMALL + 1, 1000, False),
        (SMALL + 1, SMALL + 1, False),
    ],
)
def test_small_blobs_stay_in_memory(folder, size, step, in_memory):
    blob = Store(folder).put(cut(pattern(size), step))
    assert (blob.fd < 0) is in_memory
    assert b"".join(blob.chunks()) == pattern(size)


def test_many_small_blobs_outgrow_memory_together(folder):
    store = Store(folder)
    blobs = [store.put([pattern(SMALL)]) for _ in range(IN_MEMORY // SMALL + 2)]
    assert [blob.fd < 0 for blob in blobs] == [True] * (IN_MEMORY // SMALL) + [False] * 2
    assert {blob.sha256() for blob in blobs} == {blobs[0].sha256()}
    assert store.put([b"x"]).fd >= 0


def test_with_an_arena_every_blob_goes_there(folder):
    arena = spool.unnamed(folder)
    store = Store(folder, arena)
    blobs = [store.put([data]) for data in (b"a", b"", b"b" * PAGE, b"c")]
    assert [blob.fd for blob in blobs] == [arena] * 4
    assert [blob.head(2) for blob in blobs] == [b"a", b"", b"bb", b"c"]
    os.close(arena)


def test_nothing_has_a_name(folder):
    blobs = [Store(folder, memory=0).put([b"x"]), Store(folder).put([pattern(SMALL + 1)])]
    fds = [blobs[1].descriptor(folder), spool.unnamed(folder)]
    assert os.listdir(folder) == []
    for fd in fds:
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
        os.close(fd)


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EISDIR])
def test_a_file_system_without_unnamed_files_will_do(folder, monkeypatch, code):
    real = posix.open

    def refusing(path, flags, mode=0o777):
        if flags & posix.O_TMPFILE == posix.O_TMPFILE:
            raise OSError(code, "no unnamed files")
        return real(path, flags, mode)

    monkeypatch.setattr(posix, "open", refusing)
    blob = Store(folder, memory=0).put([b"abc"])
    assert blob.head(9) == b"abc"
    assert os.listdir(folder) == []
    assert stat.S_IMODE(os.fstat(blob.fd).st_mode) == 0o600


def test_a_folder_that_is_not_there_is_trouble_that_names_it(folder):
    with pytest.raises(SpoolTrouble, match="/none: No such file"):
        Store(folder + b"/none", memory=0).put([b"x"])


def test_short_writes_are_gone_on_with(folder, monkeypatch):
    write, pwrite = posix.write, posix.pwrite
    monkeypatch.setattr(posix, "write", lambda fd, data: write(fd, data[:7]))
    monkeypatch.setattr(posix, "pwrite", lambda fd, data, offset: pwrite(fd, data[:7], offset))
    data = pattern(1000)
    blob = Store(folder, memory=0).put([data[:300], data[300:]])
    assert blob.head(1000) == data
    fd = blob.descriptor(folder)
    assert os.pread(fd, 2000, 0) == data
    os.close(fd)


def test_bytes_that_are_missing_are_trouble(folder):
    blob = Store(folder, memory=0).put([pattern(1000)])
    os.ftruncate(blob.fd, 999)
    with pytest.raises(SpoolTrouble, match="1 bytes missing"):
        blob.head(1000)
    with pytest.raises(SpoolTrouble):
        list(blob.chunks())


def test_a_file_that_cannot_be_read_is_trouble(folder):
    fd = spool.unnamed(folder)
    os.close(fd)
    for size in (10, 10 * CHUNK):
        with pytest.raises(SpoolTrouble):
            Blob(None, fd, 0, size).view()


ROOM = 64 << 10


def _put(folder: bytes) -> None:
    Store(folder, memory=0).put([pattern(ROOM), b"x"])


def _put_large(folder: bytes) -> None:
    Store(folder).put(cut(pattern(2 * SMALL), 1000))


def _descriptor(folder: bytes) -> None:
    Blob(pattern(SMALL + 1)).descriptor(folder)


def _write_all(folder: bytes) -> None:
    spool.write_all(spool.unnamed(folder), [pattern(ROOM), b"x"])


@pytest.mark.parametrize(
    "writing", [_put, _put_large, _descriptor, _write_all], ids=lambda writing: writing.__name__[1:]
)
def test_no_room_is_trouble(folder, writing):
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
            writing(folder)
        except SpoolTrouble:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
