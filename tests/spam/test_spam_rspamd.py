"""rspamd's /checkv2: the question as bytes, every sort of answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies
from spam.replies import JSON, http

from amavis_pipe.model import Envelope, ScannerTrouble
from amavis_pipe.spam import rspamd
from amavis_pipe.spam.score import HIGHEST


def test_an_answer_gives_score_required_and_symbols():
    score = rspamd.reply(http(), True)
    assert (score.score, score.required, score.checker) == (9.1, 15.0, "rspamd")
    assert score.tests == (("HFILTER_HELO_5", 3.0), ("MIME_GOOD", -0.1), ("ARC_NA", 0.0))
    assert score.report.split("\n") == [
        "*   3.0 HFILTER_HELO_5 Helo host checks",
        "*  -0.1 MIME_GOOD Known content-type",
        "*   0.0 ARC_NA ARC signature absent",
    ]


@pytest.mark.parametrize("required", ["null", '"x"', "1e999", "true"])
def test_it_need_not_tell_a_required_score(required):
    body = f'{{"score": 1, "required_score": {required}}}'.encode()
    assert rspamd.reply(http(body)).required is None


HEAD = b"HTTP/1.1 200 OK\r\n"
FAULTS = {
    "nothing": (b"", ""),
    "garbage": (b"\x00\xff\x17garbage", ""),
    "another protocol": (b"SPAMD/1.1 0 EX_OK\r\nContent-Length: 2\r\n\r\n{}", ""),
    "not found": (http(b"", b"HTTP/1.1 404 Not found\r\n"), ""),
    "wrong password": (http(b'{"error":"Unauthorized"}', b"HTTP/1.1 403 Unauthorized\r\n"), ""),
    "a redirect": (http(b"", b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\n"), ""),
    "overloaded": (http(b"", b"HTTP/1.1 503 Service unavailable\r\n"), "away"),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ""),
    "compressed": (http(b"", HEAD + b"Content-Encoding: zstd\r\n"), ""),
    "no length": (HEAD + b"\r\n" + JSON, ""),
    "two lengths": (http(JSON, HEAD + b"Content-Length: 3\r\n"), ""),
    "a length without end": (HEAD + b"Content-Length: 9999999999999\r\n\r\n" + JSON, ""),
    "half a head": (HEAD + b"Content-Le", ""),
    "half a body": (http()[:-9], "away"),
    "more than its length": (http() + b"x", "away"),
    "no JSON": (http(b"<html>"), ""),
    "half a JSON": (http(JSON[:-3]), ""),
    "two of them": (http(JSON + JSON), ""),
    "no object": (http(b"[9.1]"), ""),
    "not UTF-8": (http(b'{"score": 1, "x": "\xff"}'), ""),
    "no score": (http(b"{}"), ""),
    "a score that is text": (http(b'{"score": "9"}'), ""),
    "a score that is true": (http(b'{"score": true}'), ""),
    "NaN": (http(b'{"score": NaN}'), ""),
    "infinity": (http(b'{"score": -Infinity}'), ""),
    "beyond infinity": (http(b'{"score": 1e999}'), ""),
    "a huge score": (http(b'{"score": 10000000}'), ""),
    "a score of many digits": (http(b'{"score": ' + b"9" * 400 + b"}"), ""),
    "a score of too many digits": (http(b'{"score": ' + b"9" * 9000 + b"}"), ""),
    "nested without end": (http(b"[" * 100_000), ""),
}


@pytest.mark.parametrize(("data", "kind"), FAULTS.values(), ids=FAULTS)
def test_whatever_is_no_whole_answer_is_trouble(data, kind):
    with pytest.raises(ScannerTrouble, match=r"^rspamd: ") as caught:
        rspamd.reply(data)
    assert caught.value.kind == kind
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("at", range(0, len(http()), 3))
def test_every_cut_of_an_answer_is_trouble(at):
    with pytest.raises(ScannerTrouble):
        rspamd.reply(http()[:at])


VALUES = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.floats()
    | strategies.integers()
    | strategies.text(),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
    max_leaves=10,
)


@given(VALUES, VALUES, VALUES)
def test_no_json_raises_anything_but_trouble(score, required, symbols):
    body = json.dumps({"score": score, "required_score": required, "symbols": symbols}).encode()
    try:
        found = rspamd.reply(http(body), True)
    except ScannerTrouble:
        return
    assert -HIGHEST <= found.score <= HIGHEST
    assert found.report.replace("\n", "").isprintable()
    assert all(name.isascii() and len(name) <= 80 for name, _ in found.tests)


@given(strategies.binary(max_size=100), strategies.integers(0, len(http())))
def test_no_bytes_raise_anything_but_trouble(noise, at):
    try:
        found = rspamd.reply(http()[:at] + noise + http()[at:])
    except ScannerTrouble:
        return
    assert -HIGHEST <= found.score <= HIGHEST


@given(VALUES)
def test_json_is_read_as_the_json_module_does(value):
    text = json.dumps(value)
    try:
        expected = json.loads(text, parse_constant=lambda name: 1 / 0)
    except ZeroDivisionError:
        with pytest.raises(ValueError, match=r"NaN|Infinity"):
            rspamd.parsed(text.encode())
        return
    assert rspamd.parsed(f" {text}\n".encode()) == expected


def test_what_is_no_json_is_trouble_in_a_process_without_the_json_module():
    """The C half of it has the exception that it raises from the other one."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from amavis_pipe.spam import rspamd\n"
        "from amavis_pipe.model import ScannerTrouble\n"
        "assert 'json.decoder' not in sys.modules\n"
        "for body in (b'{', b'{\"a\" 1}', b'[1', b'\"a', b'{\"score\": 1,}'):\n"
        "    try:\n"
        "        rspamd.read(body)\n"
        "    except ScannerTrouble as error:\n"
        "        print(error)\n"
    )
    root = str(Path(rspamd.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, root], capture_output=True, text=True, check=True
    )
    assert [line[:18] for line in done.stdout.splitlines()] == ["rspamd: odd JSON: "] * 5


