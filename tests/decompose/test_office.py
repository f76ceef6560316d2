"""Encrypted Office documents: opened where the password is known, told of where not."""

import io
import random
import struct

import archives
import office
import pytest
from built import ole

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.decompose import cfb, officecrypt, officekeys, registry
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Sink, Walk

NOISE = random.Random(1).randbytes(9000)
DOCUMENT = archives.zipped({"a.txt": NOISE})
RECORDS = [
    (0xE1, b"ab"),
    (0x85, office.SHEET),
    (0xFC, NOISE[:8000]),
    (0x85, office.SHEET),
    (0x5C, b"user" * 30),
]
LOCKED = [("encrypted:ole", "1")]


class Quiet:
    def tick(self) -> None:
        pass


def stream(data: bytes, name: str) -> bytes:
    """The content of a stream by its name."""
    file = cfb.Compound(data, Quiet())
    return b"".join(file.stream(next(one for one in file.streams() if one.name == name)).chunks())


def content(result) -> bytes:
    part = result.parts["1.1"]
    assert part.names == (b"a.doc",)
    return part.blob.head(part.size)


PACKAGES = {"agile": office.agile, "standard": office.standard}


@pytest.mark.parametrize("encrypt", PACKAGES.values(), ids=PACKAGES)
def test_a_package_with_the_password_of_office_comes_out(encrypt, take):
    result = take(encrypt(DOCUMENT), b"a.doc")
    assert content(result) == DOCUMENT and result.findings == []
    assert result.parts["1.1.1"].blob.head(9999) == NOISE


@pytest.mark.parametrize("encrypt", PACKAGES.values(), ids=PACKAGES)
def test_a_package_with_another_password_is_told_of(encrypt, take):
    result = take(encrypt(DOCUMENT, "another"))
    assert result.parts == {} and result.findings == LOCKED


@pytest.mark.parametrize(
    "data",
    [
        ole.compound({"EncryptedPackage": NOISE}),
        ole.compound({"EncryptedPackage": NOISE, "EncryptionInfo": b"x"}),
        ole.compound(
            {"EncryptedPackage": NOISE, "EncryptionInfo": struct.pack("<HHI", 4, 4, 64) + b"<keyData "}
        ),
        ole.compound({"EncryptedPackage": NOISE, "EncryptionInfo": struct.pack("<HHI", 3, 3, 64)}),
        ole.compound({"\tDRMContent": NOISE}),
        office.agile(DOCUMENT, tell=10_000_000),
        office.agile(DOCUMENT, tell=4_000_000_000),
    ],
    ids=["no info", "no version", "no key", "extensible", "rights", "many rounds", "too many rounds"],
)
def test_a_package_that_nothing_opens_is_told_of(data, take):
    assert take(data).findings == LOCKED


CIPHERS = {
    "RC4": office.rc4,
    "CryptoAPI": office.rc4_api,
    "CryptoAPI 40": lambda password=office.PASSWORD: office.rc4_api(password, 40),
}


@pytest.mark.parametrize("cipher", [*CIPHERS.values(), office.xor], ids=[*CIPHERS, "XOR"])
def test_a_workbook_with_the_password_of_office_is_open_in_a_copy(cipher, take):
    info, key = cipher()
    result = take(ole.compound({"Workbook": office.workbook(RECORDS, info, key)}), b"a.doc")
    plain = stream(content(result), "Workbook")
    start = len(office.BOF) + 6 + len(info)
    assert plain[start:] == office.workbook(RECORDS)[len(office.BOF) :] and result.findings == []


@pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS)
def test_a_word_document_with_the_password_of_office_is_open_in_a_copy(cipher, take):
    info, key = cipher()
    data = office.word(NOISE, info, key, {"Data": office.streamed(NOISE[::-1], key, 512)})
    opened = content(take(data, b"a.doc"))
    assert stream(opened, "WordDocument") == office.word_open(NOISE)
    assert stream(opened, "1Table")[len(info) :] == NOISE[: len(stream(opened, "1Table")) - len(info)]
    assert stream(opened, "Data") == NOISE[::-1]


def test_slides_with_the_password_of_office_are_open_in_a_copy(take):
    inner = ole.compound({"x": b"MZ" + NOISE})
    info, key = office.rc4_api("/01Hannes Ruescher/01")
    result = take(office.slides(ole.slide_object(inner), info, key), b"a.doc")
    assert content(result) and result.findings == []
    assert result.parts["1.1.1"].blob.head(99_999) == inner


