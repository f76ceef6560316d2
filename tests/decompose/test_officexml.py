"""Office documents in one XML file: the files that stand in them in base64."""

import base64
import random

import pytest
from built import activemime, ole
from built.officexml import FIRST, binary, document, pack

from amavis_pipe.decompose import registry
from amavis_pipe.kinds import detect

PROGRAM = b"MZ" + random.Random(1).randbytes(3000)
CODED = base64.b64encode(PROGRAM)


def test_macros_in_a_document_come_out(take):
    storage = ole.compound({"VBA/M": ole.vba_packed(b'Attribute VB_Name = "M"\r\n' * 9)})
    result = take(document(b"<w:docSuppData>", binary(activemime.pack(storage)), b"</w:docSuppData>"))
    assert result.names() == [b"editdata.mso", b"editdata.mso", b"M.bas"] and result.findings == []
    assert result.content()[1][1] == storage


def test_parts_of_a_package_have_their_names(take):
    part = b'<pkg:part pkg:name="/word/vbaProject.bin" pkg:contentType="x"><pkg:binaryData>%s</pkg:binaryData></pkg:part>'
    result = take(document(b'<pkg:part pkg:name="/a.xml"><pkg:xmlData/></pkg:part>', part % CODED))
    assert result.content() == [(b"/word/vbaProject.bin", PROGRAM)] and result.findings == []


@pytest.mark.parametrize(
    "text",
    [
        CODED[:9] + b"<!-- ABCD -->" + CODED[9:],
        b"<![CDATA[" + CODED[:9] + b"]]>" + CODED[9:],
        CODED[:9] + b"&#10;&#xD;<?a b?>" + CODED[9:],
        b"\n ".join(CODED[at : at + 1] for at in range(len(CODED))),
        CODED.rstrip(b"="),
    ],
    ids=["comment", "CDATA", "references", "blanks", "no padding"],
)
@pytest.mark.parametrize("tag", [b"w:binData", b"x:BINDATA", b"binData", b"pkg:binaryData"])
def test_digits_torn_apart_come_out(tag, text, take):
    result = take(document(b"<" + tag + b" a='b'>" + text + b"</" + tag + b">"))
    assert [data for _, data in result.content()] == [PROGRAM] and result.findings == []


@pytest.mark.parametrize(
    "first",
    [
        FIRST,
        FIRST.strip(),
        FIRST.replace(b"\r", b""),
        b'<?xml version="1.0"?>\n',
        b'<?xml version="1.0" encoding="utf-8"?>\r\n',
        b"",
    ],
)
def test_the_kind_is_told_by_the_usual_first_lines(first):
    assert detect(document(first=first), starts=registry.formats().starts) == "text/xml"


def test_cut_anywhere_it_is_broken_at_most(take):
    data = pack(PROGRAM[:90])
    for at in range(80, len(data), 5):
        assert {name for name, _ in take(data[:at]).findings} <= {"broken:officexml"}
    assert take(data[:300]).findings == [("broken:officexml", "1")]


@pytest.mark.parametrize(
    "text",
    [
        b"<w:binData>" * 50_000,
        b"<w:binData>" + b"<!--" * 100_000,
        b"<binData>" + b"]" * 200_000,
        b"<a:part " * 50_000,
    ],
)
def test_what_is_hostile_ends(text, take):
    assert {name.partition(":")[0] for name, _ in take(document(text)).findings} <= {"broken", "limit"}
