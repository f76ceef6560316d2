"""The command `prune`: what goes, what stays, and that nothing else is touched."""

import fcntl
import os
import threading
from time import gmtime, strftime, time

import pytest

from amavis_pipe.cache import Cache, digest
from amavis_pipe.desk import prune, store
from amavis_pipe.desk.prune import Pruning, cutoff

DAY, HOUR = 86400, 3600
MAIL = "virus-20260101-000000-0123456789ab"


@pytest.fixture
def state(settings_of, tmp_path):
    settings_of()
    return tmp_path / "state"


@pytest.fixture
def run(settings_of, state):
    """A function: prunes in this process; the status."""

    def pruned(only="", **tree):
        return Pruning(settings_of(**tree), os.fsencode(state), False).run(only)

    return pruned


def put(path, age=0.0, size=10):
    """A file of this age in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time() - age, time() - age))
    return path


def there(folder):
    """The files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


class TestCache:
    def test_old_entries_go_and_young_ones_stay(self, run, state):
        put(state / "cache/ab/old", 8 * DAY)
        put(state / "cache/cd/young", 6 * DAY)
        assert run() == 0
        assert there(state / "cache") == ["cd/young"]

    def test_above_the_size_the_oldest_go_first(self, run, state):
        for number in range(10):
            put(state / f"cache/{number % 3:02d}/{number}", age=number * 100, size=8192)
        assert run(cache={"size": "40000"}) == 0
        assert there(state / "cache") == ["00/0", "00/3", "01/1", "02/2"]

    def test_below_the_size_nothing_goes(self, run, state):
        put(state / "cache/ab/x", 100, 8192)
        run(cache={"size": 8192})
        assert there(state / "cache") == ["ab/x"]

    def test_temporary_files_stay_for_an_hour(self, run, state):
        put(state / "cache/ab/x.123", HOUR - 60)
        put(state / "cache/ab/y.123", HOUR + 60)
        run(cache={"size": 0})
        assert there(state / "cache") == ["ab/x.123"]

    def test_without_days_all_goes(self, run, state):
        put(state / "cache/ab/x", 1)
        run(cache={"days": 0})
        assert there(state / "cache") == []

    def test_what_is_used_is_found_afterwards(self, run, state):
        cache = Cache(os.fsencode(state / "cache"), 7)
        cache.put(digest(b"x"), b"payload")
        run()
        assert cache.get(digest(b"x"))[1] == b"payload"

    def test_entries_may_come_and_go_meanwhile(self, run, state):
        cache, stop = Cache(os.fsencode(state / "cache"), 7), threading.Event()
        failed = []

        def work():
            turn = 0
            while not stop.is_set():
                turn += 1
                if not cache.put(digest(b"%d" % (turn % 50)), b"x" * 5000):
                    failed.append(turn)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            assert [run("cache", cache={"size": 20_000}) for _ in range(20)] == [0] * 20
        finally:
            stop.set()
            worker.join()
        assert failed == []

    def test_a_file_that_is_gone_before_it_can_be_removed_is_no_trouble(self, run, state, monkeypatch):
        put(state / "cache/ab/x", 8 * DAY)
        files = store.files

        def vanishing(folder):
            for kept in files(folder):
                os.unlink(kept.name, dir_fd=folder)
                yield kept

        monkeypatch.setattr(store, "files", vanishing)
        assert run("cache") == 0


class TestJournal:
    def test_days_are_counted_by_name(self, run, state):
        names = [strftime("%Y-%m-%d.jsonl", gmtime(time() - days * DAY)) for days in (0, 29, 31, 400)]
        for name in names:
            put(state / "journal" / name)
        put(state / "journal/notes.txt", 500 * DAY)
        assert run() == 0
        assert there(state / "journal") == sorted([*names[:2], "notes.txt"])

    def test_without_days_all_goes(self, run, state):
        put(state / "journal" / strftime("%Y-%m-%d.jsonl", gmtime()))
        run(journal={"days": 0})
        assert there(state / "journal") == []


