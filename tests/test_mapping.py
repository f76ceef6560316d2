"""mapping: a mapped file is searched as bytes are, and to its last byte without going past it."""

import ctypes
import mmap
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mapping import Mapping
from amavis_pipe.spool import CHUNK, PAGE, Blob, Store


def mapped(data: bytes) -> Mapping:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return Mapping(file.fileno(), len(data), mmap.MAP_PRIVATE, mmap.PROT_READ)


FEW = st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=12).map(b"".join)
PLACE = st.integers(-15, 15)


@given(FEW, st.one_of(FEW, st.just(b"")), PLACE, st.one_of(st.none(), PLACE))
def test_it_finds_what_bytes_find(data, sub, start, end):
    view = mapped(data)
    assert view.find(sub, start, end) == data.find(sub, start, end)
    assert view.rfind(sub, start, end) == data.rfind(sub, start, end)
    assert view.find(sub) == data.find(sub)


def map_before_a_fence(data: bytes) -> Mapping:
    """A mapping of whole pages just behind which a page lies that can't be read."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    kept = []
    for _ in range(200):
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        fence = libc.mmap(None, ctypes.c_size_t(len(data) + PAGE), 0, private, -1, ctypes.c_long(0))
        libc.munmap(fence, len(data))  # the next mapping of this size goes here, if no gap lies higher
        view = mapped(data)
        kept.append(view)
        if f"{fence:x}-{fence + len(data):x} r--p" in Path("/proc/self/maps").read_text():
            return view
    raise AssertionError("no mapping came to lie before a fence")


def search_before_a_fence() -> None:
    view = map_before_a_fence((b"begin" * CHUNK)[: 2 * CHUNK])
    for sub in (b"x", b"e?", b"be?", b"beg", view[-3:] + b"?", b"\n", view[-1:] + b"?"):
        view.find(sub)
        view.rfind(sub)


def test_a_search_never_leaves_the_mapping():
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            search_before_a_fence()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("size", [CHUNK + 1, CHUNK + PAGE, 2 * CHUNK])
def test_a_large_blob_is_viewed_by_it(tmp_path, size):
    blob = Store(str(tmp_path).encode(), memory=0).put([b"x" * size])
    assert isinstance(blob, Blob)
    assert isinstance(blob.view(), Mapping)
