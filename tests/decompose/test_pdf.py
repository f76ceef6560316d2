"""PDF: what is embedded comes out however it is written; pages alone give nothing."""

import base64
import binascii
import importlib
import io
import itertools
import random
import zlib

import pytest
from built.pdf import embedded, filespec, obj, object_stream, pdf, stream

from amavis_pipe import pages
from amavis_pipe.decompose import registry
from amavis_pipe.decompose.formats import pdf as module
from amavis_pipe.kinds import PDF

FILE = b"a file of some kind\n" * 20


def lzw(data: bytes) -> bytes:
    """Codes of 9 bits, the table begun anew before it needs more."""
    bits = ""
    for at, byte in enumerate(data):
        bits += ("100000000" if at % 200 == 0 else "") + f"{byte:09b}"
    bits += "100000001"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8)


def runs(data: bytes) -> bytes:
    literal = b"".join(
        bytes([len(data[at : at + 100]) - 1]) + data[at : at + 100] for at in range(0, len(data), 100)
    )
    return literal + b"\x80"


def png(data: bytes, columns: int, kinds: bytes) -> bytes:
    """Rows of differences, each of the kind given."""
    data += bytes(-len(data) % columns)
    above, out = bytes(columns), b""
    for number, at in enumerate(range(0, len(data), columns)):
        row, kind = data[at : at + columns], kinds[number % len(kinds)]
        left, corner = b"\0" + row[:-1], b"\0" + above[:-1]
        guesses = {
            0: lambda a, b, c: 0,
            1: lambda a, b, c: a,
            2: lambda a, b, c: b,
            3: lambda a, b, c: (a + b) // 2,
            4: lambda a, b, c: min((a, b, c), key=lambda one: abs(a + b - c - one)),
        }[kind]
        out += bytes([kind]) + bytes(
            value - guesses(*near) & 255 for value, *near in zip(row, left, above, corner, strict=True)
        )
        above = row
    return out


DEFLATED = zlib.compress(FILE)
FILTERS = {
    "none": (b"", FILE),
    "flate": (b"/Filter/FlateDecode", DEFLATED),
    "flate, short name": (b"/Filter/Fl", DEFLATED),
    "flate, name escaped": (b"/F#69lter[/Flate#44ecode]", DEFLATED),
    "flate, checksum wrong": (b"/Filter/FlateDecode", DEFLATED[:-4] + b"oops"),
    "flate, blanks before": (b"/Filter/FlateDecode", b"\n" + DEFLATED),
    "hex": (b"/Filter/ASCIIHexDecode", binascii.hexlify(FILE, b"\n", 30) + b">"),
    "hex, odd": (b"/Filter/AHx", binascii.hexlify(FILE + b"\x30")[:-1] + b">"),
    "base 85": (b"/Filter/ASCII85Decode", base64.a85encode(FILE, wrapcol=40) + b"~>"),
    "base 85, framed": (b"/Filter/A85", base64.a85encode(FILE, adobe=True)),
    "LZW": (b"/Filter/LZWDecode", lzw(FILE)),
    "runs": (b"/Filter/RunLengthDecode", runs(FILE)),
    "crypt": (b"/Filter[/Crypt/FlateDecode]/DecodeParms[<</Name/Identity>>null]", DEFLATED),
    "hex of 85 of flate": (
        b"/Filter[/AHx/A85/Fl]",
        binascii.hexlify(base64.a85encode(DEFLATED) + b"~>") + b">",
    ),
    "a filter elsewhere": (b"/Filter 9 0 R", DEFLATED),
    "rows": (
        b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 20>>",
        zlib.compress(png(FILE, 20, bytes(range(5)))),
    ),
    "differences": (
        b"/Filter/FlateDecode/DecodeParms<</Predictor 2/Columns 400>>",
        zlib.compress(bytes([FILE[0]]) + bytes(b - a & 255 for a, b in itertools.pairwise(FILE))),
    ),
}


@pytest.mark.parametrize(("entries", "data"), FILTERS.values(), ids=FILTERS)
def test_filters_are_undone(entries, data, take):
    result = take(
        pdf(filespec(3, b"a.txt", 4), stream(4, entries, data), obj(9, b"/FlateDecode"), obj(8, b"null"))
    )
    content = FILE + (b"0" if data.endswith(b"3>") else b"")
    assert result.content() == [(b"a.txt", content)] and result.findings == []


