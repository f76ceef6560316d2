"""CMS: what is signed or compressed comes out, in either encoding."""

import os
import subprocess
import time
import zlib

import pytest
from archives import P7, SHA256, SMIME, ber, der, signed, typed

from amavis_pipe import kinds
from amavis_pipe.decompose import registry
from amavis_pipe.kinds import HEAD

TEXT = b"Content-Type: text/plain\r\n\r\nhello\r\n"
ALGORITHM = der(0x30, der(6, SMIME[:-1] + b"\3\x08"))


def detect(head: bytes, claimed: bytes = b"", names: tuple[bytes, ...] = ()) -> str:
    return kinds.detect(head, claimed, names, registry.formats().starts)


def compressed(data: bytes, form=der) -> bytes:
    inner = typed(
        P7 + b"\1", ber(0x24, *(der(4, data[at : at + 10]) for at in range(0, len(data), 10))), form
    )
    return typed(SMIME + b"\x09", form(0x30, b"\2\1\0", ALGORITHM, inner), form)


FILES = {
    "DER": signed(der(4, b"hello")),
    "indefinite lengths": signed(ber(0x24, der(4, b"hel"), der(4, b""), der(4, b"lo")), ber),
    "strings in strings": signed(
        ber(0x24, der(0x24, der(4, b"he"), der(4, b"l")), ber(0x24, der(4, b"lo"))), ber
    ),
    "definite string of strings": signed(der(0x24, der(4, b"he"), der(4, b"llo"))),
    "five bytes of length": b"\x30\x84\0\0\0" + signed(der(4, b"hello"))[1:],
    "certificates behind": signed(der(4, b"hello"), more=der(0xA0, bytes(500)) + der(0x31, bytes(300))),
    "compressed": compressed(zlib.compress(b"hello")),
    "compressed, indefinite": compressed(zlib.compress(b"hello"), ber),
    "digested": typed(
        P7 + b"\5", der(0x30, b"\2\1\0", der(0x30, b"\5\0"), typed(P7 + b"\1", der(4, b"hello")))
    ),
    "authenticated": typed(
        SMIME + b"\2",
        der(0x30, b"\2\1\0", der(0x31), der(0x30, b"\5\0"), typed(P7 + b"\1", der(4, b"hello"))),
    ),
    "data alone": typed(P7 + b"\1", der(4, b"hello")),
    "time-stamped": typed(SMIME + b"\x1f", der(0x30, b"\2\1\1", der(4, b"hello"))),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_content_comes_out(data, take):
    result = take(data, b"offer.pdf.p7m")
    assert result.content() == [(b"offer.pdf", b"hello")] and result.findings == []


@pytest.mark.parametrize("form", [der, ber])
def test_a_signed_mail_is_read_as_one(form, take):
    result = take(signed(der(4, TEXT), form), b"smime.p7m")
    assert [(part.kind, part.claimed) for part in result.parts.values()] == [
        ("message/rfc822", b"message/rfc822"), ("text/plain", b"text/plain"),
    ]  # fmt: skip
    assert result.content()[-1][1] == b"hello\r\n"


def test_compressed_in_signed_in_signed_comes_out(take):
    inner = compressed(zlib.compress(TEXT))
    assert take(signed(der(4, signed(ber(0x24, der(4, inner)), ber)))).content()[-1] == (b"", b"hello\r\n")


def test_of_the_old_standard_any_content_is_a_part(take):
    assert take(signed(typed(P7 + b"\2", None))).findings == [("broken:cms", "1.1")]
    old = signed(der(4, b"hello"))
    content = old[old.index(b"\xa0") + 2 :]
    for inner in (typed(P7 + b"\2", content), typed(P7 + b"\1", old)):
        outer = typed(P7 + b"\2", der(0x30, b"\2\1\1", SHA256, inner))
        assert take(outer).content()[-1] == (b"", b"hello")


@pytest.mark.parametrize("oid", [P7 + b"\3", P7 + b"\4", P7 + b"\6", SMIME + b"\x17"])
def test_what_is_encrypted_is_said_to_be(oid, take):
    for form in (der, ber):
        result = take(typed(oid, form(0x30, b"\2\1\0", bytes(100)), form))
        assert (result.content(), result.findings) == ([], [("encrypted:smime", "1")])


@pytest.mark.parametrize("form", [der, ber])
def test_a_mere_signature_is_for_nobody(form):
    data = signed(None, form, der(0xA0, bytes(3000)) + der(0x31, bytes(300)))
    assert detect(data[:HEAD]) == "application/pkcs7-signature"
    assert detect(signed(der(4, b""), form)) == "application/pkcs7-mime"


@pytest.mark.parametrize("oid", [P7 + b"\2", P7 + b"\3"])
def test_a_signature_is_told_by_its_place_alone(oid):
    """The bytes of an absent content may stand elsewhere, and something else where they should be."""
    absent = typed(P7 + b"\1", None)
    for inner in (
        der(0x30, b"\2\1\1", der(0x31, absent), typed(P7 + b"\1", der(4, b"x"))),
        der(0x30, b"\2\1\1", SHA256, typed(P7 + b"\1", der(4, absent))),
        der(0x30, b"\2\2\1\1", SHA256, typed(P7 + b"\1", der(4, b"x"))),
        der(0x30, absent, SHA256, typed(P7 + b"\1", der(4, b"x"))),
    ):
        assert detect(typed(oid, inner).ljust(200, b"\0")) == "application/pkcs7-mime"


def test_a_claim_or_a_name_decides_where_the_start_is_odd():
    odd = b"\x30\x81\x20\6\x81\x09" + P7 + b"\2" + bytes(20)
    assert detect(odd) == "application/octet-stream"
    assert detect(odd, b"application/x-pkcs7-mime") == "application/pkcs7-mime"
    assert detect(odd, names=(b"x", b"a.P7M")) == "application/pkcs7-mime"
    assert detect(b"%PDF-1", b"application/pkcs7-mime") == "application/pdf"
    assert detect(b"0 items", b"application/pkcs7-mime") == "text/plain"


def test_nothing_else_is_taken_for_it():
    """Its type at its place in a zip, and a tar's magic in it."""
    oid = b"\6\x09" + P7 + b"\2"
    assert detect(b"PK\3\4" + oid + bytes(500)) == "application/zip"
    file = bytearray(signed(der(4, bytes(2000))))
    file[257:262] = b"ustar"
    assert detect(bytes(file)) == "application/pkcs7-mime"


@pytest.mark.parametrize(
    "data",
    [
        typed(P7 + b"\2", der(0x30)),
        typed(P7 + b"\2", der(0x30, b"\2\1\1", SHA256)),
        typed(P7 + b"\x09", der(4, b"x")),
        typed(P7 + b"\2", None),
        signed(ber(0x24, ber(5, b""))),
        signed(b"\x24\x80" * 50_000),
        b"\x30\x80" + der(6, P7 + b"\2") + b"\xa0\x80" * 100_000,
        der(0x30, der(6, P7 + b"\2"), b"\xa0\xff" + b"\xff" * 50),
        signed(b"\4\x80hello\0\0"),
    ],
    ids=[
        "empty",
        "no content",
        "type",
        "nothing",
        "no octets",
        "strings in strings",
        "depth",
        "size",
        "open octets",
    ],
)
def test_anything_else_is_broken(data, take):
    before = time.monotonic()
    result = take(data)
    assert [name for name, _ in result.findings] == ["broken:cms"]
    assert b"".join(content for _, content in result.content()) in (b"",)
    assert time.monotonic() - before < 10


def test_a_million_tiny_strings_come_out(take):
    result = take(signed(ber(0x24, der(4, b"x") * 300_000), ber), size=10 << 20)
    assert [(part.size, part.flags) for part in result.parts.values()] == [(300_000, ())]


@pytest.mark.parametrize("options", [["-nodetach"], ["-nodetach", "-stream", "-indef"]], ids=["DER", "BER"])
def test_what_openssl_signs_comes_out(options, take, tmp_path):
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    run = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
           "-subj", "/CN=x", "-keyout", key, "-out", certificate]  # fmt: skip
    subprocess.run(run, check=True, capture_output=True)
    content = os.urandom(20_000)
    sign = ["openssl", "cms", "-sign", "-binary", "-signer", certificate, "-inkey", key, "-outform", "DER"]
    data = subprocess.run([*sign, *options], input=content, check=True, capture_output=True).stdout
    assert take(data).content() == [(b"", content)]
    detached = subprocess.run(sign, input=content, check=True, capture_output=True).stdout
    assert detect(detached[:HEAD]) == "application/pkcs7-signature"
    encrypt = ["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", certificate]
    data = subprocess.run(encrypt, input=content, check=True, capture_output=True).stdout
    assert take(data).findings == [("encrypted:smime", "1")]
