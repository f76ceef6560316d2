"""The journal never decides over a mail, and a record torn by a full disk takes no other with it."""

import json
import os
import subprocess
from time import time

import pytest
from stand_in.filter_site import PYTHON

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
    whole = sum(line.startswith("{") and line.endswith("}") for line in site_lines(small))
    assert len(found) >= whole >= 3


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
