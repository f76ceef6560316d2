"""Real scanners besides clamd: clamscan, clamdscan, c-icap; and backups when clamd is not there."""

import io
import zipfile
from collections.abc import Iterator
from signal import SIGKILL

import pytest
from harness import icap, mails
from harness.clamd import EICAR, EICAR_NAME, SAMPLE, SAMPLE_NAME
from harness.site import Site
from harness.smtp import free_port

CLEAN = mails.with_attachment(b"data.bin", bytes(range(256)))
INFECTED = mails.with_attachment(b"clam.exe", SAMPLE.read_bytes())


def of_many(count: int) -> bytes:
    """A mail with a zip of so many files, the last of which is the test virus."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(count - 1):
            file.writestr(f"{number}", b"file %d" % number)
        file.writestr("last", EICAR)
    return mails.with_attachment(b"many.zip", archive.getvalue())


@pytest.fixture(scope="module")
def server(running: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[icap.CIcap]:
    """c-icap, which asks the site's clamd."""
    if not (icap.COMMAND.exists() and icap.SERVICE.exists()):
        pytest.fail(
            "missing servers: apt-get install --no-install-recommends c-icap libc-icap-mod-virus-scan"
        )
    running.clamd.ensure()  # without it at its start, c-icap would call everything clean ever after
    server = icap.CIcap(running.folder / "icap", free_port(), running.clamd.socket)
    yield server
    server.stop()


def rows(site: Site, at: str = "") -> dict[str, dict[str, object]]:
    """The scanners, with this site's signatures."""
    signatures = site.clamd.folder / "signatures"
    stamp = [f"{signatures}/*"]
    scan = f"clamscan --stdout --no-summary -r --tempdir={{tmp}} -d {signatures} {{dir}}"
    ask = f"clamdscan --stdout --no-summary --fdpass --config-file={site.clamd.conf} {{dir}}"
    return {
        "clamscan": {"run": scan, "stamp": stamp, "databases": str(signatures)},
        "clamdscan": {"run": ask, "stamp": stamp, "databases": str(signatures)},
        "icap": {"at": at},
    }


@pytest.mark.parametrize("name", ["clamscan", "clamdscan", "icap"])
def test_each_of_them_finds_and_clears(site: Site, server: icap.CIcap, name: str) -> None:
    site.configure(row=rows(site, server.at)[name] | {"name": name}, scanners=[name])
    site.send(INFECTED)
    site.finished()
    (record,) = site.journal()
    found = {(one["name"], one["source"]) for one in record["findings"]}
    assert found == {(SAMPLE_NAME, name)}
    assert record["verdict"] == "infected" and not site.sink.mails
    site.send(CLEAN)
    (arrived,) = site.finished()
    assert arrived.data.endswith(CLEAN)


def test_a_mail_with_more_parts_than_an_icap_connection_takes(site: Site, server: icap.CIcap) -> None:
    site.configure(row=rows(site, server.at)["icap"] | {"name": "icap"}, scanners=["icap"])
    site.send(of_many(4 * icap.PER_CONNECTION))
    site.finished()
    (record,) = site.journal()
    assert EICAR_NAME in {one["name"] for one in record["findings"] if one["part"]}


def test_a_backup_stands_in_for_a_clamd_that_is_not_there(site: Site) -> None:
    site.configure(backups=["clamscan"], row=rows(site)["clamscan"] | {"name": "clamscan"})
    site.clamd.stop(SIGKILL)
    site.send(INFECTED)
    site.finished()
    (record,) = site.journal()
    assert record["verdict"] == "infected" and not site.sink.mails
    told = {one["name"]: one["trouble"] for one in record["scanners"]}
    assert "clamd at" in told["clamd"] and told["clamscan"] == ""
    site.send(CLEAN)
    (arrived,) = site.finished()
    assert arrived.data.endswith(CLEAN)
    assert any("warning: clamd at" in line for line in site.syslog.lines)


def test_a_backup_that_fails_too_defers_the_mail(site: Site) -> None:
    site.configure(backups=["broken"], row={"name": "broken", "run": "false", "clean": [0], "infected": [2]})
    site.clamd.stop(SIGKILL)
    site.send(CLEAN)
    assert "mail could not be checked" in site.deferred()
    site.clamd.start()
    assert len(site.retried()) == 1


def test_clamd_that_reloads_while_mail_flows_delays_none_of_it(site: Site) -> None:
    site.send(CLEAN)
    site.clamd.add("new.ndb", "Test.New:0:*:" + b"only just known".hex())
    assert site.clamd.ask(b"RELOAD") == b"RELOADING"
    for number in range(5):
        site.send(mails.with_attachment(b"data.bin", b"part %d" % number))
    site.finished()
    assert len(site.sink.mails) == 6
    site.clamd.remove("new.ndb")