class TestQuarantine:
    def test_old_mail_goes(self, run, state):
        put(state / "quarantine" / MAIL, 31 * DAY)
        put(state / "quarantine/unchecked-20260101-000000-0123456789ab", 29 * DAY)
        run()
        assert there(state / "quarantine") == ["unchecked-20260101-000000-0123456789ab"]

    def test_above_the_size_the_oldest_goes_first(self, run, state):
        for number in range(5):
            put(state / f"quarantine/virus-20260101-00000{number}-0123456789ab", 500 - number * 100, 4096)
        run(quarantine={"size": 3 * 4096})
        assert [name[-14] for name in there(state / "quarantine")] == ["2", "3", "4"]

    def test_files_of_other_names_stay(self, run, state):
        put(state / "quarantine/notes.txt", 100 * DAY)
        put(state / f"quarantine/{MAIL}.bak", 100 * DAY)
        run(quarantine={"size": 0})
        assert there(state / "quarantine") == ["notes.txt", f"{MAIL}.bak"]

    def test_what_a_crash_left_goes_after_an_hour(self, run, state):
        put(state / f"quarantine/.{MAIL}.77", HOUR + 60)
        put(state / f"quarantine/.{MAIL}.78", HOUR - 60)
        run()
        assert there(state / "quarantine") == [f".{MAIL}.78"]

    def test_a_place_elsewhere_is_pruned_too(self, run, tmp_path):
        put(tmp_path / "elsewhere" / MAIL, 31 * DAY)
        put(tmp_path / "elsewhere/other", 31 * DAY)
        run(quarantine={"place": str(tmp_path / "elsewhere")})
        assert there(tmp_path / "elsewhere") == ["other"]

    def test_none_is_no_trouble(self, run):
        assert run(quarantine={"place": ""}, unchecked={"crash": "defer"}) == 0


