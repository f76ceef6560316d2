"""The cache on disk: every damage is a miss, and no failure an error."""

import ctypes
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stand_in.reach import open_to_all

from amavis_pipe import cache as cache_module
from amavis_pipe import generation
from amavis_pipe.cache import BUCKET, HEAD, LARGEST, SIZE, SLOT, Cache, digest, head_of
from amavis_pipe.config.load import defaults

CHECKOUT = Path(__file__).resolve().parents[1]
KEY = digest(b"key")
DAY = 86400
SMALL = 40_000
"""Bytes of a cache whose generations are full after a few entries."""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "cache"
    made.mkdir()
    return made


@pytest.fixture
def cache(folder):
    return Cache(os.fsencode(folder), 7, 1 << 20)


def small(folder):
    return Cache(os.fsencode(folder), 7, SMALL)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def payload_of(key):
    """What a test puts under a key: up to 500 bytes that nothing else would give."""
    return digest(key) * (1 + key[0] % 25)


def filled(cache, number, start=0):
    """The keys of so many entries that were put."""
    keys = [digest(b"%d" % n) for n in range(start, start + number)]
    for key in keys:
        assert cache.put(key, payload_of(key)) is True
    return keys


def held(cache, keys):
    """The keys that are found; fails if one has another payload than was put."""
    found = [key for key in keys if cache.get(key) is not None]
    for key in found:
        assert cache.get(key)[1] == payload_of(key)
    return found


def at_time(monkeypatch, seconds):
    monkeypatch.setattr(cache_module, "time", lambda: seconds)
    monkeypatch.setattr(generation, "time", lambda: seconds)


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
    before = os.umask(0)
    try:
        cache.put(KEY, b"payload")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def test_the_size_is_that_of_the_settings_unless_told_otherwise():
    assert defaults()["cache.size"] == SIZE


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


def _in_place(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def _interesting(path):
    """Every byte of head, of the used buckets and of the entries, as offsets."""
    whole = path.read_bytes()
    end = BUCKET * (1 + int.from_bytes(whole[20:24], "big"))
    used = [at for at in range(BUCKET, end) if whole[at]]
    near = {other for at in used for other in range(at - at % SLOT, at - at % SLOT + SLOT)}
    return [*range(HEAD), *sorted(near), *range(end, len(whole))], whole


def test_a_file_cut_off_anywhere_gives_misses_and_takes_new_entries(cache, folder):
    keys = filled(cache, 3)
    path = folder / "current"
    places, whole = _interesting(path)
    for size in [*places, *range(0, len(whole), 997)]:
        path.write_bytes(whole[:size])
        held(cache, keys)
        assert cache.get(KEY) is None
        assert cache.put(KEY, b"after") is True, size
        assert cache.get(KEY)[1] == b"after", size
        assert cache.put(keys[0], payload_of(keys[0])) is True
        assert keys[0] in held(cache, keys)


def test_any_flipped_bit_gives_a_miss_or_the_right_answer_and_new_entries_are_taken(cache, folder):
    keys = filled(cache, 3)
    path = folder / "current"
    places, whole = _interesting(path)
    lost = 0
    for at in places:
        for bit in range(8):
            _in_place(path, at, bytes((whole[at] ^ 1 << bit,)))
            lost += len(keys) - len(held(cache, keys))
            assert cache.get(KEY) is None, (at, bit)
            if bit == at % 8:
                assert cache.put(KEY, b"after") is True, (at, bit)
                assert cache.get(KEY)[1] == b"after", (at, bit)
                path.write_bytes(whole)
            _in_place(path, at, whole[at : at + 1])
    assert lost > 1000
    path.write_bytes(whole)
    assert held(cache, keys) == keys


def test_a_flipped_bit_in_an_entry_loses_that_entry_alone(cache, folder):
    keys = filled(cache, 3)
    path = folder / "current"
    end = path.stat().st_size
    for back, key in ((1, keys[2]), (len(payload_of(keys[2])) + 28 + 1, keys[1])):
        whole = path.read_bytes()
        _in_place(path, end - back, bytes((whole[end - back] ^ 1,)))
        assert held(cache, keys) == [other for other in keys if other != key]
        path.write_bytes(whole)


def test_a_damaged_head_is_replaced_by_the_next_put(cache, folder):
    filled(cache, 3)
    for at in range(HEAD):
        _in_place(folder / "current", at, b"\xff")
        assert cache.put(KEY, b"payload") is True, at
        assert cache.get(KEY)[1] == b"payload", at
        head = (folder / "current").read_bytes()[:HEAD]
        assert head == head_of(int.from_bytes(head[14:20], "big"), int.from_bytes(head[20:24], "big"))
    assert names(folder) == ["current"]  # what is damaged does not become the previous one


def test_an_entry_is_not_given_for_another_key_whose_slot_points_to_it(cache, folder):
    cache.put(KEY, b"payload")
    other = KEY[:12] + bytes(8)  # of the same bucket, with the same piece in its slot
    assert cache.get(other) is None
    assert cache.put(other, b"other") is True
    assert (cache.get(KEY), cache.get(other)[1]) == (None, b"other")


def test_a_full_bucket_takes_new_entries_in_place_of_old_ones(cache):
    keys = [KEY[:8] + digest(b"%d" % number)[8:] for number in range(200)]
    for key in keys:
        assert cache.put(key, payload_of(key)) is True
        assert cache.get(key)[1] == payload_of(key)
    assert len(held(cache, keys)) == BUCKET // SLOT


ANY_FILE = st.one_of(
    st.binary(max_size=3000),
    st.builds(
        lambda birth, buckets, rest: head_of(birth, buckets) + rest,
        st.integers(0, 2**48 - 1),
        st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)),
        st.binary(max_size=3000),
    ),
    # a head with one bucket, all slots of the key, pointing at what follows
    st.builds(
        lambda offset, rest: (
            head_of(int(time()), 1).ljust(BUCKET, b"\0")
            + (KEY[8:11] + offset.to_bytes(5, "big")) * (BUCKET // SLOT)
            + rest
        ),
        st.one_of(st.integers(0, 3000), st.integers(0, 2**40 - 1)),
        st.binary(max_size=3000),
    ),
)


