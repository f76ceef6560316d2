"""mime.html: files in HTML and scripts."""

import base64
import time
import zlib

import pytest
from alone import dissected, walked
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import escapes, hints, html

FILE = b"PK\3\4" + bytes(range(256))
BASE64 = base64.b64encode(FILE)
URI = b"data:application/zip;base64," + BASE64


def entity(text: bytes) -> bytes:
    return b"".join(b"&#%d;" % byte if at % 2 else b"&#x%x;" % byte for at, byte in enumerate(text))


def escape(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)


def in_pieces(text: bytes, size: int, by: bytes = b'" + "') -> bytes:
    return by.join(text[at : at + size] for at in range(0, len(text), size))


TEXTS = {
    "data: URI in an attribute": b'<a href="' + URI + b'">x</a>',
    "without quotes": b"<img src=" + URI + b">",
    "in a style sheet": b"p { background: url(" + URI + b") }",
    "upper case": b"<img src='DATA:Application/Zip;BASE64," + BASE64 + b"'>",
    "charset before": b'<a href="data:application/zip;charset=utf-8;base64,' + BASE64 + b'">',
    "base64 first": b'<a href="data:application/zip;base64;charset=x,' + BASE64 + b'">',
    "no type": b'<a href="data:;base64,' + BASE64 + b'">',
    "blanks": b'<a href="data: application/zip ; base64 ,' + BASE64.replace(b"A", b" A ") + b'">',
    "line ends in the scheme and in the data": b'<a href="da\nta:application/zip;base\r\n64,'
    + in_pieces(BASE64, 50, b"\r\n\t")
    + b'">',
    "percent-encoded": b'<a href="data:x/y;base64,'
    + BASE64.replace(b"A", b"%41").replace(b"=", b"%3d")
    + b'">',
    "percent-encoded bytes": b'<a href="data:x/y,' + b"".join(b"%%%02x" % b for b in FILE) + b'">',
    "URL-safe": b'<a href="data:x/y;base64,' + base64.urlsafe_b64encode(FILE) + b'">',
    "without padding": b'<a href="' + URI.rstrip(b"=") + b'">',
    "entities": b'<a href="' + entity(URI) + b'">',
    "entities for signs": b'<a href="' + URI.replace(b":", b"&colon;").replace(b",", b"&comma;") + b'">',
    "one entity without a semicolon": b'<a href="' + URI.replace(b":", b"&#58") + b'">',
    "atob": b'<script>x = atob("' + BASE64 + b'")</script>',
    "base64 in pieces": b'<script>x = f("' + in_pieces(BASE64, 9) + b'")</script>',
    "base64 in pieces, on lines": b'<script>x = f("' + in_pieces(BASE64, 30, b"' +\r\n   '") + b'")</script>',
    "base64 in a list": b'<script>x = ["' + in_pieces(BASE64, 30, b'", "') + b'"].join("")</script>',
    "base64 with line ends escaped": b'<script>x = "' + in_pieces(BASE64, 30, b"\\\n") + b'"</script>',
    "base64 in escapes": b'<script>x = "' + escape(BASE64) + b'"</script>',
    "base64 backwards": b'<script>x = "' + BASE64[::-1] + b'".split("").reverse()</script>',
    "hexadecimal": b'<script>x = "' + FILE.hex().encode() + b'"</script>',
    "hexadecimal in pieces": b'<script>x = "' + in_pieces(FILE.hex().upper().encode(), 30) + b'"</script>',
    "list of numbers": b"<script>new Uint8Array([" + b", ".join(b"%d" % b for b in FILE) + b"])</script>",
    "on lines": b"<script>new Uint8Array([" + b",\n".join(b"0x%02X" % b for b in FILE) + b"])</script>",
    "signed": b"<script>x=[" + b",".join(b"%d" % (b - 256 if b > 127 else b) for b in FILE) + b"]</script>",
    "character codes": b"<script>String.fromCharCode(" + b",".join(b"%d" % b for b in FILE) + b")</script>",
    "escaped bytes": b'<script>x = "' + escape(FILE) + b'"</script>',
    "unescape": b'<script>unescape("' + b"".join(b"%%%02x" % b for b in FILE) + b'")</script>',
    "wide unescape": b'<script>unescape("'
    + b"".join(b"%%u%02x%02x" % (FILE[at + 1], FILE[at]) for at in range(0, 260, 2))
    + b'")</script>',
    "script file": b"var x = atob('" + BASE64 + b"');",
    "visual basic": b'x = FromBase64String("' + in_pieces(BASE64, 40, b'" & "') + b'")',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_file_is_found(text):
    assert FILE in [data for _, data in dissected(text, html.DECODER)]
    assert "html" in hints.found(text, len(text))
    big = b" " * 70_000 + text
    assert "html" in hints.found(big, len(big))


ORDINARY = {
    "prose": b"We have the data: it is good, and the metadata: too. At 10:30, as base64 says",
    "identifiers": b'<script>var a = "'
    + zlib.crc32(b"x").to_bytes(4, "big").hex().encode() * 8
    + b'";</script>',
    "a long link": b'<script></script><a href="https://x.example/u/'
    + base64.b64encode(b"\xd5\x91" * 40)
    + b'">',
    "a chart": b"<script>chart([" + b",".join(b"%d" % (n * 37 % 250) for n in range(200)) + b"])</script>",
    "words with escapes": b"<script>x = 'caf\\xe9 and so on and on and on'</script>",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_what_is_ordinary_gives_nothing(text):
    assert dissected(text, html.DECODER) == []


def test_an_ordinary_newsletter_gives_no_hint():
    text = (
        b'<html><p style="color: #fff">Sale&nbsp;&#8211; <a href="https://x.example/?a=b+c&d=%20">go</a></p>'
    )
    assert hints.found(text, len(text)) == set()


def test_a_uri_has_its_type_and_the_name_near_it():
    for text in (
        b'<a download="a b.exe" href="' + URI + b'">',
        b'<a href="' + URI + b"\" download='a b.exe'>",
        b'<script>a.download = "a b.exe"; a.href = "' + URI + b'"</script>',
        b'<script>saveAs(atob("' + BASE64 + b'"), "a b.exe")</script>',
        b'<script>var fileName = "a b.exe"; x = "' + BASE64 + b'"</script>',
    ):
        part = next(part for part in walked(text, html.DECODER).parts if part.size == len(FILE))
        assert part.names == (b"a b.exe",)
        assert part.claimed in (b"application/zip", b"")


def test_a_document_in_an_attribute_is_a_part():
    inner = b'<script>x = "y"</script>'
    text = b"<iframe srcdoc='" + inner.replace(b"<", b"&lt;").replace(b'"', b"&quot;") + b"'>"
    assert (b"", inner) in dissected(text, html.DECODER)
    assert "html" in hints.found(text, len(text))


def test_the_same_file_is_one_part():
    assert dissected(
        b'<a href="' + URI + b'"><a href="' + URI + b"\">atob('" + BASE64 + b"')", html.DECODER
    ) == [(b"", FILE)]


def test_of_a_text_too_long_it_is_said(monkeypatch):
    monkeypatch.setattr(html, "SIZE_MAX", 100)
    assert [found.name for found in walked(b" " * 101, html.DECODER).findings] == ["limit:html"]


@given(
    st.lists(
        st.sampled_from(
            [
                b"data:",
                b";base64",
                b",",
                b"&#",
                b"&colon;",
                b"x41;",
                b"\\x4",
                b"%u",
                b"%4",
                b'"',
                b"'",
                b" + ",
                b"A" * 50,
                b"1,2," * 10,
                b"=",
                b"srcdoc=",
                b"\n",
                b"\xff",
                b"download=",
                b"<",
            ]
        )
    )
)
def test_no_text_is_too_odd(pieces):
    assert isinstance(walked(b"".join(pieces), html.DECODER).parts, list)


@pytest.mark.parametrize(
    "line",
    [
        b"data:",
        b"(data:,",
        b'"data:;base64,',
        b"'data:,\"data:,",
        b"&#",
        b"srcdoc='",
        b"srcdoc=\"'",
        b"\\x4",
        b"1,",
        b"1 ",
        b'"+',
        b'"',
        b"download=",
        b"ab",
        b"%",
        b"=",
        b"A" * 39 + b" ",
        b"data:a;",
    ],
)
def test_a_megabyte_of_it_takes_little_time(line):
    text = line * (1_000_000 // len(line))
    before = time.process_time()
    walked(text, html.DECODER)
    assert time.process_time() - before < 8
    hints.found(text, len(text))


@given(st.binary(max_size=200))
def test_escapes_come_back(data):
    assert escapes.entities(entity(data)) == data
    assert escapes.script(escape(data)) == data
    assert escapes.percent(b"".join(b"%%%02X" % byte for byte in data)) == data
