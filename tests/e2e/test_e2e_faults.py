"""Filters fail at one system call after the other while mail goes on; Postfix, the sink and quarantine are counted."""

import shutil

import pytest
from harness import mails
from harness.clamd import EICAR
from harness.site import USER, Site

COUNT = 40
STARTS = """#!/bin/sh
# each start has a fault of its own: the Nth fails at call 5 N + 1, in one of four ways
n=0
while ! mkdir "{folder}/$n" 2>/dev/null; do n=$((n + 1)); done
case $((n % 4)) in
0) fault=all:signal=KILL ;;
1) fault=all:signal=ALRM ;;
2) fault=read,pread64,write,pwrite64,fsync,connect,sendto,recvfrom:error=EIO ;;
3) fault=openat,mmap,mkdir,link,rename,socket:error=ENOMEM ;;
esac
case $((n % 4)) in 0 | 1) when=$((5 * n + 1)) ;; *) when=$((n + 1)) ;; esac
exec strace -qq -o /dev/null -e inject=$fault:when=$when "{real}" "$@"
"""


@pytest.fixture
def faulty(site: Site):
    """The launcher starts filters that fail."""
    folder, real = site.folder / "starts", site.program.with_name("real")
    folder.mkdir()
    shutil.chown(folder, USER)
    shutil.copy(site.program, real)
    with site.broken(site.program, STARTS.format(folder=folder, real=real).encode()):
        yield site
    shutil.rmtree(folder)
    real.unlink()


def number(data: bytes) -> bytes:
    """Which of the mails it is."""
    return data.partition(b"Subject: n")[2].partition(b"\r\n")[0]


def test_whatever_fails_in_filters_each_mail_arrives_once_and_whole(faulty: Site) -> None:
    sent = [mails.mail(b"number %d" % one, subject=b"n%d" % one) for one in range(COUNT)]
    infected = [mails.mail(EICAR, subject=b"v%d" % one) for one in range(COUNT // 4)]
    for one in (*sent, *infected):
        faulty.send(one)
    arrived = [one.data for one in faulty.retried()]
    log = faulty.postfix.log()
    for said in ("signal 9", "signal 14", "could not be checked"):
        assert said in log, "no such fault was made"
    assert "status=bounced" not in log
    assert len(list((faulty.folder / "starts").iterdir())) > COUNT + len(infected) + 10
    for data in arrived:
        assert data.endswith(sent[int(number(data))]), "cut or changed"
    numbers = sorted(int(number(data)) for data in arrived)
    assert sorted(set(numbers)) == list(range(COUNT)), "lost"
    assert len(numbers) - COUNT <= 2, "more than twice at the commit"
    kept = faulty.quarantined()
    assert len(kept) == len(infected)
    assert all(
        any(copy.replace(b"\r\n", b"\n").endswith(one.replace(b"\r\n", b"\n")) for copy in kept)
        for one in infected
    )