OTHERS = {
    "workbook": lambda info, key: ole.compound({"Workbook": office.workbook(RECORDS, info, key)}),
    "document": lambda info, key: office.word(NOISE, info, key),
    "slides": lambda info, key: office.slides(NOISE, info, key),
}


@pytest.mark.parametrize("build", OTHERS.values(), ids=OTHERS)
def test_with_another_password_they_are_told_of(build, take):
    result = take(build(*office.rc4_api("another")))
    assert result.parts == {} and result.findings == LOCKED


@pytest.mark.parametrize(
    "data",
    [
        ole.compound({"Workbook": office.workbook(RECORDS)}),
        ole.compound({"WordDocument": office.word_open(NOISE), "1Table": NOISE}),
        office.slides(NOISE),
        ole.compound(
            {"WordDocument": b"x", "Workbook": b"y", "Current User": b"z", "PowerPoint Document": b"a"}
        ),
    ],
    ids=["workbook", "document", "slides", "nonsense"],
)
def test_what_is_not_encrypted_is_not_told_of(data, take):
    result = take(data)
    assert result.parts == {} and result.findings == []


def test_macros_of_an_encrypted_workbook_are_found(take):
    info, key = office.rc4("another")
    streams = {
        "Workbook": office.workbook(RECORDS, info, key),
        "VBA/M": ole.vba_packed(b"Attribute VB_Name" * 9),
    }
    result = take(ole.compound(streams))
    assert [part.names for part in result.parts.values()] == [(b"M.bas",)] and result.findings == LOCKED


def test_passwords_of_the_mail_are_tried(monkeypatch, tmp_path):
    monkeypatch.setattr(Sink, "passwords", lambda self: iter([b"no", "gehéim".encode()]), raising=False)
    data = ole.compound({"Workbook": office.workbook(RECORDS, *office.rc4("gehéim"))})
    walk = Walk(
        Budget.of(Limits(), len(data)),
        Store(bytes(tmp_path)),
        registry.openers(registry.formats()),
        registry.formats(),
    )
    walk.file(Blob(data))
    assert len(walk.parts) == 2 and walk.findings == []


def test_tries_are_bounded(monkeypatch):
    class Cipher:
        rounds, tries = 1_000_000, 0

        def opens(self, password: str) -> bool:
            self.tries += 1
            return False

    sink = Quiet()
    sink.passwords = lambda: (b"x" for _ in range(10_000))
    keys, dear, cheap = officecrypt._Keys(sink), Cipher(), Cipher()
    cheap.rounds = 1
    assert not keys.open(dear) and dear.tries < 9
    assert not officecrypt._Keys(sink).open(cheap) and cheap.tries < 65


def test_without_the_library_a_package_is_told_of(monkeypatch, tmp_path, take):
    monkeypatch.setattr(officecrypt, "_places", lambda: ())
    monkeypatch.setattr(officecrypt.NEEDS[0], "places", lambda: ())
    assert take(office.agile(DOCUMENT)).findings == LOCKED


def test_keys_are_those_of_the_standard():
    """Key of [MS-OFFCRYPTO] 2.3.6.2 for a known password, and a verifier of 2.3.7.1."""
    assert officekeys._xor_verifier(b"VelvetSweatshop") == 0x9A0A
    assert officekeys._rc4(b"Key", 9).hex() == "eb9f7781b734ca72a7"


def test_another_reader_reads_the_copies_alike():
    import msoffcrypto as library

    for cipher in (office.rc4, office.rc4_api):
        info, key = cipher()
        data = office.word(NOISE, info, key)
        reader, out = library.OfficeFile(io.BytesIO(data)), io.BytesIO()
        reader.load_key(password=office.PASSWORD)
        reader.decrypt(out)
        assert stream(out.getvalue(), "WordDocument") == office.word_open(NOISE)


def test_flipped_bits_are_never_our_bug(take):
    samples = [
        ole.compound({"Workbook": office.workbook(RECORDS, *office.rc4_api())}),
        office.word(NOISE, *office.rc4()),
        office.slides(NOISE, *office.rc4_api()),
        office.agile(DOCUMENT),
    ]
    for seed in range(60):
        source = random.Random(seed)
        damaged = bytearray(samples[seed % len(samples)])
        for _ in range(source.randrange(1, 20)):
            damaged[source.randrange(8, len(damaged))] ^= 1 << source.randrange(8)
        found = {name.partition(":")[0] for name, _ in take(bytes(damaged), size=10 << 20).findings}
        assert found <= {"broken", "encrypted", "undecoded", "limit"}, seed
