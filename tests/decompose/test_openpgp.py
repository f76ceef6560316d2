"""OpenPGP: messages that are signed or compressed, not encrypted."""

import bz2
import subprocess
import zlib

import pytest
from archives import MARKER, deflated, literal, packet

from amavis_pipe import kinds
from amavis_pipe.decompose.formats import openpgp

NAME = b"a.txt.gpg"


def old(tag: int, body: bytes, length: int = 1) -> bytes:
    """A packet in the old format; length: bytes of it, 0 for none."""
    code = {1: 0, 2: 1, 4: 2, 0: 3}[length]
    return bytes((0x80 | tag << 2 | code,)) + len(body).to_bytes(length or 8, "big")[: length or 0] + body


def partial(tag: int, body: bytes, power: int) -> bytes:
    """A packet in pieces of 2**power bytes, the last shorter."""
    out, size = bytes((0xC0 | tag,)), 1 << power
    while len(body) > size:
        out, body = out + bytes((224 | power,)) + body[:size], body[size:]
    return out + b"\xff" + len(body).to_bytes(4, "big") + body


MESSAGE = packet(4, bytes(13)) + packet(11, literal(b"hello", b"a.txt")) + packet(2, bytes(70))

FILES = {
    "literal": packet(11, literal(b"hello", b"a.txt")),
    "signed": MESSAGE,
    "old format": old(4, bytes(13)) + old(11, literal(b"hello", b"a.txt"), 2) + old(2, bytes(300), 4),
    "old format, to the end": old(11, literal(b"hello", b"a.txt"), 0),
    "in pieces": partial(11, literal(b"hello", b"a.txt"), 2),
    "in pieces of a byte": partial(11, literal(b"hello", b"a.txt"), 0),
    "short length": b"\xcb" + bytes((len(literal(b"hello", b"a.txt")),)) + literal(b"hello", b"a.txt"),
    "not compressed": packet(8, b"\0" + MESSAGE),
    "zip": packet(8, b"\1" + deflated(MESSAGE)),
    "zlib": packet(8, b"\2" + zlib.compress(MESSAGE)),
    "bzip2": packet(8, b"\3" + bz2.compress(MESSAGE)),
    "compressed, old format, to the end": old(8, b"\2" + zlib.compress(MESSAGE), 0),
    "compressed, in pieces": partial(8, b"\2" + zlib.compress(MESSAGE), 1),
    "compressed twice": packet(8, b"\2" + zlib.compress(packet(8, b"\3" + bz2.compress(MESSAGE)))),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_file_comes_out(data, take):
    result = take(MARKER + data, NAME)
    assert result.content()[-1] == (b"a.txt", b"hello") and result.findings == []


@pytest.mark.parametrize("tag", [1, 3, 9, 18, 20])
def test_what_is_encrypted_is_said_to_be(tag, take):
    result = take(MARKER + packet(tag, bytes(100)))
    assert (result.content(), result.findings) == ([], [("encrypted:pgp", "1")])
    result = take(MARKER + packet(8, b"\2" + zlib.compress(packet(tag, bytes(100)))), NAME)
    assert result.findings == [("encrypted:pgp", "1.1")]


@pytest.mark.parametrize("tag", [2, 5, 6, 13])
def test_keys_and_signatures_hold_nothing(tag, take):
    result = take(MARKER + packet(tag, bytes(100)) + packet(tag, bytes(3000)))
    assert (result.content(), result.findings) == ([], [])


@pytest.mark.parametrize(
    "data",
    [b"", b"x", packet(11, b"b\x50abc"), packet(8, b"\x09x"), packet(8, b""), packet(50, b"x"), old(13, b"x", 0),
     packet(8, b"\2" + b"junk"), b"\xcb\xff\xff\xff\xff\xff", b"\xe0" * 5, packet(2, bytes(9))[:-1]],
)  # fmt: skip
def test_anything_else_is_broken(data, take):
    assert [name for name, _ in take(MARKER + data).findings] == ["broken:openpgp"]


def test_a_claim_or_a_name_tells_a_message_without_a_marker():
    data = packet(1, bytes(100))
    assert kinds.detect(data) == "application/octet-stream"
    assert kinds.detect(data, b"application/pgp-encrypted") == "application/pgp-encrypted"
    assert kinds.detect(data, names=(b"x.PGP",)) == "application/pgp-encrypted"
    assert kinds.detect(b"Version: 1\n", b"application/pgp-encrypted") == "text/plain"


@pytest.mark.parametrize(
    ("options", "content"),
    [(["--store"], b"hello"), (["--store", "-z", "0"], b"hello"), (["--store", "--compress-algo", "bzip2"], b"hello"),
     (["--symmetric", "--passphrase", "x", "--pinentry-mode", "loopback"], None)],
    ids=["stored", "not compressed", "bzip2", "encrypted"],
)  # fmt: skip
def test_what_gpg_writes_is_read(options, content, take, tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    run = ["gpg", "--homedir", str(tmp_path / "home"), "--batch", "--quiet", *options]
    done = subprocess.run(run, input=b"hello", capture_output=True, check=True)
    result = take(MARKER + done.stdout, NAME)
    if content is None:
        assert (result.content(), result.findings) == ([], [("encrypted:pgp", "1")])
    else:
        assert result.content()[-1][1] == content and result.findings == []


def test_pieces_of_a_byte_are_gathered():
    """Each was a chunk of its own, to be charged and written."""
    body = literal(bytes(70_000), b"a.txt")
    chunks = list(openpgp._Packet(partial(11, body, 0), 0, Sink()).chunks())
    assert b"".join(chunks) == body
    assert len(chunks) < 5


class Sink:
    def tick(self):
        pass


def test_of_a_body_cut_off_between_its_pieces_what_came_is_kept(take):
    for cut in (8, 20, 21):  # within the last length, behind a length, behind a byte
        result = take(MARKER + partial(11, literal(b"h" * 100, b"a.txt"), 0)[:-cut], NAME)
        assert result.findings == [("broken:openpgp", "1")]
        assert result.content()[-1][1].startswith(b"hhhh")
