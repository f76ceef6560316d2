"""Folding: every record once in the base, whatever the files look like; packed and expired by day."""

import gzip
import json
import os
import stat
import subprocess
import sys
from time import gmtime, strftime, time

import pytest
from stand_in import journals

from amavis_pipe import history
from amavis_pipe.history import Folded, HistoryTrouble, base, files, folding, pack

TORN = b'{"schema": 1, "source": "pi'


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small batches and members, so that a few records make several."""
    monkeypatch.setattr(folding, "BATCH", 7)
    monkeypatch.setattr(pack, "MEMBER", 5000)


class TestFolding:
    def test_every_record_is_known_once(self, journal):
        for age in (0, 1, 5):
            journal.add(age, 20)
        assert journal.fold() == Folded(60, 0, 2)
        journal.is_folded()

    def test_a_second_time_there_is_nothing_to_do(self, journal):
        journal.add(0, 20)
        journal.add(3, 20)
        journal.fold()
        assert journal.fold() == Folded()
        journal.is_folded()

    def test_what_is_not_folded_is_read_found_and_counted_all_the_same(self, journal):
        journal.add(3, 10)
        journal.is_whole()
        journal.fold()
        journal.add(0, 10)
        journal.is_whole()
        assert len(history.find(journal.state, journals.record(15, 0)["id"])) == 1

    def test_new_records_of_a_day_are_added(self, journal):
        for turn in range(4):
            journal.add(0, turn)
            assert journal.fold().records == turn
            journal.is_folded()

    def test_an_unfinished_line_of_today_waits_for_its_end(self, journal):
        journal.add(0, 3)
        line = journal.line()
        journal.append(0, line[:100])
        assert journal.fold()[:2] == (3, 0)
        journal.append(0, line[100:])
        assert journal.fold()[:2] == (1, 0)
        journal.is_folded()

    def test_an_unfinished_first_line_of_today_waits_too(self, journal):
        line = journal.line()
        journal.append(0, line[:100])
        assert journal.fold() == Folded()
        journal.append(0, line[100:])
        journal.add(0, 3)
        assert journal.fold()[:2] == (4, 0)
        journal.is_folded()

    def test_an_unfinished_line_of_a_closed_day_is_skipped_and_counted(self, journal):
        journal.add(2, 3)
        journal.append(2, TORN)
        assert journal.fold() == Folded(3, 1, 1)
        assert journal.load().torn == 1
        journal.is_folded()

    def test_a_closed_day_with_nothing_but_a_piece_goes(self, journal):
        journal.append(2, TORN)
        assert journal.fold() == Folded(0, 1, 1)
        assert not journal.file(2).exists()

    def test_an_empty_file_of_a_closed_day_goes(self, journal):
        journal.append(2, b"")
        assert journal.fold() == Folded(0, 0, 1)
        assert list(journal.days.iterdir()) == []

    def test_the_record_behind_a_piece_is_not_lost(self, journal):
        journal.add(0, 2)
        journal.append(0, TORN + journal.line())
        journal.add(0, 2)
        assert journal.fold()[:2] == (5, 1)
        journal.is_folded()

    def test_an_empty_line_is_passed_over(self, journal):
        """Two records that both end a torn one leave it."""
        journal.add(4, 2)
        journal.append(4, b"\n\n")
        journal.add(4, 2)
        assert journal.fold() == Folded(4, 0, 1)
        journal.is_folded()

    @pytest.mark.parametrize(
        "piece",
        [b" \n", b"\0\0\0\n", b"[]\n", b"7\n", b"{}\n", b'"x"\n', b"[" * 100_000 + b"\n", b"\xff\xfe\n", TORN + b"\n",
         b'{"schema": 1, {"schema": 1, \n'],
        ids=["blank", "zeros", "list", "number", "no record", "text", "deep", "no text", "torn", "torn twice"],
    )  # fmt: skip
    def test_what_is_no_record_is_skipped_and_counted(self, journal, piece):
        journal.add(4, 2)
        journal.append(4, piece)
        journal.add(4, 2)
        assert journal.fold() == Folded(4, 1, 1)
        journal.is_folded()

    def test_of_a_line_longer_than_any_record_the_end_is_looked_at(self, journal, monkeypatch):
        monkeypatch.setattr("amavis_pipe.history.lines.LONGEST", 10_000)
        monkeypatch.setattr(pack, "LONGEST", 10_000)
        journal.add(1, 1)
        journal.append(1, b"x" * 25_000 + journal.line())
        journal.add(1, 1)
        assert journal.fold()[:2] == (3, 1)
        journal.is_folded()

    @pytest.mark.parametrize(
        "text", ["\ud800", "\0", "x" * 5000, "%s {} [bold]", "\u202e\x1b[31m"], ids=ascii
    )
    def test_any_text_is_taken(self, journal, text):
        record = journals.record(1, time()) | {"message_id": text}
        record["envelope"] = {"sender": text, "recipients": [text, text]}
        record["findings"] = [{"grade": "virus", "name": text, "part": "", "source": text}]
        record["scanners"] = [{"name": text, "ms": 1, "cached": False}]
        journal.append(0, json.dumps(record).encode() + b"\n")
        assert journal.fold()[:2] == (1, 0)
        assert len(history.find(journal.state, record["id"])) == 1

    @pytest.mark.parametrize(
        "odd", [None, 5, "x", [], {}, [None], [5], [[]], [{}], {"a": None}, True, 1e400], ids=repr
    )
    @pytest.mark.parametrize(
        "key",
        ["id", "message_id", "time", "envelope", "actions", "findings", "parts", "scanners", "sent", "ms", "cache",
         "verdict", "sha256", "size", "spam", "told"],
    )  # fmt: skip
    def test_a_field_of_another_type_does_no_harm(self, journal, key, odd):
        record = journals.record(1, time()) | {key: odd}
        journal.append(0, json.dumps(record).encode() + b"\n")
        assert journal.fold()[:2] == (1, 0)
        assert journal.counted() == 1

    @pytest.mark.parametrize("odd", [10**400, 1e308, 1 << 63], ids=["400 digits", "a large float", "64 bits"])
    def test_a_number_beyond_all_bounds_does_no_harm(self, journal, odd):
        record = journals.record(1, time()) | {"size": odd, "ms": {"total": odd}, "cache": "miss"}
        record["parts"][1]["size"] = record["scanners"][0]["ms"] = odd
        journal.append(0, json.dumps(record).encode() + b"\n")
        assert journal.fold()[:2] == (1, 0)
        assert {found.total for (what, _), found in journal.load().sums.items() if what == "label"} == {0.0}

    def test_a_missing_field_does_no_harm(self, journal):
        journal.append(0, b'{"schema": 1}\n')
        assert journal.fold()[:2] == (1, 0)
        assert journal.counted() == 1

    def test_without_a_journal_there_is_nothing_and_no_base_is_made(self, journal):
        assert journal.fold() == Folded()
        journal.days.rmdir()
        assert journal.fold() == Folded()
        assert not (journal.folder / "history.db").exists()
        assert journal.load().sums == {}
        assert history.waiting(journal.state) == 0

    def test_the_base_is_for_its_owner_alone(self, journal):
        journal.add(1, 5)
        journal.fold()
        with journal.base() as open_base:
            open_base.execute("BEGIN IMMEDIATE")
            for path in [*journal.folder.glob("history.db*"), journal.packed(1)]:
                assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_progress_is_told_of_all_that_waits(self, journal):
        journal.add(0, 20)
        journal.add(3, 20)
        waits, told = history.waiting(journal.state), []
        assert waits == journal.file(0).stat().st_size + journal.file(3).stat().st_size
        history.fold(journal.state, 30, 1 << 40, told.append)
        assert sum(told) == waits
        assert history.waiting(journal.state) == 0


class TestPacking:
    def test_a_closed_day_is_packed_as_it_was(self, journal):
        journal.add(1, 20)
        before = journal.file(1).read_bytes()
        journal.fold()
        assert not journal.file(1).exists()
        assert gzip.decompress(journal.packed(1).read_bytes()) == before

    def test_today_is_not_packed(self, journal):
        journal.add(0, 5)
        journal.fold()
        assert [path.name for path in journal.days.iterdir()] == [journal.file(0).name]

    def test_a_file_that_was_just_written_to_waits(self, journal):
        journal.add(1, 5)
        os.utime(journal.file(1))
        line = journal.line(1)
        with journal.file(1).open("ab") as file:
            file.write(line[:50])
        assert journal.fold() == Folded(5, 0, 0)
        journal.append(1, line[50:])
        assert journal.fold() == Folded(1, 0, 1)
        journal.is_folded()

    def test_records_that_come_late_are_folded_and_packed_behind_the_others(self, journal):
        for number in (9, 4, 1):
            journal.add(2, number)
            assert journal.fold() == Folded(number, 0, 1)
            journal.is_folded()
        assert gzip.decompress(journal.packed(2).read_bytes()).count(b"\n") == 14

    def test_records_that_come_late_are_read_before_they_are_folded(self, journal):
        journal.add(2, 9)
        journal.fold()
        journal.add(2, 3)
        journal.is_whole()

    def test_a_plain_file_that_was_replaced_is_another_one(self, journal):
        journal.add(0, 5)
        journal.fold()
        journal.file(0).unlink()
        journal.add(0, 7)
        assert journal.fold().records == 7
        assert journal.counted() == 12
        assert len(journal.known()) == 12

    def test_a_damaged_member_costs_its_records_and_no_others(self, journal):
        journal.add(1, 30)
        journal.fold()
        data = bytearray(journal.packed(1).read_bytes())
        data[100] ^= 0xFF
        journal.packed(1).write_bytes(data)
        assert 15 < len(journal.read()) < 30
        assert journal.counted() == 30


class TestAnotherBase:
    """The journal's files have it all: a base that is lost is made anew."""

    def test_packed_and_plain_files_are_taken_over(self, journal):
        journal.add(3, 20)
        journal.add(0, 5)
        journal.fold()
        for path in journal.folder.glob("history.db*"):
            path.unlink()
        assert journal.fold()[:3] == (25, 0, 0)
        journal.is_folded()
        journal.add(3, 5)
        journal.fold()
        journal.is_folded()

    def test_a_plain_file_that_was_packed_already_is_known_again(self, journal):
        journal.add(3, 20)
        plain = journal.file(3).read_bytes()
        journal.fold()
        for path in journal.folder.glob("history.db*"):
            path.unlink()
        journal.append(3, plain)
        assert journal.fold()[:3] == (20, 0, 1)
        journal.is_folded()

    def test_a_damaged_base_is_put_aside(self, journal):
        journal.add(3, 20)
        journal.fold()
        (journal.folder / "history.db").write_bytes(b"no base at all" * 1000)
        assert journal.fold()[:2] == (20, 0)
        assert (journal.folder / "history.db.damaged").exists()
        journal.is_folded()

    def test_one_of_another_version_is_trouble(self, journal):
        journal.add(0, 1)
        journal.fold()
        journal.base().execute("PRAGMA user_version = 99")
        with pytest.raises(HistoryTrouble, match="another version"):
            journal.fold()

    def test_a_link_in_its_place_is_trouble(self, journal, tmp_path):
        journal.add(0, 1)
        (tmp_path / "else").write_bytes(b"")
        (journal.folder / "history.db").symlink_to(tmp_path / "else")
        with pytest.raises(HistoryTrouble, match="not a regular file of ours"):
            journal.fold()
        assert (tmp_path / "else").read_bytes() == b""

    def test_links_among_the_days_are_not_followed(self, journal, tmp_path):
        journal.add(2, 3)
        journal.file(2).rename(tmp_path / "else")
        journal.file(2).symlink_to(tmp_path / "else")
        assert journal.fold() == Folded()
        assert journal.read() == []


