"""mime.charset: texts in wide characters and in UTF-7."""

import base64
import codecs
import hashlib
import time

import pytest
from alone import dissected, walked
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import charset, hints

TEXT = "begin 644 Grüße.bin\n€ and so on, a text as others are"
PLAIN = TEXT.encode()
DECODER = charset.decoder(b"text/html")

WIDE = {
    "UTF-16 LE, marked": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16 BE, marked": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-32 LE, marked": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "UTF-32 BE, marked": codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    "UTF-16 LE": TEXT.encode("utf-16-le"),
    "UTF-16 BE": TEXT.encode("utf-16-be"),
    "UTF-32 LE": TEXT.encode("utf-32-le"),
    "UTF-32 BE": TEXT.encode("utf-32-be"),
    "UTF-7": TEXT.encode("utf-7") + b"+AFU-",
}


@pytest.mark.parametrize("data", WIDE.values(), ids=WIDE)
def test_a_text_gives_its_utf8_form_under_the_type_it_claimed(data):
    (part,) = walked(data, DECODER).parts
    assert part.claimed == b"text/html"
    got = b"".join(part.blob.chunks())
    assert got in (PLAIN, PLAIN + b"U")
    assert "charset" in hints.found(data, len(data))


def test_a_mark_is_enough_for_a_text_without_ascii():
    data = codecs.BOM_UTF16_BE + ("漢字" * 50).encode("utf-16-be")
    assert dissected(data, DECODER) == [(b"", ("漢字" * 50).encode())]
    assert "charset" in hints.found(data, len(data))


def test_every_character_may_be_shifted():
    data = b"".join(
        b"+" + codecs.encode(char.encode("utf-16-be"), "base64").strip().rstrip(b"=") + b"-" for char in TEXT
    )
    assert dissected(data, DECODER) == [(b"", PLAIN)]


ORDINARY = [
    b"1 + 1 = 2, C++ and +49 30 123456",
    b"a+Ab-c",
    PLAIN,
    b"",
    b"\0" * 100,
    b"ab\0" * 40,
    bytes(range(256)) * 20,
    b"x +A+A",
    b"ssh-rsa AAAA+AHx9aGk+AGhzdfgkjhsdfgkjhAAqz\n",
]


@pytest.mark.parametrize("data", ORDINARY, ids=range(len(ORDINARY)))
def test_of_other_bytes_no_part_is_made(data):
    assert dissected(data, DECODER) == []


def test_a_mark_and_a_nul_are_no_mark_of_utf32():
    data = codecs.BOM_UTF16_LE + "\0begin 644 x".encode("utf-16-le")
    assert dissected(data, DECODER) == [(b"", b"\0begin 644 x")]


@given(st.text(min_size=1).filter(lambda text: text[0] != "\0"), st.sampled_from(["utf-16", "utf-32"]))
def test_what_was_marked_comes_back(text, name):
    expected = text.encode("utf-8", "replace")
    data = text.encode(name, "replace")
    assert [content for _, content in dissected(data, DECODER)] == [expected]


@given(
    st.lists(
        st.sampled_from(
            [b"+A", b"+AFU", b"-", b"+-", b"\xff", b"\xfe", b"\0", b"\xd8", b"x", b"\n", b"+AAAAAA"]
        )
    )
)
def test_no_text_is_too_odd(pieces):
    data = b"".join(pieces)
    for mark in (b"", b"\xff\xfe", b"\0\0\xfe\xff"):
        assert len(walked(mark + data, DECODER).parts) < 2


@pytest.mark.parametrize("line", [b"+A", b"+AFU-", b"+", b"+AA+", b"+" * 50 + b"A"])
def test_a_megabyte_of_it_takes_little_time(line):
    before = time.process_time()
    walked(line * (1_000_000 // len(line)), DECODER)
    assert time.process_time() - before < 8


def test_of_a_text_too_long_it_is_said(monkeypatch):
    monkeypatch.setattr(charset, "SIZE_MAX", 100)
    assert [found.name for found in walked(b"+AFU-" * 30, DECODER).findings] == ["limit:charset"]


def test_base64_is_no_utf7():
    """It has +A… in every other line, and sometimes at its end."""
    noise = b"".join(hashlib.sha512(b"%d" % at).digest() for at in range(2000))
    lines = base64.encodebytes(noise).replace(b"\n", b"+AHx\n")
    assert dissected(lines, DECODER) == []
    ends = b"".join(b"x" * 60 + b"+AHx\n" for _ in range(200))
    assert dissected(ends, DECODER) == []
    assert hints.found(ends[: 60 * 65], 60 * 65) == set()


@pytest.mark.parametrize(
    "text", [b"x+ADw-script", b"+ADw script", b"a+ADw!--", b"x +ADwAcwBj\n", b"x+ADwAcwBjAHIAaQBwAHQAPg\n"]
)
def test_a_sequence_that_base64_has_not_is_one(text):
    assert len(dissected(text, DECODER)) == 1
    assert "charset" in hints.found(text, len(text))
    if b"-s" in text:  # a hyphen ends it: it counts however little it is
        assert len(dissected(text + b"abc " * 1000, DECODER)) == 1
