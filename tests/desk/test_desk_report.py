"""The command `report`: its numbers, its forms, and that nothing from outside gets into any of them."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from datetime import datetime
from html.parser import HTMLParser
from time import time

import click
import pytest
from stand_in import desk_site, journals

from amavis_pipe.desk import figures, layout, report
from amavis_pipe.history.count import Sum
from amavis_pipe.history.loading import Loaded

DAY = 86400
HOSTILE = "<script>alert(1)</script>&\"'[red]{{ 7*7 }}\x1b[31m\u202e=1"


@pytest.fixture
def filled(desk):
    """A site with 400 records of the last four days, half of them folded."""
    journals.write(desk.state / "journal", 200, time() - 2 * DAY, 2)
    desk.own(desk.state)
    assert desk.run("prune").returncode == 0
    journals.write(desk.state / "journal", 200, time(), 2, seed=2)
    desk.own(desk.state)
    return desk


def hostile(desk):
    """One record that is full of what must be escaped."""
    record = journals.record(1, time())
    record["envelope"]["sender"] = HOSTILE
    record["actions"][0]["recipients"] = [HOSTILE]
    record["findings"] = [{"grade": grade, "name": HOSTILE, "part": "1", "source": HOSTILE}
                          for grade in ("virus", "unchecked", "banned")]  # fmt: skip
    record["scanners"] = [{"name": HOSTILE, "version": "", "cached": False, "ms": 5.0, "trouble": ""}]
    record["parts"][1]["kind"] = HOSTILE
    (desk.state / "journal" / journals.strftime("%Y-%m-%d.jsonl")).write_text(json.dumps(record) + "\n")
    desk.own(desk.state)


def told(desk, *words):
    done = desk.run("report", "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


class TestNumbers:
    def test_every_mail_is_counted_folded_or_not(self, filled):
        made = told(filled)
        assert made["flow"]["received"]["number"] + made["flow"]["deferred"]["number"] == 400
        assert sum(row["mails"] for row in made["verdicts"]) == 400
        assert made["cache"]["mails"] == 400
        assert made["torn"] == 0

    @pytest.mark.parametrize("by", ["hour", "day", "week"])
    def test_periods_add_up(self, filled, by):
        made = told(filled, "--by", by)
        for what, found in made["flow"].items():
            assert sum(period[what] for period in made["periods"]) == found["number"]
        assert [row["since"] for row in made["periods"]] == sorted(row["since"] for row in made["periods"])

    def test_only_the_time_that_is_asked_for_counts(self, filled):
        made = told(filled, "--since", "9d", "--until", "2d")
        assert 150 < sum(row["mails"] for row in made["verdicts"]) < 250

    def test_lists_have_as_many_rows_as_wanted(self, filled):
        assert len(told(filled, "--top", "3")["senders"]) == 3

    def test_torn_lines_are_told_once_they_are_known(self, desk):
        (desk.state / "journal" / journals.strftime("%Y-%m-%d.jsonl")).write_text("{torn\n")
        desk.own(desk.state)
        desk.run("prune")
        assert told(desk)["torn"] == 1
        assert "torn lines of the journal" in desk.run("report").stdout

    def test_without_a_journal_all_is_zero(self, desk):
        made = told(desk)
        assert {found["number"] for found in made["flow"].values()} == {0}
        for form in ("--text", "--csv"):
            assert desk.run("report", form).returncode == 0
        assert desk.run("report", "--html", "-").stdout.startswith("<!DOCTYPE html>")

    def test_where_no_journal_is_kept_it_says_so(self, desk):
        desk.configure("[journal]\ndays = 0")
        done = desk.run("report")
        assert done.returncode == 0
        assert done.stderr == "amavis-pipe: no journal is kept (journal.days = 0)\n"


class TestForms:
    def test_for_a_mail_it_is_plain_ascii_text_in_columns(self, filled):
        done = filled.run("report")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()
        assert filled.run("report", "--text").stdout == done.stdout
        for word in ("received", "PER MINUTE", "MOST IN A MINUTE", "By day", "Names found together in one mail",
                     "Eicar-Signature", "s1@example.org", "r1@example.net", "clamd", "95 % WITHIN"):  # fmt: skip
            assert word in done.stdout

    def test_csv_has_a_row_for_each_number(self, filled):
        rows = list(csv.DictReader(io.StringIO(filled.run("report", "--csv").stdout)))
        made = told(filled)
        value = {
            (row["list"], row["name"], row["number"]): row["value"]
            for row in rows
            if row["list"] != "periods"
        }
        assert value["flow", "received", "number"] == str(made["flow"]["received"]["number"])
        assert value["scanners", "clamd", "asked"] == str(made["scanners"][0]["asked"])
        assert value["cache", "", "share"] == str(made["cache"]["share"])
        periods = [row for row in rows if (row["list"], row["name"]) == ("periods", "received")]
        assert len(periods) == len(made["periods"])
        assert periods[-1]["until"] == made["until"]

    def test_on_a_terminal_it_has_colours_and_bars(self, filled):
        shown = on_terminal(filled, "report")
        assert "\x1b[1m" in shown
        assert layout.BARS[-1] in shown

    def test_text_is_plain_on_a_terminal_too(self, filled):
        assert "\x1b" not in on_terminal(filled, "report", "--text")

    def test_without_rich_it_says_so_and_is_plain(self, filled):
        shown = on_terminal(filled, "report", without="rich")
        assert "without the Python package rich: plain text" in shown
        assert "\x1b" not in shown

    @pytest.mark.parametrize("missing", ["pygal", "jinja2"])
    def test_without_what_a_page_needs_it_is_status_2(self, filled, missing):
        shown = on_terminal(filled, "report", "--html", "-", without=missing)
        assert f"a page wants the Python package {missing}" in shown


def on_terminal(desk, *words, without="none"):
    """What a command shows on a terminal, with a Python package that can't be imported."""
    start = f"import sys; sys.modules[{without!r}] = None; sys.path.insert(0, {str(desk.package)!r}); "
    start += "from amavis_pipe.entry import main; main()"
    leader, follower = pty.openpty()
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", start, *words, "-c", desk.settings],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=environment, cwd="/",
    ) as process:  # fmt: skip
        os.close(follower)
        shown = b""
        while data := read_terminal(leader):
            shown += data
    os.close(leader)
    assert process.returncode in (0, 2)
    assert b"Traceback" not in shown
    return shown.decode()


