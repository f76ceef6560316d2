"""ICAP, against a server written from RFC 3507; a real one is in e2e."""

import random

import pytest
from stand_in.icap import IcapServer

from amavis_pipe.inquire import scanner_of
from amavis_pipe.model import ScannerTrouble
from amavis_pipe.scan.builtin import eicar
from amavis_pipe.scan.icap import judged, read_head, virus_names
from amavis_pipe.spool import Blob


@pytest.fixture
def server():
    server = IcapServer()
    yield server
    server.close()


@pytest.fixture
def scanner(settings_of, server):
    """A function: the scanner that asks the server, with more fields in its row."""

    def make(**more):
        row = {"name": "icap", "at": server.at, "timeout": 20, "retry": 0, **more}
        settings = settings_of(scanners=["icap"], scanner=[row])
        return scanner_of(settings.rows[0], settings)

    return make


def names(answers):
    return {path: [(one.grade, one.name) for one in findings] for path, findings in answers.items()}


SIZES = [0, 1, 1023, 1024, 1025, 300_000]
CASES = [
    (preview, allows, method)
    for preview in (None, 0, 1024)
    for allows in (True, False)
    for method in ("respmod", "reqmod")
]


@pytest.mark.parametrize(("preview", "allows", "method"), CASES)
def test_every_byte_is_shown_and_answers_are_understood(scanner, server, preview, allows, method):
    server.preview, server.allows = preview, allows
    blobs = [random.Random(size).randbytes(size) for size in SIZES]
    items = [(str(number), Blob(data)) for number, data in enumerate(blobs, 1)]
    virus = b"x" * 2000 + eicar() + b"x" * 2000
    answers = scanner(method=method).scan([*items, ("9", Blob(virus))])
    assert names(answers) == {path: [] for path, _ in items} | {"9": [("virus", "Eicar-Test")]}
    assert server.asked == [(method.upper().encode(), data) for data in [*blobs, virus]]
    assert server.connections == 1


def test_a_server_that_ends_connections_is_asked_on_another(scanner, server):
    server.most = 4
    items = [(str(number), Blob(b"%d" % number)) for number in range(11)]
    assert names(scanner().scan([*items, ("v", Blob(eicar()))])) == {path: [] for path, _ in items} | {
        "v": [("virus", "Eicar-Test")]
    }
    assert server.connections > 2


@pytest.mark.parametrize("fault", ["odd", "half", "silent", "closes", "500", "blocks"])
def test_whatever_is_no_answer_is_trouble(scanner, server, fault):
    server.fault = fault
    asked = scanner()
    asked.row.timeout = 0.3
    with pytest.raises(ScannerTrouble, match=r"^icap at 127"):
        asked.scan([("1", Blob(b"a"))])


def test_content_that_was_changed_is_trouble_where_no_field_tells_of_a_virus(scanner, server):
    server.allows = False
    asked = scanner()
    assert names(asked.scan([("1", Blob(b"same"))])) == {"1": []}
    server.fault = "blocks"
    with pytest.raises(ScannerTrouble, match="status 200 for part 1"):
        asked.scan([("1", Blob(b"same"))])


def test_its_tag_is_what_answers_depend_on(scanner, server):
    first = scanner().stamp()
    server.tag = '"tag-2"'
    assert scanner().stamp().text != first.text != b""
    asked = scanner()
    server.tag = ""
    assert asked.stamp().text == b""


def test_a_tag_that_changes_meanwhile_makes_answers_unsteady(scanner, server, monkeypatch):
    asked = scanner()
    judge = server._judge

    def changed(*arguments):
        server.tag = '"tag-2"'
        return judge(*arguments)

    monkeypatch.setattr(server, "_judge", changed)
    asked.scan([("1", Blob(b"a"))])
    assert asked.steady is False


FIELDS = {
    "infection": ({b"x-infection-found": b"Type=0; Resolution=2; Threat=A.B;"}, [b"A.B"]),
    "violations": ({b"x-violations-found": b"2\na.com\nOne\n11\n2\nb.com\nTwo\n12\n2"}, [b"One", b"Two"]),
    "no violations": ({b"x-violations-found": b"0"}, []),
    "virus id": ({b"x-virus-id": b"Name"}, [b"Name"]),
    "no virus": ({b"x-virus-id": b"no"}, []),
    "fsecure": ({b"x-fsecure-infection-name": b"N"}, [b"N"]),
    "cut": ({b"x-infection-found": b"Type=0"}, [b""]),
    "none": ({b"x-other": b"x"}, []),
}


@pytest.mark.parametrize(("fields", "expected"), FIELDS.values(), ids=FIELDS)
def test_the_fields_that_tell_of_a_virus(fields, expected):
    assert virus_names(fields) == expected
    findings = judged(204, fields, True, "1", "icap")
    assert [one.grade for one in findings] == ["virus"] * len(expected)


HEADS = {
    "an answer": (
        [b"ICAP/1.0 204 None", b"ISTag: x", b"A: b", b"\tc"],
        (204, {b"istag": b"x", b"a": b"b\nc"}),
    ),
    "http": ([b"HTTP/1.1 204 None"], None),
    "no number": ([b"ICAP/1.0 2o4 None"], None),
    "no field": ([b"ICAP/1.0 204 None", b"nothing"], None),
    "nothing": ([], None),
}


@pytest.mark.parametrize(("lines", "expected"), HEADS.values(), ids=HEADS)
def test_heads_are_read(lines, expected):
    assert read_head(lines) == expected


@pytest.mark.parametrize("status", [100, 200, 206, 301, 400, 404, 408, 500, 503, 999])
def test_no_status_but_204_or_the_same_content_is_clean(status):
    assert judged(status, {}, False, "1", "icap") is None
    assert judged(status, {}, True, "1", "icap") == ([] if status == 200 else None)
