"""`quarantine prune`: what goes by age, size and number, in folders and mailboxes, beside filters at work."""

import fcntl
import os
import re
from pathlib import Path
from time import gmtime, time

import pytest
from stand_in import mails

from amavis_pipe import intake, quarantine
from amavis_pipe.desk.held import bounds, mailboxes, stock
from amavis_pipe.desk.held.bounds import Bounds
from amavis_pipe.desk.held.places import Place
from amavis_pipe.desk.prune import Pruning
from amavis_pipe.model import Envelope

DAY, HOUR = 86400, 3600
ENTRY = {"schema": 1, "label": "infected"}


@pytest.fixture
def state(settings_of, tmp_path):
    settings_of()
    return tmp_path / "state"


@pytest.fixture
def run(settings_of, state, capsys):
    """A function: prunes in this process; the status. Says on stderr what it removed."""

    def pruned(**tree):
        return Pruning(settings_of(**tree), os.fsencode(state), True).run("quarantine")

    return pruned


def keep(place, number=0, age=0, queue_id=b"", size=100):
    """Hold a mail back, so many seconds ago; its name."""
    mail = intake.of_bytes(mails.plain(b"%08d" % number + b"y" * size), b"/tmp")
    envelope = Envelope(b"a@x", (b"b@x",), queue_id or b"q%d" % number)
    real = quarantine.gmtime
    quarantine.gmtime = lambda: gmtime(time() - age)
    try:
        name = quarantine.keep(mail, envelope, "infected", "INFECTED x", os.fsencode(place), ENTRY)
    finally:
        quarantine.gmtime = real
    if place.is_dir():
        for path in (place / name[-12:-10]).glob(name + "*"):
            os.utime(path, (time() - age, time() - age))
    return name


def put(path, age):
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time() - age, time() - age))
    return path


def there(place):
    """The names of what is held back in a place."""
    shown = Place(str(place), os.fsencode(place))
    return [copy.name for copy in sorted(stock.copies(shown), key=lambda copy: (copy.when, copy.name))]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(params=["quarantine", "kept.mbox"])
def place(request, state):
    return state / request.param


class TestBounds:
    def test_old_mail_goes_with_its_record(self, run, state, place):
        keep(place, 1, 31 * DAY)
        young = keep(place, 2, 29 * DAY)
        assert run(infected={"quarantine": place.name}) == 0
        assert there(place) == [young]
        if place.is_dir():
            assert files(place) == [
                young[-12:-10],
                f"{young[-12:-10]}/{young}",
                f"{young[-12:-10]}/{young}.json",
            ]

    def test_above_the_number_the_oldest_go(self, run, place):
        names = [keep(place, number, 500 - number * 100) for number in range(5)]
        run(infected={"quarantine": place.name}, quarantine={"count": 2})
        assert there(place) == names[3:]

    def test_any_number_may_stay_by_default(self, run, place):
        names = [keep(place, number, 500 - number * 100) for number in range(5)]
        run(infected={"quarantine": place.name})
        assert there(place) == names

    def test_above_the_size_the_oldest_go(self, run, place):
        names = [keep(place, number, 500 - number * 100, size=20_000) for number in range(5)]
        run(infected={"quarantine": place.name}, quarantine={"size": 90_000 if place.is_dir() else 65_000})
        assert there(place) == names[2:]

    def test_mails_of_the_same_second_in_a_mailbox_go_one_by_one(self, run, state):
        place = state / "kept.mbox"
        names = [keep(place, number, 100) for number in range(5)]
        run(infected={"quarantine": place.name}, quarantine={"count": 3})
        assert sorted(there(place)) == sorted(names[2:])

    def test_each_place_has_the_bounds_to_itself(self, run, state, capsys):
        for name in ("quarantine", "viruses", "kept.mbox"):
            for number in range(3):
                keep(state / name, number, 300 - number * 100)
        run(
            infected={"quarantine": "viruses"},
            recipient=[{"match": ["x"], "infected": {"quarantine": "kept.mbox"}}],
            quarantine={"count": 1},
        )
        assert [len(there(state / name)) for name in ("quarantine", "viruses", "kept.mbox")] == [1, 1, 1]
        said = capsys.readouterr().out.splitlines()
        assert [line.rsplit(":")[0] for line in said] == [
            "quarantine",
            "quarantine viruses",
            "quarantine kept.mbox",
        ]
        assert [re.search(r": (\d+) file", line)[1] for line in said] == ["4", "4", "2"]