class TestExpiry:
    def test_old_days_go_with_all_that_was_known_of_them(self, journal):
        journal.add(9, 10)
        journal.add(3, 10)
        journal.fold()
        folded = journal.fold(days=5)
        assert (folded.records, folded.removed) == (0, 1)
        journal.is_folded(missing=set(range(1, 11)))
        counted = [journal.base().execute(f"SELECT count(*) FROM {table} WHERE mail <= 10").fetchone()[0]
                   for table in ("recipient", "content", "finding")]  # fmt: skip
        assert counted == [0, 0, 0]

    def test_old_days_that_were_never_folded_go_too(self, journal):
        journal.add(9, 10)
        journal.add(0, 1)
        assert journal.fold(days=5).removed == 1
        assert not journal.file(9).exists()

    def test_above_the_size_the_oldest_days_go_today_stays(self, journal):
        for age in (3, 2, 1, 0):
            journal.add(age, 100)
        journal.fold()
        size = sum(path.stat().st_size for path in [*journal.days.iterdir(), journal.folder / "history.db"])
        journal.fold(size=size * 2 // 3)
        assert not journal.packed(3).exists()
        assert journal.packed(1).exists()
        journal.fold(size=1)
        assert [path.name for path in journal.days.iterdir()] == [journal.file(0).name]
        journal.is_folded(missing=set(range(1, 301)))

    def test_the_base_gives_its_room_back(self, journal):
        journal.add(9, 2000)
        journal.add(0, 1)
        journal.fold()
        before = (journal.folder / "history.db").stat().st_size
        journal.fold(days=5)
        assert (journal.folder / "history.db").stat().st_size < before / 4

    def test_without_days_nothing_is_kept(self, journal):
        journal.add(0, 5)
        journal.add(3, 5)
        journal.fold()
        assert journal.fold(days=0).removed == 2
        assert list(journal.folder.rglob("*")) == [journal.days]


class TestTogether:
    def test_of_two_at_the_same_time_one_leaves(self, journal):
        journal.add(0, 5)
        with files.opened(journal.state) as folder:
            assert files.locked(folder)
            assert journal.fold() == Folded(busy=True)
        assert journal.fold().records == 5

    def test_mail_goes_on_meanwhile_and_what_is_counted_only_grows(self, journal):
        command = [sys.executable, "-c", APPENDING, str(journal.days)]
        before = 0
        with subprocess.Popen(command, env={"PYTHONPATH": os.pathsep.join(sys.path)}) as child:
            while child.poll() is None:
                assert journal.fold().torn == 0
                now = journal.counted()
                assert before <= now <= 2000
                before = now
        assert child.returncode == 0
        journal.fold()
        journal.written = 2000
        journal.is_folded()

    def test_a_fold_ends_however_fast_mail_comes(self, journal):
        journal.add(0, 30)
        folded = history.fold(journal.state, 30, 1 << 40, lambda _: journal.add(0, 30))
        assert folded.records == 30
        journal.is_whole()

    def test_a_reader_that_began_before_sees_what_there_was(self, journal):
        journal.add(2, 30)
        reading = history.records(journal.state, 0, time())
        first = next(reading)
        journal.fold()
        assert not journal.file(2).exists()
        assert len({first["id"], *(record["id"] for record in reading)}) == 30


APPENDING = """
import json, os, sys
from time import time
from amavis_pipe.journal import append
from stand_in import journals
for number in range(1, 2001):
    if append(os.fsencode(sys.argv[1]), json.dumps(journals.record(number, time()))):
        sys.exit(1)
"""


def test_days_are_found_by_name_alone(journal):
    for name in (
        "2026-01-01.jsonl",
        "2026-01-02.jsonl.gz",
        "notes",
        "2026-01-03.jsonl.gz.new",
        "2026-01-04.jsonl~",
    ):
        (journal.days / name).touch()
    with files.opened(journal.state) as folder:
        assert [day for day in files.listed(folder) if day < "2026-01-03"] == ["2026-01-01", "2026-01-02"]
        assert "2026-01-04" not in files.listed(folder)


def test_the_key_of_a_digest_is_its_first_64_bits():
    assert base.sha_key("00000000000000ff" + "0" * 48) == 255
    assert base.sha_key("f" * 64) == -1


def test_today_is_by_utc(journal):
    journal.add(0)
    assert journal.file(0).name == strftime("%Y-%m-%d.jsonl", gmtime())
