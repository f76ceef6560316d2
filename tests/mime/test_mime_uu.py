"""mime.uu: uuencoded files in text."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amavis_pipe.mime import uu
from amavis_pipe.spool import Blob


def encoded(data: bytes, name: bytes = b"a.bin", end: bytes = b"`\nend\n") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45], backtick=True) for at in range(0, len(data), 45)]
    return b"begin 644 " + name + b"\n" + b"".join(lines) + end


def files(text: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (block.name, b"".join(uu.contents(text, block, stop)))
        for block, stop in uu.blocks(text, 0, len(text))
    ]


DATA = bytes(range(256))
ONE = encoded(DATA)

TEXTS = {
    "at the start": (ONE, [(b"a.bin", DATA)]),
    "after text": (b"Hello,\n\n" + ONE + b"Bye\n", [(b"a.bin", DATA)]),
    "CRLF": (b"Hello\r\n" + ONE.replace(b"\n", b"\r\n"), [(b"a.bin", DATA)]),
    "blanks for zeros": (ONE.replace(b"`", b" "), [(b"a.bin", DATA)]),
    "blanks at line ends lost": (
        encoded(b"abc" + bytes(6)).replace(b"`", b" ").replace(b"        \n", b"\n"),
        [(b"a.bin", b"abc" + bytes(6))],
    ),
    "two": (ONE + b"and\n" + encoded(b"xyz", b"b"), [(b"a.bin", DATA), (b"b", b"xyz")]),
    "no end line": (encoded(DATA, end=b""), [(b"a.bin", DATA)]),
    "no end line, another begins": (
        encoded(DATA, end=b"") + encoded(b"xyz", b"b"),
        [(b"a.bin", DATA), (b"b", b"xyz")],
    ),
    "cut in a line": (encoded(b"abcdef", end=b"")[:-4], [(b"a.bin", b"abcd\0\0")]),
    "name with blanks": (encoded(b"x", b"a b.txt"), [(b"a b.txt", b"x")]),
    "no name": (encoded(b"x", b""), [(b"", b"x")]),
    "four digits": (encoded(b"x").replace(b"644", b"0644"), [(b"a.bin", b"x")]),
    "two blanks": (encoded(b"x").replace(b"n 6", b"n  6"), [(b"a.bin", b"x")]),
    "checksum at line ends": (encoded(b"abc").replace(b"8V-C\n", b"8V-Cx\n"), [(b"a.bin", b"abc")]),
    "bad lines inside": (
        encoded(b"abc", end=b"") + b"\n\xff\xff\nprose in lower case\n" + encoded(b"def")[16:],
        [(b"a.bin", b"abcdef")],
    ),
    "text behind the end": (ONE + b"#86)C\n", [(b"a.bin", DATA)]),
    "base64 form": (b"begin-base64 644 a.txt\nYWJj\nZGVm\n====\nYWJj\n", [(b"a.txt", b"abcdef")]),
    "base64 form, empty": (b"begin-base64 644 a.txt\n====\n", [(b"a.txt", b"")]),
    "empty": (b"begin 644 a\n`\nend\n", [(b"a", b"")]),
    "prose": (b"begin\nbegin at the beginning\nbegin 12 x\nbegin 888 x\nbeginning 644 x\n", []),
    "not at a line start": (b"x " + ONE, []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_gives_its_uuencoded_files(text, expected):
    assert files(text) == expected
    assert uu.has_uu(Blob(text)) is bool(expected)


@given(st.binary(max_size=400), st.integers(8, 200))
def test_what_was_uuencoded_comes_back_in_chunks_of_any_size(data, chunk):
    text = b"Hello\n" + encoded(data) + b"Bye\n"
    assert b"".join(uu.decode(text, 0, len(text), max(chunk, 64))) == data


@given(
    st.lists(
        st.sampled_from(
            [b"begin", b" 644 x", b"\n", b"-base64", b"end", b"#86)C", b"M", b"`", b"\xff", b"\r"]
        )
    )
)
def test_no_text_is_too_odd_to_be_searched(pieces):
    assert isinstance(files(b"".join(pieces)), list)


@pytest.mark.parametrize(
    "line",
    [
        b"begin 644 x\n",
        b"begin x\n",
        b"begin\n",
        b"begin 644 " + b"x" * 5000 + b"\n",
        b"begin-base64 644 x\n",
        b"\nbegin",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_ten_thousand_begin_lines_are_searched_in_linear_work(counted, line):
    text = counted(line * 10_000)
    for block, stop in uu.blocks(text, 0, len(text)):
        list(uu.contents(text, block, stop))
    assert text.work <= 6 * len(text)


def test_a_line_longer_than_a_chunk_is_no_data_but_the_lines_after_it_are():
    text = b"begin 644 a\n" + b"M" * 5000 + b"\n" + encoded(b"abc")[16:]
    block = uu.find(text, 0, len(text))
    assert block is not None
    assert b"".join(uu.contents(text, block, len(text), 512)) == b"abc"