@pytest.mark.parametrize(
    ("mails_", "size", "count", "stay"),
    [
        ([], 10, 1, []),
        ([(5, 10)], 10, 0, [5]),
        ([(5, 10)], 9, 0, []),
        ([(5, 10), (6, 10), (7, 10)], 20, 0, [6, 7]),
        ([(5, 1), (9, 30)], 20, 0, []),
        ([(5, 1), (6, 1), (7, 1)], 20, 2, [6, 7]),
        ([(-99, 1), (6, 1)], 20, 0, [6]),
    ],
    ids=["none", "fits", "too large", "oldest goes", "newest too large", "too many", "too old"],
)
def test_at_most_the_size_and_the_number_stay(mails_, size, count, stay):
    start = Bounds(1, size, count, DAY).start(mails_)
    assert [time for time, _ in mails_ if time >= start] == stay


class TestLeftovers:
    def test_what_a_crash_left_goes_after_an_hour(self, run, state):
        name = keep(state / "quarantine", 1)
        sub = state / "quarantine" / name[-12:-10]
        lost = "virus-20260101-000000-q1-0123456789ab.json"
        for number, age in ((1, HOUR - 60), (2, HOUR + 60)):
            put(sub / f".-q1-0123456789ab.{number}-01234567", age)
            put(sub / f".{name}.json.{number}-01234567", age)
        put(sub / lost, HOUR - 60)
        put(sub / lost.replace("ab.json", "cd.json"), HOUR + 60)
        run()
        left = [".-q1-0123456789ab.1-01234567", f".{name}.json.1-01234567", lost, name, f"{name}.json"]
        assert sorted(path.name for path in sub.iterdir()) == sorted(left)

    def test_what_a_crash_left_of_a_mailbox_goes_after_an_hour(self, run, state):
        keep(state / "kept.mbox", 1)
        put(state / ".kept.mbox.1-01234567", HOUR - 60)
        put(state / ".kept.mbox.2-01234567", HOUR + 60)
        put(state / ".other.mbox.2-01234567", HOUR + 60)
        run(infected={"quarantine": "kept.mbox"})
        assert sorted(path.name for path in state.glob(".*.mbox*")) == [
            ".kept.mbox.1-01234567",
            ".other.mbox.2-01234567",
        ]

    def test_empty_subfolders_go_and_others_files_stay(self, run, state):
        top = state / "quarantine"
        (top / "ab").mkdir(mode=0o700)
        (top / "cd").mkdir(mode=0o700)
        (top / "notes").mkdir()
        put(top / "cd/notes.txt", 99 * DAY)
        put(top / "cd/virus-20260101-000000-0123456789ab.bak", 99 * DAY)
        run()
        assert files(top) == ["cd", "cd/notes.txt", "cd/virus-20260101-000000-0123456789ab.bak", "notes"]

    def test_links_are_not_followed(self, run, state, tmp_path):
        put(tmp_path / "outside/virus-20260101-000000-0123456789ab", 99 * DAY)
        (state / "quarantine/01").symlink_to(tmp_path / "outside")
        put(tmp_path / "file", 99 * DAY)
        (state / "quarantine/23").mkdir(mode=0o700)
        (state / "quarantine/23/virus-20260101-000000-0123456789cd").symlink_to(tmp_path / "file")
        assert run() == 0
        assert files(tmp_path / "outside") == ["virus-20260101-000000-0123456789ab"]
        assert (tmp_path / "file").exists()


