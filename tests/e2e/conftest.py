"""The real thing, once for all end-to-end tests: Postfix, clamd, and amavis-pipe set up between them.

Wants root and the Debian packages below; without them the tests fail and say so.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import clamd, postfix
from harness.site import Site

WANTED = {
    postfix.SENDMAIL: "postfix",
    "/usr/lib/postfix/sbin/master": "postfix",
    str(clamd.COMMAND): "clamav-daemon",
    str(clamd.SAMPLE): "clamav-testfiles",
}
LINES_SHOWN = 40


@pytest.fixture(scope="session", params=["sendmail", "smtp"])
def running(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The site, started, once for each way of re-entry; stopped and taken away, whatever happened."""
    if os.geteuid() != 0:
        pytest.fail("the end-to-end tests want root: Postfix and the filter run as different users")
    missing = sorted({package for path, package in WANTED.items() if not Path(path).exists()})
    if missing:
        pytest.fail(f"missing servers: apt-get install --no-install-recommends {' '.join(missing)}")
    # a test run that is told to end takes its servers along, as after Control-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # not pytest's own temporary folder: it is closed to other users, and its path is long for sockets
    folder = Path(tempfile.mkdtemp(prefix="ap-e2e-", dir="/var/tmp"))
    site = Site(folder, request.param)
    try:
        site.start()
        yield site
    finally:
        site.close()
        shutil.rmtree(folder)


@pytest.fixture
def site(running: Site) -> Site:
    """The site as after its start."""
    running.reset()
    return running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what the mail log said last under every failure."""
    report = yield
    found = getattr(item, "funcargs", {}).get("site")
    if report.failed and isinstance(found, Site):
        for title, lines in (("mail log", found.postfix.log().splitlines()), ("syslog", found.syslog.lines)):
            report.sections.append((title, "\n".join(lines[-LINES_SHOWN:])))
    return report