class TestWork:
    def test_leftovers_older_than_an_hour_go(self, run, state):
        put(state / "work/spool-1-ab", HOUR + 60)
        put(state / "work/spool-2-ab", HOUR - 60)
        put(state / "work/folder/deep/file", 5)
        os.utime(state / "work/folder", (1, 1))
        assert run() == 0
        assert there(state / "work") == ["spool-2-ab"]
        assert [path.name for path in (state / "work").iterdir()] == ["spool-2-ab"]

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_what_a_filter_has_locked_stays(self, run, state, what):
        path = put(state / ("work/locked" if what == "file" else "work/locked/inner"), 2 * HOUR)
        os.utime(state / "work/locked", (1, 1))
        fd = os.open(state / "work/locked", os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            run()
            assert path.exists()
        finally:
            os.close(fd)
        run()
        assert not path.exists()

    def test_links_go_and_what_they_point_to_stays(self, run, state, tmp_path):
        put(tmp_path / "outside/file", 9 * DAY)
        for name, target in (("one", tmp_path / "outside"), ("two", tmp_path / "outside/file")):
            (state / "work" / name).symlink_to(target)
            os.utime(state / "work" / name, (1, 1), follow_symlinks=False)
        run()
        assert there(state / "work") == []
        assert there(tmp_path / "outside") == ["file"]

    def test_a_fifo_is_not_waited_for(self, run, state):
        os.mkfifo(state / "work/fifo")
        os.utime(state / "work/fifo", (1, 1))
        assert run() == 0
        assert there(state / "work") == []


class TestSafety:
    @pytest.mark.parametrize("room", ["cache", "journal", "quarantine", "work"])
    def test_a_room_that_is_a_link_is_trouble_and_not_followed(self, run, state, tmp_path, room, capsys):
        (state / room).rmdir()
        outside = tmp_path / "outside"
        names = {"cache": "ab/x", "journal": "2001-01-01.jsonl", "quarantine": MAIL, "work": "x"}
        put(outside / names[room], 100 * DAY)
        (state / room).symlink_to(outside)
        assert run() == 2
        assert there(outside) == [names[room]]
        assert room in capsys.readouterr().err

    def test_links_in_the_cache_are_not_followed(self, run, state, tmp_path):
        put(tmp_path / "outside/file", 100 * DAY)
        (state / "cache/ab").symlink_to(tmp_path / "outside")
        put(state / "cache/cd/x")
        (state / "cache/cd/link").symlink_to(tmp_path / "outside/file")
        assert run() == 0
        assert there(tmp_path / "outside") == ["file"]

    def test_files_of_another_owner_stay(self, run, state, monkeypatch):
        for path in ("cache/ab/x", f"quarantine/{MAIL}", "journal/2001-01-01.jsonl", "work/x"):
            put(state / path, 100 * DAY)
        before = there(state)
        monkeypatch.setattr(prune.os, "geteuid", lambda: os.getuid() + 1)
        run()
        assert there(state) == before

    def test_snapshots_stay_their_temporaries_go(self, run, state):
        put(state / "settings-0123456789abcdef", 100 * DAY)
        put(state / "settings-0123456789abcdef.55", HOUR + 60)
        put(state / "settings-0123456789abcdef.56", 60)
        put(state / "other", 100 * DAY)
        run()
        assert there(state) == ["other", "settings-0123456789abcdef", "settings-0123456789abcdef.56"]

    def test_rooms_that_are_not_there_are_no_trouble(self, run, state):
        for room in ("cache", "journal", "quarantine"):
            (state / room).rmdir()
        assert run() == 0


@pytest.mark.parametrize(
    ("sizes", "most", "expect"),
    [({}, 0, 0), ({5: 10}, 10, 0), ({5: 10}, 9, 6), ({5: 10, 6: 10, 7: 10}, 20, 6), ({5: 1, 9: 30}, 20, 10)],
    ids=["none", "fits", "too large", "oldest goes", "newest too large"],
)
def test_the_cutoff_leaves_at_most_the_size(sizes, most, expect):
    assert cutoff(sizes, most) == expect


class TestCommand:
    def test_it_is_silent_and_does_it_as_the_folders_owner(self, desk):
        put(desk.state / "cache/ab/old", 8 * DAY)
        put(desk.state / f"quarantine/{MAIL}", 31 * DAY)
        desk.own(desk.state)
        done = desk.run("prune")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert there(desk.state) == []

    def test_verbose_tells_the_numbers(self, desk):
        put(desk.state / "cache/ab/old", 8 * DAY, 100)
        desk.own(desk.state)
        assert desk.run("prune", "-v").stdout.splitlines() == [
            "cache: 1 file removed, 4.0 KiB",
            "journal: 0 files removed, 0 bytes",
            "quarantine: 0 files removed, 0 bytes",
            "work: 0 files removed, 0 bytes",
            "state: 0 files removed, 0 bytes",
        ]

    def test_without_a_state_folder_it_is_trouble(self, desk):
        desk.settings.write_text('state = "/nonexistent"\n')
        done = desk.run("prune", user="nobody")
        assert done.returncode == 2
        assert done.stderr == "amavis-pipe: no state: /nonexistent can't be used by this user\n"

    def test_cache_prune_does_the_cache_alone(self, desk):
        put(desk.state / "cache/ab/old", 8 * DAY)
        put(desk.state / f"quarantine/{MAIL}", 31 * DAY)
        desk.own(desk.state)
        assert desk.run("cache", "prune").returncode == 0
        assert there(desk.state) == [f"quarantine/{MAIL}"]


class TestCacheCommands:
    def test_stats_tell_number_size_and_times(self, desk):
        for number in range(3):
            put(desk.state / f"cache/ab/{number}", number * DAY, 100)
        put(desk.state / "cache/ab/9.123")
        os.utime(desk.state / "cache/ab/2", (86400, 86400))
        desk.own(desk.state)
        done = desk.run("cache", "stats")
        assert done.returncode == 0
        told = dict(line.split(None, 1) for line in done.stdout.splitlines())
        assert told["entries"] == "3"
        assert told["on"] == "disk  12.0 KiB"
        assert told["folder"] == f"{desk.state}/cache"
        assert told["oldest"] == "1970-01-02 00:00:00 UTC"
        assert told["newest"].startswith("20")

    def test_an_empty_cache_has_no_times(self, desk):
        assert "oldest" not in desk.run("cache", "stats").stdout

    def test_clear_removes_everything(self, desk):
        for number in range(3):
            put(desk.state / f"cache/{number}{number}/x")
        desk.own(desk.state)
        done = desk.run("cache", "clear")
        assert (done.returncode, done.stdout) == (0, f"3 entries removed from {desk.state}/cache\n")
        assert there(desk.state) == []

    def test_without_a_cache_they_are_status_2(self, desk):
        desk.settings.write_text('state = "/nonexistent"\n')
        for word in ("stats", "clear"):
            done = desk.run("cache", word, user="nobody")
            assert (done.returncode, done.stdout) == (2, "")