SPEC = obj(3, b"<</Type/Filespec/F(a.txt)/EF<</F 4 0 R>>>>")
HIDDEN = zlib.compress(b"7 0 <</F(a.txt)/EF<</F 4 0 R>>>>")
WAYS = {
    "type alone": pdf(embedded(4, FILE)),
    "type escaped": pdf(stream(4, b"/Type/Embedded#46ile", FILE)),
    "specification alone": pdf(SPEC, stream(4, b"", FILE)),
    "specification, name escaped": pdf(obj(3, b"<</F(a.txt)/#45#46<</F 4 0 R>>>>"), stream(4, b"", FILE)),
    "files elsewhere": pdf(obj(3, b"<</F(a.txt)/EF 5 0 R>>"), obj(5, b"<</UF 4 0 R>>"), stream(4, b"", FILE)),
    "annotation": pdf(
        obj(3, b"<</Subtype/FileAttachment/FS<</F(a.txt)/EF<</F 4 0 R>>>>>>"), stream(4, b"", FILE)
    ),
    "comments and blanks": pdf(
        b"3%x)\n 0 % obj\n obj<</F(a.txt)/EF%(\n<</F 4%>>\r0 R>>>>endobj\n", stream(4, b"", FILE)
    ),
    "no end of object": pdf(b"3 0 obj<</F(a.txt)/EF<</F 4 0 R>>\n", stream(4, b"", FILE)),
    "length too short": pdf(SPEC, stream(4, b"", FILE, 10)),
    "length too long": pdf(SPEC, stream(4, b"", FILE, 1 << 40)),
    "no length": pdf(SPEC, obj(4, b"<<>>stream\r\n" + FILE + b"\r\nendstream")),
    "length elsewhere": pdf(
        SPEC, obj(4, b"<</Length 6 0 R>>stream\n" + FILE + b"endstream"), obj(6, b"%d" % len(FILE))
    ),
    "junk before": b"%PDF-\0junk" * 50 + pdf(SPEC, stream(4, b"", FILE)),
    "in an object stream": pdf(
        object_stream(3, {7: b"<</F(a.txt)/EF<</F 4 0 R>>>>", 8: b"<<>>"}), stream(4, b"", FILE)
    ),
    "in one without a type": pdf(
        object_stream(3, {7: b"<</F(a.txt)/EF<</F 4 0 R>>>>"}, b""), stream(4, b"", FILE)
    ),
    "in one without a type that tells elsewhere where they begin": pdf(
        stream(3, b"/Filter/FlateDecode/N 1/First 6 0 R/X(>>endobj)", HIDDEN),
        stream(4, b"", FILE),
        obj(6, b"4"),
    ),
    "in one with a comment before where they begin": pdf(
        stream(3, b"/Filter/FlateDecode/N 1/First%\n+4", HIDDEN), stream(4, b"", FILE)
    ),
    "in one with its type escaped": pdf(
        object_stream(3, {7: b"<</F(a.txt)/EF<</F 4 0 R>>>>"}, b"/Type/Obj#53tm"), stream(4, b"", FILE)
    ),
    "within a string that looks like an object": pdf(
        obj(3, b"<</X(9 0 obj)/F(a.txt)/EF<</F 4 0 R>>>>"), stream(4, b"", FILE)
    ),
    "within another stream": pdf(stream(8, b"", SPEC + stream(4, b"", FILE), 5)),
    "key twice": pdf(obj(3, b"<</F(a.txt)/EF<</F 4 0 R>>/EF null>>"), stream(4, b"", FILE)),
}


@pytest.mark.parametrize("data", WAYS.values(), ids=WAYS)
def test_a_file_is_found_however_it_hangs(data, take):
    result = take(data)
    names = [part.names for part in result.parts.values()]
    assert FILE in [data for _, data in result.content()]
    assert set(names) <= {(), (b"a.txt",)} and result.findings == []


NAMES = {
    "escapes": (
        rb"/F(a\(\051\\\x\n\
b)",
        [b"a()\\x\nb"],
    ),
    "nested": (b"/F(a(b)c)", [b"a(b)c"]),
    "hex": (b"/F<612E 747874>", [b"a.txt"]),
    "UTF-16": (b"/UF<FEFF00C4002E006500780065>/F(old.exe)", ["Ä.exe".encode(), b"old.exe"]),
    "UTF-8": (b"/UF(\xef\xbb\xbf\xc3\x84.exe)", ["Ä.exe".encode()]),
    "description last": (b"/Desc(d)/F(f)/UF(u)", [b"u", b"f", b"d"]),
    "elsewhere": (b"/F 9 0 R", [b"far.exe"]),
}


