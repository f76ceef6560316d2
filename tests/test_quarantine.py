"""Mail kept back: whole, private, once, and never over another."""

import os
import re
import resource
import signal

import pytest
from stand_in import mails

from amavis_pipe import intake, quarantine
from amavis_pipe.model import Envelope, SpoolTrouble
from amavis_pipe.policy import Verdict

ENVELOPE = Envelope(b"a@example.org", (b"b@example.org", b'"c d"@example.net'))
VERDICT = Verdict("infected", "discard", "infected Eicar", ENVELOPE.recipients)
MAIL = mails.infected()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "quarantine"
    made.mkdir()
    return made


def keep(folder, mail=MAIL, envelope=ENVELOPE, verdict=VERDICT):
    return quarantine.keep(intake.of_bytes(mail, os.fsencode(folder)), envelope, verdict, os.fsencode(folder))


@pytest.mark.parametrize(
    "mail", [MAIL, b"no header at all", b"\n\nbody\r\n", b"X: \xff\0\nx", mails.plain(b"y" * 3_000_000)],
    ids=["infected", "no header", "empty header", "odd bytes", "large"],
)  # fmt: skip
def test_the_end_of_the_file_is_the_mail_byte_for_byte(folder, mail):
    kept = (folder / keep(folder, mail)).read_bytes()
    said = re.search(rb"^X-Amavis-Original: size=(\d+) sha256=([0-9a-f]{64})\n", kept, re.MULTILINE)
    assert kept[said.end() :] == mail
    assert int(said[1]) == len(mail)


def test_the_file_is_private_and_named_by_category_time_and_content(folder):
    name = keep(folder)
    assert re.fullmatch(r"virus-\d{8}-\d{6}-[0-9a-f]{12}", name)
    assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert os.listdir(folder) == [name]


def test_other_categories_are_named_by_themselves(folder):
    verdict = Verdict("unchecked", "discard", "unchecked crash:rar", ())
    assert keep(folder, verdict=verdict).startswith("unchecked-")


def test_the_lines_above_tell_the_envelope_and_why(folder):
    head = (folder / keep(folder)).read_bytes().partition(b"X-Amavis-Original")[0]
    assert b"X-Envelope-From: <a@example.org>\n" in head
    assert b'X-Envelope-To: <b@example.org>\nX-Envelope-To: <"c d"@example.net>\n' in head
    assert b"X-Amavis-Alert: infected Eicar\n" in head


def test_words_from_outside_stay_on_their_lines(folder):
    envelope = Envelope(b"a\nX-Amavis-Original: size=0 sha256=0\n@x", (b"b\r\n\r\n@x",))
    lines = (folder / keep(folder, envelope=envelope)).read_bytes().split(b"\n")[:5]
    assert [line.partition(b":")[0] for line in lines] == [
        b"X-Quarantine-ID", b"X-Envelope-From", b"X-Envelope-To", b"X-Amavis-Alert", b"X-Amavis-Original",
    ]  # fmt: skip


def test_a_retry_finds_its_own_copy(folder):
    assert keep(folder) == keep(folder)
    assert len(os.listdir(folder)) == 1


def test_another_mail_or_envelope_is_another_file(folder):
    names = {
        keep(folder),
        keep(folder, MAIL + b"x"),
        keep(folder, envelope=Envelope(b"other@example.org", ENVELOPE.recipients)),
    }
    assert len(names) == len(os.listdir(folder)) == 3


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: b"", lambda data: data + b"x"],
                         ids=["cut", "empty", "longer"])  # fmt: skip
def test_a_damaged_copy_is_not_taken_for_it_nor_overwritten(folder, change, monkeypatch):
    name = keep(folder)
    damaged = change((folder / name).read_bytes())
    (folder / name).write_bytes(damaged)
    monkeypatch.setattr(quarantine, "gmtime", lambda: (2030, 1, 1, 0, 0, 0, 1, 1, 0))
    other = keep(folder)
    assert other != name
    assert (folder / name).read_bytes() == damaged
    assert (folder / other).read_bytes().endswith(MAIL)


def test_a_file_that_stands_in_the_way_is_trouble_and_not_overwritten(folder, monkeypatch):
    monkeypatch.setattr(quarantine, "gmtime", lambda: (2030, 1, 1, 0, 0, 0, 1, 1, 0))
    name = keep(folder)
    (folder / name).write_bytes(b"another")
    with pytest.raises(SpoolTrouble):
        keep(folder)
    assert (folder / name).read_bytes() == b"another"
    assert os.listdir(folder) == [name]


def test_without_a_folder_it_is_trouble(tmp_path):
    with pytest.raises(SpoolTrouble, match="No such file"):
        keep(tmp_path / "missing")


def test_on_a_full_disk_it_is_trouble_and_nothing_stays(folder):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
            keep(folder)
        except SpoolTrouble:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.listdir(folder) == []


def test_a_mail_that_looks_like_a_quarantine_file_is_still_found_whole(folder):
    inner = (folder / keep(folder)).read_bytes()
    name = keep(folder, inner)
    assert keep(folder, inner) == name
    assert (folder / name).read_bytes().endswith(inner)