class TestBesideFilters:
    def test_what_is_locked_is_left_for_another_time(self, run, place):
        name = keep(place, 1, 31 * DAY)
        fd = os.open(place / name[-12:-10] if place.is_dir() else place, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            assert run(infected={"quarantine": place.name}) == 0
            held = (
                there(place) if place.is_dir() else [name] * place.read_bytes().count(b"<%s>" % name.encode())
            )
            assert held == [name]
        finally:
            os.close(fd)
        run(infected={"quarantine": place.name})
        assert there(place) == []

    def test_nothing_that_filters_store_meanwhile_is_lost(self, place):
        """Two filters store, while old mail and empty subfolders go all the time."""
        pids = []
        for number in range(2):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    for turn in range(60):
                        keep(place, number * 1000 + turn, 99 * DAY if turn % 2 else 0)
                    status = 0
                finally:
                    os._exit(status)
            pids.append(pid)
        limits, ended = Bounds(30, 1 << 30, 0, time()), {}
        here = Place(str(place), os.fsencode(place))
        while len(ended) < len(pids):
            for pid in pids:
                found, status = os.waitpid(pid, os.WNOHANG) if pid not in ended else (0, 0)
                if found:
                    ended[pid] = status
            if place.exists():
                bounds.prune(here, limits)
        bounds.prune(here, limits)
        assert set(ended.values()) == {0}
        left = {re.search(r"-(q\d+)-", name)[1] for name in there(place)}
        assert left == {f"q{number * 1000 + turn}" for number in range(2) for turn in range(0, 60, 2)}
        assert all(copy.known().trouble == "" for copy in stock.copies(here))

    def test_a_mailbox_whose_new_file_has_no_room_stays_as_it_was(self, state, monkeypatch):
        place = state / "kept.mbox"
        keep(place, 1, 99 * DAY)
        keep(place, 2)
        before = place.read_bytes()

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(mailboxes.kept, "write", full)
        with pytest.raises(OSError, match="No space"):
            bounds.prune(Place("x", os.fsencode(place)), Bounds(30, 1 << 30, 0, time()))
        assert place.read_bytes() == before
        assert [path.name for path in state.glob(".kept*")] == []

    def test_mail_is_appended_to_what_a_pruned_mailbox_has_left(self, state):
        place = state / "kept.mbox"
        keep(place, 1, 99 * DAY)
        second = keep(place, 2)
        bounds.prune(Place("x", os.fsencode(place)), Bounds(30, 1 << 30, 0, time()))
        third = keep(place, 3)
        assert there(place) == sorted([second, third], key=lambda name: (name[6:21], name))
        assert place.stat().st_mode & 0o777 == 0o600


def test_what_was_put_down_of_releases_goes_with_the_mails(state):
    place = state / "kept.mbox"
    keep(place, 1, 99 * DAY)
    keep(place, 2)
    here = Place("x", os.fsencode(place))
    for copy in stock.copies(here):
        copy.note_release({"time": "", "to": ["b@x"], "route": "sendmail", "queue_id": None})
    beside = Path(str(place) + ".released")
    assert len(beside.read_text().splitlines()) == 2
    bounds.prune(here, Bounds(30, 1 << 30, 0, time()))
    assert [len(copy.known().released) for copy in stock.copies(here)] == [1]
    assert len(beside.read_text().splitlines()) == 1
    bounds.prune(here, Bounds(30, 1, 0, time()))
    assert not beside.exists()
    assert place.read_bytes() == b""


def test_the_command_does_the_quarantine_alone(desk):
    old = desk.state / "quarantine/virus-20260101-000000-0123456789ab"
    put(old, 31 * DAY)
    put(desk.state / "cache/previous", 31 * DAY)
    desk.own(desk.state)
    done = desk.run("quarantine", "prune", "-v")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"quarantine: 1 file removed, .*\n", done.stdout)
    assert not old.exists()
    assert (desk.state / "cache/previous").exists()