@pytest.mark.parametrize(("entries", "names"), NAMES.values(), ids=NAMES)
def test_names_are_read_as_they_are_meant(entries, names, take):
    spec = obj(3, b"<<" + entries + b"/EF<</F 4 0 R>>>>")
    result = take(pdf(spec, embedded(4, FILE), obj(9, b"(far.exe)")))
    assert [list(part.names) for part in result.parts.values()] == [names]


def test_all_versions_of_an_object_come_out(take):
    result = take(pdf(SPEC, embedded(4, b"old")) + pdf(embedded(4, b"new")))
    assert result.content() == [(b"a.txt", b"old"), (b"a.txt", b"new")] and result.findings == []


def test_the_type_that_is_claimed_is_told(take):
    result = take(pdf(SPEC, stream(4, b"/Subtype/text#2Fplain", FILE)))
    assert [part.claimed for part in result.parts.values()] == [b"text/plain"]


def test_short_scripts_are_one_part_and_long_ones_one_each(take):
    long = b"x = 1;\n" * 100
    scripts = [b"<</S/JavaScript/JS(f%d\\(\\))>>" % number for number in (1, 2, 2)]
    objects = [obj(number, body) for number, body in enumerate(scripts, 3)]
    result = take(
        pdf(
            *objects,
            obj(9, b"<</JS(" + long + b")>>"),
            obj(10, b"<</JS 11 0 R>>"),
            obj(12, b"<</JS(" + long + b")>>"),
            stream(11, b"", b"y = 2"),
        )
    )
    assert sorted(data for _, data in result.content()) == sorted([long, b"y = 2", b"f1()\nf2()"])
    assert {(part.names, part.claimed) for part in result.parts.values()} == {
        ((b"script.js",), b"text/javascript")
    }
    assert result.findings == []


def test_the_packets_of_a_form_are_one_part(take):
    form = obj(3, b"<</XFA[(a)4 0 R(b)5 0 R]>>")
    result = take(pdf(form, stream(4, b"", b"<xdp>"), stream(5, b"", b"</xdp>")))
    assert result.content() == [(b"form.xml", b"<xdp></xdp>")] and result.findings == []


def test_a_model_is_a_part(take):
    result = take(pdf(obj(3, b"<</Subtype/3D/3DD 4 0 R>>"), stream(4, b"/Type/3D/Subtype/U3D", b"U3D\0")))
    assert result.content() == [(b"model", b"U3D\0")]


HONEST = {
    "pages": pdf(stream(3, b"", b"BT (Hello) Tj ET")),
    "fonts with odd names": pdf(obj(3, b"<</BaseFont/ABCDEF+Arial#2CBold/Name/F#31#20x>>")),
    "outlines": pdf(obj(3, b"<</First 4 0 R/Last 5 0 R/Count 2>>")),
    "object streams": pdf(object_stream(3, {7: b"<</Type/Page>>", 8: b"[1 2]"})),
    "no files": pdf(obj(3, b"<</Names<</EmbeddedFiles<</Names[]>>>>>>")),
    "the words in a stream": pdf(stream(3, b"", b"/EF /JS /XFA /EmbeddedFile ObjStm /First 3")),
    "metadata": pdf(obj(3, b"<</EncryptMetadata false>>")),
}


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
def test_an_honest_pdf_gives_nothing(data, take):
    result = take(data)
    assert result.parts == {} and result.findings == []


def test_of_a_damaged_stream_what_came_is_kept(take):
    data = zlib.compress(binascii.hexlify(random.Random(1).randbytes(5000)))
    broken = pdf(
        SPEC, stream(4, b"/Filter/FlateDecode", data[:2000] + b"\xff" * 50 + data[2050:]), embedded(5, FILE)
    )
    result = take(broken)
    assert [len(data) > 1000 for _, data in result.content()] == [True, False]
    assert result.content()[1][1] == FILE and result.findings == [("broken:pdf", "1")]


def test_what_refers_to_itself_ends(take):
    loops = [obj(3, b"<</F 3 0 R/EF 3 0 R/JS 3 0 R/XFA[3 0 R]>>"), obj(4, b"4 0 R"), obj(5, b"<</EF 4 0 R>>")]
    lists = [obj(6, b"[6 0 R 6 0 R]"), obj(7, b"<</XFA 6 0 R/EF<</F 6 0 R>>>>")]
    length = obj(8, b"<</Type/EmbeddedFile/Length 8 0 R/Filter 8 0 R>>stream\nx\nendstream")
    result = take(pdf(*loops, *lists, length))
    assert result.content() == [(b"", b"x")] and result.findings == []


