"""The command `prune`: what goes, what stays, and that nothing else is touched."""

import fcntl
import json
import os
import threading
from time import gmtime, strftime, time

import pytest

from amavis_pipe.cache import Cache, digest
from amavis_pipe.desk import hits, prune, store
from amavis_pipe.desk.prune import Pruning
from amavis_pipe.desk.table import amount
from amavis_pipe.history import lines

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
    """The files below a folder, but for the note of when prune ended."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    return [name for name in found if name != "pruned"]


class TestCache:
    def test_a_generation_goes_when_its_newest_entry_is_old(self, run, state):
        put(state / "cache/previous", 8 * DAY)
        put(state / "cache/current", 6 * DAY)
        assert run() == 0
        assert there(state / "cache") == ["current"]

    def test_a_generation_goes_when_it_is_larger_than_half_of_the_size(self, run, state):
        put(state / "cache/previous", size=20_001)
        put(state / "cache/current", size=20_000)
        run(cache={"size": "40000"})
        assert there(state / "cache") == ["current"]

    def test_temporary_files_stay_for_an_hour(self, run, state):
        put(state / "cache/current.123-ab", HOUR - 60)
        put(state / "cache/current.124-ab", HOUR + 60)
        run(cache={"size": 0})
        assert there(state / "cache") == ["current.123-ab"]

    def test_without_days_or_size_all_goes(self, run, state):
        for setting in ({"days": 0}, {"size": 0}):
            put(state / "cache/current", 1)
            run(cache=setting)
            assert there(state / "cache") == []

    def test_what_is_used_is_found_afterwards(self, run, state):
        cache = Cache(os.fsencode(state / "cache"), 7)
        cache.put(digest(b"x"), b"payload")
        run()
        assert cache.get(digest(b"x"))[1] == b"payload"

    def test_a_cache_that_is_full_again_and_again_needs_no_prune(self, run, state):
        cache = Cache(os.fsencode(state / "cache"), 7, 40_000)
        for number in range(500):
            assert cache.put(digest(b"%d" % number), bytes(300)) is True
        before = there(state / "cache")
        assert run(cache={"size": 40_000}) == 0
        assert there(state / "cache") == before == ["current", "previous"]

    def test_folders_of_the_form_before_go_whatever_their_age(self, run, state):
        put(state / "cache/ab/0123", 60)
        put(state / "cache/ab/4567.123", 60)
        put(state / "cache/cd/89", 9 * DAY)
        put(state / "cache/notes/x", 9 * DAY)
        put(state / "cache/current", 60)
        assert run("cache") == 0
        assert there(state / "cache") == ["current", "notes/x"]
        assert sorted(path.name for path in (state / "cache").iterdir()) == ["current", "notes"]

    def test_entries_may_come_and_go_meanwhile(self, run, state):
        cache, stop = Cache(os.fsencode(state / "cache"), 7, 20_000), threading.Event()
        found, failed = set(), []

        def work():
            turn = 0
            while not stop.is_set():
                turn += 1
                key = digest(b"%d" % turn)
                found.add(cache.put(key, key * 50))
                answer = cache.get(key)
                if answer is not None and answer[1] != key * 50:
                    failed.append(turn)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            assert [run("cache", cache={"size": 4000}) for _ in range(20)] == [0] * 20
        finally:
            stop.set()
            worker.join()
        assert True in found
        assert failed == []

    def test_a_file_that_is_gone_before_it_can_be_removed_is_no_trouble(self, run, state, monkeypatch):
        put(state / "cache/current", 8 * DAY)
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
        names = {"cache": "current", "journal": "2001-01-01.jsonl", "quarantine": MAIL, "work": "x"}
        put(outside / names[room], 100 * DAY)
        (state / room).symlink_to(outside)
        assert run() == 2
        assert there(outside) == [names[room]]
        assert room in capsys.readouterr().err

    def test_links_in_the_cache_are_not_followed(self, run, state, tmp_path):
        put(tmp_path / "outside/file", 100 * DAY)
        (state / "cache/ab").symlink_to(tmp_path / "outside")
        (state / "cache/previous").symlink_to(tmp_path / "outside/file")
        put(state / "cache/cd/x")
        (state / "cache/cd/link").symlink_to(tmp_path / "outside/file")
        assert run() == 0
        assert there(tmp_path / "outside") == ["file"]

    def test_files_of_another_owner_stay(self, run, state, monkeypatch):
        for path in (
            "cache/ab/x",
            "cache/current",
            f"quarantine/{MAIL}",
            "journal/2001-01-01.jsonl",
            "work/x",
        ):
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


class TestCommand:
    def test_it_is_silent_and_does_it_as_the_folders_owner(self, desk):
        put(desk.state / "cache/previous", 8 * DAY)
        put(desk.state / f"quarantine/{MAIL}", 31 * DAY)
        desk.own(desk.state)
        done = desk.run("prune")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert there(desk.state) == []

    def test_verbose_tells_the_numbers(self, desk):
        put(desk.state / "cache/previous", 8 * DAY, 100)
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
        put(desk.state / "cache/previous", 8 * DAY)
        put(desk.state / f"quarantine/{MAIL}", 31 * DAY)
        desk.own(desk.state)
        assert desk.run("cache", "prune").returncode == 0
        assert there(desk.state) == [f"quarantine/{MAIL}"]


def remember(desk, number):
    """Put so many entries into the site's cache."""
    cache = Cache(os.fsencode(desk.state / "cache"), 7)
    for turn in range(number):
        cache.put(digest(b"%d" % turn), b"payload")
    desk.own(desk.state)


