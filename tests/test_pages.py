"""A PDF that is pages alone is told without a child, and nothing else is taken for one."""

import base64
import sys
from pathlib import Path

import pytest

from amavis_pipe import intake, pages, walk
from amavis_pipe.dissect import decompose
from amavis_pipe.jail import sandbox
from amavis_pipe.spool import Blob

sys.path.append(str(Path(__file__).resolve().parent / "decompose"))
from built.pdf import obj, pdf, stream

PLAIN = pdf(obj(1, b"<</Type/Catalog/Pages 2 0 R>>"), stream(2, b"/Length 20", b"0 0 m 10 10 l S"))
FILE = pdf(obj(3, b"<</F(a.txt)/EF<</F 4 0 R>>>>"), stream(4, b"/Type/EmbeddedFile", b"hello"))


def mail(data: bytes, name: bytes = b"a.pdf") -> bytes:
    """A mail with this attachment."""
    head = b"From: a@example.org\nMIME-Version: 1.0\nContent-Type: application/pdf; name=" + name + b"\n"
    return head + b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(data)


def taken_apart(settings, data: bytes):
    """What is told of it."""
    facts = decompose(intake.of_bytes(data, settings.work).canonical, settings)
    shown = [
        (part.path, part.names, part.kind, part.size, part.sha256, part.decoder, part.flags)
        for part in facts.parts
    ]
    return shown, [(one.grade, one.name, one.part) for one in facts.findings], facts.used


PDFS = {
    "pages": PLAIN,
    "a file in it": FILE,
    "an escape": pdf(obj(3, b"<</F(a.txt)/#45#46<</F 4 0 R>>>>"), stream(4, b"", b"hello")),
    "no objects": b"%PDF-1.4\n",
    "a zip at its end": PLAIN + b"PK\5\6" + bytes(18),
    "a RAR in it": PLAIN + b"Rar!\x1a\7\0" + bytes(50),
    "bytes before it": b"junk\n" * 20 + PLAIN,
}


@pytest.mark.parametrize("data", PDFS.values(), ids=PDFS)
def test_what_is_told_is_the_same_as_by_a_child(data, settings_of, monkeypatch):
    settings = settings_of()
    found = taken_apart(settings, mail(data))
    monkeypatch.setattr(walk, "_is_only_pages", lambda part: False)
    assert taken_apart(settings, mail(data)) == found


@pytest.mark.parametrize(
    ("data", "name", "child"),
    [
        (PLAIN, b"a.pdf", False),
        (FILE, b"a.pdf", True),
        (PLAIN, b"a.001", True),
        (PLAIN + bytes(pages.LARGEST), b"a.pdf", True),
        (PLAIN + b"# " * (pages.ESCAPES + 1), b"a.pdf", True),
        (PDFS["a zip at its end"], b"a.pdf", True),
    ],
    ids=[
        "pages",
        "a file in it",
        "a piece of several",
        "a large one",
        "too many escapes",
        "a zip at its end",
    ],
)
def test_a_child_is_started_where_there_may_be_something(data, name, child, settings_of, monkeypatch):
    asked = []

    def unpack(parts, *_, **__):
        asked.append(parts)
        return [], []

    monkeypatch.setattr(sandbox, "unpack_in_child", unpack)
    taken_apart(settings_of(), mail(data, name))
    assert bool(asked) is child


def test_what_is_no_pdf_is_not_pages():
    assert not pages.is_only_pages(Blob(b"text"))


HINTED = {
    "a name": b"/EmbeddedFile",
    "a letter of it escaped": b"/Embedded#46ile",
    "its first letter": b"/#45F",
    "all letters": b"/#4a#53",
    "a # in a name before it": b"/a#20b/E#46",
}
UNHINTED = {
    "no name": b"obj 1 0 R",
    "an escape without a name": b"obj #46",
    "a name, and then an escape": b"/Type obj #46",
    "a byte that is in no name between": b"/Ty\xffpe#46",
    "a # that escapes nothing": b"/Type#zz /C#",
}


@pytest.mark.parametrize("text", HINTED.values(), ids=HINTED)
def test_what_may_be_a_name_worth_a_look_is_seen_without_a_parser(text):
    assert pages.is_hinted(text) and pages.is_hinted(bytes(500) + text + bytes(500))


@pytest.mark.parametrize("text", UNHINTED.values(), ids=UNHINTED)
def test_what_looks_only_like_one_is_none(text):
    assert not pages.is_hinted(text)


def test_where_too_much_looks_like_an_escape_a_parser_is_to_look():
    assert pages.is_hinted(b"#" * (pages.ESCAPES + 1)) and not pages.is_hinted(b"#" * pages.ESCAPES)