FULL = Envelope(
    b"a@example.org",
    (b"b@example.org", b"c@example.org"),
    b"4bX7",
    b"2001:db8::1",
    b"mx.example.org",
    b"helo.example.org",
    b"alice",
)


def test_the_envelope_is_told():
    assert rspamd.request(5, FULL, b"b", b"secret").split(b"\r\n") == [
        b"POST /checkv2 HTTP/1.0",
        b"Content-Length: 5",
        b"From: <a@example.org>",
        b"Rcpt: <b@example.org>",
        b"Rcpt: <c@example.org>",
        b"Password: secret",
        b"IP: 2001:db8::1",
        b"Helo: helo.example.org",
        b"Hostname: mx.example.org",
        b"User: alice",
        b"Deliver-To: b",
        b"Queue-Id: 4bX7",
        b"Pass: all",
        b"",
        b"",
    ]


def test_nothing_from_outside_makes_a_line():
    evil = b"a\r\nPass: none\r\n\r\n\0\x7fb"
    head = rspamd.request(5, Envelope(evil, (evil,), evil, evil, evil, evil, evil), evil, evil)
    lines = head.split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines[2:-2]] == [
        *(b"From", b"Rcpt", b"Password", b"Helo", b"Hostname", b"User", b"Deliver-To", b"Queue-Id", b"Pass")
    ]
    assert b"IP" not in head
    assert not head.replace(b"\r\n", b"").translate(None, bytes(range(32, 127)))


def test_many_recipients_are_told_as_far_as_a_head_has_room():
    many = tuple(b"user%d@example.org" % number for number in range(10_000))
    head = rspamd.request(5, Envelope(b"", many))
    assert 30_000 < len(head) < 40_000
    assert head.startswith(b"POST")
    assert b"From: <>\r\nRcpt: <user0@example.org>\r\n" in head