@given(ANY_FILE, ANY_FILE)
@example(b"", b"")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_bytes_the_files_are_it_is_a_miss_and_new_entries_are_taken(folder, current, previous):
    for name, data in (("current", current), ("previous", previous)):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    cache = Cache(os.fsencode(folder), 7, 1 << 20)
    assert cache.get(KEY) is None
    assert cache.put(KEY, b"payload") is True
    assert cache.get(KEY)[1] == b"payload"


@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_whatever_bytes_are_changed_no_answer_is_wrong(folder, changes):
    shutil.rmtree(folder)
    folder.mkdir()
    cache = Cache(os.fsencode(folder), 7, 100_000)
    keys = filled(cache, 20)
    path = folder / "current"
    for place, value in changes:
        _in_place(path, place % path.stat().st_size, bytes((value,)))
    held(cache, keys)
    keys = filled(cache, 20)
    assert cache.put(KEY, b"payload") is True
    assert cache.get(KEY)[1] == b"payload"


def _link(path):
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _folder(path):
    path.unlink()
    path.mkdir()


def _fifo(path):
    path.unlink()
    os.mkfifo(path)
    path.chmod(0o600)


def _readable(path):
    path.chmod(0o640)


def _foreign(path):
    os.chown(path, 65534, 65534)


KINDS = {"symbolic link": _link, "folder": _folder, "fifo": _fifo, "readable for others": _readable}
if os.geteuid() == 0:
    KINDS["another's"] = _foreign


@pytest.mark.parametrize("name", ["current", "previous"])
@pytest.mark.parametrize("change", KINDS.values(), ids=KINDS)
def test_what_is_no_regular_file_of_ours_is_a_miss(cache, folder, change, name):
    cache.put(KEY, b"payload")
    (folder / "current").rename(folder / name)
    change(folder / name)
    signal.alarm(30)  # a fifo that is waited for ends the test
    try:
        assert cache.get(KEY) is None
    finally:
        signal.alarm(0)


@pytest.mark.parametrize("change", KINDS.values(), ids=KINDS)
def test_what_is_no_regular_file_of_ours_is_never_written_to_but_replaced(cache, folder, change):
    cache.put(KEY, b"payload")
    change(folder / "current")
    real = folder / "current.real"
    before = real.read_bytes() if real.exists() else b""
    signal.alarm(30)
    try:
        kept = cache.put(KEY, b"new")
    finally:
        signal.alarm(0)
    assert kept is (change is not _folder)  # a folder is not removed: who knows what it is
    assert (cache.get(KEY) is not None) is kept
    assert not before or real.read_bytes() == before


def test_a_folder_that_is_not_there_is_a_miss(tmp_path):
    cache = Cache(os.fsencode(tmp_path / "missing"), 7)
    assert cache.put(KEY, b"payload") is False
    assert cache.get(KEY) is None


