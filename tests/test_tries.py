"""What filters have died of is not tried for ever, and what is no mail's fault is counted against none."""

import os
import signal

import pytest

from amavis_pipe import tries as module
from amavis_pipe.tries import Tries

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [1_000_000.0]
    monkeypatch.setattr(module, "time", lambda: now[0])
    return now


@pytest.fixture
def site(tmp_path, clock):
    return Site(os.fsencode(tmp_path), clock)


class Site:
    def __init__(self, state, clock):
        self.state, self.clock = state, clock

    def tries(self, key=KEY, most=3):
        self.clock[0] += 300
        found = Tries(self.state, key, most)
        found.begin()
        return found

    def dies(self, step=0, key=KEY):
        """An examination that does not end, in a step; what it would have left out."""
        found = self.tries(key)
        if step:
            found.enter(step)
        return found.skipped

    def hangs(self):
        """A scanner gives no answer in time."""
        found = self.tries()
        found.enter(Tries.SCAN)
        found.hang(Tries.SCAN)
        return found.skipped

    def succeeds(self, key=OTHER, scanned=True):
        self.tries(key).end(True, scanned)


@pytest.mark.parametrize("step", [Tries.DECOMPOSE, Tries.SCAN])
def test_after_so_many_deaths_the_step_is_left_out(site, step):
    skipped = []
    for _ in range(5):
        skipped.append(site.dies(step))
        site.succeeds()
    assert skipped == [0, 0, 0, step, step]


def test_both_steps_may_be_left_out_in_the_end(site):
    for step in (Tries.DECOMPOSE,) * 3 + (Tries.SCAN,) * 4:
        site.dies(step)
        site.succeeds()
    assert site.dies(Tries.SCAN) == Tries.DECOMPOSE | Tries.SCAN


def test_where_no_other_mail_succeeds_it_takes_longer(site):
    skipped = [site.dies(Tries.SCAN) for _ in range(13)]
    assert skipped == [0] * 12 + [Tries.SCAN]


def test_a_scanner_that_hangs_for_one_mail_alone_is_not_asked_about_it_for_ever(site):
    skipped = []
    for _ in range(4):
        skipped.append(site.hangs())
        site.succeeds()
    assert skipped == [0, 0, 0, Tries.SCAN]


@pytest.mark.parametrize("others", [False, True], ids=["no mail goes", "others are not scanned"])
def test_a_scanner_that_hangs_for_all_makes_no_mail_poison(site, others):
    for _ in range(100):
        assert site.hangs() == 0
        if others:
            site.succeeds(scanned=False)


def test_where_nothing_is_scanned_deaths_in_taking_apart_are_counted_all_the_same(site):
    for _ in range(3):
        site.dies(Tries.DECOMPOSE)
        site.succeeds(scanned=False)
    assert site.tries().skipped == Tries.DECOMPOSE


def test_with_the_clock_before_1970_nothing_fails(site, clock):
    clock[0] = -5000.0
    site.dies()
    site.succeeds()


def test_a_success_takes_all_back(site):
    for _ in range(3):
        site.dies()
        site.succeeds()
        site.succeeds(KEY)
    assert site.tries().skipped == 0


def test_the_machines_trouble_is_counted_against_no_mail(site):
    for _ in range(50):
        site.tries().end(False)
        site.succeeds()
    assert site.tries().skipped == 0


def test_trouble_between_deaths_takes_none_of_them_back(site):
    for _ in range(3):
        site.dies(Tries.SCAN)
        site.succeeds()
        site.tries().end(False)
    assert site.tries().skipped == Tries.SCAN


def test_what_is_left_out_stays_so_while_the_mail_is_tried_again(site):
    for _ in range(3):
        site.dies(Tries.DECOMPOSE)
        site.succeeds()
    for _ in range(3):
        again = site.tries()
        assert again.skipped == Tries.DECOMPOSE
        again.end(True)


def test_one_mails_deaths_are_no_others(site):
    for _ in range(4):
        site.dies()
        site.succeeds()
    assert site.tries(OTHER).skipped == 0
    assert site.tries().skipped == Tries.DECOMPOSE


@pytest.fixture
def living(site):
    """A function: another process that examines the mail, and a call that kills it."""
    pids = []

    def start():
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                site.tries().enter(Tries.SCAN)
                os.write(write, b".")
                signal.pause()
            finally:
                os._exit(1)
        os.close(write)
        assert os.read(read, 1) == b"."
        os.close(read)
        pids.append(pid)

        def kill():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pids.pop(), 0)

        return kill

    yield start
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_copies_that_are_examined_at_the_same_time_are_no_deaths(site, living):
    living()
    for _ in range(20):
        assert site.dies(Tries.SCAN) == 0
        site.succeeds()


def test_the_death_of_one_that_others_saw_living_is_counted(site, living):
    kill = living()
    site.succeeds(KEY)  # a copy that ends well takes nothing back
    kill()
    skipped = []
    for _ in range(3):
        site.succeeds()
        skipped.append(site.dies(Tries.SCAN))
    assert skipped == [0, 0, Tries.SCAN]


def test_after_a_week_nothing_is_believed(site, clock):
    for _ in range(4):
        site.dies()
        site.succeeds()
    clock[0] += module.LASTS
    assert site.tries().skipped == 0


@pytest.mark.parametrize("content", [b"", b"\xff" * (module.SLOTS * module.SLOT), os.urandom(4096)])
def test_a_damaged_file_leaves_out_nothing(site, content):
    site.tries().end(True)
    with open(os.path.join(site.state, b"tries"), "wb") as file:
        file.write(content)
    assert site.tries().skipped == 0


def test_without_a_file_there_is_no_guard_and_no_trouble(tmp_path):
    found = Tries(os.fsencode(tmp_path / "nowhere"), KEY, 3)
    found.begin()
    found.enter(Tries.SCAN)
    found.end(True)
    assert found.skipped == 0


def test_the_file_is_private_small_and_never_a_link(site, tmp_path):
    site.dies()
    path = tmp_path / "tries"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size <= module.SLOTS * module.SLOT
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(b"")
    path.symlink_to(tmp_path / "elsewhere")
    site.dies()
    assert (tmp_path / "elsewhere").read_bytes() == b""
