"""`metrics`: OpenMetrics that the field's own parser takes; counters that never go back, whatever expires."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from amavis_pipe.desk import metrics
from amavis_pipe.desk.metrics import COUNTERS, GAUGES

NOW = datetime.now(UTC)


def record(**fields):
    """A record of the journal of ten minutes ago."""
    when = (NOW - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "schema": 1,
        "id": "4bQ7",
        "time": when,
        "size": 100,
        "verdict": "clean",
        "trouble": [],
        "actions": [{"action": "pass", "recipients": ["a@example.org"], "reason": "clean"}],
        "findings": [],
        "scanners": [{"name": "clamd", "cached": False, "ms": 2.0, "trouble": ""}],
        "cache": "miss",
        "ms": {"scan": 2.0, "total": 5.0},
        "quarantined": [],
        "told": [],
    } | fields


@pytest.fixture
def site(desk):
    def journal(*records):
        path = desk.state / "journal" / f"{NOW - timedelta(minutes=10):%Y-%m-%d}.jsonl"
        with path.open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in records)
        desk.own(desk.state)

    desk.journal = journal
    desk.out = desk.folder / "out"
    desk.out.mkdir()
    desk.out.chmod(0o777)
    return desk


def samples(text):
    """Values by name and labels."""
    return {
        (sample.name.removeprefix("amavis_pipe_"), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_in_the_journal_is_counted(site):
    virus = {
        "verdict": "infected",
        "actions": [{"action": "discard"}],
        "quarantined": ["virus-x"],
        "cache": "hit",
    }
    virus["findings"] = [{"grade": "virus", "name": "Eicar"}]
    site.journal(
        record(), record(), record(**virus), record(trouble=["clamd: away"], verdict=None, actions=[])
    )
    done = site.run("metrics")
    assert (done.returncode, done.stderr) == (0, "")
    found = samples(done.stdout)
    assert found["mails_total", ("action", "pass"), ("verdict", "clean")] == 2
    assert found["mails_total", ("action", "discard"), ("verdict", "infected")] == 1
    assert found["troubles_total",] == 1
    assert found["bytes_total",] == 300
    assert found["findings_total", ("grade", "virus")] == 1
    assert found["scanner_answers_total", ("how", "asked"), ("scanner", "clamd")] == 4
    assert found["scanner_seconds_total", ("scanner", "clamd")] == pytest.approx(0.008)
    assert found["cache_hits_total",] == found["quarantined_total",] == 1
    assert found["stage_seconds_total", ("stage", "total")] == pytest.approx(0.02)


def test_counters_go_on_when_the_journal_has_expired(site):
    out = site.out / "amavis-pipe.prom"
    site.journal(record(), record())
    assert site.run("metrics", "-o", out).returncode == 0
    assert out.stat().st_mode & 0o777 == 0o644
    for path in (site.state / "journal").iterdir():
        path.unlink()
    assert site.run("metrics", "-o", out).returncode == 0
    assert samples(out.read_text())["mails_total", ("action", "pass"), ("verdict", "clean")] == 2
    assert os.listdir(site.out) == ["amavis-pipe.prom"]


def test_nothing_is_counted_twice_by_two_runs(site):
    site.journal(record())
    out = site.out / "x.prom"
    for _ in range(3):
        site.run("metrics", "-o", out)
    assert samples(out.read_text())["mails_total", ("action", "pass"), ("verdict", "clean")] == 1


def test_prune_writes_the_file_of_the_settings(site):
    site.configure(f'[metrics]\nfile = "{site.out}/p.prom"\n')
    site.journal(record())
    done = site.run("prune")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ("mails_total", ("action", "pass"), ("verdict", "clean")) in samples(
        (site.out / "p.prom").read_text()
    )


def test_a_file_that_can_not_be_written_is_told_and_leaves_nothing(site):
    site.configure('[metrics]\nfile = "/nowhere/p.prom"\n')
    done = site.run("prune")
    assert done.returncode == 2
    assert "metrics: /nowhere/p.prom: No such file or directory" in done.stderr


def test_names_from_outside_break_no_line_and_make_no_flood(site):
    odd = [
        record(scanners=[{"name": f'x"\\\n{number}', "ms": 1, "cached": False}], verdict='a"b\u202e')
        for number in range(700)
    ]
    wrong = [{"time": None}, record(size="x", ms={"a": "b"}, actions="x", scanners=7)]
    wrong += [record(ms=[1], told=3, quarantined=4), record(told=["\ud800"], actions=[{"action": "\ud800"}])]
    site.journal(*odd, *wrong)
    done = site.run("metrics")
    assert done.returncode == 0, done.stderr
    found = samples(done.stdout)
    assert len(found) < 1600
    assert found["scanner_answers_total", ("how", "other"), ("scanner", "other")] == 202


def test_the_collector_of_node_exporter_knows_every_type(site):
    """It reads Prometheus's older format, and refuses the whole file for a type that this has not."""
    site.journal(record())
    types = re.findall(r"^# TYPE \w+ (.*)$", site.run("metrics").stdout, re.MULTILINE)
    assert set(types) == {"counter", "gauge"}


