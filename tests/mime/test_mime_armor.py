"""mime.armor: what stands between BEGIN and END lines."""

import base64
import textwrap
import time

import pytest
from alone import dissected, walked

from amavis_pipe.mime import armor, hints

FILE = bytes(range(128, 256)) * 3
LINES = "\n".join(textwrap.wrap(base64.b64encode(FILE).decode(), 64)).encode() + b"\n"


def armored(
    label: bytes = b"PGP MESSAGE", head: bytes = b"Version: x\nComment: y\n\n", tail: bytes = b"=aBc1\n"
) -> bytes:
    return b"-----BEGIN " + label + b"-----\n" + head + LINES + tail + b"-----END " + label + b"-----\n"


TEXTS = {
    "message": armored(),
    "within text": b"Hello\n\n" + armored() + b"Bye\n",
    "no header": armored(head=b"\n"),
    "no header, no empty line": armored(head=b""),
    "no checksum": armored(tail=b""),
    "no end": armored().partition(b"-----END")[0],
    "CRLF": armored().replace(b"\n", b"\r\n"),
    "CR": armored().replace(b"\n", b"\r"),
    "quoted": b"> " + armored().replace(b"\n", b"\n> "),
    "part of several": armored(b"PGP MESSAGE, PART 1/2"),
    "CMS": armored(b"CMS", b"", b""),
    "PKCS7": armored(b"PKCS7", b"", b""),
    "PKCS #7": armored(b"PKCS #7 SIGNED DATA", b"", b""),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_armored_comes_out(text):
    walk = walked(text, armor.DECODER)
    assert [b"".join(part.blob.chunks()) for part in walk.parts] == [FILE]
    assert walk.parts[0].claimed == (armor.PGP if b"PGP" in text else armor.CMS)
    assert (walk.parts[0].kind == "application/pgp-encrypted") is (b"PGP" in text)
    assert "armor" in hints.found(text, len(text))


def test_several_come_one_by_one():
    assert len(dissected(armored() + armored(b"CMS") + armored(), armor.DECODER)) == 3


@pytest.mark.parametrize(
    "label", [b"PGP PUBLIC KEY BLOCK", b"PGP SIGNATURE", b"PGP SIGNED MESSAGE", b"CERTIFICATE", b"X"]
)
def test_keys_and_signed_text_give_nothing(label):
    assert dissected(armored(label), armor.DECODER) == []


def test_whatever_is_called_a_certificate_is_a_part_if_it_is_of_a_known_kind():
    for data in (b"MZ" + bytes(500), b"a text " * 20):
        text = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(data) + b"-----END CERTIFICATE-----\n"
        assert dissected(text, armor.DECODER) == [(b"", data)]


def test_cms_in_bare_base64_comes_out():
    data = b"\x30\x82\1\1\6\x09*\x86H\x86\xf7\r\1\7\3" + bytes(246)
    text = base64.encodebytes(data)
    walk = walked(text, armor.DECODER)
    assert [(part.kind, part.size) for part in walk.parts] == [("application/pkcs7-mime", len(data))]
    assert "armor" in hints.found(text, len(text))
    assert dissected(b"MILES and more", armor.DECODER) == []


@pytest.mark.parametrize(
    "line", [b"-----BEGIN X-----\n", b"-----BEGIN PGP MESSAGE-----\n", b"-----BEGIN", b"-", b"a: b\n", b"\n="]
)
def test_a_megabyte_of_it_takes_little_time(line):
    before = time.process_time()
    walk = walked(b"-----BEGIN PGP MESSAGE-----\n" + line * (1_000_000 // len(line)), armor.DECODER)
    assert {found.name for found in walk.findings} <= {"limit:files"}
    assert time.process_time() - before < 8


def test_begin_stands_at_the_start_of_a_line_maybe_quoted():
    """In a header it is none: each was another look at all the lines that follow."""
    line = b"A: -----BEGIN X-----\n"
    before = time.process_time()
    assert dissected(line * 40_000, armor.DECODER) == []
    assert time.process_time() - before < 2
    body = armored()
    for quote in (b"", b"> ", b"| > ", b"\r"):
        assert len(dissected(b"On Monday\n" + quote + body, armor.DECODER)) == 1
    assert dissected(b"see " + body, armor.DECODER) == []
    assert dissected(b">" * 40 + body, armor.DECODER) == []


def test_an_empty_block_hides_none():
    assert len(dissected(b"-----BEGIN X-----\n" + armored(), armor.DECODER)) == 1


def test_many_headers_are_no_headers():
    text = armored().replace(b"-----\n", b"-----\n" + b"Comment: a\n" * armor.HEADERS, 1)
    assert len(dissected(text, armor.DECODER)) == 1
    assert len(list(armor.blocks(b"-----BEGIN X-----\n" + b"A: b\n" * 100))) == 1
