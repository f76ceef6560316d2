"""mime.ical: files in calendars and address cards."""

import base64
import quopri
import time

import pytest
from alone import dissected, walked
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import hints, ical

FILE = b"PK\3\4" + bytes(range(256))
BASE64 = base64.b64encode(FILE)


def folded(text: bytes, first: int = 75) -> bytes:
    return b"\n ".join(text[at : at + first] for at in range(0, len(text), first))


def card(*lines: bytes) -> bytes:
    return b"BEGIN:VCARD\nVERSION:3.0\nN:x\n" + b"\n".join(lines) + b"\nEND:VCARD\n"


TEXTS = {
    "attachment": folded(b"ATTACH;FMTTYPE=application/zip;ENCODING=BASE64;VALUE=BINARY;FILENAME=a.zip:" + BASE64),
    "name in quotes": folded(b'ATTACH;ENCODING=BASE64;X-FILENAME="a.zip";VALUE=BINARY:' + BASE64),
    "lower case": folded(b"attach;value=binary;encoding=base64;x-oracle-filename=a.zip:" + BASE64),
    "short word": folded(b"item1.PHOTO;ENCODING=b;X-FILENAME=a.zip:" + BASE64),
    "vCard 2.1": b"KEY;BASE64;X-FILENAME=a.zip:\n" + folded(BASE64, 60).replace(b"\n ", b"\n    ") + b"\n\nTEL:1",
    "not indented": b"LOGO;ENCODING=BASE64;NAME=a.zip:\n" + folded(BASE64).replace(b"\n ", b"\n") + b"\n\nTEL:1",
    "any property": folded(b"X-WHATEVER;X-FILENAME=a.zip;ENCODING=BASE64:" + BASE64),
    "binary alone": folded(b"ATTACH;VALUE=BINARY;FILENAME=a.zip:" + BASE64),
    "no word at all": folded(b"ATTACH;FILENAME=a.zip:" + BASE64),
    "data: URI": folded(b"PHOTO;X-FILENAME=a.zip:data:application/zip;base64," + BASE64),
    "data: URI in a parameter": folded(b'ATTACH;FILENAME=a.zip;FMTTYPE=x/y;X="a:b":data:application/zip;base64,' + BASE64),
    "quoted-printable": b"SOUND;FILENAME=a.zip;ENCODING=QUOTED-PRINTABLE:" + quopri.encodestring(FILE),
}  # fmt: skip


@pytest.mark.parametrize("line", TEXTS.values(), ids=TEXTS)
def test_a_file_is_found_under_its_name(line):
    for text in (card(line), card(line).replace(b"\n", b"\r\n"), card(line).replace(b"\n", b"\r")):
        if b"PRINTABLE" in line and b"\r" in text:
            continue  # such text has line ends of its own
        assert dissected(text, ical.DECODER) == [(b"a.zip", FILE)]
        assert "ical" in hints.found(text, len(text))


def test_the_type_is_claimed():
    (part,) = walked(card(TEXTS["attachment"]), ical.DECODER).parts
    assert part.claimed == b"application/zip"


def test_an_ordinary_card_gives_nothing():
    text = card(
        b"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen",
        b"PHOTO;VALUE=URI:https://x.example/a.png",
        b"ATTACH:CID:a@b",
        b"NOTE:see: the data: of 1;2",
        b"TEL;TYPE=work:+49 30",
    )
    assert dissected(text, ical.DECODER) == []


@given(
    st.lists(
        st.sampled_from(
            [
                b"ATTACH",
                b"PHOTO",
                b";ENCODING=",
                b"BASE64",
                b"B",
                b":",
                b"\n",
                b"\n ",
                b"AAAA" * 8,
                b'"',
                b"=",
                b";",
                b"data:,",
                b"\r",
                b"QUOTED-PRINTABLE",
            ]
        )
    )
)
def test_no_text_is_too_odd(pieces):
    assert isinstance(walked(b"".join(pieces), ical.DECODER).parts, list)


@pytest.mark.parametrize(
    "line",
    [
        b"a",
        b"\n",
        b"a:\n",
        b"ATTACH;ENCODING=B:\n",
        b"\n ",
        b'ATTACH;"',
        b';a="',
        b"NOTE;ENCODING=QUOTED-PRINTABLE:=\n",
        b"a;" * 40,
    ],
)
def test_a_megabyte_of_it_takes_little_time(line):
    before = time.process_time()
    walked(b"ATTACH;ENCODING=QUOTED-PRINTABLE:x=\n" + line * (1_000_000 // len(line)), ical.DECODER)
    assert time.process_time() - before < 8


def test_of_a_text_too_long_it_is_said(monkeypatch):
    monkeypatch.setattr(ical, "SIZE_MAX", 100)
    assert [found.name for found in walked(b" " * 101, ical.DECODER).findings] == ["limit:ical"]


def test_a_value_that_is_almost_base64_takes_little_time():
    """The regular expression for it went back from every blank."""
    for text in (
        b"BEGIN:VCARD\nATTACH:" + b"A" * 24 + b" " * 300_000 + b"!\n",
        b"BEGIN:VCARD\nNOTE" + b";A=b" * 900 + b":data:" + b"\n=" * 300_000,
    ):
        before = time.process_time()
        walked(text, ical.DECODER)
        assert time.process_time() - before < 2


def test_base64_is_told_without_a_parameter():
    text = base64.b64encode(bytes(range(100)))
    for value in (text, text[:50] + b"\n " + text[50:], b" " + text + b" \t"):
        assert dissected(b"BEGIN:VCARD\nPHOTO:" + value + b"\nEND:VCARD\n", ical.DECODER) == [
            (b"", bytes(range(100)))
        ]
    for value in (text[:20], text[:40] + b"!", text[:40] + b"=" + text[40:]):
        assert dissected(b"BEGIN:VCARD\nPHOTO:" + value + b"\nEND:VCARD\n", ical.DECODER) == []
