"""The journal never decides over a mail, and a record torn by a full disk takes no other with it."""

import json
import os
import subprocess
from time import time

import jsonschema
import pytest
from stand_in.filter_site import PROJECT, PYTHON

SCHEMA = json.loads((PROJECT / "amavis_pipe/record.schema.json").read_text())
MAIL = b"From: a@example.org\nSubject: %d\n\nhello\n"


@pytest.fixture
def small(site):
    """The journal on a file system of four pages, one of which a ballast takes."""
    folder = site.state / "journal"
    folder.mkdir(mode=0o700, exist_ok=True)
    options = f"size=16k,mode=700,uid={os.stat(site.state).st_uid},gid={os.stat(site.state).st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_on_a_full_disk_mail_goes_on_and_what_is_recorded_is_whole(site, small):
    (small / "ballast").write_bytes(b"x" * 4096)
    for number in range(30):
        assert site.filter(MAIL % number).out == b"passed clean\n"
    assert len(site.forwarded()) == 30
    (small / "ballast").unlink()
    for number in range(30, 33):
        assert site.filter(MAIL % number).out == b"passed clean\n"
    found = recorded(site)
    assert 3 < len(found) < 33
    assert [record["verdict"] for record in found] == ["clean"] * len(found)
    lines = [line for line in site_lines(small) if line]
    whole = [line for line in lines if line.startswith("{") and line.endswith("}")]
    assert len(whole) == len(found)  # no record stands behind a torn one
    assert len(lines) - len(whole) <= 1


def test_a_mail_that_is_tried_again_has_a_record_of_each_try(site):
    nowhere = '[[scanner]]\nname = "x"\nvia = "clamd"\nat = "/nowhere/clamd.ctl"\nretry = 0\n'
    site.configure(nowhere, scanners='["x"]')
    for _ in range(2):
        assert site.filter(MAIL % 1).status == 75
    site.configure()
    assert site.filter(MAIL % 1).status == 0
    *tries, last = recorded(site)
    assert [one["verdict"] for one in (*tries, last)] == [None, None, "clean"]
    for one in tries:
        assert one["trouble"] == ["trouble: x at /nowhere/clamd.ctl: No such file or directory"]
        assert (one["actions"], one["sha256"], one["size"]) == ([], last["sha256"], last["size"])
        assert one["envelope"]["recipients"] == ["b@example.org"]
        jsonschema.validate(one, SCHEMA)


def test_what_the_next_host_refuses_for_now_is_a_record_and_no_name_is_in_it_where_none_is_wanted(site):
    site.configure("[journal]\nhash_addresses = true\n", forward=f"file:{site.folder}/nowhere")
    assert site.filter(MAIL % 1, "alice@example.org", "bob@example.org").status == 75
    (one,) = recorded(site)
    assert one["trouble"] and one["verdict"] is None
    assert not {"alice", "bob"} & set(json.dumps(one).replace("@", '"').split('"'))
    jsonschema.validate(one, SCHEMA)


def test_a_bug_is_a_record_too(site):
    path = site.folder / "amavis_pipe/policy.py"
    path.write_text(
        path.read_text().replace("def decide(", "def decide(*_: object) -> None:\n    1 / 0\n\n\ndef x(")
    )
    assert site.filter(MAIL % 1).status == 75
    (one,) = recorded(site)
    assert one["trouble"][0].startswith("bug: ZeroDivisionError: ")


def test_settings_that_are_no_good_leave_no_record_and_the_mail_waits(site):
    site.configure("[limits]\ndepth = 0\n")
    assert site.filter(MAIL % 1).status == 75
    assert not (site.state / "journal").exists()


def recorded(site):
    """All records, as the filter's user reads them."""
    code = (
        f"import json, sys; sys.path.insert(0, {str(site.folder)!r}); from amavis_pipe import history; "
        f"print(json.dumps(list(history.records({os.fsencode(site.state)!r}, {time() - 600}, {time() + 600}))))"
    )
    done = site.start([PYTHON, "-I", "-c", code], b"")
    assert done.status == 0, done.err
    return json.loads(done.out)


def site_lines(folder):
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