def test_a_file_in_place_of_the_folder_is_a_miss(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(os.fsencode(tmp_path / "file"), 7)
    assert cache.put(KEY, b"payload") is False
    assert cache.get(KEY) is None


def test_entries_of_the_form_before_are_not_seen_and_not_in_the_way(cache, folder):
    (folder / KEY.hex()[:2]).mkdir()
    (folder / KEY.hex()[:2] / KEY.hex()[2:]).write_bytes(b"amavis-pipe 1\n" + bytes(100))
    assert cache.get(KEY) is None
    assert cache.put(KEY, b"payload") is True
    assert cache.get(KEY)[1] == b"payload"


@pytest.mark.parametrize("size", [0, 1, 60, 4067, 4068, 4069, 100_000, LARGEST])
def test_payloads_of_every_length_come_back(folder, size):
    cache = Cache(os.fsencode(folder), 7)
    payload = random.Random(size).randbytes(size)
    assert cache.put(KEY, payload) is True
    assert cache.put(digest(b"next"), b"next") is True
    assert cache.get(KEY)[1] == payload


def test_what_is_too_large_is_not_kept(folder):
    assert Cache(os.fsencode(folder), 7).put(KEY, bytes(LARGEST + 1)) is False
    cache = small(folder)
    (one,) = filled(cache, 1)
    assert cache.put(KEY, bytes(SMALL // 2)) is False
    assert held(cache, [one]) == [one]  # it did not make the others go


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_size_that_holds_nothing_keeps_nothing(folder, size):
    cache = Cache(os.fsencode(folder), 7, size)
    assert cache.put(KEY, b"payload") is False
    assert cache.get(KEY) is None
    assert names(folder) == []


def test_a_size_beyond_all_disks_is_no_trouble(folder):
    cache = Cache(os.fsencode(folder), 7, 1 << 60)
    assert cache.put(KEY, b"payload") is True
    assert cache.get(KEY)[1] == b"payload"
    assert (folder / "current").stat().st_blocks * 512 < 100_000


def test_a_clock_near_1970_is_no_trouble(cache, monkeypatch):
    at_time(monkeypatch, 100)
    assert cache.put(KEY, b"payload", 3600) is True
    assert cache.get(KEY)[1] == b"payload"


class TestGenerations:
    def test_the_cache_never_grows_above_its_size_and_the_newest_entries_stay(self, folder):
        cache = small(folder)
        for start in range(0, 1000, 10):
            last = filled(cache, 10, start)
            assert held(cache, last) == last
            sizes = [path.stat().st_size for path in folder.iterdir()]
            assert sum(sizes) <= SMALL
            assert len(sizes) <= 2
        assert names(folder) == ["current", "previous"]
        assert held(cache, filled(cache, 0, 0)) == []

    def test_what_is_in_the_previous_generation_is_found(self, folder):
        cache = small(folder)
        keys = filled(cache, 1)
        while not (folder / "previous").exists():
            keys += filled(cache, 1, len(keys))
        assert held(cache, keys) == keys

    def test_the_newer_of_two_entries_is_found(self, folder):
        cache = small(folder)
        cache.put(KEY, b"old")
        (folder / "current").rename(folder / "previous")
        cache.put(KEY, b"new")
        assert cache.get(KEY)[1] == b"new"

    def test_a_generation_ends_after_half_of_the_days(self, cache, folder, monkeypatch):
        now = int(time())
        for day, expect in ((0, ["current"]), (3, ["current"]), (4, ["current", "previous"])):
            at_time(monkeypatch, now + day * DAY)
            filled(cache, 1, day)
            assert names(folder) == expect
        keys = [digest(b"0"), digest(b"3"), digest(b"4")]
        assert held(cache, keys) == keys
        at_time(monkeypatch, now + 8 * DAY)
        filled(cache, 1, 8)
        assert held(cache, keys) == keys[2:]
        assert names(folder) == ["current", "previous"]

    def test_a_generation_from_the_future_ends(self, cache, folder, monkeypatch):
        cache.put(KEY, b"payload")
        at_time(monkeypatch, time() - DAY)
        assert cache.put(KEY, b"payload") is True
        assert names(folder) == ["current", "previous"]

    def test_another_size_in_the_settings_takes_effect_and_forgets_nothing(self, folder):
        cache = Cache(os.fsencode(folder), 7, 10 << 20)
        keys = filled(cache, 20)
        cache = small(folder)
        assert held(cache, keys) == keys
        keys += filled(cache, 1, 20)  # the current one is too large for the new size
        assert names(folder) == ["current", "previous"]
        assert held(cache, keys) == keys

    @pytest.mark.parametrize("kind", ["folder in the way", "read-only folder"])
    def test_growth_is_bounded_where_generations_can_not_change(self, folder, kind):
        cache = small(folder)
        filled(cache, 1)
        if kind == "folder in the way":
            (folder / "previous").mkdir()
            results = [cache.put(digest(b"x%d" % n), bytes(300)) for n in range(300)]
        else:
            results = _as_nobody(folder, [(b"x%d" % n, bytes(300)) for n in range(300)])
        assert True in results
        assert results[-1] is False
        assert (folder / "current").stat().st_size <= SMALL // 2
        assert held(cache, [digest(b"0")]) if kind == "folder in the way" else True

    def test_of_processes_that_change_the_generation_at_once_one_does_and_nothing_is_lost(self, folder):
        for turn in range(20):
            cache = small(folder)
            before = filled(cache, 1)
            size = (folder / "current").stat().st_size
            room = SMALL // 2 - SMALL // 16 - size
            while room > 600:
                before += filled(cache, 1, len(before))
                room = SMALL // 2 - SMALL // 16 - (folder / "current").stat().st_size
            full = (folder / "current").stat().st_ino
            keys = _at_once(folder, 2, 1, SMALL, bytes(600))
            assert (folder / "previous").stat().st_ino == full, turn
            assert all(cache.get(key)[1] == bytes(600) for key in keys)
            assert held(cache, before) == before
            shutil.rmtree(folder)
            folder.mkdir()

    def test_a_renewal_that_lost_the_race_changes_nothing(self, cache, folder):
        keys = filled(cache, 3)
        late, _ = cache_module.opened(os.fsencode(folder / "current"), os.O_RDWR)
        early, _ = cache_module.opened(os.fsencode(folder / "current"), os.O_RDWR)
        generation.renew(os.fsencode(folder), early, True, 10)
        now = {path.name: path.stat().st_ino for path in folder.iterdir()}
        generation.renew(os.fsencode(folder), late, True, 10)
        assert {path.name: path.stat().st_ino for path in folder.iterdir()} == now
        assert held(cache, keys) == keys

    def test_a_renewal_leaves_nothing_behind_when_it_fails(self, folder, monkeypatch):
        def fails(*_):
            raise OSError

        monkeypatch.setattr(generation.posix, "ftruncate", fails)
        assert small(folder).put(KEY, b"payload") is False
        assert names(folder) == []

    def test_no_descriptor_stays_open(self, folder):
        cache = small(folder)
        before = os.listdir("/proc/self/fd")
        keys = filled(cache, 100)
        held(cache, keys)
        _in_place(folder / "current", 0, b"\xff")
        cache.put(KEY, b"")
        (folder / "current").chmod(0o640)
        cache.get(KEY)
        cache.put(KEY, b"")
        cache.put(KEY, bytes(SMALL))
        assert os.listdir("/proc/self/fd") == before


def _as_nobody(folder, entries):
    """Results of put() by a user who may use the files, but not change the folder."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def work():
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        cache = small(folder)
        results.put([cache.put(digest(name), data) for name, data in entries])

    if os.geteuid() == 0:
        open_to_all(folder)
        os.chown(folder / "current", 65534, 65534)
    folder.chmod(0o555)
    child = context.Process(target=work)
    child.start()
    found = results.get()
    child.join()
    folder.chmod(0o755)
    return found


def _fill(folder, limit, results):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    results.put([Cache(folder, 7, 1 << 20).put(KEY, b"new" * 1000) for _ in range(3)])


@pytest.mark.parametrize("more", [0, 10, 60], ids=["nothing", "a part of the head", "a part of the payload"])
def test_where_files_may_not_grow_the_old_entry_stays(cache, folder, more):
    cache.put(KEY, b"old")
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    limit = (folder / "current").stat().st_size + more
    child = context.Process(target=_fill, args=(os.fsencode(folder), limit, results))
    child.start()
    assert results.get() == [False] * 3
    child.join()
    assert cache.get(KEY)[1] == b"old"
    assert names(folder) == ["current"]
    assert cache.put(KEY, b"new") is True
    assert cache.get(KEY)[1] == b"new"


LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def full_disk(folder):
    """A file system of 256 KiB on `folder`: of our own, so that nobody else sees it."""
    if LIBC.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=256k,mode=0700") != 0:
        raise OSError(ctypes.get_errno(), "mount")
    try:
        yield
    finally:
        LIBC.umount2(os.fsencode(folder), 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk wants root")
class TestFullDisk:
    def test_nothing_more_is_kept_and_all_that_was_is_found(self, folder):
        with full_disk(folder):
            cache = Cache(os.fsencode(folder), 7, 1 << 20)
            keys = [digest(b"%d" % n) for n in range(2000)]
            kept = [key for key in keys if cache.put(key, payload_of(key))]
            assert 100 < len(kept) < 1900
            assert cache.put(KEY, bytes(5000)) is False
            assert len(held(cache, kept)) > len(kept) * 0.99
            assert held(cache, [key for key in keys if key not in kept]) == []

    def test_the_first_entry_fails_and_leaves_nothing(self, folder):
        with full_disk(folder):
            _use_up(folder / "other")
            cache = Cache(os.fsencode(folder), 7, 64 << 20)
            assert cache.put(KEY, b"payload") is False
            assert cache.get(KEY) is None
            assert names(folder) == ["other"]
            (folder / "other").unlink()
            assert cache.put(KEY, b"payload") is True
            assert cache.get(KEY)[1] == b"payload"

    def test_a_change_of_generations_makes_room(self, folder):
        with full_disk(folder):
            cache = Cache(os.fsencode(folder), 7, 200_000)
            filled(cache, 600)
            _use_up(folder / "other")
            results = [cache.put(digest(b"x%d" % n), bytes(500)) for n in range(1000)]
            assert sum(path.stat().st_size for path in folder.iterdir() if path.name != "other") <= 200_000
            assert True in results
            assert len(held(cache, [digest(b"%d" % n) for n in range(600)])) < 600


def _use_up(path):
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def _write_many(folder, number, turns, size, data, gate):
    """What one of many writers does: keys of its own, and keys that all share."""
    cache = Cache(folder, 7, size)
    gate.wait()
    for turn in range(turns):
        key = digest(b"%d of %d" % (turn, number))
        if not cache.put(key, data or payload_of(key)):
            os._exit(2)
        found = cache.get(digest(b"shared %d" % (turn % 5)))
        if found is not None and len(set(found[1])) != 1:
            os._exit(1)
        if not data and not cache.put(digest(b"shared %d" % (turn % 5)), bytes((number,)) * (100 + turn * 5)):
            os._exit(2)
    os._exit(0)


def _at_once(folder, writers, turns, size, data=b""):
    """The keys that so many processes have put, starting together."""
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(writers)
    children = [
        context.Process(target=_write_many, args=(os.fsencode(folder), n, turns, size, data, gate))
        for n in range(writers)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * writers
    return [digest(b"%d of %d" % (turn, number)) for number in range(writers) for turn in range(turns)]


def test_32_processes_at_once_never_see_a_wrong_entry_and_lose_next_to_none(folder):
    keys = _at_once(folder, 32, 100, 16 << 20)
    assert len(held(Cache(os.fsencode(folder), 7), keys)) > len(keys) * 0.98
    assert names(folder) == ["current"]


def test_32_processes_at_once_stay_within_the_size_while_generations_change(folder):
    keys = _at_once(folder, 32, 100, 2_000_000)
    held(Cache(os.fsencode(folder), 7), keys)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2_000_000
    assert set(names(folder)) == {"current", "previous"}


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from amavis_pipe.cache import Cache, digest
cache = Cache(sys.argv[2].encode(), 7, 100_000)
print("begun", flush=True)
turn = 0
while True:
    turn += 1
    key = digest(b"%d" % (turn % 500))
    cache.put(key, digest(key) * (1 + key[0] % 25))
    print(flush=True)
"""


def test_after_kill_9_while_writing_all_answers_are_right_and_writing_goes_on(folder):
    chance = random.Random(9)
    cache = Cache(os.fsencode(folder), 7, 100_000)
    keys = [digest(b"%d" % turn) for turn in range(500)]
    for _ in range(20):
        command = [sys.executable, "-I", "-S", "-c", KILLED, CHECKOUT, folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            for _ in range(chance.randrange(1, 800)):
                child.stdout.readline()
            child.kill()
        assert child.returncode == -signal.SIGKILL
        held(cache, keys)
        assert cache.put(KEY, b"payload") is True
        assert cache.get(KEY)[1] == b"payload"


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_keys_of_different_fields_differ(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)
