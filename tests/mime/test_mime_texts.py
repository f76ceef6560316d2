"""mime.texts and mime.hints: what opens a text, and how that is told cheaply."""

import base64
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.budget import Budget, Limits
from amavis_pipe.mime import hints, texts
from amavis_pipe.model import Part
from amavis_pipe.spool import Blob, Store
from amavis_pipe.walk import Walk

LETTER = (
    b"Dear colleague,\n\nwe begin at ten: please bring the data: of last year, C++ and 1 + 1, and the\n"
    b"metadata, e.g. on a 64, 128 or 256 bit machine. See https://x.example/?a=b&c=%20d+e for more.\n"
    b"In base 64 it is longer. From here on all is well.\n-- \nAnna\n" * 20
)
HOLDING = {
    "uu": b"begin 644 a\n#86)C\n`\nend\n",
    "yenc": b"=ybegin line=128 size=3 name=a\n\x8b\x8c\x8d\n=yend size=3\n",
    "binhex": b"\n:" + b"$f*TEQKPH#jdH'9d" + b"!" * 48 + b":\n",
    "html": b'<a href="data:text/plain;base64,YWJj">',
    "charset": "abc".encode("utf-16"),
    "mbox": b"From a@b\nSubject: x\n\nabc\n",
    "ical": b"BEGIN:VCARD\nPHOTO;ENCODING=B:YWJj\n",
    "armor": b"-----BEGIN PGP MESSAGE-----\n\nyWFhYWFhYQ==\n-----END PGP MESSAGE-----\n",
}


def part_of(data: bytes, claimed: bytes = b"text/html") -> Part:
    return Part("1", claimed=claimed, kind="text/plain", blob=Blob(data))


def found(data: bytes, tmp_path) -> list[tuple[str, bytes]]:
    walk = Walk(Budget.of(Limits(), len(data)), Store(str(tmp_path).encode()), texts.openers)
    walk.open([part_of(data)])
    return [(part.decoder, part.blob.head(9)) for part in walk.parts]


def test_every_converter_has_a_text_that_it_opens():
    assert set(HOLDING) == set(texts.CONVERTERS)


@pytest.mark.parametrize("name", texts.CONVERTERS)
def test_a_hint_leads_to_the_converter(name, tmp_path):
    assert name in hints.found(HOLDING[name], len(HOLDING[name]))
    (decoder, *_) = texts.openers(part_of(HOLDING[name]))
    assert decoder.name in (name, "uuencode")
    if name in ("binhex", "armor", "mbox"):
        return
    assert [content.strip() for _, content in found(HOLDING[name], tmp_path)][-1] == b"abc"


def test_one_text_may_hold_several(tmp_path):
    data = b"".join(HOLDING[name] for name in ("uu", "yenc", "html"))
    assert found(data, tmp_path) == [("uuencode", b"abc"), ("yenc", b"abc"), ("html", b"abc")]


def test_a_plain_text_is_shown_by_nobody_as_a_page():
    """A bounce holds the mail it is about, and in that the word base64."""
    page = HOLDING["html"]
    assert texts.openers(part_of(page, b"text/plain")) == ()
    assert texts.openers(Part("1", (b"a.svg",), b"text/plain", "text/plain", blob=Blob(page))) != ()
    assert texts.openers(Part("1", (), b"text/plain", "text/html", blob=Blob(page))) != ()


def test_a_letter_gives_no_hint():
    assert hints.found(LETTER, len(LETTER)) == set()
    assert hints.might_hold(LETTER, len(LETTER)) is False
    assert texts.openers(part_of(LETTER)) == ()


def test_a_script_is_looked_at_by_its_name_alone():
    assert hints.is_script((b"a.txt", b"A.HTML. ")) and not hints.is_script((b"a.txt",))
    part = Part("1", (b"a.js",), kind="text/plain", blob=Blob(b"x = 1"))
    assert [decoder.name for decoder in texts.openers(part)] == ["html"]


def test_no_part_without_bytes_is_opened():
    assert texts.openers(Part("1", kind="text/plain")) == ()


@pytest.mark.parametrize("name", [name for name in texts.CONVERTERS if name not in ("charset", "mbox")])
@pytest.mark.parametrize("before", [1, 30, hints.STEP - 40, hints.STEP - 3, hints.STEP, 3 * hints.STEP - 20])
def test_a_hint_is_seen_wherever_it_stands(name, before):
    data = b" " * before + b"\n" + HOLDING[name] + b" " * 70_000
    assert name in hints.found(data, len(data))


@given(
    st.lists(
        st.sampled_from(
            [
                b"begin",
                b" ",
                b"-",
                b"6",
                b":",
                b"\n:",
                b"data:",
                b",",
                b"&#",
                b"x41",
                b"<",
                b"+a",
                b"\0",
                b"\\x",
                b"From ",
                b"MI",
            ]
        )
    )
)
def test_no_text_is_too_odd(pieces):
    data = b"".join(pieces)
    assert hints.might_hold(data, len(data)) is bool(hints.found(data, len(data)))
    assert isinstance(texts.openers(part_of(data)), tuple)


@pytest.mark.parametrize("piece", [b"begin ", b"&#8217;", b"\n: ", b"+a", b"data:", b"<"])
def test_many_doubtful_places_end_the_search(piece):
    data = b"<" + piece * 1000
    hints.found(data, len(data))


@pytest.mark.parametrize("name", texts.CONVERTERS)
def test_a_large_text_is_read_from_its_file(name, tmp_path):
    """A mapping: nothing may need bytes in memory."""
    data = HOLDING[name]
    filler = " ".encode("utf-16-le") if name == "charset" else b" "
    data += filler * ((hints.STEP * 5) // len(filler))
    path = tmp_path / "text"
    path.write_bytes(data)
    with path.open("rb") as file:
        blob = Blob(None, file.fileno(), 0, len(data))
        assert not isinstance(blob.view(), bytes)
        part = Part("1", kind="text/plain", blob=blob)
        walk = Walk(Budget.of(Limits(), len(data)), Store(str(tmp_path).encode()), texts.openers)
        walk.open([part])
    assert all(one.name.startswith("undecoded:") for one in walk.findings)
    assert walk.parts or name == "binhex"


def test_hints_import_nothing():
    code = "import sys; before = set(sys.modules); import amavis_pipe.mime.hints as h; h.might_hold(b'x' * 99, 99); print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["amavis_pipe", "amavis_pipe.mime", "amavis_pipe.mime.hints"]


def test_a_hidden_file_hidden_in_a_text_is_found_by_going_on(tmp_path):
    """A data: URI in a calendar in base64 in a script in UTF-16."""
    card = b"BEGIN:VCARD\nPHOTO:data:text/plain;base64,YWJj\n"
    script = b'<script>atob("' + base64.b64encode(card) + b'")</script>'
    data = script.decode().encode("utf-16")
    assert [name for name, _ in found(data, tmp_path)] == ["charset", "html", "html", "ical"]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\t"])
def test_blanks_within_a_uri_hide_nothing(blank):
    """HTML readers drop them, so that a trigger may lie in three pieces of the text."""
    many = blank * 70_000
    kind = b"da" + blank + b"ta:application/x-foo;ba" + blank + b"se64,YWJj"
    for text in (
        b'<a href="' + many + kind + many + b'">',
        b"da" + many + b"ta:application/x-foo;ba" + many + b"se64,YWJj",
        b"<sc" + many + b"ript>",
        b"<" + many + b"&#100;ata:,x",
        b"da\\\nta:,x",
        b" " * (hints.STEP - 3) + b"da\\\nta:,x",
    ):
        assert "html" in hints.found(text, len(text))