def told_by(desk):
    """What `cache stats` says, by the words that its lines begin with."""
    done = desk.run("cache", "stats")
    assert (done.returncode, done.stderr) == (0, "")
    return {line[:8].strip(): line[9:] for line in done.stdout.splitlines()}


def record(cache, *cached):
    """A line of the journal, as far as hits are counted from it."""
    return json.dumps({"schema": 1, "cache": cache, "scanners": [{"name": "x", "cached": c} for c in cached]})


def journal(desk, age, *lines, end="\n"):
    path = desk.state / "journal" / strftime("%Y-%m-%d.jsonl", gmtime(time() - age * DAY))
    path.write_text("\n".join(lines) + end)
    desk.own(desk.state)
    return path


class TestCacheCommands:
    def test_stats_tell_number_size_and_times(self, desk):
        remember(desk, 3)
        (desk.state / "cache/current").rename(desk.state / "cache/previous")
        os.utime(desk.state / "cache/previous", (86400, 86400))
        remember(desk, 2)
        put(desk.state / "cache/current.123-ab")
        desk.own(desk.state)
        blocks = sum(path.stat().st_blocks for path in (desk.state / "cache").iterdir())
        told = told_by(desk)
        assert told["entries"] == "5"
        assert told["on disk"] == f"{amount(blocks * 512)} of 256.0 MiB"
        assert told["folder"] == f"{desk.state}/cache"
        assert told["oldest"].startswith("20")
        assert told["oldest"] <= told["newest"]

    def test_stats_of_a_generation_with_full_buckets_count_all(self, desk):
        remember(desk, 5000)
        assert told_by(desk)["entries"] == "5,000"

    def test_an_empty_cache_has_no_times(self, desk):
        told = told_by(desk)
        assert told["entries"] == "0"
        assert "oldest" not in told

    def test_a_damaged_generation_counts_by_its_bytes_alone(self, desk):
        remember(desk, 3)
        with (desk.state / "cache/current").open("r+b") as file:
            file.write(b"damage")
        told = told_by(desk)
        assert told["entries"] == "0"
        assert told["on disk"] != "0 bytes of 256.0 MiB"

    def test_hits_are_counted_from_the_records_of_the_last_days(self, desk):
        journal(desk, 0, record("hit", True), record("miss", True, True), record("miss", True, False))
        journal(desk, 6, record("miss"), record("hit"))
        journal(desk, 9, record("hit"), record("hit"), record("hit"))
        told = told_by(desk)
        assert told["hits"] == "2 of 5 mails in 7 days (40 %)"
        assert told["parts"] == "1 of the other mails had nothing that scanners did not know"

    def test_torn_lines_and_what_is_no_record_are_skipped(self, desk):
        odd = [
            '{"cache": "hit", "scan',
            "\0\0\0",
            "[]",
            "7",
            '{"cache": "hit"}',
            "[" * 100_000,
            "x" * 100_000,
        ]
        scanners = ['{"cache": "hit", "scanners": 5}', '{"cache": "hit", "scanners": [5]}']
        journal(desk, 0, record("hit"), *odd, *scanners, record("miss"), record("hit")[:-9], end="")
        assert told_by(desk)["hits"] == "1 of 2 mails in 7 days (50 %)"

    def test_a_line_that_is_too_long_is_skipped_whole(self, desk, monkeypatch):
        monkeypatch.setattr(lines, "LONGEST", 200)
        path = journal(desk, 0, record("hit"), "x" * 450, record("hit"))
        os.chown(path, os.geteuid(), -1)
        assert hits.count(os.fsencode(path.parent), 0) == (2, 2, 0)

    def test_without_a_journal_it_says_so(self, desk):
        assert told_by(desk)["hits"] == "not known: no journal (none of the last 7 days)"
        desk.configure("[journal]\ndays = 0")
        assert told_by(desk)["hits"] == "not known: no journal (journal.days is 0)"

    def test_a_link_in_the_journal_is_not_read(self, desk):
        path = journal(desk, 0, record("hit"))
        path.rename(desk.files / "elsewhere")
        path.symlink_to(desk.files / "elsewhere")
        assert told_by(desk)["hits"].startswith("not known")

    def test_json_has_the_same_as_one_line(self, desk):
        remember(desk, 3)
        journal(desk, 0, record("hit"), record("miss", True))
        (line,) = desk.run("cache", "stats", "--json").stdout.splitlines()
        told = json.loads(line)
        assert told["entries"] == 3
        assert told["size"] == 256 << 20
        assert told["hits"] == {"days": 7, "mails": 2, "hits": 1, "parts": 1}
        assert told["oldest"] <= told["newest"]

    def test_json_of_nothing_has_nulls(self, desk):
        told = json.loads(desk.run("cache", "stats", "--json").stdout)
        assert (told["oldest"], told["newest"], told["hits"]) == (None, None, None)

    def test_clear_removes_everything(self, desk):
        remember(desk, 3)
        (desk.state / "cache/current").rename(desk.state / "cache/previous")
        remember(desk, 2)
        for number in range(3):
            put(desk.state / f"cache/{number}{number}/x")
        put(desk.state / "cache/current.123-ab")
        desk.own(desk.state)
        done = desk.run("cache", "clear")
        assert (done.returncode, done.stdout) == (0, f"8 entries removed from {desk.state}/cache\n")
        assert list((desk.state / "cache").iterdir()) == []

    def test_without_a_cache_they_are_status_2(self, desk):
        desk.settings.write_text('state = "/nonexistent"\n')
        for word in ("stats", "clear"):
            done = desk.run("cache", word, user="nobody")
            assert (done.returncode, done.stdout) == (2, "")