TANGLES = {
    "strings without an end": b"1 0 obj(/EF " * 20_000,
    "dictionaries without an end": b"1 0 obj<</EF" * 20_000,
    "arrays": b"1 0 obj" + b"[" * 200_000 + b"/EF",
    "streams without an end": b"<</EF<</F 1 0 R>>>>" + b"1 0 obj<</Type/EmbeddedFile>>stream\n" * 20_000,
    "one name": b"1 0 obj<<" + b"/EF<</F 1 0 R>>" * 20_000 + b">>stream\nx\nendstream",
    "many versions": b"<</EF<</F 1 0 R>>>>" * 3000 + b"1 0 obj<<>>stream\nx\nendstream\n" * 3000,
    "object streams": b"1 0 obj<</Type/ObjStm/First 9>>stream\n/EF/EF/EF\nendstream\n" * 9000,
    "numbers": b"1 0 obj" * 100_000 + b"/EF 1 0 R",
    "comments": b"/EF" + b"%" * 300_000,
    "outlines": b"1 0 obj<</First 1 0 R" * 20_000,
    "escapes": b"1 0 obj/EF" + b"/#45#46" * 50_000,
}


@pytest.mark.parametrize("data", TANGLES.values(), ids=TANGLES)
def test_a_tangle_takes_no_longer_than_its_size_is_worth(data, take):
    result = take(b"%PDF-1.4\n" + data, seconds=20)
    assert {name for name, _ in result.findings} <= {"broken:pdf", "limit:files", "limit:quota"}


def test_an_object_stream_that_is_a_bomb_is_broken(take):
    bomb = zlib.compress(bytes(40 << 20))
    result = take(
        pdf(stream(3, b"/Type/ObjStm/N 1/First 9/Filter/FlateDecode", bomb), SPEC, embedded(4, FILE))
    )
    assert (b"a.txt", FILE) in result.content() and result.findings == [("broken:pdf", "1")]


pikepdf = importlib.import_module("pikepdf")


def encrypted(revision: int, password: str = "", files: bool = True) -> bytes:
    """An encrypted PDF, with a file and a script or without."""
    document = pikepdf.new()
    document.add_blank_page()
    if files:
        spec = pikepdf.AttachedFileSpec(document, FILE, filename="a.txt", mime_type="text/plain")
        document.attachments["a.txt"] = spec
        document.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
    out = io.BytesIO()
    lock = pikepdf.Encryption(
        owner="owner", user=password, R=revision, aes=revision >= 4, metadata=revision >= 4
    )
    document.save(out, encryption=lock, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


@pytest.mark.parametrize("revision", [2, 3, 4, 6])
def test_without_a_password_all_comes_out_of_an_encrypted_one(revision, take):
    result = take(encrypted(revision))
    assert (b"a.txt", FILE) in result.content() and (b"script.js", b"app.alert(1)") in result.content()
    assert len(result.parts) == 2 and result.findings == []


def test_an_encrypted_one_without_files_that_anyone_can_read_is_no_finding(take):
    result = take(encrypted(6, files=False))
    assert result.parts == {} and result.findings == []


@pytest.mark.parametrize("files", [True, False])
def test_one_with_a_password_is_encrypted(files, take):
    result = take(encrypted(6, "secret", files))
    assert result.parts == {} and result.findings == [("encrypted:pdf", "1")]


def test_a_password_that_is_known_opens_it(take, monkeypatch):
    monkeypatch.setattr(module, "_passwords", lambda sink: iter(("wrong", "secret")))
    result = take(encrypted(4, "secret"))
    assert (b"a.txt", FILE) in result.content() and result.findings == []


def test_without_pikepdf_it_is_encrypted(take, monkeypatch):
    monkeypatch.setattr(module.PIKEPDF, "places", tuple)
    assert take(encrypted(4)).findings == [("encrypted:pdf", "1")]


def test_one_that_only_pretends_to_be_encrypted_is_read(take):
    result = take(pdf(SPEC, embedded(4, FILE)) + b"trailer<</Encrypt 99 0 R/Root 1 0 R>>")
    assert (b"a.txt", FILE) in result.content()


def test_the_names_that_are_searched_for_are_those_that_mean_something():
    assert tuple(module._MEANING) == pages.WORTH


def test_only_this_reader_opens_pdfs():
    """So that what it would find nothing in need not be opened."""
    assert registry.formats().opened[PDF] == ("pdf",)