def test_counters_without_labels_are_there_from_the_beginning(site):
    found = samples(site.run("metrics").stdout)
    assert [found[name,] for name in ("troubles_total", "bytes_total", "quarantined_total")] == [0, 0, 0]


def test_when_prune_ended_and_how_is_told(site):
    assert "pruned_timestamp_seconds" not in {name for name, *_ in samples(site.run("metrics").stdout)}
    assert site.run("prune").returncode == 0
    found = samples(site.run("metrics").stdout)
    assert found["pruned_timestamp_seconds",] >= int(NOW.timestamp())
    assert found["prune_failed",] == 0
    (site.state / "quarantine").rmdir()
    (site.state / "quarantine").symlink_to(site.state)
    site.own(site.state)
    assert site.run("prune").returncode == 2
    assert samples(site.run("metrics").stdout)["prune_failed",] == 1


def test_what_a_crash_left_of_an_earlier_try_is_in_nobodys_way(site):
    for path in (site.out / "x.prom.new", site.state / "metrics.new", site.state / "pruned.new"):
        path.write_text("cut")
        path.chmod(0o666)
    site.own(site.state)
    site.own(site.out)
    site.configure(f'[metrics]\nfile = "{site.out}/x.prom"\n')
    assert site.run("prune").returncode == 0
    assert os.listdir(site.out) == ["x.prom"]
    assert "mails" in (site.out / "x.prom").read_text()


def test_a_crash_before_it_is_noted_what_was_counted_costs_nothing(settings_of, tmp_path, monkeypatch):
    (tmp_path / "journal").mkdir()
    line = json.dumps(record()) + "\n"
    (tmp_path / "journal" / f"{NOW - timedelta(minutes=10):%Y-%m-%d}.jsonl").write_text(line)
    site, out, rename = settings_of(state=str(tmp_path)), tmp_path / "x.prom", os.rename

    def killed(old, new):
        if new.endswith(b"/metrics"):
            raise KeyboardInterrupt
        rename(old, new)

    for how in (killed, killed, rename):
        monkeypatch.setattr(os, "rename", how)
        with suppress(KeyboardInterrupt):
            metrics.write(site, os.fsencode(out), NOW.timestamp())
        assert samples(out.read_text())["mails_total", ("action", "pass"), ("verdict", "clean")] == 1
    assert (tmp_path / "metrics").exists()


def test_runs_at_the_same_time_double_nothing(site):
    out = site.out / "x.prom"
    site.journal(record(), record())
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: site.run("metrics", "-o", out).returncode, range(4)))
    assert ended == [0] * 4
    assert samples(out.read_text())["mails_total", ("action", "pass"), ("verdict", "clean")] == 2
    assert os.listdir(site.out) == ["x.prom"]


def test_a_damaged_state_begins_anew(site):
    site.journal(record())
    for damage in (b"", b"{", b'{"until": "x", "values": []}', b'{"until": 1, "values": [[1]]}'):
        (site.state / "metrics").write_bytes(damage)
        site.own(site.state)
        assert (
            samples(site.run("metrics").stdout)["mails_total", ("action", "pass"), ("verdict", "clean")] == 1
        )


class TestNagios:
    def test_one_line_and_the_status_of_the_worst(self, desk):
        done = desk.run("check", "--nagios", "--postfix-config", "/nonexistent")
        assert done.returncode == 1
        assert re.fullmatch(
            r"AMAVIS-PIPE WARNING: [^|\n]*only the built-in EICAR check looks at mail[^|\n]*"
            r" \| problems=0;;0 warnings=\d+;0\n",
            done.stdout,
        )

    def test_who_has_not_the_filters_rights_knows_nothing(self, desk):
        done = desk.run("check", "--nagios", user="daemon")
        assert done.returncode == 3
        assert re.fullmatch(r"AMAVIS-PIPE UNKNOWN: wants the rights of \w+ or root: .*\n", done.stdout)

    def test_a_problem_is_critical(self, desk):
        desk.configure('[[scanner]]\nname = "clamd"\nat = "/nowhere/x"\nretry = 0\n', scanners='["clamd"]')
        done = desk.run("check", "--nagios", "--postfix-config", "/nonexistent")
        assert done.returncode == 2
        assert done.stdout.startswith("AMAVIS-PIPE CRITICAL: ")
        assert done.stdout.count("\n") == 1


class TestAlerts:
    RULES = Path(__file__).resolve().parents[2] / "contrib/prometheus/amavis-pipe.rules.yml"

    def rules(self):
        (group,) = yaml.safe_load(self.RULES.read_text())["groups"]
        return group["rules"]

    def test_each_says_what_is_wrong_and_how_bad_it_is(self):
        for rule in self.rules():
            assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["annotations"]["summary"].endswith((".", "?"))
            assert re.fullmatch(r"\d+[mh]", rule.get("for", "1h"))

    def test_they_are_about_metrics_that_there_are(self):
        named = {name for rule in self.rules() for name in re.findall(r"amavis_pipe_(\w+)", rule["expr"])}
        assert len(named) >= 8
        assert named <= {f"{name}_total" for name in COUNTERS} | set(GAUGES)
