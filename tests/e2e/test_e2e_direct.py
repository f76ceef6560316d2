"""The installed filter called as pipe(8) calls it: forwarding to files, and the memory it takes."""

import contextlib
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import mails
from harness.postfix import children
from harness.site import USER, Site

LARGE = 50_000_000
MOST = 64 << 20
"""Bytes of private memory that the filter and its children may have together."""


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


LARGE_MAILS = {
    "base64": lambda: mails.with_attachment(b"data.bin", noise(LARGE * 3 // 4)),
    "zip": lambda: mails.with_attachment(b"data.zip", mails.zipped("data.bin", noise(LARGE * 3 // 4))),
    "text": lambda: mails.mail(mails.lines(LARGE)),
}


def forwarding_to_files(site: Site) -> Path:
    folder = site.folder / "out"
    os.chown(folder, site.state.stat().st_uid, -1)
    site.configure(forward=f"file:{folder}", notify=f"file:{folder}")
    return folder


def memory_of(pid: int) -> int:
    """Bytes of anonymous memory of a process and of all that it started, at this moment."""
    size = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                size = int(line.split()[1]) << 10
    return size + sum(memory_of(child) for child in children(pid))


def test_forwarding_to_files_leaves_exactly_one_file_for_each_mail(site: Site) -> None:
    folder = forwarding_to_files(site)
    sent = [mails.mail(b"mail %d" % number) for number in range(3)]
    for mail in sent:
        site.send(mail, recipients=(b"bob@site.example", b"carol@site.example"))
    assert site.finished() == []
    files = [path.read_bytes() for path in folder.iterdir()]
    assert len(files) == 3
    assert all(data.startswith(b"X-Virus-Scanned: by amavis-pipe\nReceived: from client") for data in files)
    bodies = sorted(data.partition(b"\n\n")[2] for data in files)
    assert bodies == [b"mail 0\n", b"mail 1\n", b"mail 2\n"]


@pytest.mark.parametrize("build", LARGE_MAILS.values(), ids=LARGE_MAILS)
def test_a_mail_of_50_mb_takes_less_than_64_mib_in_parent_and_children(
    site: Site, build: Callable[[], bytes]
) -> None:
    folder = forwarding_to_files(site)
    path = site.folder / "large.eml"
    path.write_bytes(build().replace(b"\r\n", b"\n"))
    words = [
        str(site.program),
        "--config",
        str(site.settings),
        "-f",
        "a@site.example",
        "--",
        "b@site.example",
    ]
    try:
        with (
            path.open("rb") as mail,
            subprocess.Popen(
                words,
                stdin=mail,
                stdout=subprocess.PIPE,
                user=USER,
                group=USER,
                extra_groups=[],
                cwd="/",
                env={},
            ) as filter_form,
        ):
            most, samples = 0, 0
            while filter_form.poll() is None:
                most = max(most, memory_of(filter_form.pid))
                samples += 1
            said = filter_form.stdout.read() if filter_form.stdout else b""
        assert (filter_form.returncode, said) == (0, b"passed clean\n")
        (forwarded,) = folder.iterdir()
        assert forwarded.stat().st_size > path.stat().st_size
    finally:
        path.unlink()
    assert samples > 100
    assert most < MOST, f"{most >> 20} MiB"