def read_terminal(leader):
    try:
        return os.read(leader, 1 << 16)
    except OSError:  # Linux's way to tell the end of a terminal
        return b""


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


class TestPage:
    def test_it_has_charts_and_tables_and_needs_nothing_else(self, filled):
        path = filled.folder / "page.html"
        done = filled.run("report", "--html", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        page = Page(path.read_text())
        assert page.tags.count("svg") == 5
        assert page.tags.count("table") >= 10
        assert not {"script", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
        outside = [
            value for name, value in page.attributes if name in ("href", "src", "srcset", "action", "data")
        ]
        assert outside == ["data:,"]
        assert not re.search(r"url\(|@import|\son[a-z]+=", path.read_text())
        assert "default-src 'none'" in path.read_text()

    def test_it_is_written_over_an_older_and_longer_one(self, filled):
        path = filled.folder / "page.html"
        path.write_text("x" * 1_000_000)
        filled.run("report", "--html", path)
        assert path.read_text().startswith("<!DOCTYPE html>")
        assert path.read_text().endswith("</html>\n")

    def test_on_standard_output_it_is_appended_to_whatever_is_there(self, filled):
        with (filled.folder / "all").open("w+b") as file:
            file.write(b"before")
            file.flush()
            start = desk_site.START.format(str(filled.package))
            command = [sys.executable, "-I", "-c", start, "report", "--html", "-", "-c", filled.settings]
            subprocess.run(command, stdout=file, cwd="/", check=True)
        assert (filled.folder / "all").read_text().startswith("before<!DOCTYPE html>")

    @pytest.mark.parametrize("place", ["-", "/dev/null"])
    def test_what_is_no_file_can_be_written_to(self, filled, place):
        start = desk_site.START.format(str(filled.package))
        command = [sys.executable, "-I", "-c", start, "report", "--html", place, "-c", filled.settings]
        subprocess.run(command, stdout=subprocess.DEVNULL, cwd="/", check=True)

    def test_a_relative_path_is_the_callers(self, filled):
        assert filled.run("report", "--html", "page.html", cwd=filled.folder).returncode == 0
        assert (filled.folder / "page.html").exists()

    @pytest.mark.parametrize(
        "path", ["/nonexistent/page.html", "/", ""], ids=["no folder", "a folder", "empty"]
    )
    def test_a_place_that_cannot_be_written_is_status_2(self, filled, path):
        done = filled.run("report", "--html", path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr

    def test_a_link_is_not_followed(self, filled):
        (filled.folder / "page.html").symlink_to(filled.folder / "else")
        assert filled.run("report", "--html", filled.folder / "page.html").returncode == 2
        assert not (filled.folder / "else").exists()


class TestHostileText:
    @pytest.mark.parametrize("form", ["--text", "--json", "--csv"])
    def test_no_form_lets_a_control_character_through(self, desk, form):
        hostile(desk)
        done = desk.run("report", form)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout

    def test_no_markup_is_read_on_a_terminal(self, desk):
        hostile(desk)
        shown = on_terminal(desk, "report")
        assert "[red]" in shown
        assert "\x1b[31m" not in shown
        assert "\u202e" not in shown

    def test_no_markup_gets_into_the_page(self, desk):
        hostile(desk)
        page = Page(desk.run("report", "--html", "-").stdout)
        assert "script" not in page.tags
        assert any("<script>" in text for text in page.text)
        assert not any("49" in text for text in page.text if "alert" in text)

    def test_no_cell_is_a_formula(self, desk):
        record = journals.record(1, time())
        record["envelope"]["sender"] = '=HYPERLINK("http://example.org")'
        (desk.state / "journal" / journals.strftime("%Y-%m-%d.jsonl")).write_text(json.dumps(record) + "\n")
        desk.own(desk.state)
        rows = csv.reader(io.StringIO(desk.run("report", "--csv").stdout))
        cells = [cell for row in rows for cell in row]
        assert '\'=HYPERLINK("http://example.org")' in cells
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


NOW = datetime(2026, 11, 25, 15, 30).timestamp()


@pytest.mark.parametrize(
    ("text", "expect"),
    [("2026-11-22", datetime(2026, 11, 22)), ("2026-11-22T08:00", datetime(2026, 11, 22, 8)),
     ("2026-11-22 08:00", datetime(2026, 11, 22, 8)), ("24h", datetime(2026, 11, 24, 15, 30)),
     ("2w", datetime(2026, 11, 11, 15, 30)), ("today", datetime(2026, 11, 25)),
     ("yesterday", datetime(2026, 11, 24)), ("2026-11-22T08:00:00+00:00", datetime.fromisoformat("2026-11-22T08:00:00Z"))],
    ids=["date", "time", "blank", "hours", "weeks", "today", "yesterday", "zone"],
)  # fmt: skip
def test_moments(text, expect):
    assert report.moment(text, NOW, "--since") == expect.timestamp()


@pytest.mark.parametrize(
    "text", ["never", "2026-13-01", "-1d", "1y", "9999999d", "999999w", "0001-01-01", "\x1b"], ids=ascii
)
def test_what_is_no_moment_is_told_so(text):
    with pytest.raises(click.BadParameter, match="wants a date"):
        report.moment(text, NOW, "--since")


@pytest.mark.parametrize(
    "words",
    [("--since", "never"), ("--since", "1d", "--until", "2d"), ("--by", "year"), ("--top", "0"),
     ("--html", "x", "--json"), ("--since", "2000-01-01", "--by", "hour"), ("more",)],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_status_2_and_said_on_stderr(desk, words):
    done = desk.run("report", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "Usage:" in done.stderr or "Error" in done.stderr


class TestPeriods:
    @pytest.mark.parametrize(("by", "expect"), [("hour", 74), ("day", 4), ("week", 2)])
    def test_they_begin_at_whole_ones_of_the_local_clock(self, by, expect):
        since, until = datetime(2026, 11, 21, 22).timestamp(), datetime(2026, 11, 25, 0).timestamp()
        starts = list(figures.starts(int(since), int(until), by))
        assert len(starts) == expect
        assert starts[0] == since
        assert all(datetime.fromtimestamp(start).minute == 0 for start in starts)
        if by != "hour":
            assert all(datetime.fromtimestamp(start).hour == 0 for start in starts[1:])

    def test_they_end_where_the_clock_is_set_back(self, monkeypatch):
        import time as clock

        monkeypatch.setenv("TZ", "Europe/Berlin")
        clock.tzset()
        try:
            since = int(datetime(2026, 10, 24).timestamp())
            starts = list(figures.starts(since, since + 4 * DAY, "day"))
            assert [datetime.fromtimestamp(start).hour for start in starts] == [0] * len(starts)
            assert starts[2] - starts[1] == DAY + 3600
        finally:
            monkeypatch.undo()
            clock.tzset()

    def test_averages_and_maxima_are_by_minute(self):
        minutes = {(60 * at, "received"): number for at, number in ((0, 5), (1, 1), (59, 6))}
        made = figures.figures(Loaded(minutes, {}, [], [], 0), 0, 3600, "hour", 5)
        assert made["flow"]["received"] == {"number": 12, "per_minute": 0.2, "most_per_minute": 6}

    def test_a_scanners_times_are_its_own(self):
        sums = {("scanner", "a"): Sum(2, 30.0), ("scanner ms", "a 30"): Sum(2, 0), ("scanner ms", "a b 50"): Sum(9, 0),
                ("scanner", "a b"): Sum(9, 9.0)}  # fmt: skip
        made = figures.figures(Loaded({}, sums, [], [], 0), 0, 3600, "hour", 5)
        assert [row["scanner"] for row in made["scanners"]] == ["a", "a b"]
        assert made["scanners"][0]["mean_ms"] == 15.0
        assert made["scanners"][0]["p95_ms"] == pytest.approx(1.1**30, abs=0.001)


@pytest.mark.parametrize(
    ("numbers", "expect"),
    [
        ([], ""),
        ([0, 0], "▁▁"),
        ([0, 7], "▁█"),
        ([1] * 120, "█" * 60),
        ([0] * 60 + [1] * 61, "▁" * 15 + "█" * 16),
    ],
    ids=["none", "zeros", "range", "paired", "twice paired"],
)
def test_sparklines(numbers, expect):
    assert layout.sparkline(numbers) == expect
