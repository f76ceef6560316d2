"""The cache on disk: every damage is a miss, and no failure an error."""

import multiprocessing
import os
import resource
import signal
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe import cache as cache_module
from amavis_pipe.cache import LARGEST, Cache, digest

KEY = digest(b"key")
DAY = 86400


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "cache"
    made.mkdir()
    return made


@pytest.fixture
def cache(folder):
    return Cache(os.fsencode(folder), 7)


def entry(folder):
    """The file of the only entry."""
    (found,) = [path for path in folder.rglob("*") if path.is_file()]
    return found


def at_time(monkeypatch, seconds):
    monkeypatch.setattr(cache_module, "time", lambda: seconds)


def test_what_was_put_is_found_with_its_age(cache):
    assert cache.put(KEY, b"payload") is True
    age, payload = cache.get(KEY)
    assert payload == b"payload"
    assert 0 <= age < 60


def test_an_entry_keeps_the_age_of_what_it_was_made_of(cache):
    cache.put(KEY, b"payload", 1000)
    assert 1000 <= cache.get(KEY)[0] < 1060


def test_a_later_entry_replaces_the_earlier(cache):
    cache.put(KEY, b"one")
    cache.put(KEY, b"two")
    assert cache.get(KEY)[1] == b"two"


def test_an_empty_payload_is_an_entry(cache):
    cache.put(KEY, b"")
    assert cache.get(KEY)[1] == b""


def test_nothing_is_found_under_another_key(cache):
    cache.put(KEY, b"payload")
    assert cache.get(digest(b"other")) is None


def test_files_are_private(cache, folder):
    cache.put(KEY, b"payload")
    assert entry(folder).stat().st_mode & 0o777 == 0o600
    assert entry(folder).parent.stat().st_mode & 0o777 == 0o700


def test_without_days_nothing_is_kept_or_found(folder):
    Cache(os.fsencode(folder), 7).put(KEY, b"payload")
    none = Cache(os.fsencode(folder), 0)
    assert none.get(KEY) is None
    assert none.put(digest(b"other"), b"x") is False


@pytest.mark.parametrize(
    "seconds", [-3600, -10, 7 * DAY, 8 * DAY], ids=["future", "near future", "old", "older"]
)
def test_an_entry_of_another_time_is_a_miss(cache, monkeypatch, seconds):
    cache.put(KEY, b"payload")
    at_time(monkeypatch, time() + seconds)
    assert cache.get(KEY) is None


def test_a_clock_a_second_behind_makes_no_negative_age(cache, monkeypatch):
    cache.put(KEY, b"payload")
    at_time(monkeypatch, int(time()) - 1)
    assert cache.get(KEY)[0] == 0


def test_an_entry_cut_off_anywhere_is_a_miss(cache, folder):
    cache.put(KEY, b"payload")
    whole = entry(folder).read_bytes()
    for size in range(len(whole)):
        entry(folder).write_bytes(whole[:size])
        assert cache.get(KEY) is None, size


def test_an_entry_with_any_bit_flipped_is_a_miss(cache, folder):
    cache.put(KEY, b"payload")
    path, whole = entry(folder), entry(folder).read_bytes()
    for at in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:at] + bytes((whole[at] ^ 1 << bit,)) + whole[at + 1 :])
            assert cache.get(KEY) is None, (at, bit)


def test_an_entry_with_more_behind_it_is_a_miss(cache, folder):
    cache.put(KEY, b"payload")
    with entry(folder).open("ab") as file:
        file.write(b"x")
    assert cache.get(KEY) is None


def test_an_entry_under_another_entrys_name_is_a_miss(cache, folder):
    other = digest(b"other")
    cache.put(KEY, b"payload")
    path = folder / other.hex()[:2] / other.hex()[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(entry(folder).read_bytes())
    assert cache.get(other) is None


def _link(path):
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _folder(path):
    path.unlink()
    path.mkdir()


def _fifo(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [_link, _folder, _fifo], ids=["symbolic link", "folder", "fifo"])
def test_what_is_no_regular_file_is_a_miss(cache, folder, change):
    cache.put(KEY, b"payload")
    change(entry(folder))
    signal.alarm(30)  # a fifo that is waited for ends the test
    try:
        assert cache.get(KEY) is None
    finally:
        signal.alarm(0)


def test_what_can_not_be_written_is_not_kept_and_leaves_nothing(cache, folder):
    name = KEY.hex()
    (folder / name[:2] / name[2:] / "inner").mkdir(parents=True)
    assert cache.put(KEY, b"payload") is False
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_folder_that_is_not_there_is_a_miss(tmp_path):
    cache = Cache(os.fsencode(tmp_path / "missing"), 7)
    assert cache.put(KEY, b"payload") is False
    assert cache.get(KEY) is None


def test_a_file_in_place_of_a_folder_is_a_miss(cache, folder):
    (folder / KEY.hex()[:2]).write_bytes(b"")
    assert cache.put(KEY, b"payload") is False
    assert cache.get(KEY) is None


def test_what_is_too_large_is_not_kept(cache):
    assert cache.put(KEY, bytes(LARGEST)) is True
    assert len(cache.get(KEY)[1]) == LARGEST
    assert cache.put(KEY, bytes(LARGEST + 1)) is False


def _fill(folder, limit, results):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    results.put(Cache(folder, 7).put(KEY, b"new" * 1000))


@pytest.mark.parametrize("limit", [0, 10, 60], ids=["nothing", "a part of the head", "a part of the payload"])
def test_a_full_disk_keeps_the_old_entry_and_leaves_nothing(cache, folder, limit):
    cache.put(KEY, b"old")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_fill, args=(os.fsencode(folder), limit, results))
    child.start()
    assert results.get() is False
    child.join()
    assert cache.get(KEY)[1] == b"old"
    assert entry(folder).name == KEY.hex()[2:]


def _write_many(folder, number):
    cache = Cache(folder, 7)
    for turn in range(200):
        key = digest(b"%d" % (turn % 5))
        found = cache.get(key)
        if found is not None and len(set(found[1])) != 1:
            os._exit(1)
        if not cache.put(key, bytes((number,)) * (100 + turn * 50)):
            os._exit(2)
    os._exit(0)


def test_eight_processes_at_once_never_see_a_torn_entry(folder):
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_write_many, args=(os.fsencode(folder), n)) for n in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 8
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 5


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_keys_of_different_fields_differ(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)
