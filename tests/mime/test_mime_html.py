"""mime.html: files in HTML and scripts."""

import base64
import hashlib
import random
import subprocess
import sys
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
    for text in (b"<script>", b"&#x64;ata:,", b"&#60script>", b"\\x64ata:x/y,", b"<sc\nript ", entity(URI)):
        found = walked(b" " * 101 + text, html.DECODER).findings
        assert [one.name for one in found if not one.name.startswith("undecoded:")] == ["limit:html"]
    assert dissected(b"<p>it&#39;s &#x2F; &amp; all: data: no, " + b"and so on, " * 40, html.DECODER) == []
    monkeypatch.setattr(html, "URI_SIZE_MAX", 100)
    assert [found.name for found in walked(b" " * 101, html.DECODER).findings] == ["limit:html"]


def test_in_a_long_text_each_uri_is_found_once_and_whole(monkeypatch):
    monkeypatch.setattr(html, "SIZE_MAX", 500)
    other = base64.b64encode(b"PK\3\4 other").replace(b"=", b"%3d")
    text = b'<a href="' + URI[:50] + b"\r\n" + URI[50:] + b'"> <img src="data:x/y;base64,' + other + b'">'
    assert [data for _, data in dissected(b" " * 20 + text * 2, html.DECODER)] == [FILE, b"PK\3\4 other"]


def test_noise_with_a_magic_of_two_bytes_is_nothing():
    for magic in (b"\x1f\x8b\x44", b"\x1f\x9d", b"\x1f\x9e", b"\x60\xea", b"MZ", b"ab-lh5-"):
        noise = magic + hashlib.sha512(magic).digest()
        for data in (noise, base64.b64encode(noise)[::-1], noise.hex().encode()):
            text = data if data.isascii() else base64.b64encode(data)
            assert dissected(b"<p>Key: " + text.replace(b"=", b"") + b" and so on", html.DECODER) == []


@pytest.mark.parametrize(
    "data", [b"MZ" + bytes(62) + b"PE\0\0" + bytes(40), zlib.compress(b"", wbits=31) * 3, FILE]
)
def test_a_file_without_quotes_is_found(data):
    assert data in [got for _, got in dissected(b"<p>" + base64.b64encode(data) + b"</p>", html.DECODER)]


def test_links_of_a_newsletter_are_no_files():
    text = b'<script type="application/ld+json">{"url":"https:\\/\\/x.example\\/a"}</script>'
    for number in range(150):
        noise = b"".join(hashlib.sha512(b"%d %d" % (number, at)).digest() for at in range(13))[:800]
        link = b"https://x.example/click?u=" + base64.urlsafe_b64encode(noise)
        text += b'<a href="' + link + b'">x</a> <img src=/u' + base64.urlsafe_b64encode(noise[1:]) + b">"
    walk = walked(text, html.DECODER)
    assert (walk.parts, walk.findings) == ([], [])


def test_guesses_are_a_few_but_known_kinds_are_not():
    strings = [hashlib.sha512(b"%d" % at).digest() * 20 for at in range(100)]
    text = b"<script>" + b"".join(b'f("' + base64.b64encode(one) + b'");' for one in strings)
    text += b'f("' + BASE64 + b'")</script>'
    walk = walked(text, html.DECODER)
    assert len(walk.parts) == html.GUESSES + 1
    assert [(one.grade, one.name) for one in walk.findings if one.grade == "note"] == [
        ("note", "ambiguous:script")
    ]


def test_pictures_in_the_text_cost_one_look():
    picture = b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(2_000_000)
    text = b"<script></script>" + b"".join(
        b'<img src="data:image/jpeg;base64,' + base64.b64encode(picture + b"%d" % at) + b'">'
        for at in range(3)
    )
    assert len(text) > html.SIZE_MAX
    before = time.process_time()
    walk = walked(text + b'<script>atob("' + BASE64 + b'")</script>', html.DECODER)
    assert [part.size for part in walk.parts] == [2_000_005] * 3 + [len(FILE)]
    assert [found.name for found in walk.findings] == ["undecoded:zip"]
    assert time.process_time() - before < 0.5


def test_a_long_list_of_numbers_is_one_file():
    data = bytes(range(256)) * 400
    text = b"<script>new Uint8Array([" + b", ".join(b"%d" % byte for byte in data) + b"])</script>"
    assert [got for _, got in dissected(text, html.DECODER)] == [data]


LARGE = {
    "entities": (b"<script>", b"&#65;"),
    "high entities": (b"<script>", b"&#9999;"),
    "numbers": (b"<script>", b"1,"),
    "strings": (b"<script>", b'"+"'),
    "escapes": (b'<script>"', b"%41"),
    "a picture": (b'<img src="data:image/png;base64,iVBORw0KGgo', b"ABCD"),
    "uris": (b"", b"data:,"),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_large_text_takes_little_memory(text, tmp_path):
    path = tmp_path / "text"
    start, unit = text
    path.write_bytes(start + unit * ((31 << 20) // len(unit)))
    code = (
        "import sys; path, *sys.path[:0] = sys.argv[1:]\n"
        "from alone import walked; from amavis_pipe.mime import html\n"
        "with open(path, 'rb') as file: text = file.read()\n"
        "walked(text, html.DECODER)\n"
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    run = [sys.executable, "-c", code, str(path), *sys.path]
    done = subprocess.run(run, capture_output=True, check=True, text=True)
    assert int(done.stdout) < 100 << 10


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
