"""The site of a soak: that of the end-to-end tests, in a folder of its own."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))

from harness.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """Started; stopped and taken away, whatever happened. Mail comes back by SMTP, unless settings say otherwise."""
    assert os.geteuid() == 0, "Postfix and the filter run as different users: this wants root"
    # told to end, it takes its servers along, as after Control-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # not pytest's own temporary folder: it is closed to other users, and its path is long for sockets
    folder = Path(tempfile.mkdtemp(prefix="ap-soak-", dir="/var/tmp"))
    running = Site(folder, "smtp")
    try:
        running.start()
        yield running
    finally:
        running.close()
        shutil.rmtree(folder)
