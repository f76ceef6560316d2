"""The ready settings for common sites: each loads, and does what its first lines say."""

from pathlib import Path

import pytest

from amavis_pipe.config import load
from amavis_pipe.desk.checks import OK, deeds
from amavis_pipe.model import Envelope, Facts, Finding, Part
from amavis_pipe.policy import decide
from amavis_pipe.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "contrib/sites"
SITES = sorted(path.stem for path in FOLDER.glob("*.toml"))
VIRUS = Finding("virus", "Eicar", "1", "clamd")
LOCKED = Finding("unchecked", "encrypted:zip", "1")
S = b"s@elsewhere.example"


def site(name):
    return Settings(load.parsed((FOLDER / f"{name}.toml").read_bytes(), name)[0])


def attached(name, kind="application/octet-stream"):
    root = Part("1", (), b"multipart/mixed", "multipart/mixed", 9, "", "mime", ("structure",))
    body = Part("1.1", (), b"text/plain", "text/plain", 9, "b" * 64, "mime")
    return Facts([root, body, Part("1.2", (name,), kind.encode(), kind, 9, "a" * 64, "mime")], [], [])


def fate(name, facts, to, sender=S, **client):
    (verdict,) = decide(facts, Envelope(sender, (to,), **client), site(name)).verdicts
    return verdict


def test_there_are_five():
    assert SITES == ["archive", "company", "family", "outbound", "school"]


@pytest.mark.parametrize("name", SITES)
def test_a_virus_reaches_nobody(name):
    facts = Facts([], [VIRUS], [])
    for to in (b"a@example.org", b"ceo@example.com", b"dev@example.com", b"x@pupils.school.example"):
        for user in (b"", b"alice"):
            assert fate(name, facts, to, sasl_username=user).action in ("discard", "bounce")


@pytest.mark.parametrize("name", sorted({*SITES} - {"outbound"}))
def test_no_forged_sender_is_told(name, tmp_path):
    wrong = [one.what for one in deeds.check(site(name), None) if one.level != OK and "bounce" in one.what]
    assert wrong == []


def test_the_family_marks_for_most_and_keeps_back_for_some():
    locked = Facts([], [LOCKED], [])
    assert fate("family", locked, b"me@example.org").subject_tag == b"[not checked]"
    kept = fate("family", locked, b"grandma@example.org")
    assert (kept.action, kept.place, kept.notify_recipients) == ("discard", "quarantine", True)
    banned = fate("family", attached(b"holiday.pdf.exe"), b"me@example.org")
    assert (banned.label, banned.action, banned.notify_recipients) == ("banned", "discard", True)


@pytest.mark.parametrize(
    ("name", "kind", "to", "action"),
    [
        (b"essay.txt", "text/plain", b"x@pupils.school.example", "pass"),
        (b"photo.jpg", "image/jpeg", b"x@pupils.school.example", "pass"),
        (b"game.zip", "application/zip", b"x@pupils.school.example", "discard"),
        (b"photo.jpg", "application/x-dosexec", b"x@pupils.school.example", "discard"),
        (b"game.zip", "application/zip", b"x@teachers.school.example", "pass"),
        (b"game.exe", "application/x-dosexec", b"x@teachers.school.example", "discard"),
        (b"disk.iso", "application/x-iso9660-image", b"x@teachers.school.example", "pass"),
        (b"disk.iso", "application/x-iso9660-image", b"office@school.example", "discard"),
    ],
)
def test_pupils_get_documents_and_pictures_and_teachers_more(name, kind, to, action):
    assert fate("school", attached(name, kind), to).action == action


def test_the_company_has_exceptions_for_some():
    setup = attached(b"setup.exe", "application/x-dosexec")
    assert fate("company", setup, b"x@example.com").action == "discard"
    assert fate("company", setup, b"ceo@example.com").action == "discard"
    assert fate("company", setup, b"dev@example.com").action == "tag"
    assert fate("company", setup, b"install@example.com", b"releases@partner.example").action == "pass"
    assert fate("company", setup, b"x@example.com", b"releases@partner.example").action == "discard"
    assert fate("company", setup, b"x@else.example", sasl_username=b"alice").action == "bounce"
    assert fate("company", setup, b"x@example.com", client_address=b"192.0.2.25").action == "pass"
    assert (
        fate("company", Facts([], [VIRUS], []), b"x@example.com", b"x@example.com").admin
        == b"desk@example.com"
    )
    assert fate("company", Facts([], [VIRUS], []), b"x@example.com").admin == b"abuse@example.com"


def test_outbound_mail_is_refused_with_a_report_and_newsletters_are_not():
    facts = Facts([], [VIRUS], [])
    assert fate("outbound", facts, b"x@else.example").action == "bounce"
    assert fate("outbound", facts, b"x@else.example", client_address=b"198.51.100.7").action == "discard"
    assert site("outbound").bounces == "own"


def test_the_archive_keeps_everything_but_what_it_must_not():
    assert fate("archive", Facts([], [], []), b"x@example.org").place == "/srv/mail-archive"
    assert fate("archive", Facts([], [], []), b"council@example.org").place == ""
    assert fate("archive", Facts([], [VIRUS], []), b"council@example.org").place == "quarantine"
